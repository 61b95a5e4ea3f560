// SPDX-License-Identifier: MIT
// Goal: a run does with what the machine gives: a plain container without namespaces, a full disk,
// programs that flood it, programs that cannot be started.
// Method: the ability is really taken away: rights are dropped, user namespaces are forbidden, the
// output directory is on a disk that is too small.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isRoot, modes } from "./nodes-support/harness.ts";
import { run, scratch, shell } from "./support/command.ts";
import { nodesWith, readText, runBody, sh, writeExperiment } from "./support/experiment.ts";

const dropRights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
/** A user namespace in which none below it can be made, without any right. */
const noUserNamespaces = [
  ...["unshare", "--user", "--map-root-user", "sh", "-c"],
  `echo 0 >/proc/sys/user/max_user_namespaces && exec ${dropRights.join(" ")} "$@"`,
  "sh",
];
const places = [
  ...(isRoot ? [["root without rights", dropRights] as const] : []),
  ["a container without user namespaces", noUserNamespaces] as const,
];

describe.runIf(modes.includes("namespace"))("where there are no namespaces", () => {
  test.each(places)("as %s, a run works all the same and says what is lost", async (_, prefix) => {
    // The place is what it claims to be: else this test would prove nothing.
    const attempt = await shell("unshare --mount true || unshare --user --map-root-user true", {
      prefix,
    });
    expect(attempt.code).not.toBe(0);

    const body = nodesWith(
      sh("echo $NODE > $EXPDIR/tmp/mark; emulab-sync -i 1 -n meet && startcmddone 0"),
      sh("emulab-sync -n meet && cat $EXPDIR/tmp/mark"),
    );
    const { code, result, stdout, text } = await runBody(body, [], { prefix });
    expect(stdout).toContain("nodes have no namespaces of their own here: ");
    expect(result.lost.join("\n")).toMatch(/Operation not permitted|No space left on device/);
    expect(result.barriers).toMatchObject([{ name: "meet", outcome: "crossed", arrived: 2 }]);
    const nodes = result.barriers[0]?.participants.map(({ node }) => node).sort();
    expect(nodes).toEqual(["n0", "n1"]);
    expect(text("nodes/n1/local/logs/n1_startcmd.out")).toBe("n0\n");
    expect(code).toBe(0);
  });

  test("asking for them is refused with the reason", async () => {
    const env = { MUSTER_NODES: "namespace" };
    const { code, result } = await runBody(nodesWith("true"), [], {
      env,
      prefix: noUserNamespaces,
    });
    expect(code).toBe(1);
    expect(result.error?.code).toBe("SWAP_IN");
    expect(result.error?.message).toMatch(/^nodes with namespaces were asked for: /);
    expect(result.programsNotStarted).toHaveLength(1);
  });
});

describe("a program", () => {
  test("that cannot be started fails with the reason, and the others go on", async () => {
    const body = `${nodesWith("true")}
set lost [$n0 program-agent -command "true" -dir "/no/such/directory"]
$ns at 0 "$lost start"`;
    const { code, result, stdout } = await runBody(body);
    expect(code).toBe(1);
    const message =
      "program lost on n0 could not be started: " +
      "there is no directory /no/such/directory on its node";
    expect(result.reasons).toEqual([{ code: "PROGRAM", message }]);
    expect(stdout).toContain(message);
    expect(result.programs.find(({ name }) => name === "n0_startcmd")?.exitCode).toBe(0);
  });

  test("whose command does not exist shows what its shell said", async () => {
    const { code, result, stdout } = await runBody(nodesWith("/no/such/program"));
    expect(code).toBe(1);
    expect(result.programs[0]?.stderrTail).toContain("/no/such/program");
    expect(stdout).toMatch(/\| .*\/no\/such\/program/);
  });

  test("that prints 100 MB holds nobody up, and every byte is kept", async () => {
    const body = nodesWith(
      sh("yes all work and no play | head -c 100000000; exit 3"),
      "emulab-sync -n meet -i 1",
      "emulab-sync -n meet",
    );
    const { out, result } = await runBody(body);
    expect(statSync(join(out, "nodes/n0/local/logs/n0_startcmd.out")).size).toBe(100_000_000);
    expect(result.barriers).toMatchObject([{ outcome: "crossed" }]);
    expect(result.reasons).toHaveLength(1);
  });

  test("that prints its last words without end has the last 4 KiB of them in the result", async () => {
    const { result, out } = await runBody(
      nodesWith(sh("yes why | head -c 1000000 >&2; echo last >&2; exit 1")),
    );
    expect(result.programs[0]?.stderrTail.length).toBe(4_096);
    expect(result.programs[0]?.stderrTail).toMatch(/why\nlast\n$/);
    expect(statSync(join(out, "result.json")).size).toBeLessThan(50_000);
  });

  test("is stopped when its time is over, also when it ignores SIGTERM", async () => {
    const body = `${nodesWith("")}
set deaf [$n0 program-agent -timeout 1 -command {exec sh -c 'trap "" TERM; sleep 1; sleep 60; sleep 60'}]
$ns at 0 "$deaf start"`;
    const { code, result } = await runBody(body);
    expect(code).toBe(1);
    expect(result.programs).toMatchObject([{ timedOut: true, signal: "SIGKILL" }]);
    expect(result.endedUs).toBeLessThan(55_000_000);
  });

  test("counts as failed when it ends well but another code was expected", async () => {
    const body = `${nodesWith("")}
set one [$n0 program-agent -expected-exit-code 3 -command "true"]
$ns at 0 "$one start"`;
    const { code, result } = await runBody(body);
    expect(code).toBe(1);
    expect(result.reasons[0]?.message).toBe("program one on n0 exited with 0, expected 3");
  });
});

test.runIf(isRoot && modes.includes("namespace"))(
  "a full disk is told in one message, with a status and what to do, and the run ends in order",
  async () => {
    const disk = scratch();
    const kept = scratch();
    const file = writeExperiment(
      nodesWith(sh("yes | head -c 3000000"), "emulab-sync -n meet -i 1", "emulab-sync -n meet"),
    );
    const prefix = [
      ...["unshare", "--mount", "sh", "-c"],
      `mount -t tmpfs -o size=1m none ${disk} && { "$@"; status=$?; ls ${disk}/out >${kept}/ls; exit $status; }`,
      "sh",
    ];
    const ran = await run("muster", ["run", file, "--out", join(disk, "out")], { prefix });
    // There was no room for the result either.
    expect(ran.code).toBe(73);
    const messages = ran.stdout.match(/no space left on the device; free some or choose another/g);
    expect(messages).not.toBeNull();
    // What the others did is not touched by it: their barrier was crossed.
    expect(ran.stdout).toMatch(/barrier +meet +crossed/);
    expect(readText(join(kept, "ls"))).toContain("record.ndjson");
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(disk);
  },
);
