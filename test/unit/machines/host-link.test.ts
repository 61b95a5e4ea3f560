// SPDX-License-Identifier: MIT
// Goal: a host reaches nothing here but the doors of its own nodes, its instants are told by our
// clock, and when it is lost nobody waits for it. What it gives back stays below the results.
// Method: the far end is played here, over streams in memory; its clock is a second ahead.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import type { AgentPlan } from "../../../src/testbed/machines/agent-plan.ts";
import { HostLink } from "../../../src/testbed/machines/host-link.ts";
import { NodeLink } from "../../../src/testbed/machines/node-link.ts";
import { ResultFiles } from "../../../src/testbed/machines/result-files.ts";
import {
  type LinkMessage,
  nodeLinkFormat,
  nodeLinkLimits,
} from "../../../src/wire/node-link/index.ts";
import { FakeClock } from "../record/fake-clock.ts";

const aheadUs = 1_000_000;

interface Played {
  readonly host: HostLink;
  readonly agent: NodeLink;
  readonly lost: string[];
  readonly said: string[];
  /** What the run fails of. */
  readonly missed: string[];
}

let out = "";
const cleanups: (() => void)[] = [];
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "muster-test-"));
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  rmSync(out, { recursive: true });
});

/** Answers what every agent answers, and says what it is. */
function playAgent(input: PassThrough, output: PassThrough, version: string): NodeLink {
  const agent: NodeLink = new NodeLink({
    ...{ side: "agent", input, output, clock: systemClock },
    onMessage: (message: LinkMessage) => {
      if (message.kind !== "clock") return;
      const nowUs = systemClock.nowUs() + aheadUs;
      const value = { receivedUs: nowUs, answeredUs: nowUs };
      agent.send({ kind: "answer", id: message.id, value });
    },
    onOpen: () => undefined,
    onEnd: () => undefined,
  });
  const facts = { processors: 2, memoryMib: 512 };
  if (version !== "") agent.send({ kind: "hello", format: nodeLinkFormat, version, ...facts });
  return agent;
}

const limits = { filesMax: 3, filesBytesMax: 100 };

/** @param version that the agent says; "": it says nothing */
async function connected(
  name = "a",
  version = "1.0.0",
  interrupt: AbortSignal = new AbortController().signal,
): Promise<Played> {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const [lost, said, missed]: [string[], string[], string[]] = [[], [], []];
  const agent = playAgent(there, back, version);
  const host = await HostLink.connect({
    ...{ name, version: "1.0.0", clock: systemClock, interrupt },
    connect: async () => ({
      ...{ input: back, output: there, ended: Promise.resolve() },
      ...{ lastWords: () => "", kill: () => undefined },
    }),
    files: new ResultFiles(out, limits),
    say: (_level, _node, text) => said.push(text),
    onLinksFailed: () => undefined,
    onNodesLost: (why) => lost.push(`nodes: ${why}`),
    onLost: (why) => lost.push(why),
    onOutputLost: (text) => missed.push(text),
  });
  cleanups.push(() => {
    agent.end("the test is over");
    void host.close();
  });
  return { host, agent, lost, said, missed };
}

