// SPDX-License-Identifier: MIT
// Goal: what programs find on their node, in both modes; how they start, end and are signalled.
// Method: real nodes and real programs, looked at through what the programs print.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Link } from "../../src/experiment/model.ts";
import { type Clock, systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import type { NodeBackend, RunningNode } from "../../src/testbed/nodes/index.ts";
import { markedProcesses } from "../../src/testbed/nodes/marked-processes.ts";
import { chooseShell } from "../../src/testbed/nodes/system-programs.ts";
import {
  endHosts,
  Host,
  isRoot,
  modes,
  runOn,
  scratchDirectory,
  startNodes,
  until,
} from "./nodes-support/harness.ts";

let out = "";
let backend: NodeBackend | undefined;

beforeEach(() => {
  out = scratchDirectory();
});

afterEach(async () => {
  await endHosts();
  await backend?.stop();
  backend = undefined;
  rmSync(out, { recursive: true, force: true });
});

function node(name: string): RunningNode {
  const found = backend?.nodes.get(name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
}

/** Empty for a process that has ended. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };
const link: Link = {
  name: "link0",
  kind: "link",
  netmask: "255.255.255.0",
  members: ["node0", "node1"].map((name, index) => ({
    node: name,
    port: 0,
    address: `10.1.1.${index + 2}`,
    toLink: shape,
    fromLink: shape,
  })),
  at: { file: "x.ns", line: 1, column: 1 },
};
const linked = ["node0", "node1"].map((name, index) => ({
  name,
  links: [{ link: "link0", experiment: `10.1.1.${index + 2}` }],
}));

describe.each(modes)("a node in %s mode", (mode) => {
  test("tells its programs who they are, and nothing of the caller", async () => {
    process.env["SECRET_OF_THE_CALLER"] = "yes";
    backend = await startNodes(out, {
      mode,
      nodes: linked,
      links: [link],
      environment: [
        ["RATE", "10"],
        ["WHERE", `$EXPDIR/data-$${"{RATE}"}`],
        ["MUSTER_RUN", "forged"],
      ],
    });
    const { stdout } = await runOn(backend, "node1", "env; pwd");
    delete process.env["SECRET_OF_THE_CALLER"];
    const seen = new Map(stdout.split("\n").map((l) => l.split(/=(.*)/s) as [string, string]));
    expect(seen.get("NODE")).toBe("node1");
    expect(seen.get("PID")).toBe("proj");
    expect(seen.get("EID")).toBe("exp");
    expect(seen.get("NODECNETIP")).toBe(node("node1").addresses[0]?.loopback);
    expect(seen.get("NODEIP")).toBe(node("node1").addresses[1]?.loopback);
    expect(seen.get("WHERE")).toBe(`${seen.get("EXPDIR")}/data-10`);
    expect(seen.get("MUSTER_RUN")).not.toBe("forged");
    expect(seen.has("SECRET_OF_THE_CALLER")).toBe(false);
    for (const name of ["USER", "GROUP", "HOME", "LOGDIR"]) expect(seen.get(name)).toBeTruthy();
  });

  test("keeps what programs write to LOGDIR and EXPDIR, and nothing else", async () => {
    backend = await startNodes(out, { mode });
    await runOn(
      backend,
      "node0",
      'echo log >"$LOGDIR/own.log"; echo shared >"$EXPDIR/tmp/mark"; echo litter >litter',
    );
    const other = await runOn(backend, "node1", 'cat "$EXPDIR/tmp/mark"; ls -d l*');
    expect(other.stdout).toBe("shared\n");
    await backend.stop();
    expect(readFileSync(join(out, "nodes/node0/local/logs/own.log"), "utf8")).toBe("log\n");
    expect(readFileSync(join(out, "proj/tmp/mark"), "utf8")).toBe("shared\n");
    const kept = readdirSync(out, { recursive: true }).map(String);
    expect(kept.some((path) => path.includes("litter"))).toBe(false);
  });

  test("is told whom to ask and its own name, and the rest only when it boots", async () => {
    backend = await startNodes(out, { mode });
    for (const name of ["node0", "node1"]) {
      const { stdout } = await runOn(backend, name, 'cd "$MUSTER_BOOT"; head *');
      expect(stdout).toBe(
        `==> bossnode <==\n${node(name).calledAt}\n\n==> mydomain <==\nmuster.local\n\n` +
          `==> realname <==\n${name}\n`,
      );
    }
    expect(node("node0").calledAt).not.toBe(node("node1").calledAt);
  });

  test("finds the old tools first", async () => {
    const tool = join(out, "tool");
    writeFileSync(tool, '#!/bin/sh\necho "tool of $(basename "$(readlink -f "$0")")"\n');
    chmodSync(tool, 0o755);
    backend = await startNodes(out, { mode, tools: { "emulab-sync": tool, ls: tool } });
    expect((await runOn(backend, "node0", "emulab-sync; ls")).stdout).toBe(
      "tool of tool\ntool of tool\n",
    );
  });

  test("gives a program its directory, output files, and no input", async () => {
    backend = await startNodes(out, { mode });
    const ran = await runOn(backend, "node0", "pwd; cat; echo bad >&2; ls /proc/self/fd", "/usr");
    // What this process itself was given by others, and the 3 with which ls reads.
    const inherited = execFileSync("ls", ["/proc/self/fd"], { encoding: "utf8" });
    expect(ran.stdout).toBe(`/usr\n${inherited}`);
    expect(ran.stderr).toBe("bad\n");
  });

  test("reports exit codes and deaths by signal as they were", async () => {
    backend = await startNodes(out, { mode });
    const all = ["exit 0", "exit 7", "exit 143", "kill -TERM $$", "kill -9 $$", "kill -SEGV $$"];
    const ended = await Promise.all(
      all.map(async (text) => (await runOn(backend as NodeBackend, "node0", text)).status),
    );
    expect(ended.map((status) => status.exitCode ?? status.signal)).toEqual([
      ...[0, 7, 143],
      ...["SIGTERM", "SIGKILL", "SIGSEGV"],
    ]);
  });

  test("signals a whole group or one process, also a stopped one", async () => {
    backend = await startNodes(out, { mode });
    const path = join(out, "signals");
    const start = async (text: string) => {
      const started = await node("node0").spawn({
        ...{ name: "p", argv: ["sh", "-c", text], directory: "" },
        ...{ stdout: path, stderr: path },
      });
      if ("startError" in started) throw new Error(started.startError);
      return started;
    };
    const idle = "echo up; while :; do sleep 0.02; done";
    const child = `(trap "echo child; exit 0" USR1; ${idle}) &`;
    const wait = `trap "echo parent; exit 3" USR1; ${child} ${idle}`;
    const group = await start(wait);
    await until(() => (readFileSync(path, "utf8").match(/up/g) ?? []).length === 2);
    group.signal("usr1", "group");
    expect((await group.done).exitCode).toBe(3);
    expect(await until(() => /child/.test(readFileSync(path, "utf8")))).toBe(true);

    const stopped = await start("echo stopping; kill -STOP $$; exit 4");
    await until(() => /stopping/.test(readFileSync(path, "utf8")));
    await until(() =>
      /T/.test(readFileSync(`/proc/${stopped.pid}/stat`, "utf8").split(") ")[1]?.[0] ?? ""),
    );
    stopped.signal("SIGCONT", "process");
    expect((await stopped.done).exitCode).toBe(4);

    const one = await start("exec sleep 100");
    one.signal("SIGNOSUCH", "process");
    one.signal("KILL", "process");
    expect((await one.done).signal).toBe("SIGKILL");
    one.signal("KILL", "process");
  });

  test("tells what a program and what it waited for used, and is not seen by it", async () => {
    backend = await startNodes(out, { mode });
    const start = async (command: string) => {
      const path = join(out, "measured");
      const started = await node("node0").spawn({
        ...{ name: "prog", argv: ["sh", "-c", command], directory: "/" },
        ...{ stdout: path, stderr: path, isMeasured: true },
      });
      if ("startError" in started) throw new Error(started.startError);
      return started;
    };
    const burn = [
      ...["import time", "memory = bytearray(64 << 20)"],
      ...["for at in range(0, len(memory), 4096): memory[at] = 1"],
      "while time.process_time() < 0.4: pass",
    ];
    const busy = await start(`python3 -c '${burn.join("\n")}'; exit 5`);
    const { exitCode, usage } = await busy.done;
    expect(exitCode).toBe(5);
    expect(usage?.cpuUs).toBeGreaterThanOrEqual(400_000);
    expect(usage?.cpuUs).toBeLessThan(20_000_000);
    expect(usage?.rssKibMax).toBeGreaterThanOrEqual(64 * 1024);
    expect(usage?.rssKibMax).toBeLessThan(128 * 1024);

    const path = join(out, "measured");
    const quiet = await start("env; ls -l /proc/self/fd | grep -v /proc; exec sleep 100");
    await until(() => /fd|-> /.test(readFileSync(path, "utf8")));
    expect(readFileSync(path, "utf8")).not.toMatch(/PERL|socket:|pipe:.*4 ->/);
    // It leads its group and its session, and who waits for it is in neither.
    quiet.signal("KILL", "group");
    expect(await quiet.done).toMatchObject({ exitCode: null, signal: "SIGKILL" });
    expect((await quiet.done).usage?.rssKibMax).toBeLessThan(16 * 1024);
  });

  test("says why a program did not start", async () => {
    backend = await startNodes(out, { mode });
    const attempt = async (argv: readonly string[], directory: string, file = "log") => {
      const path = join(out, file);
      const result = await node("node0").spawn({
        name: "prog",
        argv,
        directory,
        stdout: path,
        stderr: path,
      });
      return "startError" in result ? result.startError : "started";
    };
    writeFileSync(join(out, "plain"), "not executable");
    expect(await attempt(["true"], "/no/such")).toMatch(/no directory \/no\/such/);
    expect(await attempt(["/no/such/program"], "")).toMatch(/\/no\/such\/program is not an exec/);
    expect(await attempt([join(out, "plain")], "")).toMatch(/is not an executable/);
    expect(await attempt(["true"], "", "plain/log")).toMatch(/cannot be written/);
    expect(await attempt(["true", "x".repeat(300_000)], "")).toMatch(/E2BIG/);
    expect(await attempt([], "")).toMatch(/nothing to run/);
    expect(await attempt(["true"], "")).toBe("started");
  });

  test("prepare() loads a program that start() lets go and discard() does not", async () => {
    backend = await startNodes(out, { mode });
    const path = join(out, "prepared");
    const spec = {
      ...{ name: "p", argv: ["sh", "-c", "echo ran"], directory: "" },
      ...{ stdout: path, stderr: path },
    };
    const first = await node("node0").prepare(spec);
    const second = await node("node0").prepare(spec);
    if ("startError" in first || "startError" in second) throw new Error("not prepared");
    expect(readFileSync(path, "utf8")).toBe("");
    second.discard();
    const program = await first.start();
    if ("startError" in program) throw new Error(program.startError);
    await program.done;
    expect(readFileSync(path, "utf8")).toBe("ran\n");
    expect(await second.start()).toHaveProperty("startError");
    expect(await first.start()).toHaveProperty("startError");
  });

  test("stop() lets programs finish in the grace they have, once", async () => {
    backend = await startNodes(out, { mode });
    const path = join(out, "nodes/node0/local/logs/last");
    const program = await node("node0").spawn({
      ...{ name: "p", directory: "", stdout: path, stderr: path },
      argv: [
        "sh",
        "-c",
        'trap "echo last words; exit 5" TERM; echo up; while :; do sleep 0.02; done',
      ],
    });
    if ("startError" in program) throw new Error(program.startError);
    await until(() => /up/.test(readFileSync(path, "utf8")));
    await Promise.all([backend.stop(), backend.stop()]);
    expect((await program.done).exitCode).toBe(5);
    expect(readFileSync(path, "utf8")).toContain("last words");
    const late = await node("node0").spawn({
      name: "p",
      argv: ["true"],
      directory: "",
      stdout: path,
      stderr: path,
    });
    expect(late).toHaveProperty("startError");
  });

  test("runs a command with the shell this machine has", async () => {
    backend = await startNodes(out, { mode });
    const path = join(out, "command");
    const program = await node("node0").spawn({
      ...{ name: "p", directory: "", stdout: path, stderr: path },
      command: `sh -c "echo to-out; echo to-err 1>&2" >& ${join(out, "both")}`,
    });
    expect(backend.shell).toBe(chooseShell().text);
    if (backend.shell === "") {
      expect(program).toHaveProperty("startError");
      return;
    }
    if ("startError" in program) throw new Error(program.startError);
    expect((await program.done).exitCode).toBe(0);
    expect(readFileSync(join(out, "both"), "utf8").split("\n").sort()).toEqual([
      "",
      "to-err",
      "to-out",
    ]);
  });

  test("has a block of addresses that no other run has", async () => {
    backend = await startNodes(out, { mode });
    const second = await startNodes(join(out, "second"), { mode });
    const block = (b: NodeBackend) => b.nodes.get("node0")?.calledAt.split(".")[1];
    expect(block(second)).not.toBe(block(backend));
    await second.stop();
    const third = await startNodes(join(out, "third"), { mode });
    await third.stop();
    expect(block(third)).toBe(block(second));
  });
});

describe.runIf(modes.includes("namespace"))("the file system of a node in namespace mode", () => {
  test("runs the start command of the old image test unchanged", async () => {
    const files = join(out, "files");
    mkdirSync(files);
    writeFileSync(join(files, "startcmd0.sh"), '#!/bin/sh\nhostname >"$1/mark"\n');
    chmodSync(join(files, "startcmd0.sh"), 0o755);
    backend = await startNodes(out, { mode: "namespace", projectFiles: files });
    const ran = await runOn(backend, "node0", [
      "/proj/proj/data/startcmd0.sh",
      "/proj/proj/exp/exp/tmp/",
    ]);
    expect(ran.stderr).toBe("");
    expect(readFileSync(join(out, "proj/tmp/mark"), "utf8")).toBe("node0.exp.proj.muster.local\n");
    const write = await runOn(backend, "node0", "echo x >/proj/proj/data/new");
    expect(write.status.exitCode).not.toBe(0);
    expect(existsSync(join(files, "new"))).toBe(false);
  });

  test("has private directories where the testbed's nodes have them", async () => {
    backend = await startNodes(out, { mode: "namespace" });
    const places = ["/tmp", "/var/tmp", "/var/run", "/var/emulab/boot", "/local/logs"];
    const write = places.map((path) => `echo node0 >${path}/private-mark`).join(";");
    expect((await runOn(backend, "node0", write)).stderr).toBe("");
    for (const path of places) {
      expect(existsSync(`${path}/private-mark`)).toBe(false);
      const other = await runOn(backend, "node1", `test -e ${path}/private-mark`);
      expect(other.status.exitCode).toBe(1);
    }
    const ids = await runOn(
      backend,
      "node0",
      "cat /var/emulab/boot/realname; ls /.muster; ls -d /users/$USER",
    );
    expect(ids.stdout).toMatch(/^node0\n\/users\/\S+\n$/);
  });

  test("shows the rest of this machine, and what Muster needs below /tmp", async () => {
    backend = await startNodes(out, { mode: "namespace" });
    const list = "for d in / /usr /usr/local /var; do ls -A $d; done";
    const here = await runOn(backend, "node0", list);
    const seen = new Set(here.stdout.split("\n"));
    for (const directory of ["/", "/usr", "/usr/local", "/var"]) {
      const missing = readdirSync(directory).filter((name) => !seen.has(name));
      expect(missing).toEqual([]);
    }
    expect((await runOn(backend, "node0", `test -d ${out}/nodes`)).status.exitCode).toBe(0);
    const neighbour = scratchDirectory();
    const hidden = await runOn(backend, "node0", `test -e ${neighbour}`);
    rmSync(neighbour, { recursive: true });
    expect(hidden.status.exitCode).toBe(1);
  });

  test("names the nodes in a hosts file of its own", async () => {
    backend = await startNodes(out, { mode: "namespace", nodes: linked, links: [link] });
    const names = ["node0", "node0-link0", "node0-0", "node1", "node1.exp.proj.muster.local"];
    const ran = await runOn(backend, "node1", `getent ahostsv4 ${names.join(" ")} | grep STREAM`);
    const found = ran.stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/)[0]);
    const [control1, link1] = node("node1").addresses.map(({ loopback }) => loopback);
    const link0 = node("node0").addresses[1]?.loopback;
    expect(found).toEqual([link0, link0, link0, link1, control1]);
  });

  test("has processes of its own, collects orphans, and survives kill -1", async () => {
    backend = await startNodes(out, { mode: "namespace" });
    const orphans = await runOn(
      backend,
      "node0",
      "for i in 1 2 3; do (sleep 0.01 &); done; " +
        "n=0; while [ $n -lt 100 ] && { cat /proc/[0-9]*/stat | grep -Eq 'Z|\\(sleep'; }; do " +
        "n=$((n + 1)); sleep 0.1; done; cat /proc/[0-9]*/stat",
    );
    expect(orphans.stdout).not.toMatch(/ Z /);
    expect(orphans.stdout.split("\n").length).toBeLessThan(8);
    const massacre = await runOn(backend, "node0", "kill -9 -1; echo alive");
    expect(massacre.stdout).toBe("alive\n");
    expect((await runOn(backend, "node0", "echo still here")).stdout).toBe("still here\n");
    expect((await runOn(backend, "node1", "echo me too")).stdout).toBe("me too\n");
  });

  test("does not confuse paths with blanks and quotes", async () => {
    const odd = join(out, "it's a #1 \\ dir");
    mkdirSync(odd);
    writeFileSync(join(odd, "file"), "content\n");
    symlinkSync("file", join(odd, "link"));
    backend = await startNodes(join(odd, "out"), { mode: "namespace", projectFiles: odd });
    const ran = await runOn(backend, "node0", "cat /proj/proj/data/link; echo x >/local/logs/y");
    expect(ran.stdout).toBe("content\n");
    expect(existsSync(join(odd, "out/nodes/node0/local/logs/y"))).toBe(true);
  });
});

