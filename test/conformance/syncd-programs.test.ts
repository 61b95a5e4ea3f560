// SPDX-License-Identifier: MIT
// Goal: the two command lines match texts and exit codes byte for byte, and the daemon lives and
// dies as a daemon should. [EMULAB-SYNC 1] [EMULAB-SYNC 4]
// Method: the programs themselves, as processes.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { usage as syncUsage } from "../../src/cli/compat/emulab-sync-arguments.ts";
import { usage as syncdUsage } from "../../src/cli/compat/emulab-syncd-arguments.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { until } from "../unit/syncd/harness.ts";
import { type Program, runSync, runSyncd, startSyncd } from "../unit/syncd/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const long = "n".repeat(64);
const oldVersion = { code: 0, stdout: "Built in standalone mode\n", stderr: "" };
const newVersion = { ...oldVersion, stdout: "Built in standalone mode\nMuster 0.1.0\n" };

/** Nobody listens on port 1. */
const dead = ["-s", "127.0.0.1", "-p", "1"];
const noAnswer =
  "timed out after 0.1 s: no server answered at 127.0.0.1:1; is emulab-syncd running there?";

describe("emulab-sync", () => {
  test.each([
    [["-p", "x"], "Error: -p value is not a number: x"],
    [["-p", "0"], "Error: -p value is not between 0 and 65536: 0"],
    [["-p", "65536"], "Error: -p value is not between 0 and 65536: 65536"],
    [["-p", "-1"], "Error: -p value is not between 0 and 65536: -1"],
    [["-p", ""], "Error: -p value is not between 0 and 65536: 0"],
    [["-i", "abc"], "Error: -i value is not a number: abc"],
    [["-i", "0"], "Error: -i value must be greater than zero: 0"],
    [["-i", "-3x"], "Error: -i value must be greater than zero: -3x"],
    [["-i", ""], "Error: -i value must be greater than zero: "],
    [["-i", "2147483648"], "Error: -i value must be at most 2147483647: 2147483648"],
    [["-n", ""], "Error: -n value is empty"],
    [["-n", long], `Error: -n value is too long: ${long}`],
    [["-s", ""], "Error: -s value is empty"],
    [["-e", "x"], "Error: -e value is not a number: x"],
    [["-e", "240"], "Error: -e value must be zero or less than 240"],
    [["-e", "-1"], "Error: -e value must be zero or less than 240"],
    [["-a"], "Error: -a requires the -i option"],
    [["one", "two"], "Error: Unrecognized command line arguments: one two"],
    [["-x"], "emulab-sync: invalid option -- 'x'"],
    [["-un"], "emulab-sync: option requires an argument -- 'n'"],
    [
      ["--timout", "5"],
      `emulab-sync: unrecognized option '--timout'
emulab-sync: did you mean --timeout? --help-all lists the options of Muster`,
    ],
    [
      ["--timeout", "0"],
      "Error: --timeout value must be a number of seconds from 0.001 to 2000000: 0",
    ],
  ])("%j is a usage error", async (args, text) => {
    const end = await runSync(args).ended;
    expect(end).toEqual({ code: 64, stdout: "", stderr: `${text}\n${syncUsage}` });
  });

  test("-h and -V as ever; --help, --help-all and --version say more", async () => {
    expect(await runSync(["-h"]).ended).toEqual({ code: 0, stdout: "", stderr: syncUsage });
    expect(await runSync(["-V"]).ended).toEqual(oldVersion);
    expect(await runSync(["--version"]).ended).toEqual(newVersion);
    const all = await runSync(["--help-all"]).ended;
    expect(all.stdout.startsWith(syncUsage)).toBe(true);
    expect(all.stdout).toContain("--wait-for-server S");
    expect(all.stdout).toContain("-e takes 0 to 239");
    expect(await runSync(["--help"]).ended).toEqual(all);
  });

  test("no server known, no port, unknown host", async () => {
    const none = await runSync([], { MUSTER_BOOT: folder }).ended;
    expect(none.code).toBe(64);
    expect(none.stderr).toMatch(
      /^Error: Could not deduce the name of the syncserver!\n(.+\n){4}\nusage: /,
    );
    const port = await runSync(["-s", "127.0.0.1"]).ended;
    expect(port).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "No port specified\nadd -p PORT (emulab-syncd listens on 16534 unless told otherwise)\n",
    });
    const host = await runSync(["-s", "no-such-host.invalid", "-p", "5"]).ended;
    expect(host.code).toBe(68);
    expect(host.stderr).toMatch(
      /^gethostbyname\(no-such-host\.invalid\) failed\ncheck the name .+\n$/,
    );
  });

  test.each([
    ["usage", 64, ["-e", "240"], "-e value must be zero or less than 240"],
    ["usage", 64, ["--timout"], "did you mean --timeout?"],
    ["no-port", 1, ["-s", "127.0.0.1"], "add -p PORT"],
    ["unknown-host", 68, ["-s", "no-such-host.invalid", "-p", "5"], "check the name"],
    ["master", 0, ["-m", "-s", "127.0.0.1"], undefined],
    ["not-master", 1, ["-m", "-s", "192.0.2.1"], undefined],
    ["no-server", 241, [...dead, "--timeout", "0.1"], noAnswer],
    ["no-server", 241, [...dead, "--timeout", "0.1", "-u"], noAnswer],
    ["no-server", 242, [...dead, "--wait-for-server", "0.1"], "is emulab-syncd running there?"],
  ])("--json prints an object for the outcome %s (%i)", async (outcome, exitCode, args, text) => {
    // Mutant: only what the sync client tells is printed, and a script reads nothing.
    const { code, stdout, stderr } = await runSync(["--json", ...args]).ended;
    expect(code).toBe(exitCode);
    expect(JSON.parse(stdout)).toMatchObject({
      barrier: "barrier",
      outcome,
      error: null,
      exitCode,
    });
    expect(JSON.parse(stdout).message).toEqual(text && expect.stringContaining(text));
    expect(stderr).toContain(text ?? "");
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s ends --json with an object",
    async (signal) => {
      const client = runSync([...dead, "--json", "-d"]);
      await client.said(/Connection refused/);
      const { code, stdout } = await client.end(signal);
      const exitCode = 128 + constants.signals[signal];
      expect(code).toBe(exitCode);
      expect(JSON.parse(stdout)).toMatchObject({ outcome: "interrupted", exitCode });
    },
  );

  test("without --json it dies of the signal and says nothing, as ever", async () => {
    for (const transport of [[], ["-u"]]) {
      const client = runSync([...dead, "-d", ...transport]);
      await client.said(/Connection refused/);
      expect(await client.end("SIGINT")).toMatchObject({ code: null, stdout: "" });
      expect(client.child.signalCode).toBe("SIGINT");
    }
  });

  test("-m compares addresses, or nodes in a run", async () => {
    expect((await runSync(["-m", "-s", "127.0.0.1"]).ended).code).toBe(0);
    expect((await runSync(["-m", "-s", "192.0.2.1"]).ended).code).toBe(1);
    const run = { MUSTER_NODE: "node1", MUSTER_SYNC_NODE: "node0" };
    expect((await runSync(["-m", "-s", "127.0.0.1"], run).ended).code).toBe(1);
    const own = { ...run, MUSTER_NODE: "node0" };
    expect((await runSync(["-m", "-s", "192.0.2.1"], own).ended).code).toBe(0);
  });

  test("--wait-for-server gives up with its own exit code", async () => {
    // Long enough to be refused once before, also when the machine is busy.
    const args = ["-s", "127.0.0.1", "-p", "1", "--wait-for-server", "5", "--json", "-d"];
    const { code, stdout, stderr } = await runSync(args).ended;
    expect(code).toBe(242);
    expect(stderr).toContain("Connection refused. Waiting ...\n");
    expect(stderr).toContain("emulab-sync: no server at 127.0.0.1:1 after 5 s");
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "no-server", exitCode: 242 });
  });
});

