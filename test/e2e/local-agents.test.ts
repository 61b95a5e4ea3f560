// SPDX-License-Identifier: MIT
// Goal: what `$ns`, nodes and consoles are told in a run happens, completes with what came of it,
// and can be read afterwards: reports, snapshots, restarts, refusals.
// Method: experiments through bin/muster; the files in its output directory are the witnesses.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/testbed/record/result-model.ts";
import { runBody, sh } from "./support/experiment.ts";

/** A node with this program agent. */
const program = (name: string, node: string, command: string): string =>
  `set ${name} [$${node} program-agent -command "${command}"]`;

const node = (name: string, startCommand = ""): string =>
  `set ${name} [$ns node]${startCommand === "" ? "" : `\ntb-set-node-startcmd $${name} "${startCommand}"`}`;

const sequence = (...steps: readonly string[]): string =>
  `set steps [$ns event-sequence {\n${steps.map((step) => `  ${step}`).join("\n")}\n}]
$ns at 0 "$steps run"`;

describe("a report", () => {
  test("waits for the steps before it, and says what the old one said, in its order", async () => {
    const body = [
      node("n0"),
      program("work", "n0", "echo measured"),
      "set opt(RATE) 5",
      '$ns at 0 "$ns message hello"',
      sequence(
        "$work run",
        "$ns log now",
        "$ns snapshot",
        "$ns report -digester {wc -c logs/n0/local/logs/work.out}",
      ),
    ].join("\n");
    const { text, result, out, stderr } = await runBody(body);
    expect(result, stderr).toMatchObject({ outcome: "passed", warnings: [] });
    const mail = text("proj/logs/report.mail");
    expect(mail).toMatch(/^hello\n\n9 logs\/n0\/local\/logs\/work\.out\n\nConfiguration:\n/);
    expect(mail).toMatch(/\nLog:\n {2}0h0m0s - Time started\n {2}0h0m\ds - now\n$/);
    expect(text("proj/logs/digest.out")).toBe("9 logs/n0/local/logs/work.out\n");
    expect(readdirSync(join(out, "proj/logs/archives"))).toHaveLength(1);
    expect(result.messages.map((message) => message.text)).toContain("hello");
  });

  test("comes by itself when a sequence fails, with the last words of the program", async () => {
    const body = [
      node("n0"),
      program("bad", "n0", sh("echo why it broke >&2; exit 3")),
      program("never", "n0", "true"),
      sequence("$bad run", "$never run"),
    ].join("\n");
    const { text, result, out } = await runBody(body);
    const mail = text("proj/logs/error-report.mail");
    expect(mail).toMatch(/^\*\*\* 2 error\(s\) were detected!\n/);
    expect(mail).toMatch(/\*\*\* program bad, token \d+: error 3\n/);
    expect(mail).toContain("  EXIT_CODE=3\n");
    expect(mail).toMatch(/==> logs\/n0\/local\/logs\/bad\.err\.\d+ <==\nwhy it broke\n/);
    expect(result.programsNotStarted.map(({ name }) => name)).toEqual(["never"]);
    expect(existsSync(join(out, "proj/logs/report.mail"))).toBe(false);
    expect(mail).toContain("\nLog:\n  0h0m0s - Time started\n");
  });

  test("of a second failure does not hide the first, and of the end says that it came", async () => {
    const failing = (name: string): string[] => [
      program(name, "n0", sh(`echo ${name} broke >&2; exit 3`)),
      `set s${name} [$ns event-sequence {\n$${name} run\n}]`,
    ];
    const body = [
      ...[node("n0"), ...failing("one"), ...failing("two")],
      ...['$ns at 0 "$sone start"', '$ns at 3 "$stwo start"', '$ns at swapout "$ns report"'],
    ].join("\n");
    const { text } = await runBody(body);
    expect(text("proj/logs/error-report.mail")).toContain("one broke");
    expect(text("proj/logs/error-report-2.mail")).toContain("two broke");
    // In the first report that began after it, whichever that was.
    const mails = ["error-report", "error-report-2", "report"].map((name) =>
      text(`proj/logs/${name}.mail`),
    );
    expect(mails.join("").match(/ - Swapout started\n/g)).toHaveLength(1);
  });

  test("finds the files of a program whose sender has chosen the TOKEN", async () => {
    const asks = "tevc -w -e $PID/$EID now bad run; tevc -w -e $PID/$EID now ns report";
    const body = [
      ...[node("n0"), program("bad", "n0", sh("echo why it broke >&2; exit 3"))],
      ...[`set asks [$n0 program-agent -command {${sh(asks)}}]`, '$ns at 0 "$asks start"'],
    ].join("\n");
    const { text, stdout, stderr } = await runBody(body);
    expect(stdout, stderr).toContain("program bad on n0 failed");
    const mail = text("proj/logs/report.mail");
    expect(mail).toMatch(/==> logs\/n0\/local\/logs\/bad\.err\.\d+ <==\nwhy it broke\n/);
    expect(mail).not.toContain("warning: missing");
  });
});

/** A start command that says in `$EXPDIR/NODE` that it was started, and stays. */
const stays = (name: string): string => sh(`echo started >> \\$EXPDIR/${name}; exec sleep 1000`);
/** Waits until the start commands of a node have been started so many times. */
const sees = (name: string, times: number): string =>
  sh(`until test \\$(wc -l < \\$EXPDIR/${name}) = ${times}; do sleep 0.05; done`);

