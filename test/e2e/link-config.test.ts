// SPDX-License-Identifier: MIT
// Goal: delay_config and link_config change links of what is up as the old commands did, and with
// -m those of the next swap-ins, until the experiment is defined anew; what cannot be set is
// refused, and nothing is kept of it. Method: the commands of bin/ against a daemon with shaped
// links, whose report is the judge; a swap-in of what the database has, by XML-RPC.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { resolveStateDirectory } from "../../src/boss/index.ts";
import { askByXmlRpc } from "../../src/cli/compat/xmlrpc-socket.ts";
import { callBoss, experimentMembers } from "../../src/client/boss.ts";
import type { LinksReport } from "../../src/network/link-report.ts";
import { text } from "../../src/wire/xmlrpc/index.ts";
import { type Ended, run, scratch } from "./support/command.ts";

const isRoot = process.getuid?.() === 0;
const body = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set c [$ns node]
set l [$ns duplex-link $a $b 10Mb 20ms DropTail]
set lan [$ns make-lan "$a $b $c" 10Mb 4ms]
set stays [$c program-agent -command {sleep 600}]
$ns at 0 "$stays start"
$ns run
`;
let state = "";
const options = () => ({ env: { MUSTER_STATE: state } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, options());
const config = (name: "delay-config" | "link-config", ...argv: readonly string[]): Promise<Ended> =>
  run(name, argv, options());

afterEach(async () => {
  await muster("serve", "--stop");
});

/** One line for each way: what is in force. */
async function ways(link: string): Promise<readonly string[]> {
  const { code, stdout, stderr } = await muster("link", "show", "proj/exp", link, "--json");
  expect([code, stderr]).toEqual([0, ""]);
  const report = JSON.parse(stdout) as LinksReport;
  return (report.links[0]?.ways ?? []).map(({ from, to, isUp, now }) => {
    const { bandwidthBps, delayUs, loss, queue } = now;
    const shape = `${bandwidthBps / 1e6} Mb/s ${delayUs / 1e3} ms ${loss.toFixed(3)} ${queue.limit}`;
    return `${from ?? "lan"}>${to ?? "lan"} ${isUp ? "up" : "down"} ${shape}`;
  });
}

async function ok(name: "delay-config" | "link-config", ...argv: readonly string[]) {
  expect(await config(name, ...argv)).toMatchObject({ code: 0, stdout: "", stderr: "" });
}

/** As `swapexp` does it: what the database has is brought up. */
async function swapIn(): Promise<void> {
  const directory = resolveStateDirectory(state, {});
  const words = [...experimentMembers("proj", "exp"), ["direction", text("in")] as const];
  const ask = (call: Uint8Array): Promise<Uint8Array> => askByXmlRpc(directory, call);
  await callBoss(ask, "experiment.swapexp", [...words, ["wait", text("1")]]);
}

describe.skipIf(!isRoot)("delay_config and link_config", () => {
  test("change a link that is up, and with -m that of the next swap-ins", async () => {
    state = join(scratch(), "state");
    const file = join(scratch(), "exp.ns");
    writeFileSync(file, body);
    const up = () => muster("up", file, "--pid", "proj");
    expect(await up()).toMatchObject({ code: 0, stderr: "" });

    await ok("delay-config", "proj", "exp", "l", "DELAY=30", "BANDWIDTH=2000");
    const [there, back] = ["a>b up 2 Mb/s 30 ms 0.000 50", "b>a up 2 Mb/s 30 ms 0.000 50"];
    expect(await ways("l")).toEqual([there, back]);
    await ok("delay-config", "-m", "-s", "b", "proj", "exp", "l", "plr=0.1", "LIMIT=20");
    const lossy = "b>a up 2 Mb/s 30 ms 0.100 20";
    expect(await ways("l")).toEqual([there, lossy]);
    // A packet meets two members of a LAN.
    const said = await config("delay-config", "-d", "-m", "proj", "exp", "lan", "DELAY=10");
    expect(said).toMatchObject({ code: 0, stdout: expect.stringMatching(/changed and kept/) });
    const member = (node: string) => [
      `${node}>lan up 10 Mb/s 5 ms 0.000 50`,
      `lan>${node} up 10 Mb/s 5 ms 0.000 50`,
    ];
    const lan = ["a", "b", "c"].flatMap(member);
    expect(await ways("lan")).toEqual(lan);
    await ok("link-config", "proj", "exp", "l", "ENABLE=no");
    const down = [there, lossy].map((way) => way.replace(" up ", " down "));
    expect(await ways("l")).toEqual(down);
    await ok("link-config", "proj", "exp", "l", "ENABLE=yes");
    expect(await ways("l")).toEqual([there, lossy]);
    // What was set is asked for: a link that does it is no bad one.
    expect(await muster("linktest", "exp", "--level", "1")).toMatchObject({ code: 0 });

    for (const [argv, complaint] of [
      [["proj", "exp", "l", "DELAY=soon"], "DELAY is a number, not 'soon'"],
      [["-m", "proj", "exp", "l", "DELAY=999999999"], "is not from 0 to"],
      [["proj", "exp", "gone", "DELAY=1"], "has no link gone; there are: l, lan"],
      [["-s", "c", "proj", "exp", "l", "DELAY=1"], "c is not on l; there are: a, b"],
      [["-m", "proj", "exp", "l", "JITTER=1"], "JITTER cannot be kept"],
      [["-m", "proj", "exp", "l", "PLR=2"], "PLR is from 0 to 1"],
      [["-m", "proj", "exp", "l", "PIPE=pipe0"], "name the direction with -s"],
      [["proj", "exp", "l", "ENABLE=no"], "takes no ENABLE; use link_config"],
      [["proj", "exp", "l", "CHANNEL=3"], "is of radios"],
      [["proj", "exp", "l"], "name pid, eid, a link"],
      [["proj", "none", "l", "DELAY=1"], "there is no experiment"],
    ] as const) {
      const refused = await config("delay-config", ...argv);
      expect([refused.code, refused.stderr]).toEqual([255, expect.stringContaining(complaint)]);
    }
    expect(await ways("l")).toEqual([there, lossy]);

    expect((await muster("down", "exp")).stdout).toContain("run 1 passed");
    const late = await config("delay-config", "proj", "exp", "l", "DELAY=1");
    expect([late.code, late.stderr]).toEqual([
      255,
      "delay_config: proj/exp must be active to change its links, not swapped; -m keeps it for the next swap-in\n",
    ]);
    const beyond = await config("delay-config", "-m", "proj", "exp", "l", "DELAY=999999999");
    expect([beyond.code, beyond.stderr]).toEqual([
      255,
      expect.stringContaining("is not from 0 to 3600000 ms (delayUsMax)"),
    ]);
    await ok("link-config", "-m", "proj", "exp", "l", "ENABLE=no");
    await swapIn();
    expect(await ways("lan")).toEqual(lan);
    const kept = ["a>b down 10 Mb/s 20 ms 0.000 50", "b>a down 10 Mb/s 20 ms 0.100 20"];
    while ((await ways("l"))[0]?.includes(" up ")) await muster("status");
    expect(await ways("l")).toEqual(kept);
    await muster("down", "exp");

    expect(await up()).toMatchObject({ code: 0, stderr: "" });
    const plain = ["a>b up 10 Mb/s 20 ms 0.000 50", "b>a up 10 Mb/s 20 ms 0.000 50"];
    expect(await ways("l")).toEqual(plain);
  });
});
