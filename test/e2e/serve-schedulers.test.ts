// SPDX-License-Identifier: MIT
// Goal: under a daemon of root each experiment has its scheduler as a process of who swapped it in;
// another person with the right stops it, starts it and replays it, nobody else does; the programs
// by hand (eventsys.proxy with the real event-sched, over XML-RPC) act on the same scheduler.
// Method: real commands as root, two accounts made for this file with certificates made by openssl;
// /proc/PID/status of the scheduler.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { callBoss, experimentMembers, openBossHttps } from "../../src/client/boss.ts";
import { childrenOf, identifyProcess } from "../../src/events/launch/process-identity.ts";
import { text } from "../../src/wire/xmlrpc/index.ts";
import { Certificates, type Pair } from "../conformance/xmlrpc/certificates.ts";
import { gidOf, idOf, makeAccounts, type TestAccounts } from "./support/accounts.ts";
import { type Ended, run, scratch, start, until } from "./support/command.ts";
import { readRecord, readResult, readText } from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
const file = `set ns [new Simulator]
source tb_compat.tcl
set n [$ns node]
set p [$n program-agent -command {exec sh -c 'echo ran >>$EXPDIR/logs/ran'}]
$ns at 0.3 "$p start"
$ns at 900 "$p start"
$ns run
`;

let accounts: TestAccounts;
let folder = "";
let certificates: Certificates;
let port = "";
const pid = (): string => accounts.projectGroup;
const experiment = (): string => `${pid()},exp`;
const ops = (): string => join(folder, "ops", pid(), "exp");
const results = (number: number): string =>
  join(folder, `state/experiments/${pid()}/exp/runs/${number}`);
