// SPDX-License-Identifier: MIT
// Goal: the scheduler of an experiment runs as its user and with nothing of root; others with the
// right can stop it; a second start, a dead scheduler, a dead supervisor, an old pid file and a
// link in the place of the log do no harm. Method: the command of bin/, as root, for two accounts
// made for this file; a scheduler that is a small script and writes down what it is.
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ExperimentRow } from "../../src/boss/database.ts";
import { OpsEvents } from "../../src/boss/ops-events.ts";
import { lockFile } from "../../src/events/launch/file-lock.ts";
import { childrenOf, identifyProcess } from "../../src/events/launch/process-identity.ts";
import { systemClock } from "../../src/host/clock.ts";
import { gidOf, idOf, makeAccounts, type TestAccounts } from "./support/accounts.ts";
import { type Ended, repository, run, scratch, shell, until } from "./support/command.ts";

const isRoot = process.getuid?.() === 0;

/** Says what it is, then that it is ready, and ends in order when asked. */
const goodScheduler = `#!/bin/sh
echo "epoch $MUSTER_EPOCH process $$ arguments $*"
echo "environment $(env | cut -d= -f1 | sort | tr '\\n' ' ')"
echo "descriptors $(ls /proc/$$/fd | tr '\\n' ' ')"
trap 'echo ended in order; exit 0' TERM
echo ready >&3
while :; do sleep 1000 & wait $!; done
`;

let accounts: TestAccounts;
let directory = "";
let runDirectory = "";
let logs = "";
const log = (): string => join(logs, "event-sched.log");
const pidFile = (): string => join(runDirectory, "proj_exp.pid");
const readLog = (): string => (existsSync(log()) ? readFileSync(log(), "utf8") : "");

