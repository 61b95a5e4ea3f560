// SPDX-License-Identifier: MIT
// Goal: nodes of a run are on other machines and nobody notices but by the clock: barriers, events,
// old tools, output; and whatever ends, nothing of a run is left on a host.
// Method: hosts are a template that starts a shell with a home and a temporary directory of its
// own, so that nothing but the link connects them with the run.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, scratch, shell, start, until } from "./support/command.ts";
import { ended, readText, runBody, type StartedRun, sh, startRun } from "./support/experiment.ts";

/** Directories for the hosts; where theirs are, and how they are reached. */
function hosts(...names: readonly string[]): { readonly at: string; readonly argv: string[] } {
  const at = scratch();
  for (const name of names) mkdirSync(join(at, name, "tmp"), { recursive: true });
  const shell = `env HOME=${at}/%h TMPDIR=${at}/%h/tmp sh -c`;
  const muster = join(repository, "bin/muster");
  return { at, argv: ["--remote-shell", shell, "--remote-muster", muster] };
}

/** Processes whose environment has this directory for temporary files. */
function processesOf(at: string, host: string): number[] {
  const mark = `TMPDIR=${join(at, host)}/tmp`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => environmentOf(pid).includes(mark))
    .map(Number);
}

/** `""` where it may not be read: such a process is nobody's here. */
function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}

const isEmpty = (at: string, host: string): boolean =>
  readdirSync(join(at, host, "tmp")).length === 0;

test("programs of two hosts meet, send events, and give back what they write", async () => {
  const { at, argv } = hosts("a", "b");
  const body = `
set n0 [$ns node]
set n1 [$ns node]
set n2 [$ns node]
tb-set-sync-server $n0
tb-fix-node $n1 b
set first [$n0 program-agent -command {${sh(
    "emulab-sync -i 2 -n met; echo $EXPDIR; echo wrong >&2; echo a > $EXPDIR/shared",
  )}}]
set second [$n1 program-agent -command {${sh(
    "emulab-sync -n met; echo $EXPDIR; echo b > $EXPDIR/shared; tmcc nodeid > $LOGDIR/who",
  )}}]
set third [$n2 program-agent -command {${sh(
    "emulab-sync -u -n met; tevc -e $PID/$EID now late START",
  )}}]
set late [$n1 program-agent -command {${sh("echo late")}}]
set planned [$n2 program-agent -command {${sh("tail -n 1 $EXPFILES/test.ns")}}]
$ns at 0 "$first start"
$ns at 0 "$second start"
$ns at 0 "$third start"
$ns at 3 "$planned start"`;
  const run = await runBody(body, ["--on", "a:2,b:2", ...argv]);
  expect(run.stdout).toContain("nodes on hosts: a: n0, n2; b: n1");
  // How it is said follows from the option: in one line, not as a wish.
  expect(run.stdout.match(/not given: (?!\$EXPDIR).*/g)).toEqual([
    expect.stringContaining("no namespaces of their own, as --nodes netns is not asked for"),
  ]);
  const { result } = run;
  expect({ outcome: result.outcome, reasons: result.reasons }).toEqual({
    outcome: "passed",
    reasons: [],
  });
  expect(result.backend.nodes).toBe("remote");
  expect(result.nodes.map(({ name, host }) => [name, host])).toEqual([
    ["n0", "a"],
    ["n1", "b"],
    ["n2", "a"],
  ]);
  expect(result.barriers.map(({ name, outcome, arrived }) => [name, outcome, arrived])).toEqual([
    ["met", "crossed", 3],
  ]);
  expect(run.text("nodes/n0/local/logs/first.out")).toContain(`${at}/a/tmp/`);
  expect(run.text("nodes/n0/local/logs/first.err")).toBe("wrong\n");
  expect(run.text("nodes/n1/local/logs/second.out")).toContain(`${at}/b/tmp/`);
  expect(run.text("nodes/n1/local/logs/late.out")).toBe("late\n");
  expect(run.text("nodes/n1/local/logs/who")).toBe("n1\n");
  // What two hosts have written under one name are two files.
  const shared = readdirSync(join(run.out, "proj")).filter((name) => name.startsWith("shared"));
  expect(shared.map((name) => run.text(`proj/${name}`)).sort()).toEqual(["a\n", "b\n"]);
  expect(run.text("report.html")).toContain('n1 <span class="soft">on</span> b');
  // Not before its instant, by a clock that is compared over the link.
  const planned = result.events.find(({ object }) => object === "planned");
  expect(planned?.outcome).toBe("done");
  expect(run.text("nodes/n2/local/logs/planned.out")).toBe("$ns run\n");
  expect([isEmpty(at, "a"), isEmpty(at, "b")]).toEqual([true, true]);
});

const stubborn = sh('trap "" TERM; setsid sleep 1000 & echo up; while :; do sleep 1000; done');

async function startOnBoth(): Promise<StartedRun & { readonly at: string }> {
  const { at, argv } = hosts("a", "b");
  const body = `
set n0 [$ns node]
set n1 [$ns node]
set p0 [$n0 program-agent -command {${stubborn}}]
set p1 [$n1 program-agent -command {${stubborn}}]
$ns at 0 "$p0 start"
$ns at 0 "$p1 start"`;
  const started = startRun(body, ["--on", "a:1,b:1", ...argv]);
  const logs = (node: string, name: string): string =>
    join(started.out, `nodes/${node}/local/logs/${name}.out`);
  await until("both programs have printed", () => {
    if (started.command.child.exitCode !== null) throw new Error(started.command.stdout);
    return [logs("n0", "p0"), logs("n1", "p1")].every((path) => readText(path) === "up\n");
  });
  return { ...started, at };
}