describe("a host", () => {
  test("of another version is not used", async () => {
    await expect(connected("a", "2.0.0")).rejects.toThrow(
      "it has muster 2.0.0, and this is 1.0.0; install the same there",
    );
  });

  test("that does not say what it is keeps nobody who is interrupted", async () => {
    const interrupt = new AbortController();
    const connecting = connected("a", "", interrupt.signal);
    interrupt.abort();
    await expect(connecting).rejects.toThrow("the run was interrupted while it was set up");
  });

  test("tells its instants by its clock, and we by ours", async () => {
    const { host } = await connected();
    expect(Math.abs(host.clock.toHost(0) - aheadUs)).toBeLessThanOrEqual(host.clock.errorUs);
    expect(host.clock.toOwn(host.clock.toHost(5))).toBe(5);
    expect(host.clock.aheadUs).toBeGreaterThanOrEqual(20_000);
  });

  test("reaches the doors of its nodes, and nothing else here (H1)", async () => {
    const { host, agent } = await connected();
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as { readonly port: number };
    const plan = { doors: [{ carrier: "tcp", port }], doorPort: 0 } as unknown as AgentPlan;
    const closed: string[] = [];
    const call = (node: string, at: number, carrier: "tcp" | "udp" = "tcp"): void => {
      const stream = agent.newStream();
      const close = (): void => void closed.push(`${node}:${at}/${carrier}`);
      agent.openStream(stream, { data: () => undefined, close });
      agent.send({ kind: "open", stream, carrier, node, port: at });
    };
    call("n0", port);
    await expect.poll(() => closed).toEqual([`n0:${port}/tcp`]); // Before it was let in.
    host.allow(plan, new Map([["n0", "127.0.0.1"]]));
    call("n0", 22);
    call("n1", port);
    call("n0", port, "udp");
    call("", 0);
    call("", port);
    await expect.poll(() => closed.length).toBe(6);
    expect(sockets).toEqual([]);
    call("n0", port);
    await expect.poll(() => sockets.length).toBe(1);
    expect(closed).toHaveLength(6);
  });

  test("that is lost has ended its programs, and says it once (H2)", async () => {
    const { host, agent, lost } = await connected();
    const end = host.endOf(host.newProgram());
    agent.end("it was told to");
    await expect(end).resolves.toMatchObject({ exitCode: null, signal: "SIGKILL" });
    await expect(host.endOf(host.newProgram())).resolves.toMatchObject({ signal: "SIGKILL" });
    expect(lost).toEqual(["the connection ended"]);
  });

  test("whose nodes somebody has ended says so", async () => {
    const { agent, lost } = await connected();
    agent.send({ kind: "nodes-lost", why: "somebody has ended\u001b[2J node c" });
    await expect.poll(() => lost).toHaveLength(1);
    expect(lost[0]).toContain("nodes: somebody has ended");
    expect(lost[0]).not.toContain("\u001b");
  });

  test("that is lost for its silence is not waited for again", async () => {
    const clock = new FakeClock();
    const [input, output] = [new PassThrough(), new PassThrough()];
    const lost: string[] = [];
    let isKilled = false;
    const agent = playAgent(output, input, "1.0.0");
    const host = await HostLink.connect({
      ...{ name: "a", version: "1.0.0", clock, interrupt: new AbortController().signal },
      connect: async () => ({
        ...{ input, output, lastWords: () => "", ended: new Promise(() => undefined) },
        kill: () => {
          isKilled = true;
        },
      }),
      files: new ResultFiles(out, limits),
      ...{ say: () => undefined, onLinksFailed: () => undefined, onNodesLost: () => undefined },
      onOutputLost: () => undefined,
      onLost: (why) => lost.push(why),
    });
    cleanups.push(() => agent.end("the test is over"));
    output.pause(); // It stands still from now on.
    clock.advanceTo(nodeLinkLimits.silenceMs * 1_000);
    expect(lost).toEqual(["nothing was heard for 15 s"]);
    const closing = host.close();
    clock.advanceTo(clock.nowUs());
    await closing;
    expect([isKilled, clock.armed]).toEqual([true, 0]);
  });

  test("tells the end of a program with what it has used", async () => {
    const { host, agent } = await connected();
    const program = host.newProgram();
    const end = host.endOf(program);
    const nowUs = systemClock.nowUs();
    const endedUs = host.clock.toHost(nowUs);
    const used = { cpuUs: 3, rssKibMax: 4 };
    agent.send({ kind: "ended", program, exitCode: 5, signal: "", endedUs, ...used });
    await expect(end).resolves.toEqual({
      ...{ exitCode: 5, signal: null, endedMonotonicUs: nowUs, usage: used },
    });
  });

  test.each([
    ["before it was started", -1e12],
    ["to come", 1e12],
  ])("is not believed that a program ended %s", async (_, byUs) => {
    const { host, agent } = await connected();
    const program = host.newProgram();
    const sinceUs = systemClock.nowUs();
    const end = host.endOf(program);
    const endedUs = host.clock.toHost(sinceUs + byUs);
    const used = { cpuUs: -1, rssKibMax: -1 };
    agent.send({ kind: "ended", program, exitCode: -1, signal: "SIGRTMIN+1", endedUs, ...used });
    const { endedMonotonicUs } = await end;
    expect(endedMonotonicUs).toBeGreaterThanOrEqual(sinceUs);
    expect(endedMonotonicUs).toBeLessThanOrEqual(systemClock.nowUs() + host.clock.errorUs);
  });

  test.each([
    [256, ""],
    [-2, ""],
    [-1, "SIGKILL\u001b"],
    [-1, "KILL"],
    [-1, "SIGABCDEFGHIJKLM"],
  ])("that tells an end of %j and %j is lost", async (exitCode, signal) => {
    const { host, agent, lost } = await connected();
    const program = host.newProgram();
    const end = host.endOf(program);
    const used = { endedUs: 0, cpuUs: -1, rssKibMax: -1 };
    agent.send({ kind: "ended", program, exitCode, signal, ...used });
    await expect(end).resolves.toMatchObject({ signal: "SIGKILL" });
    expect(lost).toEqual(["the other side tells an end that no program has"]);
  });

  test("says a hundred notes at most, cut, and of its own nodes", async () => {
    const { host, agent, said } = await connected();
    for (let count = 0; count < 150; count += 1) {
      agent.send({ kind: "note", level: "info", node: "n1", text: "x".repeat(5_000) });
    }
    await host.clock.compare(); // Is answered behind them.
    expect(said).toEqual(Array.from({ length: 100 }, () => "x".repeat(4_096)));
  });
});