function script(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

interface ProxyOptions {
  readonly scheduler?: string;
  readonly user?: string;
  readonly env?: Record<string, string>;
  readonly prefix?: readonly string[];
  /** Options of the command besides. */
  readonly more?: readonly string[];
}

function proxy(action: string, options: ProxyOptions = {}): Promise<Ended> {
  const { owner, experimentGroup, projectGroup } = accounts;
  const argv = [
    ...["-u", options.user ?? owner, "-g", experimentGroup, "-p", projectGroup],
    ...["-e", "proj/exp", "-k", "/exp/tbdata/eventkey", "-l", log(), "--rundir", runDirectory],
    ...["--scheduler", options.scheduler ?? join(directory, "good")],
    ...["--tevc", join(directory, "tevc"), ...(options.more ?? []), action],
  ];
  return run("eventsys.proxy", argv, { env: options.env ?? {}, prefix: options.prefix ?? [] });
}

/** The process that the last scheduler has named in its log. */
function schedulerPid(): number {
  return Number(/.*^epoch \w+ process (\d+)/ms.exec(readLog())?.[1]);
}
/** High numbers: Node closes low ones by itself. */
const leaveOpen = `import os, sys
os.dup2(os.open("/etc/shadow", os.O_RDONLY), 200, True)
os.execvp(sys.argv[1], sys.argv[1:])`;

/** Lines such as `1: -> FLOCK ADVISORY WRITE 4711 00:2f:1234 0 EOF`. */
function waitersFor(path: string): number {
  const { ino } = statSync(path);
  const waits = new RegExp(`-> FLOCK .*:${ino} `);
  return readFileSync("/proc/locks", "utf8")
    .split("\n")
    .filter((line) => waits.test(line)).length;
}
const supervisorPid = (): number => Number.parseInt(readFileSync(pidFile(), "utf8"), 10);
const isAlive = (pid: number): boolean => identifyProcess(pid) !== undefined;
const asUser = (user: string, text: string): Promise<Ended> =>
  shell(text, {
    prefix: ["setpriv", `--reuid=${user}`, `--regid=${accounts.projectGroup}`, "--clear-groups"],
  });

describe.skipIf(!isRoot)("eventsys.proxy", () => {
  beforeAll(() => {
    accounts = makeAccounts();
  });
  afterAll(() => accounts.remove());

  beforeEach(() => {
    directory = scratch();
    chmodSync(directory, 0o755);
    runDirectory = join(directory, "evsched");
    logs = join(directory, "logs");
    mkdirSync(logs);
    chownSync(logs, idOf("-u", accounts.owner), gidOf(accounts.experimentGroup));
    script("good", goodScheduler);
    script("tevc", `#!/bin/sh\necho "$(id -un) $*" >>${logs}/tevc\n`);
  });
  afterEach(async () => {
    if (existsSync(pidFile())) await proxy("stop");
  });

  test("starts the scheduler as its user, with two groups and nothing of root's", async () => {
    const started = await proxy("start", {
      env: { NODE_OPTIONS: "--no-warnings", SECRET: "x" },
      prefix: ["python3", "-c", leaveOpen],
    });
    expect(started).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const status = readFileSync(`/proc/${schedulerPid()}/status`, "utf8");
    const uid = idOf("-u", accounts.owner);
    const groups = [gidOf(accounts.experimentGroup), gidOf(accounts.projectGroup)];
    const ids = (id: number | undefined): string => Array(4).fill(id).join("\t");
    expect(status).toContain(`\nUid:\t${ids(uid)}\n`);
    expect(status).toContain(`\nGid:\t${ids(groups[0])}\n`);
    const listed = /^Groups:\t(.*?) *$/m.exec(status)?.[1] ?? "";
    expect(listed.split(" ").map(Number).sort()).toEqual([...groups].sort());
    expect(status).toMatch(/^CapPrm:\t0+$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(readLog()).toContain(
      `epoch new process ${schedulerPid()} arguments -s localhost -k /exp/tbdata/eventkey proj exp`,
    );
    // PWD and the like are the shell's own.
    const names = /^environment (.*) $/m.exec(readLog())?.[1]?.split(" ") ?? [];
    const own = ["_", "OLDPWD", "PWD", "SHLVL"];
    expect(names.filter((name) => !own.includes(name))).toEqual([
      ...["HOME", "LOGNAME", "MUSTER_EPOCH", "MUSTER_READY_FD", "PATH", "USER"],
    ]);
    // 4 is the shell's own, for what it reads here, and 10 for the script.
    expect(/^descriptors (.*) $/m.exec(readLog())?.[1]).toBe("0 1 10 2 3 4");
    expect(statSync(log())).toMatchObject({ uid, gid: groups[0] });
  });

  test("writes a pid file that neither the user nor another can change", async () => {
    await proxy("start");
    expect(readFileSync(pidFile(), "utf8")).toMatch(/^\d+\n\d+\nproj\/exp\n$/);
    expect(statSync(runDirectory)).toMatchObject({ uid: 0, gid: 0 });
    expect(statSync(runDirectory).mode & 0o777).toBe(0o775);
    expect(isAlive(supervisorPid())).toBe(true);
    for (const user of [accounts.owner, accounts.other]) {
      for (const attack of ["echo 1 >", "rm -f", `touch ${runDirectory}/x; mv ${log()}`]) {
        expect((await asUser(user, `${attack} ${pidFile()}`)).code).not.toBe(0);
      }
    }
    expect(readdirSync(runDirectory).sort()).toEqual(["proj_exp.lock", "proj_exp.pid"]);
  });

  test("ends the scheduler of another, after its farewells; a second stop is quiet", async () => {
    await proxy("start");
    const [scheduler, supervisor] = [schedulerPid(), supervisorPid()];
    const stopped = await proxy("stop");
    expect(stopped).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect([scheduler, supervisor].map(isAlive)).toEqual([false, false]);
    expect(existsSync(pidFile())).toBe(false);
    expect(readLog()).toContain("ended in order");
    const common = "-s localhost -k /exp/tbdata/eventkey -e proj/exp now";
    expect(readFileSync(join(logs, "tevc"), "utf8").split("\n")).toEqual([
      `${accounts.owner} -w -t 3 ${common} __ns_swapout run`,
      `${accounts.owner} -w -t 5 ${common} __ns_teardown run`,
      "",
    ]);
    expect(await proxy("stop")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  test("starts one scheduler however many ask at one time", async () => {
    // All of them stand before the lock before the first goes through.
    mkdirSync(runDirectory);
    const lock = join(runDirectory, "proj_exp.lock");
    const release = await lockFile(lock, 60_000);
    const starts = Array.from({ length: 4 }, () => proxy("start"));
    await until("all of them wait for the lock", () => waitersFor(lock) === 4);
    release();
    const all = await Promise.all(starts);
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const refusal = "*** event scheduler already running; not starting another\n";
    expect(all.map(({ stdout }) => stdout).sort()).toEqual(["", refusal, refusal, refusal]);
    expect(childrenOf(supervisorPid()).map(({ pid }) => pid)).toEqual([schedulerPid()]);
    expect(existsSync(`${log()}.old`)).toBe(false);
  });

  test("replays: farewells, the end, and a scheduler with a new epoch", async () => {
    await proxy("start");
    const before = schedulerPid();
    expect(await proxy("replay")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(isAlive(before)).toBe(false);
    expect(schedulerPid()).not.toBe(before);
    expect(readLog()).toContain("epoch new");
    expect(readFileSync(`${log()}.old`, "utf8")).toContain("ended in order");
    expect(readFileSync(join(logs, "tevc"), "utf8")).toContain("__ns_swapout");
  });

  test("starts a killed scheduler again, to go on, and says so in its log", async () => {
    await proxy("start");
    const before = schedulerPid();
    process.kill(before, "SIGKILL");
    await until("it runs again", () => schedulerPid() > 0 && schedulerPid() !== before);
    expect(readLog()).toMatch(/supervisor\[\d+\]: the scheduler was ended by SIGKILL; .* in 1 s\n/);
    expect(readLog()).toContain(`epoch continue process ${schedulerPid()}`);
  });

  test("goes on from the plan of another machine, where none has died on this one", async () => {
    const plan = ["--plan", "nats://127.0.0.1:1/s"];
    await proxy("start", { more: plan });
    expect(readLog()).toMatch(/^epoch new .* --plan nats:\/\/127\.0\.0\.1:1\/s proj exp$/m);
    await proxy("stop");
    await proxy("start", { more: [...plan, "--continue"] });
    expect(readLog()).toMatch(/^epoch continue .* --plan nats:\/\/127\.0\.0\.1:1\/s proj exp$/m);
  });

  test("leaves no scheduler behind a killed supervisor; the next start says what was", async () => {
    await proxy("start");
    const [scheduler, supervisor] = [schedulerPid(), supervisorPid()];
    process.kill(supervisor, "SIGKILL");
    await until("the scheduler has ended", () => !isAlive(scheduler));
    const again = await proxy("start");
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(again.stdout).toBe(
      `*** the event scheduler of proj/exp (process ${supervisor}) had died; see ${log()}\n`,
    );
    expect(readLog()).toContain("epoch continue");
  });

  test("does not signal a process that came later with the id of the pid file", async () => {
    mkdirSync(runDirectory);
    // This very test.
    writeFileSync(pidFile(), `${process.pid}\n1\nproj/exp\n`);
    expect((await proxy("stop")).stdout).toContain(`(process ${process.pid}) had died`);
    expect(existsSync(pidFile())).toBe(false);
    for (const old of ["", `${process.pid}\n`, "1\n1\nother/exp\n"]) {
      writeFileSync(pidFile(), old);
      expect(await proxy("start")).toMatchObject({ code: 0, stderr: "" });
      expect(isAlive(schedulerPid())).toBe(true);
      expect(await proxy("stop")).toMatchObject({ code: 0, stdout: "" });
    }
  });

  test("says of a scheduler that ends at once what it has said, and leaves nothing", async () => {
    const scheduler = script("bad", "#!/bin/sh\necho no such experiment; exit 3\n");
    const failed = await proxy("start", { scheduler });
    expect(failed.code).toBe(255);
    expect(failed.stdout).toMatch(
      /^no such experiment\n.*: the scheduler ended with status 3 before it had started\n$/,
    );
    expect(failed.stderr).toBe(
      `*** eventsys.proxy: it ended with status 3; its log is ${log()}\n` +
        "*** Failed to start event system\n",
    );
    expect(existsSync(pidFile())).toBe(false);
  });

  test("writes through no link that the user has put in the place of the log", async () => {
    const victim = join(directory, "victim");
    mkdirSync(victim);
    writeFileSync(join(victim, "file"), "untouched\n");
    // The log itself: the link is put aside like any log before.
    symlinkSync(join(victim, "file"), log());
    expect((await proxy("start")).code).toBe(0);
    expect(lstatSync(log()).isFile()).toBe(true);
    await proxy("stop");
    // Its directory: the user may not write where the link leads.
    symlinkSync(victim, join(logs, "elsewhere"));
    logs = join(logs, "elsewhere");
    const failed = await proxy("start");
    expect(failed.code).toBe(255);
    expect(failed.stderr).toContain(`${accounts.owner} cannot begin the log`);
    expect(readdirSync(victim)).toEqual(["file"]);
    expect(readFileSync(join(victim, "file"), "utf8")).toBe("untouched\n");
    expect(existsSync(pidFile())).toBe(false);
  });

  test("starts a program agent on ops besides, and keeps and ends it like the scheduler", async () => {
    const agent = script(
      "agent",
      `#!/bin/sh\necho "agent $$ $*"\ntrap 'exit 0' TERM\nwhile :; do sleep 1000 & wait $!; done\n`,
    );
    const more = ["-a", "-d", "-t", "/records/1", "--agent", agent];
    expect(await proxy("start", { more })).toMatchObject({ code: 0, stderr: "" });
    await until("the agent runs", () => /^agent /m.test(readLog()));
    const [, pid, words] = /^agent (\d+) (.*)$/m.exec(readLog()) ?? [];
    expect(words).toBe(
      "-d -s localhost -k /exp/tbdata/eventkey -e proj/exp -v ops -c /exp/tbdata/program_agents " +
        "-f /exp/tbdata/environment -l /exp/logs/progagent.debug -o /exp/ops",
    );
    expect(statSync(`/proc/${pid}`).uid).toBe(idOf("-u", accounts.owner));
    expect(readLog()).toContain(
      "arguments -d -s localhost -k /exp/tbdata/eventkey -t /records/1 proj exp",
    );
    const both = childrenOf(supervisorPid()).map((one) => one.pid);
    expect(both.sort()).toEqual([schedulerPid(), Number(pid)].sort());
    expect(await proxy("stop")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(both.map(isAlive)).toEqual([false, false]);
  });

  test("is boss's hand on ops: another person ends what one has started", async () => {
    const pid = accounts.projectGroup;
    const path = join(directory, pid, "exp");
    mkdirSync(join(path, "logs"), { recursive: true });
    logs = join(path, "logs");
    chownSync(logs, idOf("-u", accounts.owner), gidOf(pid));
    const command = join(repository, "bin/eventsys.proxy");
    const own = `--rundir ${runDirectory} --scheduler ${directory}/good --tevc ${directory}/tevc`;
    const events = new OpsEvents({
      ...{ shell: "sh -c", place: { host: "ops", user: "root" }, clock: systemClock },
      proxy: script("proxy", `#!/bin/sh\nexec ${command} ${own} "$@"\n`),
      pathOf: (project, experiment) => join(directory, project, experiment),
      signal: new AbortController().signal,
    });
    const row = { pid, eid: "exp", swapper: accounts.owner } as ExperimentRow;
    const options = { debug: false, opsAgent: false };
    expect(await events.control(row, "start", accounts.owner, options)).toBe("");
    const scheduler = schedulerPid();
    expect(statSync(`/proc/${scheduler}`).uid).toBe(idOf("-u", accounts.owner));
    expect(await events.control(row, "start", accounts.other, options)).toContain("not starting");
    expect(await events.control(row, "stop", accounts.other, options)).toBe("");
    expect(isAlive(scheduler)).toBe(false);
    const nobody = { ...row, swapper: "mt-none" };
    await expect(events.control(nobody, "start", "x", options)).rejects.toThrow("no user mt-none");
  });

  test("refuses root as the user, who is not there, and a directory others can write to", async () => {
    expect((await proxy("start", { user: "root" })).stderr).toContain("never runs as root");
    expect((await proxy("start", { user: "mt-none" })).stderr).toContain("no user mt-none");
    mkdirSync(runDirectory);
    chmodSync(runDirectory, 0o777);
    expect((await proxy("start")).stderr).toContain("only root can write to");
  });
});
