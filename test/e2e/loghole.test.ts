// SPDX-License-Identifier: MIT
// Goal: loghole copies, compares, empties and archives the logs of the nodes of real runs, finds
// the experiment wherever it is called, and follows no link that a program has put in its way.
// Method: experiments of `muster up` and `muster run`, and the command of bin/.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, run, scratch, until } from "./support/command.ts";
import { nodesWith, runBody, sh, writeExperiment } from "./support/experiment.ts";

const loghole = (out: string, ...argv: readonly string[]): Promise<Ended> =>
  run("loghole", ["--out", out, ...argv], {});

/** What a run of two nodes leaves, without running it: the layout, and three logs. */
function layout(): string {
  const out = join(scratch(), "out");
  for (const node of ["n0", "n1"])
    mkdirSync(join(out, "nodes", node, "local/logs"), { recursive: true });
  mkdirSync(join(out, "proj/logs"), { recursive: true });
  writeFileSync(join(out, "nodes/n0/local/logs/a.out.1"), "first\n");
  symlinkSync("a.out.1", join(out, "nodes/n0/local/logs/a.out"));
  mkdirSync(join(out, "nodes/n1/local/logs/deep/er"), { recursive: true });
  writeFileSync(join(out, "nodes/n1/local/logs/deep/er/b.err"), "second\n");
  return out;
}

const read = (...path: readonly string[]): string => readFileSync(join(...path), "utf8");

describe("loghole on an experiment that is up", () => {
  let state = "";
  beforeEach(() => {
    state = join(scratch(), "state");
  });
  afterEach(async () => {
    if (existsSync(join(state, "muster.sock"))) await inState("muster", "serve", "--stop");
  });
  const inState = (name: "muster" | "loghole", ...argv: readonly string[]): Promise<Ended> =>
    run(name, argv, { env: { MUSTER_STATE: state } });

  test("sync copies what programs print, again when there is more; validate compares", async () => {
    const file = writeExperiment(
      nodesWith(
        sh(
          "echo one; while [ ! -e $EXPDIR/tmp/go ]; do sleep 0.05; done; echo two; touch $EXPDIR/tmp/done; sleep 1000",
        ),
      ),
    );
    expect((await inState("muster", "up", file, "--pid", "lab", "--eid", "logs")).code).toBe(0);
    const out = join(state, "experiments/lab/logs/runs/1");
    const original = join(out, "nodes/n0/local/logs/n0_startcmd.out");
    await until("the program has printed", () => existsSync(original) && read(original) !== "");

    const sync = await inState("loghole", "-e", "lab/logs", "sync");
    expect(sync).toMatchObject({ code: 0, stderr: "" });
    expect(sync.stdout).toMatch(/^copied \d files, \d+ bytes from 1 node\n$/);
    const copy = join(out, "proj/logs/n0/local/logs/n0_startcmd.out");
    expect(read(copy)).toBe("one\n");
    expect(await inState("loghole", "-e", "lab/logs", "validate")).toMatchObject({ code: 0 });

    writeFileSync(join(out, "proj/tmp/go"), "");
    await until("the program has gone on", () => existsSync(join(out, "proj/tmp/done")));
    const validate = await inState("loghole", "-e", "lab/logs", "validate");
    expect(validate.code).toBe(1);
    expect(validate.stderr).toMatch(
      /^loghole: n0: n0_startcmd\.out\.\d+: more was written since;/m,
    );
    expect(
      (await inState("loghole", "--port=3069", "-e", "lab/logs", "-vvv", "sync")).stdout,
    ).toMatch(
      /^n0: n0_startcmd\.out\.\d+, 8 bytes\ncopied 1 file, 8 bytes from 1 node; \d as before\n$/,
    );
    expect(read(copy)).toBe("one\ntwo\n");
  });

  test("says what it looked for when there is no such experiment", async () => {
    const ended = await inState("loghole", "-e", "lab/logs", "sync");
    expect(ended.code).toBe(66);
    expect(ended.stderr).toContain(
      `loghole: there is no run of lab/logs in ${state}; muster status`,
    );
  });
});

describe("loghole in a run", () => {
  test("finds the experiment by EXPDIR, also from a node with a name space of its own", async () => {
    const { code, stderr, out, text } = await runBody(
      nodesWith(
        sh(
          "echo mine; loghole sync && ls $EXPDIR/logs/n1/local/logs > $EXPDIR/tmp/seen; emulab-sync -i 1",
        ),
        sh("echo yours; emulab-sync"),
      ),
    );
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    expect(text("proj/tmp/seen")).toContain("n1_startcmd.out");
    expect(existsSync(join(out, "proj/logs/n0/local/logs/n0_startcmd.out"))).toBe(true);
  });

  test("does the same where nodes are no name spaces", async () => {
    const { code, text } = await runBody(
      nodesWith(sh("loghole --quiet sync && ls $EXPDIR/logs/n0/local/logs > $EXPDIR/tmp/seen")),
      [],
      { env: { MUSTER_NODES: "environment" } },
    );
    expect(code).toBe(0);
    expect(text("proj/tmp/seen")).toContain("n0_startcmd.out");
  });
});

