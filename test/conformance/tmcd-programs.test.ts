// SPDX-License-Identifier: MIT
// Goal: tmcc as a command line: its bytes on the wire, texts, exit codes, cache, proxy, and the
// boot of a node. [EMULAB-TMCD 5] [EMULAB-TMCD 6] [EMULAB-TMCD 13] Method: the program itself
// against its own server, and against servers that the test plays.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { askTmcd } from "../../src/client/tmcc.ts";
import { systemClock } from "../../src/host/clock.ts";
import { type Ended, Program } from "../unit/syncd/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-tmcc-"));
const entry = ["--disable-warning=ExperimentalWarning", "src/cli/compat/tmcc.ts"];

function start(args: readonly string[], env: Record<string, string> = {}): Program {
  const boot = { MUSTER_BOOT: join(folder, "none"), BOSSNAME: "", TMCCNOSSL: "1" };
  return new Program(process.execPath, [...entry, ...args], { ...boot, ...env });
}

async function tmcc(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return start(args, env).ended;
}

/** A server that says what the test says, and keeps what it heard. */
class PlayedServer {
  readonly heard: string[] = [];
  port = 0;
  #server: Server | undefined;

  async listen(replies: readonly string[]): Promise<void> {
    const left = [...replies];
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
      });
      socket.on("end", () => {
        this.heard.push(text);
        socket.end((left.length > 1 ? left.shift() : left[0]) ?? "");
      });
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server?.close();
  }
}

let played: PlayedServer;
const playServer = async (...replies: readonly string[]): Promise<readonly string[]> => {
  played = new PlayedServer();
  await played.listen(replies);
  return ["-s", "127.0.0.1", "-p", String(played.port)];
};
const others: Program[] = [];
afterEach(async () => {
  played?.close();
  for (const program of others.splice(0)) await program.end();
});

let server: Program;
const at: Record<string, readonly string[]> = {};
beforeAll(async () => {
  const file = join(folder, "pair.ns");
  writeFileSync(
    file,
    `source tb_compat.tcl
set ns [new Simulator]
set node0 [$ns node]
set node1 [$ns node]
set l0 [$ns duplex-link $node0 $node1 100Mb 0ms DropTail]
tb-set-node-startcmd $node1 "echo hi"
tb-set-sync-server $node0
set opt(SIZE) 5
$ns run
`,
  );
  server = start(["--serve", file, "--listen", "0"]);
  await server.said(/node=node1 address=\S+ port=\d+/);
  for (const [, name, address, port] of server.stdout.matchAll(
    /node=(\S+) address=(\S+) port=(\d+)/g,
  )) {
    at[name!] = ["-s", address!, "-p", port!];
  }
});
afterAll(async () => {
  await server.end();
  rmSync(folder, { recursive: true });
});

describe("what it sends", () => {
  test("a blank after every word, VNODEID, PRIVKEY and VERSION in that order, then the half-close", async () => {
    const key = join(folder, "key");
    writeFileSync(key, "00112233445566778899\nrest\n");
    const to = await playServer("ok\n");
    expect(await tmcc([...to, "-i", "syncserver"])).toEqual({
      code: 0,
      stdout: "ok\n",
      stderr: "",
    });
    await tmcc([
      ...to,
      "-n",
      "pcvm5-1",
      "-k",
      key,
      "-v",
      "30",
      "portregister",
      "emulab_syncd",
      "16534",
    ]);
    const data = join(folder, "data");
    writeFileSync(data, "line1\nline2\n");
    await tmcc([...to, "-f", data, "bootlog"]);
    expect(played.heard).toEqual([
      "VERSION=34 syncserver ",
      "VNODEID=pcvm5-1 PRIVKEY=00112233445566778899 VERSION=30 portregister emulab_syncd 16534 ",
      "VERSION=34 bootlog line1\nline2\n",
    ]);
  });

  test("a request of 16383 bytes, not one more", async () => {
    const data = join(folder, "long");
    const to = await playServer("");
    const head = "VERSION=34 bootlog ".length;
    writeFileSync(data, "x".repeat(16_383 - head));
    expect((await tmcc([...to, "-f", data, "bootlog"])).code).toBe(0);
    writeFileSync(data, "x".repeat(16_384 - head));
    expect(await tmcc([...to, "-f", data, "bootlog"])).toMatchObject({ code: 255, stdout: "" });
    expect(played.heard.map(({ length }) => length)).toEqual([16_383]);
  });
});