describe("a machine that forbids namespaces", () => {
  // A user namespace that may make no others is what a plain container is for this purpose.
  const forbid =
    "echo 0 >/proc/sys/user/max_mnt_namespaces; echo 0 >/proc/sys/user/max_user_namespaces";
  const container = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    `${forbid}; exec "$@"`,
    "sh",
  ];
  const request = { runId: newRunId(), mode: "" as const, seed: process.pid, nodes: 2 };

  test.runIf(modes.includes("namespace"))("gets environment mode and hears why", async () => {
    const host = new Host(
      { ...request, out, programs: [["sh", "-c", 'test "$(cat $MUSTER_BOOT/realname)" = $NODE']] },
      container,
    );
    const up = await host.answer("up");
    expect(up.mode).toBe("environment");
    expect(up.lost.join("\n")).toMatch(/no namespaces of their own here: .*unshare failed/);
    expect((await host.answer("ended")).statuses).toEqual(["0", "0"]);
    host.child.kill("SIGTERM");
    await host.answer("stopped");
  });

  test("is not asked when MUSTER_NODES says environment", async () => {
    const prefix = ["env", "MUSTER_NODES=environment"];
    const host = new Host({ ...request, out, programs: [] }, prefix);
    expect((await host.answer("up")).mode).toBe("environment");
    host.child.kill("SIGTERM");
    await host.answer("stopped");
  });
});