/** The agent's own process: what it has started has the variables of a run. */
function agentOf(at: string, host: string): number {
  const own = processesOf(at, host).find((pid) => {
    const words = readText(`/proc/${pid}/cmdline`).split("\0");
    return words.includes("agent") && words.some((word) => word.endsWith("muster.js"));
  });
  if (own === undefined) throw new Error(`no agent on ${host}`);
  return own;
}

test("a host that is lost ends the run with its name, and leaves nothing there", async () => {
  const started = await startOnBoth();
  process.kill(agentOf(started.at, "b"), "SIGKILL");
  const run = await ended(started);
  expect(run.code).toBe(1);
  expect(run.result.error?.code).toBe("HOST_LOST");
  expect(run.result.error?.message).toMatch(/^the host b is lost, with its nodes: /);
  for (const host of ["a", "b"]) {
    await until(`nothing is left on ${host}`, () => {
      return processesOf(started.at, host).length === 0 && isEmpty(started.at, host);
    });
  }
});

test("a run that is killed leaves nothing on its hosts", async () => {
  const { at, command } = await startOnBoth();
  command.child.kill("SIGKILL");
  await command.ended;
  for (const host of ["a", "b"]) {
    await until(`nothing is left on ${host}`, () => {
      return processesOf(at, host).length === 0 && isEmpty(at, host);
    });
  }
});

test("what cannot be placed or reached is refused before anything is started", async () => {
  const { at, argv } = hosts("a", "b");
  const linked = `
set n0 [$ns node]
set n1 [$ns node]
tb-fix-node $n0 a
tb-fix-node $n1 b
set lan0 [$ns make-lan "$n0 $n1" 100Mb 0ms]`;
  const torn = await runBody(linked, ["--on", "a,b", ...argv]);
  expect(torn.result.error?.message).toBe(
    "lan0 would join n0 on a with n1 on b: links go between hosts with " +
      "--nodes netns only; fix both to one host, or take the link away",
  );
  const unreached = await runBody("set n0 [$ns node]", [
    ...["--on", "a", "--remote-shell", "sh -c"],
    ...["--remote-muster", join(at, "nothing")],
  ]);
  expect(unreached.result.error?.message).toMatch(
    /^this host cannot be used: a \(the remote shell ended: .*nothing.*not found\); nothing was started; a command line there /,
  );
  const unasked = ["--on", "a:1", "--remote-shell", "false", "--remote-muster", "muster"];
  const crowded = await runBody("set n0 [$ns node]\nset n1 [$ns node]", unasked);
  expect(crowded.result.error?.message).toMatch(/^there is no room for n1; /);
  const refused = await runBody("set n0 [$ns node]", ["--on", "a", "--linktest", "3", ...argv]);
  expect(refused.code).toBe(64);
  expect(refused.stderr).toContain("have no network of their own unless --nodes netns is said");
  expect(existsSync(refused.out)).toBe(false);
});

test.runIf(process.getuid?.() === 0)(
  "a host whose disk is full fails the run, and what it has comes back",
  async () => {
    const { at, argv } = hosts("a");
    const body = `
set n0 [$ns node]
set fills [$n0 program-agent -command {${sh(
      "echo kept > $EXPDIR/kept; head -c 3000000 /dev/zero > $EXPDIR/fill; true",
    )}}]
$ns at 0 "$fills start"`;
    const disk = `mount -t tmpfs -o size=2m none ${join(at, "a/tmp")} && exec "$@"`;
    const prefix = ["unshare", "--mount", "sh", "-c", disk, "sh"];
    const run = await runBody(body, ["--on", "a:1", ...argv], { prefix });
    expect([run.code, run.result.outcome, run.result.error?.code]).toEqual([1, "failed", "OUTPUT"]);
    expect(run.result.error?.message).toMatch(
      /^a: its disk is full \(.*: 0 of 2 MiB are free\): what programs wrote there may not be whole$/,
    );
    expect(run.result.programs).toMatchObject([{ name: "fills", exitCode: 0 }]);
    expect(run.text("proj/kept")).toBe("kept\n");
  },
);

test("an agent ends also where nothing ends its input, as when the run's machine is gone", async () => {
  const input = join(scratch(), "input");
  await shell(`mkfifo ${input}`);
  // A pipe that is open at both ends, here and for ever.
  const agent = start("muster", ["node", "agent"], {
    prefix: ["sh", "-c", 'exec "$@" 0<>"$0"', input],
  });
  await agent.prints(/"hello"/);
  agent.child.kill("SIGTERM");
  expect((await agent.ended).code).toBe(0);
});

test("while nodes are on a host, commands that act on nodes say so where it was started", async () => {
  const { argv } = hosts("a");
  const body = `
set n0 [$ns node]
set n1 [$ns node]
set l [$ns duplex-link $n0 $n1 10Mb 2ms DropTail]
set long [$n0 program-agent -command {${sh("sleep 300")}}]
$ns at 0 "$long start"`;
  const eid = `away${process.pid}`;
  const run = startRun(body, ["--eid", eid, "--on", "a", ...argv]);
  await run.command.prints(/program long|long started|started long/);
  const env = { MUSTER_STATE: scratch() };
  const asks = [
    ["exec", "--experiment", `muster/${eid}`, "n0", "--", "true"],
    ["link", "show", eid],
    ["link", "capture", eid, "l"],
  ];
  const said = await Promise.all(asks.map((words) => start("muster", words, { env }).ended));
  expect(said.map(({ stderr }) => stderr)).toEqual([
    expect.stringContaining(`n0 of muster/${eid} is on another machine`),
    expect.stringContaining(`muster/${eid}: its nodes are on other machines`),
    expect.stringContaining(`the nodes of muster/${eid} are on other machines`),
  ]);
  run.command.child.kill("SIGINT");
  await run.command.ended;
});
