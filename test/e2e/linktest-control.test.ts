// SPDX-License-Identifier: MIT
// Goal: linktest_control on boss has links tested from ops, over the remote shell, as who swapped
// in: at swap-in and by hand, one at a time, with old options, texts by mail and statuses; whoever
// ends it ends it everywhere, soon. Method: the commands themselves; a shell that says how it was
// called and goes on here; nodes are processes, whose links nobody shapes.
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { callBoss, experimentMembers, openBossHttps } from "../../src/client/boss.ts";
import { text } from "../../src/wire/xmlrpc/index.ts";
import { Certificates } from "../conformance/xmlrpc/certificates.ts";
import { idOf, makeAccounts } from "./support/accounts.ts";
import { type Ended, repository, run, scratch, start, until } from "./support/command.ts";
import { readResult, readText } from "./support/experiment.ts";
import {
  expectProbesEnd,
  expectRecordedEnd,
  longProbes,
  untilLongProbes,
} from "./support/linktest-ends.ts";

const isRoot = process.getuid?.() === 0;
const { username } = userInfo();
const body = (level: string): string => `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 100Mb 10ms DropTail]
set p [$a program-agent -command "sleep 1000"]
$ns at 0 "$p start"
${level}
$ns run
`;
let [folder, state] = ["", ""];

const options = () => ({
  env: {
    ...{ MUSTER_STATE: state, MUSTER_NODES: "environment" },
    MUSTER_MAILER: join(folder, "mailer"),
  },
});
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, options());
const control = (...argv: readonly string[]): Promise<Ended> =>
  run("linktest-control", argv, options());
const mail = (): string => readText(join(folder, "mail"));
const calls = (): readonly string[] => readText(join(folder, "calls")).trimEnd().split("\n");

function script(name: string, lines: string): void {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
}

beforeEach(() => {
  folder = scratch();
  chmodSync(folder, 0o755);
  state = join(folder, "state");
  script("mailer", `cat >${folder}/mail`);
});
afterEach(async () => {
  await muster("serve", "--stop");
});

/** Ops is another machine as far as boss knows. */
async function serve(): Promise<void> {
  script("shell", `echo "$1 $2" >>${folder}/calls; exec sh -c "$3"`);
  script("said", `echo "$*" >>${folder}/calls; exec ${repository}/bin/linktest.proxy "$@"`);
  symlinkSync(join(folder, "said"), join(folder, "linktest.proxy"));
  const ops = ["--ops", "ops.example", "--ops-user", "operator", "--ops-port", "2222"];
  const shell = ["--ops-shell", `${folder}/shell %u@%h %p`];
  const proxy = ["--ops-proxy", join(folder, "eventsys.proxy")];
  const daemon = start("muster", ["serve", ...ops, ...shell, ...proxy], options());
  await daemon.prints(/keeping the experiments/);
}

async function up(file: string, ...more: readonly string[]): Promise<string> {
  const path = join(folder, "exp.ns");
  writeFileSync(path, body(file));
  const { code, stdout, stderr } = await muster("up", path, "--pid", "proj", ...more);
  expect([code, stderr]).toEqual([0, ""]);
  return /results in (.*)/.exec(stdout)?.[1] ?? "";
}