describe.runIf(isRoot && modes.includes("namespace"))("a machine with another timeout", () => {
  const replace = 'mount --bind /bin/false "$(command -v timeout)"';
  const prefix = ["unshare", "--mount", "sh", "-c", `${replace}; exec "$@"`, "sh"];

  test("tells how programs ended, and ends stopped ones", async () => {
    const programs = ["exit 3", "kill -9 $$", "kill -STOP $$; exit 4"];
    const runId = newRunId();
    const host = new Host(
      {
        ...{ runId, mode: "namespace", seed: process.pid, nodes: 1, out },
        programs: programs.map((text) => ["sh", "-c", text]),
      },
      prefix,
    );
    await host.answer("up");
    const stopped = () => markedProcesses(runId).filter(isStopped);
    // The program, and nsenter with it.
    expect(await until(() => stopped().length === 2)).toBe(true);
    // The signal must not find the other two alive.
    const others = () =>
      markedProcesses(runId).filter((pid) => /exit 3|kill -9/.test(commandLine(pid)));
    expect(await until(() => others().length === 0)).toBe(true);
    host.child.kill("SIGTERM");
    // SIGTERM waits for a stopped program to go on, and then comes before its exit.
    expect((await host.answer("ended")).statuses).toEqual(["3", "SIGKILL", "SIGTERM"]);
    expect((await host.answer("stopped")).downMs).toBeLessThan(20_000);
  });
});