const pidFile = (): string => join(folder, "evsched", `${pid()}_exp.pid`);
const options = () => ({ env: { MUSTER_STATE: join(folder, "state") } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, options());

async function ok(...argv: readonly string[]): Promise<void> {
  const { code, stderr } = await muster(...argv);
  expect([argv[0], code, stderr]).toEqual([argv[0], 0, ""]);
}

/** As users call it, with a certificate of theirs. */
function control(user: string, action: string): Promise<Ended> {
  const { certificate, key } = pair(user);
  const own = join(folder, `${user}.pem`);
  writeFileSync(own, readFileSync(key, "utf8") + readFileSync(certificate, "utf8"));
  const boss = ["--port", port, "--cert", own, "--ca", certificates.authority];
  return run("eventsys-control", [...boss, "-e", experiment(), action]);
}

const pairs = new Map<string, Pair>();
function pair(user: string): Pair {
  const known = pairs.get(user) ?? certificates.issue("user", user);
  pairs.set(user, known);
  return known;
}

async function swapIn(user: string): Promise<void> {
  const { certificate, key } = pair(user);
  const boss = openBossHttps({
    ...{ host: "localhost", port: Number(port), path: "/", timeoutMs: 60_000 },
    ...{ key: readFileSync(key, "utf8"), certificate: readFileSync(certificate, "utf8") },
    authority: readFileSync(certificates.authority, "utf8"),
  });
  const words = [...experimentMembers(pid(), "exp"), ["direction", text("in")] as const];
  try {
    await callBoss(boss.transport, "experiment.swapexp", [...words, ["wait", text("1")]]);
  } finally {
    boss.close();
  }
}

/** The child of the process that the pid file names, when it has become what it is to be. */
function scheduler(): number {
  const supervisor = Number.parseInt(readText(pidFile()), 10);
  const children = Number.isNaN(supervisor) ? [] : childrenOf(supervisor);
  const isScheduler = (child: number): boolean =>
    // Node and its options, then the program.
    /^\S*\/node\0(?:--\S+\0)*\S+programs\/event-sched\.js\0/.test(
      readText(`/proc/${child}/cmdline`),
    );
  return children.map(({ pid: child }) => child).find(isScheduler) ?? 0;
}

function expectOwners(process: number): void {
  const status = readFileSync(`/proc/${process}/status`, "utf8");
  const [uid, gid] = [idOf("-u", accounts.owner), gidOf(pid())];
  expect(status).toContain(`\nUid:\t${Array(4).fill(uid).join("\t")}\n`);
  expect(status).toContain(`\nGid:\t${Array(4).fill(gid).join("\t")}\n`);
  expect(/^Groups:\t(.*?) *$/m.exec(status)?.[1]).toBe(String(gid));
  expect(status).toMatch(/^CapPrm:\t0+$/m);
  expect(status).toMatch(/^CapEff:\t0+$/m);
}

const ran = (): number => readText(join(results(2), "proj/logs/ran")).split("\n").length - 1;
const runs = (count: number): Promise<void> =>
  until(`the program has run ${count} times`, () => ran() === count);

describe.skipIf(!isRoot)("schedulers of muster serve, as root", () => {
  beforeAll(() => {
    accounts = makeAccounts();
  });
  afterAll(() => accounts.remove());

  beforeEach(async () => {
    pairs.clear();
    folder = scratch();
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, "tls"));
    certificates = new Certificates(join(folder, "tls"));
    const server = certificates.issue("server", "localhost");
    const tls = ["--tls-cert", server.certificate, "--tls-key", server.key];
    const own = ["--rundir", join(folder, "evsched"), "--ops-dir", join(folder, "ops")];
    const doors = ["--listen", "xmlrpc=127.0.0.1:0", ...tls, "--tls-ca", certificates.authority];
    const daemon = start("muster", ["serve", ...doors, ...own], options());
    port = (await daemon.prints(/XML-RPC at https:\/\/127\.0\.0\.1:(\d+)/))[1] ?? "";
    writeFileSync(join(folder, "exp.ns"), file);
    await ok("up", join(folder, "exp.ns"), "--pid", pid(), "--eid", "exp");
    await ok("down", "exp");
    await ok("project", "add-member", pid(), accounts.owner, "--trust", "trusted");
    await swapIn(accounts.owner);
  });
  afterEach(async () => {
    await muster("serve", "--stop");
  });

  test("each runs as who swapped in; who may acts on it, and nobody else", async () => {
    const { owner, other } = accounts;
    const first = scheduler();
    expectOwners(first);
    await runs(1);
    const refused = await control(other, "stop");
    expect(refused.code).toBe(255);
    expect(refused.stderr).toContain(`no experiment ${pid()}/exp`);
    await ok("project", "add-member", pid(), other);
    const member = await control(other, "stop");
    expect(member.code).toBe(255);
    expect(member.stderr).toContain(`${other} may not stop ${pid()}/exp; who may: who swapped it`);
    expect(scheduler()).toBe(first);

    await ok("project", "set-trust", pid(), other, "leader");
    expect(await control(other, "stop")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect([identifyProcess(first), existsSync(pidFile())]).toEqual([undefined, false]);
    expect((await muster("status", "exp")).stdout).toContain("is active");

    expect(await control(other, "start")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const second = scheduler();
    expectOwners(second);
    await runs(2);
    expect((await control(owner, "start")).stdout).toContain("already running; not starting");

    expect(await control(owner, "replay")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(identifyProcess(second)).toBeUndefined();
    const third = scheduler();
    await runs(3);

    process.kill(third, "SIGKILL");
    await until("another one runs", () => scheduler() !== third && scheduler() !== 0);
    expectOwners(scheduler());
    await ok("down", "exp");
    expect([ran(), existsSync(pidFile())]).toEqual([3, false]);
    const { events, outcome } = readResult(results(2));
    const fired = events.filter(({ firedUs }) => firedUs !== null);
    expect([outcome, fired.map(({ object }) => object)]).toEqual(["passed", ["p", "p", "p"]]);
    const logged = readRecord(results(2)).filter(({ source }) => source === "scheduler-log");
    expect(JSON.stringify(logged)).toContain('"kind":"agenda-load"');
  });

  test("a replay of a modified experiment is one of what it became", async () => {
    await runs(1);
    const more = 'set q [$n program-agent -command {exec sh -c "echo q >>$EXPDIR/logs/q"}]';
    const modified = file.replace("$ns run", `${more}\n$ns at 0.2 "$q start"\n$ns run`);
    writeFileSync(join(folder, "exp.ns"), modified);
    await ok("modify", "exp", join(folder, "exp.ns"));
    const log = (): string => readText(join(results(2), "proj/logs/q"));
    await until("what came has run", () => log() === "q\n");
    expect(ran()).toBe(1);
    expect(await control(accounts.owner, "replay")).toMatchObject({ code: 0, stderr: "" });
    await until("both have run again", () => ran() === 2 && log() === "q\nq\n");
    await ok("down", "exp");
  });

  test("eventsys.proxy and event-sched by hand are the same scheduler's, over XML-RPC", async () => {
    const { owner } = accounts;
    await runs(1);
    const { certificate, key } = pair(owner);
    const own = join(folder, "emulab.pem");
    writeFileSync(own, readFileSync(key, "utf8") + readFileSync(certificate, "utf8"));
    chmodSync(own, 0o600);
    chownSync(own, idOf("-u", owner), gidOf(pid()));
    const authority = join(folder, "ca.pem");
    writeFileSync(authority, readFileSync(certificates.authority));
    const proxy = (action: string): Promise<Ended> =>
      run("eventsys.proxy", [
        ...["-u", owner, "-g", pid(), "-p", pid(), "-e", `${pid()}/exp`],
        ...["-k", join(ops(), "tbdata/eventkey"), "-l", join(ops(), "logs/event-sched.log")],
        ...["--rundir", join(folder, "evsched"), "--boss", "localhost", "--boss-port", port],
        ...["--cert", own, "--ca", authority, action],
      ]);
    expect((await proxy("start")).stdout).toContain("already running; not starting another");
    expect(await proxy("stop")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(pidFile())).toBe(false);

    expect(await proxy("start")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expectOwners(scheduler());
    const words = readFileSync(`/proc/${scheduler()}/cmdline`, "utf8").split("\0");
    expect([words.includes("--run-agenda"), words.includes("--boss-port")]).toEqual([false, true]);
    await runs(2);
    expect(await proxy("replay")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    await runs(3);
    // What was started by hand is stopped by boss like any other.
    expect(await control(owner, "replay")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    await runs(4);
    await ok("down", "exp");
    const fired = readResult(results(2)).events.filter(({ firedUs }) => firedUs !== null);
    expect(fired.map(({ outcome }) => outcome)).toEqual(Array(4).fill("done"));
  });
});

describe("schedulers of muster serve, of one user", () => {
  let state = "";
  beforeEach(() => {
    folder = scratch();
    state = join(folder, "state");
    writeFileSync(join(folder, "exp.ns"), file);
  });
  afterEach(async () => {
    await muster("serve", "--stop");
  });

  const place = (): string => join(state, "evsched/muster_exp.pid");
  const supervisor = (): number => Number.parseInt(readText(place()), 10);
  const isAlive = (process: number): boolean => identifyProcess(process) !== undefined;

  test("go with a daemon that is killed, and leave the place to the next", async () => {
    const daemon = start("muster", ["serve"], options());
    await daemon.prints(/keeping the experiments/);
    await ok("up", join(folder, "exp.ns"), "--eid", "exp");
    const [first, [child]] = [supervisor(), childrenOf(supervisor())];
    expect(child).toBeDefined();
    daemon.child.kill("SIGKILL");
    await until("the scheduler has ended", () => !isAlive(child?.pid ?? 0));
    await ok("up", join(folder, "exp.ns"), "--eid", "exp");
    expect([isAlive(first), isAlive(supervisor())]).toEqual([false, true]);
    await ok("down", "exp");
    expect(existsSync(place())).toBe(false);
  });

  test("are started again when their supervisor is killed, and lose nothing", async () => {
    await ok("up", join(folder, "exp.ns"), "--eid", "exp");
    const first = supervisor();
    process.kill(first, "SIGKILL");
    await until("another one watches", () => supervisor() !== first && isAlive(supervisor()));
    const own = join(state, "ops/muster/exp/logs/event-sched.log");
    const isThere = (): boolean =>
      existsSync(`${own}.old`) && readText(own).includes("scheduling the events of");
    await until("it schedules again", isThere);
    const listed = await muster("event", "ls", "exp");
    expect(listed.stdout).toMatch(/\+900\.000s .* p +START +planned/);
    await ok("down", "exp");
    const log = readText(join(state, "experiments/muster/exp/runs/1/progress.log"));
    expect(log).toContain("the supervisor of the scheduler is gone; another one is started");
    const { events } = readResult(join(state, "experiments/muster/exp/runs/1"));
    expect(events.map(({ plannedUs }) => plannedUs)).toEqual([300_000, 900_000_000]);
  });

  test("do not touch one that is not theirs", async () => {
    mkdirSync(join(state, "evsched"), { recursive: true, mode: 0o700 });
    chmodSync(state, 0o700);
    const self = identifyProcess(process.pid);
    // This very test.
    writeFileSync(place(), `${self?.pid}\n${self?.startTicks}\nmuster/exp\n`);
    const { code, stderr } = await muster("up", join(folder, "exp.ns"), "--eid", "exp");
    expect(code).toBe(1);
    expect(stderr).toContain("a scheduler of muster/exp runs already, which is not this run's");
    expect(supervisor()).toBe(process.pid);
  });
});
