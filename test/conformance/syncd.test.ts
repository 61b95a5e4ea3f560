// SPDX-License-Identifier: MIT
// Goal: the server and the client agree with an implementation that shares no code with them.
// Method: the independent client in Python against emulab-syncd, emulab-sync against the
// independent server, and the independent model's random histories replayed over TCP. Swapping two
// fields in both our encoder and our decoder turns these red, and nothing else would.
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeRequest } from "../../src/wire/emulab-sync/index.ts";
import {
  arrived,
  dial,
  logKinds,
  startServer,
  type TestClient,
  type TestServer,
  until,
  v2,
} from "../unit/syncd/harness.ts";
import {
  type Program,
  pythonClient,
  pythonScript,
  runSync,
  startPythonServer,
  startSyncd,
} from "../unit/syncd/programs.ts";

describe("the independent client against emulab-syncd", () => {
  let program: Program;
  let port: number;
  beforeEach(async () => {
    ({ program, port } = await startSyncd());
  });
  afterEach(async () => {
    await program.end();
  });

  test("every layout, byte order and transport meets at one barrier", async () => {
    const kinds = ["72", "72a", "76"].flatMap((version) =>
      ["little", "big"].flatMap((order) =>
        [false, true].map((udp) => ({ version, order, ...(udp ? { udp } : {}) })),
      ),
    );
    const lines: Record<string, unknown>[] = kinds.map((kind, index) => ({
      ...kind,
      id: `w${index}`,
      ...(kind.version === "76" && kind.order === "big" ? { error: 33 } : {}),
    }));
    lines.push({ id: "master", init: kinds.length, version: "76", order: "big" });
    const ends = await pythonScript(port, lines);
    for (const [index, kind] of kinds.entries()) {
      const end = ends.get(`w${index}`);
      expect(end, JSON.stringify(kind)).toMatchObject({
        outcome: "reply",
        value: kind.version === "76" ? 33 : 1,
      });
    }
    expect(ends.get("master")).toMatchObject({ outcome: "reply", value: 33, closed: true });
  });

  test("count and error are where the specification puts them", async () => {
    for (const order of ["little", "big"]) {
      const ends = await pythonScript(port, [
        { id: "m", order, init: 2, error: 7, name: order },
        { id: "a", order, error: 3, name: order },
        { id: "b", order, name: order },
      ]);
      for (const id of ["m", "a", "b"]) expect(ends.get(id)?.value).toBe(7);
    }
  });

  test("an initialiser that does not wait is answered at once, before anybody comes", async () => {
    for (const version of ["72a", "76"]) {
      const end = await pythonClient(port, ["--version", version, "--init", "3", "--no-wait"]);
      expect(end).toMatchObject({ outcome: "reply", value: version === "76" ? 0 : 1 });
    }
  });

  test("slow, cut and junk-laden requests are served; truncated and unknown ones are not", async () => {
    const ends = await pythonScript(port, [
      { id: "bytes", byte_delay: 2, error: 9 },
      { id: "cut", split: 72, byte_delay: 20 },
      { id: "junk", junk_while_waiting: 1_000_000, junk_delay: 20 },
      { id: "word", request: 7 },
      { id: "short", truncate: 70, abort_after: 50 },
      { id: "garbage", raw_hex: "5a".repeat(2_000) },
      { id: "m", init: 3, start_after_ms: 600 },
    ]);
    for (const id of ["bytes", "cut", "junk", "m"]) expect(ends.get(id)?.value, id).toBe(9);
    expect(["eof", "reset"]).toContain(ends.get("word")?.outcome);
    expect(["eof", "reset"]).toContain(ends.get("garbage")?.outcome);
    expect(ends.get("short")?.outcome).toBe("aborted");
    expect(program.stderr).toContain("request word 7 is neither 1 (init) nor 2 (wait)");
    expect(program.stderr).toContain("closed after 70 bytes");
  });

  test("a client that gives up is uncounted, in order or by reset", async () => {
    const ends = await pythonScript(port, [
      { id: "stays" },
      { id: "left", abort_after: 50, error: 50 },
      { id: "reset", abort_after: 50, abort_rst: true },
      { id: "w", after: ["left", "reset"], start_after_ms: 200 },
      { id: "m", init: 2, after: ["left", "reset"], start_after_ms: 200 },
    ]);
    expect(ends.get("stays")).toMatchObject({ outcome: "reply", value: 50 });
    expect(ends.get("w")).toMatchObject({ outcome: "reply", value: 50 });
    expect(ends.get("m")).toMatchObject({ outcome: "reply", value: 50 });
  });

  test("names without a NUL meet each other and their first 63 bytes", async () => {
    const ends = await pythonScript(port, [
      { id: "a", name: "x".repeat(64) },
      { id: "b", name: `${"x".repeat(63)}y`, version: "72" },
      { id: "m", name: "x".repeat(63), init: 2 },
    ]);
    expect([...ends.values()].map(({ outcome }) => outcome)).toEqual(["reply", "reply", "reply"]);
  });

  test("UDP repeats count once and HUP clears", async () => {
    const waiting = pythonScript(port, [
      { id: "u", udp: true, udp_repeat: 30 },
      { id: "t", version: "76" },
      { id: "old", version: "72a", order: "big" },
    ]);
    await until(() => (program.stderr.match(/: waiter /g) ?? []).length === 3, "three waiters");
    program.child.kill("SIGHUP");
    const ends = await waiting;
    expect(ends.get("u")?.value).toBe(240);
    expect(ends.get("t")?.value).toBe(240);
    expect(ends.get("old")?.value).toBe(1);
  });
});

