// SPDX-License-Identifier: MIT
// Goal: eventsys_control on boss reaches ops: the daemon judges, then calls eventsys.proxy through
// the remote shell it was given, word for word, and what is said there comes back. Method: real
// commands and a real experiment; a stand-in for eventsys.proxy that says how it was called.
import { chmodSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, run, scratch, start } from "./support/command.ts";

const { username } = userInfo();
const experiment =
  "set ns [new Simulator]\nsource tb_compat.tcl\nset a [$ns node]\n" +
  "tb-set-node-startcmd $a {sleep 1000}\n$ns run\n";
let state = "";
let folder = "";

beforeEach(() => {
  folder = scratch();
  state = join(folder, "state");
});
afterEach(async () => {
  await muster("serve", "--stop");
});

const options = () => ({ env: { MUSTER_STATE: state } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, options());
const control = (...argv: readonly string[]): Promise<Ended> =>
  run("eventsys-control", argv, options());

function script(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function serveAndUp(...ops: readonly string[]): Promise<void> {
  const daemon = start("muster", ["serve", ...ops], options());
  await daemon.prints(/keeping the experiments/);
  const file = join(folder, "exp.ns");
  writeFileSync(file, experiment);
  const up = await muster("up", file, "--pid", "proj", "--eid", "exp");
  expect([up.code, up.stderr]).toEqual([0, ""]);
}

describe("eventsys_control on boss", () => {
  test("has eventsys.proxy called through the remote shell, for who swapped in", async () => {
    const proxy = script("proxy", 'echo "proxy: $*"');
    const shell = script("shell", 'echo "shell: $1 $2"; exec sh -c "$3"');
    const ops = ["--ops", "ops.example", "--ops-user", "operator", "--ops-port", "2222"];
    await serveAndUp(...ops, "--ops-shell", `${shell} %u@%h %p`, "--ops-proxy", proxy);
    const path = join(state, "ops/proj/exp");
    const words = `-u ${username} -g proj -p proj -e proj/exp -k ${path}/tbdata/eventkey`;
    expect(await control("-d", "start", "proj,exp")).toEqual({
      ...{ code: 0, signal: null, stderr: "" },
      stdout:
        "shell: operator@ops.example 2222\n" +
        `proxy: ${words} -l ${path}/logs/event-sched.log -d start\n`,
    });
    // A program agent on ops besides, which nobody starts when things are ended.
    const replayed = await control("-a", "replay", "proj,exp");
    expect(replayed.stdout).toMatch(/event-sched\.log -a replay\n$/);
    const stopped = await control("-a", "stop", "proj,exp");
    expect(stopped.stdout).toMatch(/event-sched\.log stop\n$/);
    const bad = await control("explode", "proj,exp");
    expect([bad.code, bad.stderr]).toEqual([255, expect.stringContaining("name one action")]);
    expect((await muster("down", "exp")).code).toBe(0);
    const late = await control("stop", "proj,exp");
    expect([late.code, late.stderr]).toEqual([
      255,
      "eventsys_control: proj/exp must be active (or swapping), not swapped!\n",
    ]);
  });

  test("passes on what goes wrong there, and what cannot be reached", async () => {
    const proxy = script("proxy", "echo '*** no such user' >&2; exit 255");
    await serveAndUp("--ops", "localhost", "--ops-proxy", proxy);
    const failed = await control("start", "proj,exp");
    expect([failed.code, failed.stderr]).toEqual([255, "eventsys_control: *** no such user\n"]);
  });

  test("eventsys_start asks for the scheduler of each experiment that is up", async () => {
    const proxy = script("proxy", 'echo "$8 $*" | sed "s/ .* / /"; test "$8" != proj/bad');
    await serveAndUp("--ops", "localhost", "--ops-proxy", proxy);
    const file = join(folder, "exp.ns");
    expect((await muster("up", file, "--pid", "proj", "--eid", "bad")).code).toBe(0);
    expect((await muster("up", file, "--pid", "proj", "--eid", "gone")).code).toBe(0);
    expect((await muster("down", "gone")).code).toBe(0);
    expect(await run("eventsys-start", [], options())).toMatchObject({
      ...{ code: 255, stdout: "proj/exp: proj/exp start\n" },
      stderr: "eventsys_start: proj/bad: proj/bad start\n",
    });
    expect((await muster("down", "bad")).code).toBe(0);
    expect((await run("eventsys-start", [], options())).code).toBe(0);
    const named = await run("eventsys-start", ["proj"], options());
    expect([named.code, named.stderr]).toEqual([255, expect.stringContaining("takes no names")]);
  });

  test("ends in silence where no events are configured", async () => {
    await serveAndUp("--scheduler", "inside");
    for (const action of ["start", "stop", "replay"]) {
      const ended = { code: 0, signal: null, stdout: "", stderr: "" };
      expect(await control(action, "proj,exp")).toEqual(ended);
    }
  });

  test("says what serve cannot use", async () => {
    for (const [argv, complaint] of [
      [["--ops", "far"], "needs --ops-shell"],
      [["--ops-shell", "ssh %h"], "belong to --ops HOST"],
      [["--ops", "far", "--ops-shell", "ssh %x"], "%x in the remote shell"],
      [["--ops", "-oX=y", "--ops-shell", "ssh %h"], "no name of a host"],
      [["--ops", "localhost", "--ops-port", "0"], "--ops-port takes a port"],
      [["--ops", "localhost", "--ops-proxy", "x"], "--ops-proxy takes an absolute path"],
      [["--rundir", "x"], "take absolute paths, not x"],
      [["--scheduler", "inside", "--ops-dir", "/x"], "are for schedulers of their own"],
    ] as const) {
      const refused = await muster("serve", ...argv);
      expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining(complaint)]);
    }
  });
});