const startsOf = (result: RunResult, name: string): number =>
  result.programs.filter((one) => one.name === `${name}_startcmd`).length;

test("a report that was asked for is not overwritten by the one of an error (fault 34)", async () => {
  const body = [
    node("n0"),
    program("bad", "n0", "exit 3"),
    sequence("$ns message kept", "$ns report -archive false", "$bad run"),
  ].join("\n");
  const environment = { ...process.env, MUSTER_MAILER: "sh -c 'cat >> mails'" };
  const { text, out } = await runBody(body, [], { env: environment });
  expect(text("proj/logs/report.mail")).toMatch(/^kept\n/);
  expect(text("proj/logs/error-report.mail")).toMatch(/^\*\*\* 2 error\(s\) were detected!\n/);
  expect(existsSync(join(out, "proj/logs/archives"))).toBe(false);
  const subjects = text("proj/mails").match(/^Subject: .*$/gm) ?? [];
  expect(subjects).toHaveLength(2);
  expect(subjects[0]).toMatch(/ experiment report$/);
  expect(subjects[1]).toMatch(/ experiment error report$/);
});

describe("a restart of a node", () => {
  test("REBOOT starts its start command anew, and touches no other node", async () => {
    const body = [
      node("n0", stays("n0")),
      node("n1", stays("n1")),
      program("before", "n1", sees("n0", 1)),
      program("also", "n1", sees("n1", 1)),
      program("later", "n1", sees("n0", 2)),
      "tb-set-sync-server $n1",
      sequence("$before run", "$also run", "$n0 reboot", "$later run", "$ns swapout"),
    ].join("\n");
    const { text, result, stderr } = await runBody(body);
    expect(result, stderr).toMatchObject({ endedBy: "terminate", outcome: "passed", warnings: [] });
    expect(text("proj/n0")).toBe("started\nstarted\n");
    expect(text("proj/n1")).toBe("started\n");
    expect([startsOf(result, "n0"), startsOf(result, "n1")]).toEqual([2, 1]);
    expect(result.messages).toMatchObject([{ node: "n0", text: "the node was restarted" }]);
  });

  test("keeps at REBOOT what RELOAD removes: what was written to the node itself", async () => {
    const body = [
      node("n0"),
      node("n1"),
      program("mark", "n0", sh("echo x > \\$TMPDIR/mark; echo x > /local/logs/mark")),
      program("kept", "n0", sh("test -e \\$TMPDIR/mark && test -e /local/logs/mark")),
      program("gone", "n0", sh("test ! -e \\$TMPDIR/mark && test ! -e /local/logs/mark")),
      "tb-set-sync-server $n1",
      sequence("$mark run", "$n0 reboot", "$kept run", "$n0 reload", "$gone run"),
    ].join("\n");
    const { result, text, stderr } = await runBody(body);
    expect(result, stderr).toMatchObject({
      outcome: "passed",
      warnings: [],
      programsNotStarted: [],
    });
    // Nothing is lost: it was copied before.
    expect(text("proj/logs/n0/local/logs/mark")).toBe("x\n");
  });

  test("of a group restarts all, and completes when the last is up", async () => {
    const body = [
      node("n0", stays("n0")),
      node("n1", stays("n1")),
      node("n2"),
      program("before", "n2", sees("n0", 1)),
      program("also", "n2", sees("n1", 1)),
      program("first", "n2", sees("n0", 2)),
      program("second", "n2", sees("n1", 2)),
      "tb-set-sync-server $n2",
      "set both [$ns event-group [list $n0 $n1]]",
      sequence(
        "$before run",
        "$also run",
        "$both reboot",
        "$first run",
        "$second run",
        "$ns swapout",
      ),
    ].join("\n");
    const { result, stderr } = await runBody(body);
    expect(result, stderr).toMatchObject({ endedBy: "terminate", outcome: "passed", warnings: [] });
    expect([startsOf(result, "n0"), startsOf(result, "n1")]).toEqual([2, 2]);
  });

  test.each([
    ["the node of the sync server", "$n0 reboot", /sync server is on n0 .* put it on another node/],
    ["an image", "$n0 snapshot-to img", /nodes of a run have no images/],
    ["stabilize", "$ns stabilize", /stabilize is not built/],
  ])("refuses %s with an error that ends the sequence", async (_what, step, why) => {
    const body = [
      node("n0"),
      program("never", "n0", "true"),
      "tb-set-sync-server $n0",
      sequence(step, "$never run"),
    ].join("\n");
    const { result, text } = await runBody(body);
    expect(text("proj/logs/error-report.mail")).toMatch(why);
    expect(result.programsNotStarted.map(({ name }) => name)).toEqual(["never"]);
  });
});

test("what is planned for swap-out may report, and is waited for", async () => {
  const body = [node("n0"), program("last", "n0", "echo bye"), '$ns at 0 "$ns message first"'];
  body.push('$ns at swapout "$last run"', '$ns at swapout "$ns report -archive false"');
  const { text, result } = await runBody(body.join("\n"));
  expect(result.outcome).toBe("passed");
  expect(text("proj/logs/report.mail")).toMatch(/^first\n/);
  expect(text("proj/logs/n0/local/logs/last.out")).toBe("bye\n");
});