describe("emulab-sync against the independent server", () => {
  const name = Buffer.alloc(64);
  name.write("barrier");

  test("sends the bytes of the specification and exits with the barrier's error", async () => {
    const { port, stop } = await startPythonServer();
    const p = ["-s", "127.0.0.1", "-p", String(port)];
    const programs = [
      runSync([...p, "-e", "3"]),
      runSync([...p, "-i", "258", "-a", "-e", "100", "-n", "other"]),
      runSync([...p, "-i", "1", "-e", "33"]),
    ];
    const ends = await Promise.all(programs.map(({ ended }) => ended));
    expect(ends.map(({ code }) => code)).toEqual([33, 0, 33]);
    const hexes = (await stop()).map((line) => String(line["hex"])).sort();
    const other = Buffer.alloc(64);
    other.write("other");
    expect(hexes).toEqual(
      [
        `${name.toString("hex")}020000000000000003000000`,
        `${other.toString("hex")}010001000201000064000000`,
        `${name.toString("hex")}010000000100000021000000`,
      ].sort(),
    );
  });

  test("UDP: lost datagrams are repeated with the same bytes, the nonce behind the NUL", async () => {
    const { port, stop } = await startPythonServer(["--ignore-first", "2"]);
    const p = ["-s", "127.0.0.1", "-p", String(port), "-u"];
    const ends = await Promise.all(
      [runSync([...p, "-i", "1", "-e", "5"]), runSync(p)].map(({ ended }) => ended),
    );
    expect(ends.map(({ code }) => code)).toEqual([5, 5]);
    const lines = await stop();
    expect(lines.filter((line) => line["verdict"] === "dropped")).toHaveLength(2);
    const hexes = new Set(lines.map((line) => String(line["hex"])));
    expect(hexes.size).toBe(2);
    const ports = new Set(lines.map((line) => line["peer_port"]));
    expect(ports.size).toBe(2);
    for (const hex of hexes) {
      expect(hex.startsWith(Buffer.from("barrier\0").toString("hex"))).toBe(true);
      expect(hex.slice(16, 32)).not.toBe("0".repeat(16));
    }
  });

  const strange = "is what listens there an emulab-syncd?";
  test.each([
    ["--reply-short", "the server answered with 2 bytes instead of 4", strange],
    [
      "--close-now",
      "the server closed the connection without an answer",
      "it ended or refused the request, and its log says which",
    ],
    ["--reply-hex=0000000000", "the server answered with 5 bytes instead of 4", strange],
    ["--reply-hex=ffffffff", "the server answered with the negative number -1", strange],
  ])("a server with %s is a protocol failure", async (option, text, advice) => {
    const { port, stop } = await startPythonServer([option]);
    const args = ["-s", "127.0.0.1", "-p", String(port), "--json"];
    const { code, stdout, stderr } = await runSync(args).ended;
    expect(code).toBe(76);
    expect(stderr).toBe(`emulab-sync: ${text} (127.0.0.1:${port}); ${advice}\n`);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "protocol", error: null, exitCode: 76 });
    await stop();
  });

  test("a server that comes late is waited for, and -d says so", async () => {
    // A port at which nobody listens until the client has noticed.
    const { port, stop: free } = await startPythonServer([]);
    await free();
    const args = ["-s", "127.0.0.1", "-p", String(port), "-d", "-i", "1", "-a"];
    const client = runSync([...args, "--wait-for-server", "60"]);
    await client.said(/Connection refused\. Waiting \.\.\.\n/);
    const { stop } = await startPythonServer(["--port", String(port)]);
    expect((await client.ended).code).toBe(0);
    await stop();
  });

  test("--timeout against a server that cannot tell who is missing", async () => {
    const { port, stop } = await startPythonServer();
    const args = ["-s", "127.0.0.1", "-p", String(port), "--timeout", "0.2", "-n", "x"];
    const { code, stderr } = await runSync(args).ended;
    expect(code).toBe(241);
    expect(stderr).toBe(
      "emulab-sync: timed out after 0.2 s at barrier 'x': the server cannot tell who is missing\n",
    );
    await stop();
  });
});