describe("loghole sync", () => {
  test("copies links as links, directories with what is in them, and only the nodes named", async () => {
    const out = layout();
    expect((await loghole(out, "sync", "-s", "n1")).stdout).toBe(
      "copied 1 file, 7 bytes from 1 node\n",
    );
    expect(readdirSync(join(out, "proj/logs"))).toEqual(["n1"]);
    expect((await loghole(out, "sync")).stdout).toBe(
      "copied 2 files, 6 bytes from 2 nodes; 1 as before\n",
    );
    expect(readlinkSync(join(out, "proj/logs/n0/local/logs/a.out"))).toBe("a.out.1");
    expect(read(out, "proj/logs/n1/local/logs/deep/er/b.err")).toBe("second\n");
  });

  test("keeps what is gone from the node", async () => {
    const out = layout();
    await loghole(out, "sync");
    rmSync(join(out, "nodes/n0/local/logs/a.out.1"));
    expect((await loghole(out, "sync")).code).toBe(0);
    expect(read(out, "proj/logs/n0/local/logs/a.out.1")).toBe("first\n");
  });

  test("copies what has grown within the time that the file shows", async () => {
    const out = layout();
    const original = join(out, "nodes/n0/local/logs/a.out.1");
    utimesSync(original, 1_000_000, 1_000_000);
    await loghole(out, "sync");
    writeFileSync(original, "first\nmore\n");
    utimesSync(original, 1_000_000, 1_000_000);
    expect((await loghole(out, "sync")).stdout).toContain("copied 1 file, 11 bytes");
  });

  test("reads through no link, waits for no pipe, and copies the rest", async () => {
    const out = layout();
    spawnSync("mkfifo", [join(out, "nodes/n0/local/logs/pipe")]);
    rmSync(join(out, "nodes/n1/local"), { recursive: true });
    const secret = scratch();
    mkdirSync(join(secret, "logs"));
    writeFileSync(join(secret, "logs/secret"), "secret\n");
    symlinkSync(secret, join(out, "nodes/n1/local"));
    const { code, stderr } = await loghole(out, "sync");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^loghole: .*\/pipe: neither a file nor a link, so it is left out\n$/);
    expect(existsSync(join(out, "proj/logs/n1"))).toBe(false);
    expect(read(out, "proj/logs/n0/local/logs/a.out.1")).toBe("first\n");
  });

  test("writes through no link that stands where a copy goes", async () => {
    const out = layout();
    const elsewhere = scratch();
    symlinkSync(elsewhere, join(out, "proj/logs/n0"));
    mkdirSync(join(out, "proj/logs/n1/local/logs/deep/er"), { recursive: true });
    const victim = join(elsewhere, "victim");
    writeFileSync(victim, "mine\n");
    symlinkSync(victim, join(out, "proj/logs/n1/local/logs/deep/er/b.err"));
    const { code, stderr } = await loghole(out, "sync");
    expect(code).toBe(1);
    expect(stderr).toContain("logs/n0 is not a directory; something has put another in its place");
    expect(readdirSync(elsewhere)).toEqual(["victim"]);
    expect(readFileSync(victim, "utf8")).toBe("mine\n");
    expect(lstatSync(join(out, "proj/logs/n1/local/logs/deep/er/b.err")).isFile()).toBe(true);
  });
});

describe("loghole validate", () => {
  test("tells no copy, another copy and a longer one, and a broken archive", async () => {
    const out = layout();
    const none = await loghole(out, "validate");
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("n1: deep/er/b.err: there is no copy; run loghole sync\n");
    await loghole(out, "sync");
    expect(await loghole(out, "validate")).toMatchObject({
      ...{ code: 0, stdout: "3 files as on the nodes\n", stderr: "" },
    });
    writeFileSync(join(out, "proj/logs/n0/local/logs/a.out.1"), "fjrst\n");
    writeFileSync(join(out, "proj/logs/n1/local/logs/deep/er/b.err"), "second\nmore\n");
    mkdirSync(join(out, "proj/logs/archives"));
    writeFileSync(join(out, "proj/logs/archives/x.tar.gz"), "no archive");
    const { code, stdout, stderr } = await loghole(out, "validate");
    expect([code, stdout]).toEqual([1, "1 file as on the nodes\n"]);
    expect(stderr).toContain("n0: a.out.1: the copy differs; run loghole sync\n");
    expect(stderr).toContain("n1: deep/er/b.err: it is shorter than its copy");
    expect(stderr).toContain("x.tar.gz cannot be read to its end");
  });
});

