// SPDX-License-Identifier: MIT
// Goal: what is asked over a link to a host has an answer whatever becomes of the link, connections
// that it carries keep their bytes, their ends and their pressure, and a host reaches nothing here
// but the doors of its own nodes. Method: two ends in this process, joined by pipes in memory; real
// sockets on loopback at both.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import { AgentDoors } from "../../../src/testbed/machines/agent-doors.ts";
import { carryDatagrams, carrySocket } from "../../../src/testbed/machines/carried.ts";
import { LinkError, NodeLink } from "../../../src/testbed/machines/node-link.ts";
import { nodeLinkLimits, type StreamMessage } from "../../../src/wire/node-link/index.ts";
import { FakeClock } from "../record/fake-clock.ts";

type Opened = Extract<StreamMessage, { kind: "open" }>;

interface Ends {
  readonly run: NodeLink;
  readonly agent: NodeLink;
  readonly ended: string[];
  /** What each side was asked, without answers. */
  readonly heard: unknown[];
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function joined(onOpen: (run: NodeLink, opened: Opened) => void, clock = systemClock): Ends {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const [ended, heard]: [string[], unknown[]] = [[], []];
  const run: NodeLink = new NodeLink({
    ...{ side: "run", input: back, output: there, clock },
    onMessage: () => undefined,
    onOpen: (opened) => onOpen(run, opened),
    onEnd: (why) => ended.push(why),
  });
  const agent = new NodeLink({
    ...{ side: "agent", input: there, output: back, clock },
    onMessage: (message) => heard.push(message),
    onOpen: () => undefined,
    onEnd: () => undefined,
  });
  cleanups.push(() => {
    run.end("the test is over");
    agent.end("the test is over");
  });
  return { run, agent, ended, heard };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A door on the agent's side whose connections come to a port of the run's. */
async function doorTo(port: number): Promise<{ readonly ends: Ends; readonly door: number }> {
  const ends = joined((run, { stream }) => {
    carrySocket(run, stream, connect({ host: "127.0.0.1", port, allowHalfOpen: true }));
  });
  const doors = new AgentDoors(ends.agent);
  cleanups.push(() => doors.close());
  return { ends, door: await doors.openAt("127.0.0.1", port) };
}

describe("a link", () => {
  test("answers what is asked, by number", async () => {
    const { run, agent, heard } = joined(() => undefined);
    const first = run.ask({ kind: "clock" });
    const second = run.ask({ kind: "collect" });
    await expect.poll(() => heard.length).toBe(2);
    agent.send({ kind: "answer", id: 2, value: ["left"] });
    agent.send({ kind: "refusal", id: 1, why: "it has no clock" });
    await expect(second).resolves.toEqual(["left"]);
    await expect(first).rejects.toThrow("it has no clock");
  });

  test("that ends answers all that is open with the reason, once (L1)", async () => {
    const { run, agent, ended } = joined(() => undefined);
    const asked = run.ask({ kind: "clock" });
    let closed = 0;
    run.openStream(2, {
      data: () => undefined,
      close: () => {
        closed += 1;
      },
    });
    agent.end("it was told to");
    await expect(asked).rejects.toThrow(LinkError);
    await expect(run.ask({ kind: "clock" })).rejects.toThrow("the connection ended");
    expect({ ended, closed }).toEqual({ ended: ["the connection ended"], closed: 1 });
  });

  test("on which nothing is heard for long is over", () => {
    const clock = new FakeClock();
    const { ended } = joined(() => undefined, clock);
    clock.advanceTo(nodeLinkLimits.silenceMs * 1_000 - 1);
    expect(ended).toEqual([]);
    clock.advanceTo(nodeLinkLimits.silenceMs * 1_250);
    expect(ended).toEqual(["nothing was heard for 15 s"]);
  });

  test("ends when the other side speaks nonsense", async () => {
    const { run, ended, agent } = joined(() => undefined);
    agent.send({ kind: "nonsense" } as never);
    await expect
      .poll(() => ended)
      .toEqual(['the other side sent a message of the unknown kind "nonsense"']);
    expect(run.ended).toBe(true);
  });

  test.each([
    ["that is open", 7],
    ["of this side's numbers", 2],
    ["that is open here", 4],
    ["past 32 bits", 2 ** 32 + 1],
  ])(
    "ends when the other side opens a stream %s, by each way to open one (L3)",
    async (_, stream) => {
      for (const kind of ["open", "file"] as const) {
        const { run, agent, ended } = joined(() => undefined);
        const heard: string[] = [];
        for (const open of [7, 4]) {
          run.openStream(open, {
            data: (bytes) => void heard.push(String(bytes.length)),
            close: () => void heard.push("close"),
          });
        }
        const where = { carrier: "tcp", node: "", port: 1 } as const;
        if (kind === "open") agent.send({ kind, stream, ...where });
        else agent.send({ kind, stream, path: "proj/x", mode: 0o600 });
        await expect
          .poll(() => ended)
          .toEqual([`the other side opened stream ${stream}, which is not its to open`]);
        expect(heard).toEqual(["close", "close"]);
      }
    },
  );

  test("takes streams up to its limit, and no more", () => {
    const { run } = joined(() => undefined);
    const sink = { data: () => undefined, close: () => undefined };
    const open = (count: number): boolean => run.openStream(2 * count, sink);
    for (let count = 1; count <= nodeLinkLimits.streamsMax; count += 1) open(count);
    expect(run.streams).toBe(nodeLinkLimits.streamsMax);
    expect(open(nodeLinkLimits.streamsMax + 1)).toBe(false);
  });
});

describe("a connection that is carried", () => {
  test("brings every byte both ways, and ends each way by itself", async () => {
    const bytes = Buffer.alloc(3_000_000, "0123456789");
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      const request = await received(socket);
      socket.end(request.reverse());
    });
    const { door } = await doorTo(await listening(server));
    const client = connect({ host: "127.0.0.1", port: door, allowHalfOpen: true });
    client.end(bytes);
    const answer = await received(client);
    expect(answer.equals(Buffer.from(bytes).reverse())).toBe(true);
  });

  test("stops who sends when the far end does not read, and nothing else of the link (C1)", async () => {
    const readers: Socket[] = [];
    const port = await listening(createServer((socket) => readers.push(socket.pause())));
    const far: Socket[] = [];
    const ends = joined((run, { stream }) => {
      const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      far.push(socket);
      carrySocket(run, stream, socket);
    });
    const near: Socket[] = [];
    const door = await listening(
      createServer({ allowHalfOpen: true }, (socket) => {
        const stream = ends.agent.newStream();
        ends.agent.send({ kind: "open", stream, carrier: "tcp", node: "n0", port });
        near.push(socket);
        carrySocket(ends.agent, stream, socket);
      }),
    );
    const client = connect({ host: "127.0.0.1", port: door });
    cleanups.push(() => client.destroy());
    // More than the kernel and the window hold, however large its buffers are.
    for (let piece = 0; piece < 512; piece += 1) client.write(Buffer.alloc(131_072));
    const isStopped = (): boolean =>
      near[0]?.isPaused() === true && (far[0]?.writableLength ?? 0) > 0;
    await expect.poll(isStopped, { timeout: 30_000 }).toBe(true);
    const asked = ends.run.ask({ kind: "clock" });
    ends.agent.send({ kind: "answer", id: 1, value: "still here" });
    await expect(asked).resolves.toBe("still here");
    // One piece of the platform's may have come on top of the window.
    expect(far[0]?.writableLength).toBeLessThan(2 * nodeLinkLimits.windowBytes);
    readers[0]?.resume();
    await expect.poll(() => client.writableLength, { timeout: 30_000 }).toBe(0);
  });

  test("to a port where nobody listens is closed", async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    await once(server, "close");
    const { door } = await doorTo(port);
    const client = connect({ host: "127.0.0.1", port: door });
    expect((await received(client)).length).toBe(0);
  });

  test("by datagrams is one stream for each caller, with the answers its own", async () => {
    const server = createSocket("udp4");
    const callers = new Set<number>();
    server.on("message", (bytes, from) => {
      callers.add(from.port);
      server.send(`${bytes} heard`, from.port, from.address);
    });
    server.bind(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    const { port } = server.address();
    const { agent } = joined((run, { stream }) => {
      carryDatagrams(run, stream, createSocket("udp4"), { host: "127.0.0.1", port });
    });
    const doors = new AgentDoors(agent);
    cleanups.push(() => doors.close());
    // The address of a node of this host, at the very port of the server.
    await doors.open("n0", "127.0.0.2", { carrier: "udp", port });
    const ask = async (text: string): Promise<string> => {
      const socket = createSocket("udp4");
      cleanups.push(() => socket.close());
      socket.send(text, port, "127.0.0.2");
      const [answer] = (await once(socket, "message")) as [Buffer];
      return answer.toString();
    };
    expect(await Promise.all([ask("a"), ask("b")])).toEqual(["a heard", "b heard"]);
    expect(callers.size).toBe(2);
  });
});
