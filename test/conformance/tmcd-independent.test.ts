// SPDX-License-Identifier: MIT
// Goal: the configuration server and tmcc agree with an implementation that shares no code with
// them, so that two fields swapped in both our formatter and our parser turn a test red. Method:
// the independent client and its strict parsers against our server; our client, and the boot of a
// node, against the independent server.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tmcd } from "../../src/edges/tmcd/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { Program } from "../unit/syncd/programs.ts";
import { eventKey, World } from "../unit/tmcd/harness.ts";

const scripts = "test/conformance/independent-tmcd";
const folder = mkdtempSync(join(tmpdir(), "muster-independent-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface End {
  readonly outcome: string;
  readonly reply: string;
  readonly closed: boolean;
  readonly parsed?: unknown;
  readonly parse_error?: unknown;
}

describe("the independent client against our server", () => {
  let tmcd: Tmcd;
  let port = 0;
  beforeAll(async () => {
    const { source } = new World("router");
    const addresses = ["127.9.1.1", "127.9.1.2"];
    // node0 and node1 under addresses of this test alone.
    const known: Record<string, string> = { "127.9.1.1": "192.0.2.10", "127.9.1.2": "192.0.2.11" };
    const findNode: typeof source.findNode = (identity) =>
      source.findNode(
        "address" in identity
          ? { ...identity, address: known[identity.address] ?? identity.address }
          : identity,
      );
    const mapped = new Proxy(source, {
      get: (target, name) => (name === "findNode" ? findNode : Reflect.get(target, name)),
    });
    tmcd = new Tmcd({
      ...{ source: mapped, clock: systemClock, logger: silentLogger, addresses, port: 0 },
    });
    port = (await tmcd.listen())[0] ?? 0;
  });
  afterAll(() => tmcd.close());

  async function ask(node: 0 | 1, ...args: readonly string[]): Promise<End> {
    const host = `127.9.1.${node + 1}`;
    const given = ["--host", host, "--port", String(port), "--parse", ...args];
    const { stdout, stderr } = await new Program("python3", [`${scripts}/tmcd_client.py`, ...given])
      .ended;
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as End;
  }

  test.each([
    ["status", { allocated: true, pid: "P", eid: "E", vname: "node0" }],
    ["nodeid", "pc10"],
    ["syncserver", { server: "node0.E.P.example.net", is_server: true }],
    ["creator", { CREATOR: "alice", SWAPPER: "bob" }],
    ["eventkey", { KEY: eventKey }],
    ["readycount", { ready: 0, total: 5 }],
    ["routing", { router: "none", routes: [] }],
    ["watchdoginfo", { INTERVAL: -1, SETROOTPSWD: -1 }],
  ] as const)("%s", async (command, parsed) => {
    const end = await ask(0, command);
    expect(end).toMatchObject({ outcome: "reply", closed: true });
    if (typeof parsed === "string") expect(end.parsed).toBe(parsed);
    else expect(end.parsed).toMatchObject(parsed);
  });

  test.each(["programs", "hostnames", "ifconfig", "mounts", "fullconfig", "ntpinfo"])(
    "%s fits its strict format",
    async (command) => {
      const end = await ask(0, command);
      expect(end).toMatchObject({ outcome: "reply", closed: true });
      expect(end.parse_error).toBeUndefined();
      expect(end.parsed).toBeDefined();
    },
  );

  test("a service is registered by one node, found and taken over by another", async () => {
    const service = ["portregister", "svc"];
    expect(await ask(1, ...service)).toMatchObject({ outcome: "eof", closed: true });
    expect(await ask(0, ...service, "4000")).toMatchObject({ outcome: "eof" });
    expect((await ask(1, ...service)).reply).toBe("PORT=4000 NODEID=pc10.example.net\n");
    await ask(1, ...service, "4001");
    expect((await ask(0, ...service)).reply).toBe("PORT=4001 NODEID=pc11.example.net\n");
    await ask(0, ...service, "0");
    expect((await ask(0, ...service)).outcome).toBe("eof");
  });

  test("requests in pieces, in a row, on a connection that stays open, over UDP", async () => {
    const { reply } = await ask(0, "status");
    expect((await ask(0, "--byte-delay", "5", "status")).reply).toBe(reply);
    expect((await ask(0, "--no-half-close", "status")).reply).toBe(reply);
    expect((await ask(0, "--newline", "--no-half-close", "status")).reply).toBe(reply);
    expect((await ask(0, "--pipeline", "nodeid", "status", "nodeid")).reply).toBe(
      `pc10\n${reply}pc10\n`,
    );
    expect((await ask(0, "--udp", "status")).reply).toBe(reply);
    expect((await ask(0, "--udp", "--timeout", "1", "ntpinfo")).outcome).toBe("timeout");
  });

  test("who is not known, and what is no request, gets nothing", async () => {
    for (const words of [
      ["--vnodeid", "nobody"],
      ["--privkey", "00112233445566778899"],
    ]) {
      expect((await ask(0, ...words, "status")).outcome).toBe("eof");
    }
    expect((await ask(0, "--redirect", "192.0.2.11", "nodeid")).outcome).toBe("eof");
    expect((await ask(0, "--key-option", "PRIVKEY=", "status")).outcome).toBe("eof");
    expect((await ask(0, "--junk", "20000", "--junk-at", "instead")).outcome).not.toBe("reply");
    expect((await ask(0, "--vnodeid", "pcvm11-1", "readycount")).outcome).toBe("eof");
    expect((await ask(1, "--vnodeid", "pcvm11-1", "nodeid")).reply).toBe("pcvm11-1\n");
  });
});

describe("our client against the independent server", () => {
  let server: Program;
  let port = "";
  const log = join(folder, "requests.jsonl");
  beforeAll(async () => {
    const nodes = join(folder, "nodes.json");
    const key = { creator: "alice", swapper: "bob", eventkey: eventKey };
    const lans = {
      link0: [
        ["node0", 0, "10.1.1.2"],
        ["node1", 0, "10.1.1.3"],
      ],
    };
    const experiment = { pid: "P", eid: "E", sync_server: "node0", userenv: [["SIZE", "5"]], lans };
    const programs = [{ name: "a", command: "echo 'x y'", timeout: 5 }];
    const base = { experiment: "P/E" };
    writeFileSync(
      nodes,
      JSON.stringify({
        domain: "example.net",
        experiments: [{ ...experiment, ...key }],
        nodes: [
          { ...base, id: "pc1", vname: "node0", called_at: "127.9.2.1" },
          { ...base, id: "pc2", vname: "node1", called_at: "127.9.2.2", programs },
        ],
      }),
    );
    const args = ["--nodes", nodes, "--port", "0", "--log", log];
    server = new Program("python3", [`${scripts}/tmcd_server.py`, ...args]);
    port = (await server.said(/listening (\d+)/))[1] ?? "";
  });
  afterAll(async () => {
    await server.end();
  });

  async function tmcc(node: number, args: readonly string[], boot = join(folder, "none")) {
    const entry = ["--disable-warning=ExperimentalWarning", "src/cli/compat/tmcc.ts"];
    const to = ["-s", `127.9.2.${node + 1}`, "-p", port];
    const env = { MUSTER_BOOT: boot, TMCCNOSSL: "1" };
    return new Program(process.execPath, [...entry, ...to, ...args], env).ended;
  }

  test("asks, reports and registers", async () => {
    expect((await tmcc(1, ["status"])).stdout).toBe("ALLOCATED=P/E NICKNAME=node1\n");
    expect((await tmcc(0, ["portregister", "emulab_syncd", "16534"])).stdout).toBe("");
    expect((await tmcc(1, ["portregister", "emulab_syncd"])).stdout).toBe(
      "PORT=16534 NODEID=pc1.example.net\n",
    );
    expect((await tmcc(1, ["-u", "isalive"])).stdout).toBe("UPDATE=0\n");
  });

  test("boots from what that server says", async () => {
    const boot = join(folder, "boot");
    expect(await tmcc(1, ["--boot"], boot)).toEqual({ code: 0, stdout: "", stderr: "" });
    const read = (name: string): string => readFileSync(join(boot, name), "utf8");
    expect(read("nickname")).toBe("node1.E.P\n");
    expect(read("syncserver")).toBe("node0.E.P.example.net:16534\n");
    expect(read("eventkey")).toBe(eventKey);
    expect(read("creator") + read("swapper")).toBe("alice\nbob\n");
    expect(read("progagents")).toBe(
      "UID=bob\nAGENT=a TIMEOUT=5 COMMAND='echo 'x y''\nENV SIZE=5\n",
    );
    expect(read("hostmap")).toContain("NAME=node0-link0 IP=10.1.1.2 ALIASES='node0-0 node0'\n");
    expect(readdirSync(join(boot, "tmcc"))).toContain("syncserver");
    const states = readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    const said = states.map((line) => JSON.parse(line) as { command?: string; args?: string });
    const reported = said
      .filter(({ command }) => command === "state")
      .map(({ args }) => args?.trim());
    expect(reported).toEqual(["TBSETUP", "ISUP"]);
  });
});