describe("loghole clean", () => {
  test("removes nothing that has no copy, unless it is forced", async () => {
    const out = layout();
    const refused = await loghole(out, "clean", "-n");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("n0: a.out.1: there is no copy");
    expect(read(out, "nodes/n0/local/logs/a.out.1")).toBe("first\n");
    expect((await loghole(out, "clean")).stderr).toContain("add --force, or -n");

    await loghole(out, "sync");
    expect(await loghole(out, "clean", "-n", "n0")).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(join(out, "nodes/n0/local/logs"))).toEqual([]);
    expect(readdirSync(join(out, "nodes/n1/local/logs"))).toEqual(["deep"]);
    expect(read(out, "proj/logs/n0/local/logs/a.out.1")).toBe("first\n");
  });

  test("forced, empties nodes and copies; -fn the nodes alone", async () => {
    const out = layout();
    await loghole(out, "sync");
    const both = await loghole(out, "--port=3069", "--quiet", "clean", "-fn", "n1");
    expect(both).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(readdirSync(join(out, "nodes/n1/local/logs"))).toEqual([]);
    expect(read(out, "proj/logs/n1/local/logs/deep/er/b.err")).toBe("second\n");
    expect((await loghole(out, "--port=3069", "--quiet", "clean", "--force")).code).toBe(0);
    expect(readdirSync(join(out, "nodes/n0/local/logs"))).toEqual([]);
    expect(readdirSync(join(out, "proj/logs/n1/local/logs"))).toEqual([]);
  });
});

describe("loghole archive", () => {
  const list = (path: string): string[] =>
    spawnSync("tar", ["-tzf", path], { encoding: "utf8" }).stdout.split("\n").sort();

  test("packs everything in logs but the archives, and with --delete removes the copies", async () => {
    const out = layout();
    expect((await loghole(out, "archive")).stderr).toContain("run loghole sync first");
    await loghole(out, "sync");
    writeFileSync(join(out, "proj/logs/event-sched.log"), "log\n");
    const path = join(out, "proj/logs/archives/kept.tar.gz");
    const first = await loghole(out, "archive", "kept");
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(/^.*\/proj\/logs\/archives\/kept\.tar\.gz: 4 files, \d+ bytes\n$/);
    expect(list(path)).toContain("n1/local/logs/deep/er/b.err");
    expect((await loghole(out, "archive", "kept")).stderr).toContain("exists already");

    expect((await loghole(out, "--quiet", "archive", "--delete")).code).toBe(0);
    expect(readdirSync(join(out, "proj/logs")).sort()).toEqual(["archives", "event-sched.log"]);
    const [second = ""] = readdirSync(join(out, "proj/logs/archives")).filter((name) =>
      /^logs-\d{8}-\d{6}\.tar\.gz$/.test(name),
    );
    const names = list(join(out, "proj/logs/archives", second));
    expect(names).toContain("n0/local/logs/a.out");
    expect(names.join()).not.toContain("kept");
    expect((await loghole(out, "validate")).stderr).not.toContain("archives");
  });

  test("leaves no half of an archive, and removes nothing, when it cannot be made", async () => {
    const out = layout();
    await loghole(out, "sync");
    const { code, stderr } = await run("loghole", ["--out", out, "archive", "--delete"], {
      env: { PATH: scratch() },
    });
    expect(code).toBe(1);
    expect(stderr).toContain("there is no tar; install the package tar");
    expect(readdirSync(join(out, "proj/logs/archives"))).toEqual([]);
    expect(read(out, "proj/logs/n0/local/logs/a.out.1")).toBe("first\n");
  });
});

test.each([
  [["frobnicate"], 64, "there is no command frobnicate; there are sync, clean"],
  [[], 64, "usage: loghole"],
  [["clean", "-x"], 64, "loghole: invalid option -- 'x'"],
  [["sync", "-f"], 64, "loghole: invalid option -- 'f'"],
  [["archive", "a/b"], 64, "the name of an archive is"],
  [["archive", "a", "b"], 64, "archive takes one name, not 2"],
  [["-e", "x", "sync"], 64, "-e must be pid/eid: x"],
  [["sync"], 66, "which experiment? give -e pid/eid"],
  [["--out", "/nowhere", "sync"], 66, "there are no results of a run in /nowhere"],
])("loghole %j ends with %i", async (argv, code, text) => {
  const ended = await run("loghole", argv, { env: { EXPDIR: undefined } });
  expect(ended.code).toBe(code);
  expect(ended.stderr).toContain(text);
});

test("loghole names the nodes there are when one is unknown", async () => {
  const { code, stderr } = await loghole(layout(), "sync", "n7");
  expect(code).toBe(66);
  expect(stderr).toContain("there is no node n7; nodes: n0, n1");
});