describe("emulab-syncd", () => {
  test.each([
    [["-p", "x"], "Error: -p value is not a number: x"],
    [["-p", "0"], "Error: -p value is not between 0 and 65536: 0"],
    [["-p", "70000"], "Error: -p value is not between 0 and 65536: 70000"],
    [["-d", "a", "b"], "Error: Unrecognized command line arguments: a b"],
    [["-q"], "emulab-syncd: invalid option -- 'q'"],
    [["--listen", "here"], "Error: --listen value is not an address: here"],
    [
      ["--allow", "10.0.0.0/33"],
      "Error: --allow value is not ADDRESS or ADDRESS/BITS: 10.0.0.0/33",
    ],
    [["--limit", "edgesMax=0"], "Error: --limit edgesMax value is not a positive number: 0"],
    [
      ["--limit", "udpAnswersMax=x"],
      "Error: --limit udpAnswersMax value is not a positive number: x",
    ],
    [
      ["--limit", "tcpListenersPerAddress=256", "--limit", "tcpListenersPerAddress=257"],
      "Error: --limit tcpListenersPerAddress value must be at most 256: 257",
    ],
    [
      ["--limits", "x=1"],
      `emulab-syncd: unrecognized option '--limits'
emulab-syncd: did you mean --limit? --help-all lists the options of Muster`,
    ],
  ])("%j is a usage error", async (args, text) => {
    const end = await runSyncd(args).ended;
    expect(end).toEqual({ code: 1, stdout: "", stderr: `${text}\n${syncdUsage}` });
  });

  test("-h and -V as ever; --help, --help-all and --version say more", async () => {
    expect(await runSyncd(["-h"]).ended).toEqual({ code: 1, stdout: "", stderr: syncdUsage });
    expect(await runSyncd(["-V"]).ended).toEqual(oldVersion);
    expect(await runSyncd(["--version"]).ended).toEqual(newVersion);
    const all = await runSyncd(["--help-all"]).ended;
    expect(all.stdout).toContain("--listen ADDRESS");
    expect(await runSyncd(["--help"]).ended).toEqual(all);
  });

  describe("running", () => {
    let program: Program;
    let port: number;
    let at: string[];
    const pidFile = join(folder, "pid");
    const registered = join(folder, "registered");
    beforeAll(async () => {
      const register = `printf '%s %s' >${registered}`;
      ({ program, port } = await startSyncd([
        "--pidfile",
        pidFile,
        "--register",
        register,
        "-p",
        String(20_000 + (process.pid % 10_000)),
      ]));
      at = ["-s", "127.0.0.1", "-p", String(port)];
    });
    afterAll(async () => {
      await program.end();
    });

    test("is there for others when it is registered, and writes its pid then", async () => {
      expect(readFileSync(pidFile, "utf8")).toBe(`${program.child.pid}\n`);
      expect(readFileSync(registered, "utf8")).toBe(`emulab_syncd ${port}`);
    });

    test("ends with status 1 when it cannot be registered, in the foreground and behind", async () => {
      // Mutant: emulab-syncd.ts only logs what --register failed with.
      const unborn = join(folder, "unborn");
      const register = "echo nobody there >&2; exit 3 #";
      for (const mode of [["-d"], []]) {
        const more = ["--register", register, "--pidfile", unborn];
        const { code, stderr } = await runSyncd([...mode, ...more]).ended;
        expect(code).toBe(1);
        expect(stderr).toMatch(/--register: .* failed, exit status 3: nobody there\n$/);
        expect(existsSync(unborn)).toBe(false);
      }
    });

    test("nothing listens beyond loopback unless told", () => {
      // Fault 7, the default. Mutant: the standalone server listens on 0.0.0.0.
      const text = execFileSync("ss", ["-Hltun", `sport = :${port}`], { encoding: "utf8" });
      const addresses = text.match(/[0-9.*:[\]]+:\d+(?= )/g)?.map((at) => at.replace(/:\d+$/, ""));
      expect(new Set(addresses)).toEqual(new Set(["127.0.0.1"]));
    });

    test("a second server on the same port is refused, in the foreground and behind", async () => {
      for (const mode of [["-d"], []]) {
        const { code, stderr } = await runSyncd([...mode, "-p", String(port)]).ended;
        expect(code).toBe(1);
        expect(stderr).toBe(
          `emulab-syncd: port ${port} on 127.0.0.1 is in use; stop the server that has it or choose another port with -p\n`,
        );
      }
    });

    test("clients cross, with the largest error as exit code, over both transports", async () => {
      const programs = [
        runSync([...at, "-n", "x", "-e", "7"]),
        runSync([...at, "-nx", "-u"]),
        runSync([...at, "-i", "2x", "-n", "x", "--json", "-e", "2"]),
      ];
      const ends = await Promise.all(programs.map(({ ended }) => ended));
      expect(ends.map(({ code }) => code)).toEqual([7, 7, 7]);
      expect(JSON.parse(ends[2]?.stdout ?? "")).toMatchObject({
        barrier: "x",
        server: `127.0.0.1:${port}`,
        outcome: "crossed",
        error: 7,
        exitCode: 7,
      });
    });

    test("the boot file names the server, and its port goes before -p", async () => {
      const boot = mkdtempSync(join(folder, "boot-"));
      writeFileSync(join(boot, "syncserver"), `127.0.0.1:${port}\nsecond line\n`);
      const end = await runSync(["-p", "1", "-i", "1", "-a"], { MUSTER_BOOT: boot }).ended;
      expect(end).toEqual({ code: 0, stdout: "", stderr: "" });
    });

    test("-a opens a barrier and crosses none", async () => {
      const opened = await runSync([...at, "-a", "-i", "1", "-n", "open", "--json"]).ended;
      expect(JSON.parse(opened.stdout)).toMatchObject({ outcome: "opened", error: 0, exitCode: 0 });
      const through = await runSync([...at, "-n", "open", "--json"]).ended;
      expect(JSON.parse(through.stdout)).toMatchObject({ outcome: "crossed", error: 0 });
    });

    test("an interrupted sender of datagrams takes its request back", async () => {
      // Mutant: the signal ends the client at once; the server would count it for 30 s more.
      const client = runSync([...at, "-u", "-n", "datagram"]);
      await program.said(/barrier 'datagram': waiter/);
      await client.end("SIGTERM");
      await program.said(/barrier 'datagram': removing/);
    });

    test("--timeout says who is missing and leaves", async () => {
      const args = [...at, "-i", "2", "-n", "late", "--timeout", "0.3", "--json"];
      const { code, stdout, stderr } = await runSync(args).ended;
      expect(code).toBe(241);
      expect(stderr).toMatch(
        /^emulab-sync: timed out after 0\.3 s at barrier 'late': 1 of 3 arrived \(127\.0\.0\.1:\d+\/tcp\); missing: .+\n$/,
      );
      expect(JSON.parse(stdout)).toMatchObject({ outcome: "timeout", expected: 3, arrived: 1 });
      await program.said(/barrier 'late': removing/);
    });

    test("signals: USR2 and USR1 once each, PWR lists, HUP answers 240", async () => {
      program.child.kill("SIGUSR2");
      await program.said(/verbose logging off/);
      const waiter = runSync([...at, "-n", "hup", "-e", "4"]);
      const listed = /barrier 'hup': 1 waiters, count -1\n.* {3}127\.0\.0\.1:\d+\/tcp error 4\n/;
      for (let turn = 0; !listed.test(program.stderr) && turn < 5_000; turn += 1) {
        const before = program.stderr.length;
        program.child.kill("SIGPWR");
        await until(() => program.stderr.length > before, "a list");
        await sleep(systemClock, 10);
      }
      expect(program.stderr).toMatch(listed);
      expect(program.stderr).not.toContain("barrier 'hup': created");
      program.child.kill("SIGHUP");
      expect((await waiter.ended).code).toBe(240);
      program.child.kill("SIGUSR1");
      await program.said(/verbose logging on/);
      program.child.kill("SIGUSR2");
      program.child.kill("SIGUSR1");
      program.child.kill("SIGHUP");
      await until(() => program.stderr.match(/clearing all barriers/g)?.length === 2, "HUP");
      expect(program.stderr.match(/verbose logging/g)).toHaveLength(2);
    });

    test("TERM ends it in order and removes the pid file", async () => {
      const waiter = runSync([...at, "-n", "end"]);
      await program.said(/barrier 'end': waiter/);
      expect((await program.end()).code).toBe(0);
      expect(existsSync(pidFile)).toBe(false);
      expect((await waiter.ended).code).toBe(76);
    });
  });

  describe("in the background", () => {
    let pid = 0;
    const holders: Program[] = [];
    const hold = async (): Promise<number> => {
      const { program, port } = await startSyncd();
      holders.push(program);
      return port;
    };
    afterEach(async () => {
      if (pid !== 0) process.kill(pid, "SIGKILL");
      pid = 0;
      await Promise.all(holders.splice(0).map((program) => program.end()));
    });

    test("listens before the starter ends, logs with -l, falls back to a free port", async () => {
      const pidFile = join(folder, "pid2");
      const log = join(folder, "log");
      const holder = await startSyncd();
      const args = ["-v", "-l", log, "--pidfile", pidFile, "-p", String(holder.port)];
      expect((await runSyncd(args).ended).code).toBe(1);
      await holder.program.end();
      expect(await runSyncd(args).ended).toEqual({ code: 0, stdout: "", stderr: "" });
      pid = Number(readFileSync(pidFile, "utf8"));
      const at = ["-s", "127.0.0.1", "-p", String(holder.port)];
      expect((await runSync([...at, "-i", "1", "-a"]).ended).code).toBe(0);
      const lines = readFileSync(log, "utf8");
      expect(lines).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} listening on port/);
      expect(lines).toContain("is not waiting");
      process.kill(pid, "SIGTERM");
      await until(() => !existsSync(pidFile), "the pid file is removed");
      pid = 0;
    });

    test("the default port taken: any free port, by fallback only without -p", async () => {
      const first = await hold();
      expect(await hold()).not.toBe(first);
      // In the background it says where it is; nobody could find it otherwise.
      const pidFile = join(folder, "pid3");
      const args = ["--limit", "udpWaitersMax=2", "--pidfile", pidFile];
      const { code, stdout, stderr } = await runSyncd(args).ended;
      pid = Number(readFileSync(pidFile, "utf8"));
      expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
      const said =
        /^emulab-syncd: port 16534 is in use; listening on 127\.0\.0\.1:(\d+) instead, pid (\d+)\n$/;
      const [, port = "", saidPid] = said.exec(stderr) ?? [];
      expect(Number(saidPid)).toBe(pid);
      const at = ["-s", "127.0.0.1", "-p", port];
      expect((await runSync([...at, "-i", "1", "-a"]).ended).code).toBe(0);
      // --limit has reached it: of three senders of datagrams two are heard.
      const args3 = [...at, "-u", "--timeout", "10", "--json", "-n"];
      const three = await Promise.all(
        ["a", "b", "c"].map((name) => runSync([...args3, name]).ended),
      );
      const known = three.map(({ stdout: text }) => JSON.parse(text).arrived);
      expect(known.filter((count) => count === 1)).toHaveLength(2);
    });
  });
});
