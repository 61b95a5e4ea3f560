// SPDX-License-Identifier: MIT
// Goal: `muster run` leaves no process, namespace, mount, socket or temporary directory behind,
// however it ends.
// Method: programs that double-fork, leave their session and ignore signals; a picture of the whole
// machine before and after; Muster itself is ended in order, by Ctrl-C and with -9.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { modes, untilEmpty } from "./nodes-support/harness.ts";
import { leftovers, lookAtMachine, type Machine, partsOfRun } from "./nodes-support/machine.ts";
import { run, until } from "./support/command.ts";
import {
  ended,
  nodesWith,
  readRecord,
  readText,
  type StartedRun,
  sh,
  startRun,
} from "./support/experiment.ts";

const settleMs = 60_000;

/** Ignores what can be ignored; child and grandchild have left the session, both orphaned. */
const stubborn = sh(
  'trap "" TERM INT HUP; mkfifo $TMPDIR/fifo; ' +
    '(setsid sh -c "trap : TERM INT HUP; (setsid sh -c \\"trap : TERM; while :; do sleep 1000; done\\" &); ' +
    'while :; do sleep 1000; done" &); ' +
    "echo > $EXPDIR/tmp/$NODE; while :; do sleep 1000; done",
);
/** Has a barrier open, so that the sync server holds connections when the end comes. */
const waiting = sh("echo > $EXPDIR/tmp/$NODE; emulab-sync -n never -i 9");
/** Ends at once; what it leaves in the background does not. */
const parent = sh("setsid sleep 1000 & sleep 1000 & echo > $EXPDIR/tmp/$NODE");

interface Watched {
  readonly started: StartedRun;
  readonly before: Machine;
  readonly run: {
    readonly runId: string;
    readonly parts: readonly string[];
    readonly block: string;
  };
}

async function startWatched(mode: string): Promise<Watched> {
  const before = lookAtMachine();
  const body = `${nodesWith(stubborn, waiting, parent)}
set later [$n2 program-agent -command "sleep 1000"]
$ns at 500 "$later start"`;
  const started = startRun(body, [], { env: { MUSTER_NODES: mode } });
  const { command, out } = started;
  await until("every program is in full swing", () => {
    if (command.child.exitCode !== null) throw new Error(command.stdout + command.stderr);
    return ["n0", "n1", "n2"].every((node) => existsSync(join(out, "proj/tmp", node)));
  });
  await command.prints(/barrier never 1 of 10/);
  const record = readRecord(out);
  const runId = String(record[0]?.["runId"]);
  const nodes = record.find(({ type }) => type === "run-started")?.["nodes"];
  const address = /"loopback":"127\.(\d+)\./.exec(JSON.stringify(nodes));
  const parts = partsOfRun(before, lookAtMachine(), runId, command.pid);
  // The test would prove nothing if it did not know the run's processes.
  expect(parts.filter((part) => part.startsWith("process")).length).toBeGreaterThan(10);
  return { started, before, run: { runId, parts, block: address?.[1] ?? "" } };
}

const left = ({ before, run }: Watched): readonly string[] =>
  leftovers(before, lookAtMachine(), run);

describe.each(modes)("in %s mode nothing is left", (mode) => {
  test("of a run that was interrupted, when the command returns", async () => {
    const watched = await startWatched(mode);
    watched.started.command.child.kill("SIGINT");
    const { code, result } = await ended(watched.started);
    expect(code).toBe(130);
    expect(result.endedBy).toBe("interrupt");
    expect(left(watched)).toEqual([]);
  });

  test("of a run whose Muster was killed with -9, and its record can be read", async () => {
    const watched = await startWatched(mode);
    const { command, out } = watched.started;
    command.child.kill("SIGKILL");
    await command.ended;
    expect(await untilEmpty(() => left(watched), settleMs)).toEqual([]);
    const types = new Set(readRecord(out).map(({ type }) => type));
    expect([...types]).toEqual(expect.arrayContaining(["run-started", "program-started"]));
    expect(readText(join(out, "result.json"))).toBe("");
  });

  test("of a run that ended by itself around what its programs had left running", async () => {
    const before = lookAtMachine();
    const started = startRun(nodesWith(parent, parent), [], { env: { MUSTER_NODES: mode } });
    const { result, code } = await ended(started);
    expect(result).toMatchObject({ endedBy: "idle", outcome: "passed" });
    expect(code).toBe(0);
    const run = { runId: result.runId, parts: [], block: blockOf(result.nodes) };
    expect(leftovers(before, lookAtMachine(), run)).toEqual([]);
  });

  test("of a program that was killed with -9, nor of its run", async () => {
    const watched = await startWatched(mode);
    const { command } = watched.started;
    const victims = [...lookAtMachine().processes.values()].filter(
      ({ environment, commandLine }) =>
        environment.includes(`MUSTER_RUN=${watched.run.runId}`) && /^sh -c trap/.test(commandLine),
    );
    expect(victims.length).toBeGreaterThan(0);
    for (const { pid } of victims) process.kill(pid, "SIGKILL");
    await command.prints(/program n0_startcmd on n0 failed: .*SIGKILL/);
    command.child.kill("SIGTERM");
    const { code, result } = await ended(watched.started);
    expect(code).toBe(143);
    expect(result.programs.find(({ node }) => node === "n0")?.signal).toBe("SIGKILL");
    expect(left(watched)).toEqual([]);
  });
});

test("two runs at once do not see each other", async () => {
  const meet = (own: string) =>
    nodesWith(
      sh(`emulab-sync -i 2 -n same; echo ${own} > $EXPDIR/tmp/$NODE`),
      sh("emulab-sync -n same"),
      sh("sleep 0.5; emulab-sync -n same"),
    );
  const both = await Promise.all(
    [1, 2].map((own) => ended(startRun(meet(String(own)), ["--seed", "5"]))),
  );
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(both.map((one) => one.text("proj/tmp/n0"))).toEqual(["1\n", "2\n"]);
  for (const { result } of both) {
    expect(result.barriers).toMatchObject([{ name: "same", outcome: "crossed", arrived: 3 }]);
  }
  const blocks = both.map(({ result }) => blockOf(result.nodes));
  expect(blocks[0]).not.toBe(blocks[1]);
});

test("a run that cannot begin leaves a result and nothing else", async () => {
  const before = lookAtMachine();
  const started = startRun(nodesWith("true"), ["--seed", "3"], { env: { MUSTER_NODES: "bogus" } });
  const { code, result, stdout } = await ended(started);
  expect(code).toBe(1);
  expect(result).toMatchObject({ endedBy: "failure", error: { code: "SWAP_IN" }, seed: 3 });
  expect(result.experiment).toBe("muster/test");
  expect(stdout).toContain("MUSTER_NODES is bogus; it can be namespace or environment");
  expect(result.command).toBe(`MUSTER_NODES=bogus muster run ${started.file} --seed 3`);
  expect(stdout).not.toContain("run it again");
  const run = { runId: result.runId, parts: [], block: "999" };
  expect(leftovers(before, lookAtMachine(), run)).toEqual([]);
});

test("the command can be asked for its version and help without a run", async () => {
  const [version, help] = await Promise.all([
    run("muster", ["--version"]),
    run("muster", ["run", "--help"]),
  ]);
  expect(version).toMatchObject({ code: 0, stdout: "0.1.0\n" });
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("--stuck-after");
});

function blockOf(nodes: readonly { readonly addresses: readonly { loopback: string }[] }[]) {
  return nodes[0]?.addresses[0]?.loopback.split(".")[1] ?? "";
}