describe("what hosts give back", () => {
  async function give(played: Played, path: string, text: string): Promise<void> {
    const { agent, host } = played;
    const stream = agent.newStream();
    agent.send({ kind: "file", stream, path, mode: 0o640 });
    agent.sendData(stream, Buffer.from(text));
    agent.send({ kind: "finish", stream });
    await host.clock.compare(); // Is answered behind it.
  }
  const kept = (path: string): string => readFileSync(join(out, path), "utf8");

  /** With a node n0, whose files are asked for. */
  async function asked(name = "a"): Promise<Played> {
    const played = await connected(name);
    played.host.allow({ own: ["n0"], doors: [] } as unknown as AgentPlan, new Map());
    played.host.collect(60_000).catch(() => undefined); // Until the test is over.
    return played;
  }

  test("is where it would be had the nodes been here; a second one has its host's name (F1)", async () => {
    await give(await asked(), "nodes/n0/local/logs/x", "of n0");
    expect(kept("nodes/n0/local/logs/x")).toBe("of n0");
    const { agent, host } = await connected();
    const [files, said]: [ResultFiles, string[]] = [new ResultFiles(out), []];
    const from = (name: string, bytes: string): void => {
      const stream = agent.newStream();
      const loses = (text: string): void => void said.push(text);
      const giver = { name, link: host.link, own: new Set<string>(), loses };
      files.receive(giver, { kind: "file", stream, path: "proj/shared", mode: 0o600 });
      agent.sendData(stream, Buffer.from(bytes));
    };
    from("a", "first");
    from("b", "second");
    await host.clock.compare();
    expect([kept("proj/shared"), kept("proj/shared.b"), said]).toEqual(["first", "second", []]);
  });

  test("is not kept before it is asked for, and of no node of others (F2)", async () => {
    const early = await connected();
    await give(early, "proj/x", "theirs");
    expect(early.said).toEqual(["a: proj/x was not kept: nobody has asked for it"]);
    const played = await asked();
    await give(played, "nodes/n1/local/logs/x", "theirs");
    const why = "it is of no node of this host";
    expect(played.said).toEqual([`a: nodes/n1/local/logs/x was not kept: ${why}`]);
    expect(readdirSync(out)).toEqual([]);
  });

  test("is kept up to the limits here, whatever its host counts (F2)", async () => {
    const many = await asked();
    for (const name of ["1", "2", "3", "4"]) await give(many, `proj/${name}`, "");
    expect(many.said).toEqual(["a: proj/4 was not kept: there are more than 3 files (filesMax)"]);
    const large = await asked();
    await give(large, "proj/whole", "x".repeat(100));
    expect(large.said).toEqual([]);
    await give(large, "proj/more", "x");
    await give(large, "proj/last", "");
    const why = "there are more than 100 bytes (filesBytesMax)";
    expect(large.said).toEqual([
      `a: proj/more was not kept whole: ${why}`,
      `a: proj/last was not kept: ${why}`,
    ]);
    expect([kept("proj/whole").length, kept("proj/more")]).toEqual([100, ""]);
    expect(large.missed).toEqual(large.said);
  });

  test("is warned of a hundred times at most, in words that no terminal obeys", async () => {
    const played = await asked();
    await give(played, "proj/\u001b[2J", "theirs");
    expect(played.said).toEqual(["a: proj/?[2J was not kept: it is no name of a result"]);
    for (let count = 0; count < 150; count += 1) await give(played, "x".repeat(5_000), "theirs");
    expect(played.said).toHaveLength(100);
    expect(played.said[1]).toBe(`a: ${"x".repeat(4_096)}`);
    expect(played.said[99]).toMatch(/x; further ones are not shown$/);
  });

  test.each(["result.json", "proj/../result.json", "/etc/motd"])("is never %s", async (path) => {
    const played = await asked();
    await give(played, path, "theirs");
    expect(played.said).toEqual([`a: ${path} was not kept: it is no name of a result`]);
  });

  test("follows no link", async () => {
    const played = await asked();
    mkdirSync(join(out, "proj"));
    mkdirSync(join(out, "mine"));
    symlinkSync(join(out, "mine"), join(out, "proj/link"));
    symlinkSync(join(out, "mine/file"), join(out, "proj/file"));
    await give(played, "proj/link/file", "theirs");
    await give(played, "proj/file", "theirs");
    expect(played.said.map((text) => text.replaceAll(out, ""))).toEqual([
      "a: proj/link/file was not kept: /proj/link is no directory",
      expect.stringMatching(/^a: proj\/file was not kept: ELOOP/),
    ]);
  });
});
