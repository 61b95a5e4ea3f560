// SPDX-License-Identifier: MIT
// Goal: what the door holds for all clients together is bounded, by what of it has not come in full
// and by what is not read, and who pays is who holds most. Method: the choice alone, and a door on
// loopback with a small bound, one for each kind of door.
import { connect as connectSocket, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { chooseCuts, HeldSweep, type Holding } from "../../../src/edges/holdings.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
import { HttpBench } from "../http/http-bench.ts";
import { startDoor, TestClient, type TestDoor, until } from "../testground/harness.ts";

describe("chooseCuts", () => {
  const nothing = (): void => undefined;
  const holding = (client: string, bytes: number): Holding => ({
    ...{ client, bytes },
    cut: nothing,
  });

  it("Q2: at the bound nobody is cut, one past it the largest of the client that has most", () => {
    const holdings = [holding("a", 50), holding("b", 20), holding("b", 30), holding("b", 25)];
    expect(chooseCuts(holdings, 125)).toEqual([]);
    expect(chooseCuts(holdings, 124)).toEqual([holding("b", 30)]);
    expect(chooseCuts(holdings, 74)).toEqual([holding("b", 30), holding("a", 50)]);
    expect(chooseCuts(holdings, 1)).toHaveLength(4);
  });
});

describe("HeldSweep", () => {
  it("Q1: looks at once when an eighth of the bound has been made for clients", () => {
    const cuts: string[] = [];
    const held = (client: string) => ({ client, bytes: 60, cut: () => void cuts.push(client) });
    const sweep = new HeldSweep({
      // Its time never comes.
      ...{ clock: { ...systemClock, after: () => () => undefined }, everyMs: 1 },
      ...{ limit: { name: "bytesMax", max: 80 }, holdings: () => [held("a"), held("b")] },
      ...{ log: () => undefined, onRefused: () => undefined },
    });
    sweep.noteAdded(100);
    sweep.start();
    sweep.noteAdded(5);
    expect(cuts).toHaveLength(1);
    sweep.noteAdded(10);
    expect(cuts).toHaveLength(1);
    sweep.noteAdded(1);
    expect(cuts).toHaveLength(2);
    sweep.stop();
    sweep.noteAdded(100);
    expect(cuts).toHaveLength(2);
  });
});

describe("httpHeldBytesMax", () => {
  let bench: HttpBench;
  const streams: Socket[] = [];
  afterEach(async () => {
    for (const stream of streams.splice(0)) stream.destroy();
    await bench.close();
  });

  /** So many connections that hold as many bytes; resolves with those that were cut in the end. */
  async function fill(count: number, bytes: number, hold: () => Promise<Socket>) {
    bench = await HttpBench.start({ bounds: { httpHeldBytesMax: 4 * bytes + 1_000 } });
    let cut = 0;
    for (let at = 0; at < count; at += 1) {
      const stream = await hold();
      streams.push(stream.on("error", () => undefined).on("close", () => (cut += 1)));
    }
    const limit = 'muster_refused_total{limit="httpHeldBytesMax"}';
    for (;;) {
      const figures = await (await fetch(`${bench.url}/metrics`)).text();
      if (figures.includes(limit) && cut >= count - 4) return cut;
    }
  }

  it("cuts connections whose bodies have not come in full", async () => {
    const bytes = 200_000;
    const head = "POST /v1/barriers/b/init HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    const hold = async () => {
      const stream = connectSocket(bench.port, "127.0.0.1");
      stream.write(`${head}Content-Length: ${bytes + 1}\r\n\r\n`);
      await new Promise<void>((resolve) => stream.write("x".repeat(bytes), () => resolve()));
      return stream;
    };
    // A buffer that grows has up to twice what came.
    const cut = await fill(12, bytes, hold);
    expect(cut).toBeGreaterThanOrEqual(8);
    expect(cut).toBeLessThan(12);
  });

  it("cuts sessions whose messages have not come in full", async () => {
    const hold = async () => {
      const socket = bench.socket("/v1/session", [sessionProtocol]);
      await socket.opened();
      const edge = `s${streams.length}`;
      const hello = { kind: "hello", format: linkFormat, edge, incarnation: 1 };
      socket.say({ ...hello, acknowledged: 0, seen: 0 });
      await socket.hear("welcome");
      // The first of several fragments, masked with nothing.
      socket.socket.send("x".repeat(200_000), { fin: false });
      return (socket.socket as unknown as { readonly _socket: Socket })._socket;
    };
    const cut = await fill(12, 200_000, hold);
    expect(cut).toBe(8);
  });
});

describe("testgroundHeldBytesMax", () => {
  const bytes = 200_000;
  const bound = { testgroundHeldBytesMax: 4 * bytes + 20_000 };
  let door: TestDoor;
  const clients: TestClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    await door.close();
  });

  /** Twelve clients that hold as much each, and one that holds little and goes on. */
  async function fill(hold: (client: TestClient) => void, deflate = false): Promise<number> {
    door = await startDoor("memory log", { bounds: bound });
    const innocent = await TestClient.open(door.port);
    clients.push(innocent);
    innocent.ask("w", { kind: "barrier", state: "s", target: 1 });
    let cut = 0;
    for (let at = 0; at < 12; at += 1) {
      const client = await TestClient.open(door.port, { deflate });
      clients.push(client);
      client.socket.on("close", () => (cut += 1));
      hold(client);
    }
    await until(() => cut >= 8);
    innocent.ask("s", { kind: "signal", state: "s" });
    expect(await innocent.answer("w")).toEqual({ kind: "done", id: "w" });
    await until(() => door.door.counters.connections <= 5);
    const { refused } = door.door.counters;
    const why = "limit testgroundHeldBytesMax (820000) reached";
    expect(door.log.lines.filter((line) => line.includes(why))).toHaveLength(refused);
    return cut;
  }

  it("cuts clients whose messages have not come in full", async () => {
    expect(await fill(({ socket }) => socket.send("x".repeat(bytes), { fin: false }))).toBe(8);
  });

  it("counts fragments that came compressed as what they are", async () => {
    const text = "x".repeat(bytes);
    const hold = ({ socket }: TestClient) => socket.send(text, { fin: false, compress: true });
    expect(await fill(hold, true)).toBe(8);
  });

  it("cuts clients with many requests that are not answered", async () => {
    const hold = (client: TestClient): void => {
      for (let at = 0; at < 310; at += 1) {
        client.ask(`${at}`, { kind: "barrier", state: `never ${at}`, target: 1_000 });
      }
    };
    expect(await fill(hold)).toBe(8);
  });
});
