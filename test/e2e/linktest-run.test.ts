// SPDX-License-Identifier: MIT
// Goal: a linktest of a run tells links that are as asked for from those that are not, by events
// and before time 0, and what it finds is in result, files and exit status.
// Method: runs through bin/muster. Process nodes share one network, whose links are never shaped.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runBody } from "./support/experiment.ts";

const link = (delay: string): string =>
  [
    ...["set a [$ns node]", "set b [$ns node]"],
    `set l [$ns duplex-link $a $b 100Mb ${delay} DropTail]`,
  ].join("\n");

test("links that nobody shapes are found, in result, error files and completion", async () => {
  const body = `${link("10ms")}
set never [$a program-agent -command "true"]
set steps [$ns event-sequence {
  $ns linktest -stopat 1
  $never run
}]
$ns at 0 "$steps run"`;
  const { result, text, out, code, stderr } = await runBody(body, ["--nodes", "process"]);
  expect(code, stderr).toBe(1);
  expect(result).toMatchObject({ outcome: "failed", programs: [] });
  expect(result.reasons.map(({ code }) => code)).toEqual(["LINK", "LINK"]);
  const [there] = result.links;
  expect(there).toMatchObject({ from: "a", to: "b", verdict: "bad" });
  expect(there?.measured?.delayUs).toBeLessThan(9_500);
  expect(there?.why?.[0]).toMatch(
    /^latency: \d+ of \d+ packets were more than 0\.5 ms earlier than asked for(?:, and .*)?$/,
  );
  expect(text("proj/tbdata/linktest/a.error")).toMatch(
    /^Latency error: a-l to b-l \(100 Mbps, 10ms, 0% loss, droptail\) : expected 10 ms, /,
  );
  // Its probes met at the sync server, which is nobody's business.
  expect(result.barriers).toEqual([]);
  const verdicts = JSON.parse(readFileSync(join(out, "linktest/verdicts.json"), "utf8"));
  expect(verdicts).toHaveLength(2);
});

test("links that are as asked for pass before time 0, and nothing of the test is left", async () => {
  const body = `${link("0ms")}\ntb-set-linktest-level 1\n$ns at 0 "$ns message begun"`;
  const { result, out, code, stderr } = await runBody(body, ["--nodes", "process"]);
  expect(code, stderr).toBe(0);
  expect(result.links.map(({ verdict }) => verdict)).toEqual(["ok", "ok"]);
  expect(result.messages.map(({ text }) => text)).toEqual([
    expect.stringMatching(
      /^linktest level \d begins: at least \d+ s; verdicts go to linktest\/verdicts-1\.json$/,
    ),
    "begun",
  ]);
  expect(existsSync(join(out, "proj/tbdata/linktest"))).toBe(false);
});