describe("texts and exit codes", () => {
  const usage = /^usage: tmcc \[options\] <command>\n/;
  test.each([
    ["no command", []],
    ["six words", ["a", "b", "c", "d", "e", "f"]],
    ["-T and -i", ["-T", "-i", "status"]],
    ["-f and -u", ["-f", "/dev/null", "-u", "bootlog"]],
    ["-l and -s", ["-l", "/x", "-s", "h", "status"]],
    ["-l and -k", ["-l", "/x", "-k", "k", "status"]],
    ["-l and -x", ["-l", "/x", "-x", "/y"]],
  ])("%s: the usage, exit 1", async (_what, args) => {
    const ended = await tmcc(args);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(usage);
  });

  test("an option that it does not know", async () => {
    const { code, stderr } = await tmcc(["-y", "status"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tmcc: invalid option -- 'y'\nusage: /);
  });

  test("five words are sent, and an empty reply is a good one", async () => {
    const to = await playServer("");
    expect(await tmcc([...to, "a", "b", "c", "d", "e"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    expect(played.heard).toEqual(["VERSION=34 a b c d e "]);
  });

  test("no key file, no such server: exit 1", async () => {
    const to = await playServer("");
    expect((await tmcc([...to, "-k", "/nowhere/key", "status"])).code).toBe(1);
    expect((await tmcc(["-s", "no host", "status"])).code).toBe(1);
    expect(played.heard).toEqual([]);
  });

  test("-t ends it after exactly so long when nobody listens, with its text and 255", async () => {
    const to = await playServer("");
    played.close();
    const startedMs = Date.now();
    const ended = await tmcc([...to, "-t", "1", "status"]);
    const tookMs = Date.now() - startedMs;
    const stderr = "Timed out because there was no progress!\n";
    expect(ended).toEqual({ code: 255, stdout: "", stderr });
    expect(tookMs).toBeGreaterThanOrEqual(1_000);
    expect(tookMs).toBeLessThan(8_000);
  });

  test("over UDP without an answer only -t ends it", async () => {
    const ended = await tmcc([...at["node1"]!, "-u", "-t", "1", "portregister", "nobody"]);
    expect(ended.code).toBe(255);
    expect((await tmcc([...at["node1"]!, "-u", "isalive"])).stdout).toBe("UPDATE=0\n");
  });

  test("four redirects are followed, the fifth is too many", async () => {
    let to = await playServer(
      ...Array.from({ length: 4 }, () => "REDIRECT=127.0.0.1:vm-1\n"),
      "ok\n",
    );
    expect(await tmcc([...to, "status"])).toMatchObject({ code: 0, stdout: "ok\n" });
    expect(played.heard).toEqual([
      "VERSION=34 status ",
      ...Array.from({ length: 4 }, () => "VNODEID=vm-1 VERSION=34 status "),
    ]);
    played.close();
    to = await playServer("REDIRECT=127.0.0.1\n");
    const stderr = "Redirect limit reached\n";
    expect(await tmcc([...to, "status"])).toEqual({ code: 255, stdout: "", stderr });
    expect(played.heard).toHaveLength(5);
  });
});

describe("whom it asks", () => {
  test("-s, then BOSSNAME, then the bossnode file; bossinfo tells without asking", async () => {
    const boot = join(folder, "boss");
    mkdirSync(boot, { recursive: true });
    writeFileSync(join(boot, "bossnode"), "127.0.0.3:99\n");
    const env = { MUSTER_BOOT: boot };
    const told = async (args: readonly string[], more = {}) =>
      (await tmcc(args, { ...env, ...more })).stdout;
    expect(await told(["bossinfo"])).toBe("127.0.0.3 127.0.0.3\n");
    expect(await told(["bossinfo"], { BOSSNAME: "127.0.0.2:5" })).toBe("127.0.0.2 127.0.0.2\n");
    expect(await told(["-s", "127.0.0.1", "bossinfo"])).toBe("127.0.0.1 127.0.0.1\n");
  });

  test("the port of the bossnode file", async () => {
    await playServer("ok\n");
    const env = { BOSSNAME: `127.0.0.1:${played.port}` };
    expect((await tmcc(["status"], env)).stdout).toBe("ok\n");
  });

  test("the next port when one refuses, and all again after a pause", async () => {
    await playServer("ok\n");
    const target = (port: number) => ({ kind: "tcp", address: "127.0.0.1", port }) as const;
    const request = { words: ["status"] };
    const runtime = systemClock;
    const found = await askTmcd({ request, runtime, targets: [target(1), target(played.port)] });
    expect(found).toEqual({ kind: "reply", bytes: Buffer.from("ok\n") });
    let retries = 0;
    const timer = { after: (_ms: number, callback: () => void) => systemClock.after(1, callback) };
    const late: { kind: "tcp"; address: string; port: number }[] = [target(1)];
    const outcome = await askTmcd({
      ...{ request, runtime: timer, targets: late },
      onRetry: () => {
        retries += 1;
        if (retries === 3) late[0] = target(played.port);
      },
    });
    expect([retries, outcome.kind]).toEqual([3, "reply"]);
  });
});

describe("the cache", () => {
  test("answers commands without arguments, unless -b; -c fills it anew", async () => {
    const boot = join(folder, "cache");
    const env = { MUSTER_BOOT: boot };
    const node1 = at["node1"]!;
    const fresh = await tmcc([...node1, "-c", "syncserver"], env);
    const reply = "SYNCSERVER SERVER='node0.pair.test.muster.local' ISSERVER=0\n";
    expect(fresh).toEqual({ code: 0, stdout: reply, stderr: "" });
    const files = readdirSync(join(boot, "tmcc"));
    expect(files).toContain("nodeid");
    expect(readFileSync(join(boot, "tmcc", "manifest"), "utf8")).toBe("");
    writeFileSync(join(boot, "tmcc", "syncserver"), "from the file\n");
    // Vector 9: no server is asked for what is there.
    const away = ["-s", "127.0.0.1", "-p", "1", "-t", "1"];
    expect((await tmcc([...away, "syncserver"], env)).stdout).toBe("from the file\n");
    expect((await tmcc([...node1, "-b", "syncserver"], env)).stdout).toBe(reply);
    expect((await tmcc([...away, "-b", "syncserver"], env)).code).toBe(255);
    expect((await tmcc([...away, "syncserver", "x"], env)).code).toBe(255);
    expect((await tmcc([...node1, "syncserver", "x"], env)).stdout).toBe(reply);
    expect((await tmcc([...node1, "-c", "syncserver"], env)).stdout).toBe(reply);
    expect((await tmcc([...away, "syncserver"], env)).stdout).toBe(reply);
  });

  test("reads no file outside, and the one of each virtual node", async () => {
    const boot = join(folder, "cache-n");
    mkdirSync(join(boot, "tmcc.vm-1"), { recursive: true });
    writeFileSync(join(boot, "tmcc.vm-1", "nodeid"), "vm-1\n");
    writeFileSync(join(boot, "secret"), "secret\n");
    const env = { MUSTER_BOOT: boot };
    const to = await playServer("asked\n");
    expect((await tmcc([...to, "-n", "vm-1", "nodeid"], env)).stdout).toBe("vm-1\n");
    expect((await tmcc([...to, "-n", "vm-1", "../secret"], env)).stdout).toBe("asked\n");
    expect((await tmcc([...to, "nodeid"], env)).stdout).toBe("asked\n");
  });
});

describe("the boot of a node", () => {
  test("makes the files of the boot directory from what the server says", async () => {
    const boot = join(folder, "boot");
    await tmcc([...at["node0"]!, "portregister", "emulab_syncd", "16534"]);
    const ended = await tmcc([...at["node1"]!, "--boot"], { MUSTER_BOOT: boot });
    expect(ended).toEqual({ code: 0, stdout: "", stderr: "" });
    const read = (name: string): string => readFileSync(join(boot, name), "utf8");
    expect(read("nickname")).toBe("node1.pair.test\n");
    expect(read("nodeid")).toBe("node1\n");
    expect(read("role")).toBe("node\n");
    expect(read("syncserver")).toBe("node0.pair.test.muster.local:16534\n");
    expect(read("eventkey")).toMatch(/^[0-9a-f]{32}$/);
    expect(statSync(join(boot, "eventkey")).mode & 0o077).toBe(0);
    expect(read("progagents")).toMatch(
      /^UID=\S+\nAGENT=node1_startcmd COMMAND='\(echo hi ; \S+startcmddone \$\?\)'\nENV SIZE=5\n$/,
    );
    expect(read("hostmap")).toContain("NAME=node0-l0 IP=10.1.1.2 ALIASES='node0-0 node0'\n");
    expect(read("tmcc/nodeid")).toBe("node1\n");
    const one = await tmcc([...at["node0"]!, "--boot"], { MUSTER_BOOT: join(folder, "boot0") });
    expect(one.code).toBe(0);
    expect(readFileSync(join(folder, "boot0", "progagents"), "utf8")).toMatch(
      /^UID=\S+\nENV SIZE=5\n$/,
    );
  });

  test("says FREE for a node that nobody has, and 255 for an answer that does not fit", async () => {
    const boot = join(folder, "boot-free");
    let to = await playServer("", "FREE\n");
    expect(await tmcc([...to, "--boot"], { MUSTER_BOOT: boot })).toMatchObject({
      code: 0,
      stdout: "FREE\n",
    });
    played.close();
    const full = "*** creator\nwrong\n*** creator\n";
    to = await playServer("", "ALLOCATED=P/E NICKNAME=n\n", full, "", "");
    const ended = await tmcc([...to, "--boot"], { MUSTER_BOOT: boot });
    expect(ended.code).toBe(255);
    expect(ended.stderr).toContain("the reply to creator does not fit");
    expect(played.heard.at(-1)).toBe("VERSION=34 state TBFAILED ");
  });
});

describe("the proxy", () => {
  test("takes out who a client says it is, and says who it is itself", async () => {
    const path = join(folder, "proxy");
    const to = await playServer("ok\n");
    others.push(start([...to, "-n", "vm-7", "-x", path]));
    // It is there before it is open to everybody.
    await waitFor(() => statSync(path).isSocket() && (statSync(path).mode & 0o777) === 0o777);
    const spoof = await tmcc(["-l", path, "-n", "vm-1", "status"]);
    expect(spoof).toMatchObject({ code: 0, stdout: "ok\n" });
    await tmcc(["-l", path, "portregister", "a", "5"]);
    expect(played.heard).toEqual([
      "VNODEID=vm-7 VERSION=34 status ",
      "VNODEID=vm-7 VERSION=34 portregister a 5 ",
    ]);
  });

  test("asks over UDP when a client says so", async () => {
    const path = join(folder, "proxy-udp");
    others.push(start([...at["node1"]!, "-x", path, "-t", "2"]));
    await waitFor(() => statSync(path).isSocket());
    expect((await tmcc(["-l", path, "-u", "isalive"])).stdout).toBe("UPDATE=0\n");
    // TCP only: over UDP there is no answer.
    expect((await tmcc(["-l", path, "-u", "ntpinfo"])).stdout).toBe("");
    expect((await tmcc(["-l", path, "ntpinfo"])).stdout).toBe("SERVER=ntp1.muster.local\n");
  });

  test("is found by its file in the boot directory, unless -D", async () => {
    const boot = join(folder, "proxied");
    mkdirSync(boot, { recursive: true });
    const to = await playServer("through\n");
    const path = join(folder, "proxy-found");
    others.push(start([...to, "-x", path]));
    await waitFor(() => statSync(path).isSocket());
    writeFileSync(join(boot, "proxypath"), `${path}\n`);
    const [, address, , port] = at["node1"]!;
    const env = { MUSTER_BOOT: boot, BOSSNAME: `${address}:${port}` };
    expect((await tmcc(["nodeid"], env)).stdout).toBe("through\n");
    expect((await tmcc(["-D", "nodeid"], env)).stdout).toBe("node1\n");
  });

  async function waitFor(isTrue: () => boolean): Promise<void> {
    for (;;) {
      try {
        if (isTrue()) return;
      } catch {
        // Not there yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});