interface ModelStep {
  readonly op: "wait" | "init" | "leave" | "bad" | "clear";
  readonly id: string;
  readonly name: string;
  readonly error: number;
  readonly count: number;
  readonly no_wait: boolean;
  readonly request: number;
  readonly released: readonly { readonly id: string; readonly error: number }[];
  readonly rejected: readonly string[];
  readonly state: Record<string, { readonly count: number; readonly waiting: readonly string[] }>;
}

function modelSteps(seed: number, count: number): readonly ModelStep[] {
  const file = "test/conformance/independent/barrier_model.py";
  const args = [file, "--random", String(seed), String(count)];
  return JSON.parse(execFileSync("python3", args, { encoding: "utf8" })) as readonly ModelStep[];
}

/** Plays one step and compares what everybody hears with what the model says. */
async function playStep(
  server: TestServer,
  clients: Map<string, TestClient>,
  step: ModelStep,
): Promise<void> {
  if (step.op === "clear") server.syncd.clear();
  else if (step.op === "leave") clients.get(step.id)?.stream.destroy();
  else {
    const client = await dial(server.syncd.port);
    clients.set(step.id, client);
    const { name, error } = step;
    const bytes =
      step.op === "init"
        ? encodeRequest({ kind: "init", name, count: step.count, waits: !step.no_wait, error }, v2)
        : encodeRequest({ kind: "wait", name, error: error ?? 0 }, v2);
    if (step.op === "bad") new DataView(bytes.buffer).setUint16(64, step.request, true);
    client.stream.write(bytes);
  }
  for (const { id, error } of step.released) {
    expect(await clients.get(id)?.value(), `answer of ${id}`).toBe(error);
  }
  for (const id of step.rejected) {
    expect((await clients.get(id)?.heard)?.bytes, `rejection of ${id}`).toHaveLength(0);
  }
  for (const [name, { waiting }] of Object.entries(step.state)) {
    await arrived(server, waiting.length, name);
    const [barrier] = server.host.describe("test", name).barriers;
    if (waiting.length > 0) expect(barrier?.count).toBe(step.state[name]?.count);
    for (const id of waiting) expect(clients.get(id)?.isOver, `${id} waits`).toBe(false);
  }
}

describe.each(logKinds)("random histories of the independent model on the %s", (kind) => {
  test.each([1, 2, 3, 4])("seed %i", async (seed) => {
    const server = await startServer(kind);
    const clients = new Map<string, TestClient>();
    for (const [index, step] of modelSteps(seed, 80).entries()) {
      try {
        await playStep(server, clients, step);
      } catch (error) {
        throw new Error(`seed ${seed}, step ${index}: ${JSON.stringify(step)}`, { cause: error });
      }
    }
    await server.close();
  });
});