describe.runIf(isRoot && modes.includes("namespace"))("an ordinary user", () => {
  test("gets namespaces too", async () => {
    chmodSync(out, 0o777);
    const host = new Host(
      {
        ...{ runId: newRunId(), mode: "", seed: process.pid, nodes: 2, out },
        programs: [["sh", "-c", "test -d /proj/proj/exp/exp && touch /tmp/x /local/logs/x"]],
      },
      ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
    );
    const up = await host.answer("up");
    expect(up.mode).toBe("namespace");
    expect(up.lost.join("\n")).toMatch(/see themselves as root/);
    expect(up.lost.join("\n")).toMatch(/have no limit of memory and processes/);
    expect((await host.answer("ended")).statuses).toEqual(["0", "0"]);
    host.child.kill("SIGTERM");
    await host.answer("stopped");
  });
});

describe.runIf(modes.includes("namespace"))("two hundred nodes", () => {
  test("with as many links come up, run a program each and go, with one process of Muster", async () => {
    const host = new Host({
      ...{ runId: newRunId(), mode: "namespace", seed: process.pid, nodes: 200, out },
      ...{ hasNetwork: true, programs: [["true"]] },
    });
    const up = await host.answer("up");
    const ended = await host.answer("ended");
    expect(ended.statuses.filter((status) => status === "0").length).toBe(200);
    expect(up.control).toBe("172.31.0.1");
    expect(up.rssBytes).toBeLessThan(150 * 1024 * 1024);
    host.child.kill("SIGTERM");
    const { downMs } = await host.answer("stopped");
    // Generous: this proves that nothing is done one node at a time with a pause, no more.
    expect(up.upMs).toBeLessThan(60_000);
    expect(downMs).toBeLessThan(40_000);
    const figures = [up.upMs, up.startMs, downMs].map((ms) => ms.toFixed(0)).join(", ");
    process.stdout.write(`200 nodes: up, programs started, down in ${figures} ms\n`);
  });
});

/** One that has ended meanwhile is not. */
function isStopped(pid: number): boolean {
  try {
    return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe.runIf(modes.includes("namespace"))("a kernel that is too slow", () => {
  test.each([undefined, "namespace"] as const)(
    "ends the run, mode %s: no other is tried",
    async (mode) => {
      const runId = newRunId();
      let waits = 0;
      // The time for holders is over before they can have said anything.
      const clock: Clock = {
        ...systemClock,
        after(delayMs, callback) {
          if (delayMs < 20_000) return systemClock.after(delayMs, callback);
          waits += 1;
          queueMicrotask(callback);
          return () => undefined;
        },
      };
      const started = startNodes(out, { runId, clock, ...(mode === undefined ? {} : { mode }) });
      await expect(started).rejects.toThrow(
        "the kernel has not made the namespaces of the 2 nodes within 20.1 s; run it again when",
      );
      expect([waits, markedProcesses(runId)]).toEqual([1, []]);
      expect(existsSync(join(tmpdir(), `muster-${runId}`))).toBe(false);
    },
  );
});