describe("linktest_control", () => {
  test("tests at swap-in what the file asks for, and by hand what the database has", async () => {
    await serve();
    const directory = await up("tb-set-linktest-level 1");
    const path = join(state, "ops/proj/exp");
    const who = `-g proj -p proj -u ${username} -e proj/exp`;
    const files = `-o ${path}/logs/linktest.log --key ${path}/tbdata/eventkey`;
    expect(calls()).toEqual(["operator@ops.example 2222", `-d 2 -t 600 -l 1 ${who} ${files}`]);
    expect(mail()).toMatch(
      /^To: .*\nSubject: Linktest of proj\/exp failed on .*\n\nlevel 1, status 2\n\n(?:.*\n)*Latency error: a-l to b-l /,
    );
    const status = await muster("status", "exp");
    expect(status.stdout).toMatch(/^ {2}linktest +level 1: 0 ok, 2 bad, 0 untestable$/m);
    const logs = (await muster("logs", "exp")).stdout;
    expect(logs).toMatch(/warning: +linktest at swap-in: it exited with 2/);
    // Each once, whatever else is said by the level of debugging that it always has.
    const records = ["a-l to b-l", "b-l to a-l"];
    const recordsOf = (text: string): string[] =>
      [...text.matchAll(/Latency error: (\S+ to \S+) /g)].map(([, edge = ""]) => edge).sort();
    expect(recordsOf(mail())).toEqual(records);

    const found = await control("proj", "exp");
    expect([found.code, found.stderr]).toEqual([2, ""]);
    expect(found.stdout).toContain("latency: 0 ok, 2 bad, 0 untestable");
    expect(recordsOf(found.stdout)).toEqual(records);
    expect(calls().at(-1)).toBe(`-d 2 -l 1 ${who} ${files}`);
    const reported = await control("-r", "-f", "-d", "-t", "60", "proj", "exp");
    expect(reported.stdout).toMatch(/latency: a-l to b-l .*: wanted 10, measured/);
    expect([reported.code, reported.stderr]).toEqual([0, ""]);
    expect(calls().at(-1)).toBe(`-d 2 -t 60 -l 1 ${who} ${files} -r`);
    const zero = await control("-l", "0", "proj", "exp");
    expect(zero).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing is tested") });
    const late = await control("-t", "1", "-l", "4", "proj", "exp");
    expect([late.code, late.stderr]).toEqual([1, expect.stringContaining("the time is over")]);

    const log = join(folder, "log");
    const begun = await control("-o", log, "proj", "exp");
    expect([begun.code, begun.stderr]).toEqual([0, ""]);
    await until("it has tested in the background", () => /Latency error/.test(readText(log)));
    await muster("down", "exp");
    const down = await control("proj", "exp");
    expect([down.code, down.stderr]).toEqual([
      255,
      "*** linktest_control: proj/exp must be active (or on its way up), not swapped!\n",
    ]);
    expect(readResult(directory).links).toMatchObject([{ verdict: "bad" }, { verdict: "bad" }]);
  });

  test("goes on once at a time, until somebody ends it: nothing of it is left", async () => {
    await serve();
    const directory = await up(longProbes, "--linktest", "0");
    const idle = await control("-k", "proj", "exp");
    const none = "*** linktest_control: no linktest of proj/exp is running from here\n";
    expect([idle.code, idle.stderr]).toEqual([255, none]);
    for (const [index, how] of ["-k", "Ctrl-C", "kill -9"].entries()) {
      const testing = start("linktest-control", ["-l", "3", "proj", "exp"], options());
      await untilLongProbes(`the probes before ${how}`, directory);
      const { linktestPid } = JSON.parse((await muster("status", "exp", "--json")).stdout);
      const second = await control("-l", "1", "proj", "exp");
      expect(second.code).toBe(255);
      expect(second.stderr).toContain(`(process ${linktestPid}); wait for it, or end it with`);
      if (how === "-k") {
        const killed = await expectProbesEnd(how, directory, () => control("-k", "proj", "exp"));
        expect(killed).toMatchObject({ code: 0, stderr: "" });
      } else {
        const signal = how === "Ctrl-C" ? "SIGINT" : "SIGKILL";
        await expectProbesEnd(how, directory, () => testing.child.kill(signal));
      }
      await expectRecordedEnd(how, directory, index + 1);
      const { code, stderr } = await testing.ended;
      const canceled = "*** linktest_control: the linktest of proj/exp was canceled\n";
      expect([code, stderr]).toEqual(how === "kill -9" ? [null, ""] : [1, canceled]);
      // The far end ends first, then the database says so.
      let pid: unknown = linktestPid;
      while (pid !== null) {
        pid = JSON.parse((await muster("status", "exp", "--json")).stdout).linktestPid;
      }
    }
  });

  test("says what it cannot do", async () => {
    for (const [argv, complaint] of [
      [["proj"], "name pid and eid"],
      [["proj", "exp", "more"], "name pid and eid"],
      [["-l", "5", "proj", "exp"], "-l is 0 to 4, not 5"],
      [["-t", "soon", "proj", "exp"], "-t takes seconds, not soon"],
      [["-k", "-l", "1", "proj", "exp"], "-l is not for -k"],
      [["-z", "proj", "exp"], "invalid option -- 'z'"],
      [["proj", "exp"], "no daemon answers"],
    ] as const) {
      const refused = await control(...argv);
      expect([refused.code, refused.stderr]).toEqual([255, expect.stringContaining(complaint)]);
    }
    const proxy = (...argv: readonly string[]): Promise<Ended> =>
      run("linktest.proxy", [...argv, "-g", "g", "-e", "proj/exp"], options());
    for (const [argv, complaint] of [
      [["-l", "1", "-o", "/x"], "-u is needed"],
      [["-l", "1", "-u", "u", "-o", "x"], "-o takes an absolute path, not x"],
      [["-l", "0", "-u", "u", "-o", "/x"], "-l is 1 to 4, not 0"],
      [["-l", "1", "-u", "nobody-here", "-o", "/x"], isRoot ? "no user nobody-here" : "by root"],
    ] as const) {
      const refused = await proxy(...argv);
      expect([refused.code, refused.stderr]).toEqual([255, expect.stringContaining(complaint)]);
    }
  });

  test.skipIf(!isRoot)("tests as who has swapped in, at the level of the database", async () => {
    const accounts = makeAccounts();
    try {
      const certificates = new Certificates(folder);
      const server = certificates.issue("server", "localhost");
      const tls = ["--tls-cert", server.certificate, "--tls-key", server.key];
      const daemon = start(
        "muster",
        [
          ...["serve", "--rundir", join(folder, "evsched"), "--ops-dir", join(folder, "ops")],
          ...["--listen", "xmlrpc=127.0.0.1:0", ...tls, "--tls-ca", certificates.authority],
        ],
        options(),
      );
      const [, port = ""] = await daemon.prints(/XML-RPC at https:\/\/127\.0\.0\.1:(\d+)/);
      await up("", "--linktest", "1", "--duration", "1");
      await muster("down", "exp");
      await muster("project", "add-member", "proj", accounts.owner, "--trust", "trusted");
      const own = certificates.issue("user", accounts.owner);
      const boss = openBossHttps({
        ...{ host: "localhost", port: Number(port), path: "/", timeoutMs: 60_000 },
        ...{
          key: readFileSync(own.key, "utf8"),
          certificate: readFileSync(own.certificate, "utf8"),
        },
        authority: readFileSync(certificates.authority, "utf8"),
      });
      const words = [...experimentMembers("proj", "exp"), ["direction", text("in")] as const];
      await callBoss(boss.transport, "experiment.swapexp", [...words, ["wait", text("1")]]);
      boss.close();
      const log = join(folder, "ops/proj/exp/logs/linktest.log");
      expect(readText(log)).toMatch(/^Latency error: a-l to b-l /);
      expect(statSync(log).uid).toBe(Number(idOf("-u", accounts.owner)));
      expect(mail()).toMatch(new RegExp(`^To: ${accounts.owner}, `));
      await muster("serve", "--stop");
    } finally {
      accounts.remove();
    }
  });
});
