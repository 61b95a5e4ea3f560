// SPDX-License-Identifier: MIT
// Goal: a machine that has joined gives streams to who asked for them and to nobody else, and who
// waits for one hears when there will be none. Method: a table in this process and a clock that is
// moved by hand; the endpoint with a socket that notes what it is told.
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { createHostsEndpoint, hostsLimits, JoinedHosts } from "../../../src/edges/hosts/index.ts";
import type { DoorSocket, SocketHandler } from "../../../src/edges/http/index.ts";
import { FakeClock } from "../record/fake-clock.ts";

const uninterrupted = new AbortController().signal;
const machine = (name: string) => ({ name, capacity: undefined, types: [] });

function joined(name = "a") {
  const clock = new FakeClock();
  const hosts = new JoinedHosts(clock);
  const started: string[] = [];
  const leave = hosts.join(machine(name), (link) => started.push(link));
  if (typeof leave === "string") throw new Error(leave);
  return { clock, hosts, started, leave };
}

describe("a machine that has joined", () => {
  test("opens a stream for who asks, once (J2)", async () => {
    const { hosts, started } = joined();
    const asked = hosts.open("a", uninterrupted);
    const stream = new PassThrough();
    expect(hosts.accept("guessed", stream)).toBe(false);
    expect(hosts.accept(String(started[0]), stream)).toBe(true);
    await expect(asked).resolves.toBe(stream);
    expect(hosts.accept(String(started[0]), stream)).toBe(false);
  });

  test("that opens none in time, or leaves, is waited for no longer", async () => {
    const { hosts, clock, leave } = joined();
    const slow = hosts.open("a", uninterrupted);
    clock.advanceTo(hostsLimits.openMs * 1_000);
    await expect(slow).rejects.toThrow("it opened no stream within 30 s");
    const left = hosts.open("a", uninterrupted);
    leave();
    await expect(left).rejects.toThrow("it has left");
    await expect(hosts.open("a", uninterrupted)).rejects.toThrow("it is not joined now");
    expect(clock.armed).toBe(0);
  });

  test("is not waited for by who is interrupted, before or meanwhile", async () => {
    const { hosts, clock, started } = joined();
    const interrupt = new AbortController();
    const asked = hosts.open("a", interrupt.signal);
    interrupt.abort();
    const why = "the run was interrupted while it was waited for";
    await expect(asked).rejects.toThrow(why);
    await expect(hosts.open("a", interrupt.signal)).rejects.toThrow(why);
    expect(started).toHaveLength(1);
    expect(hosts.accept(String(started[0]), new PassThrough())).toBe(false);
    expect(clock.armed).toBe(0);
  });

  test("keeps its name until it leaves, also from one that was refused it (J1)", () => {
    const { hosts, leave } = joined();
    expect(hosts.join(machine("a"), () => undefined)).toBe(
      "a machine has joined as a; choose another name",
    );
    expect(hosts.names()).toEqual(["a"]);
    leave();
    expect(hosts.names()).toEqual([]);
  });

  test.each(["", "-o", "a b", "../a", "a".repeat(64)])("is not called %j", (name) => {
    expect(new JoinedHosts(new FakeClock()).join(machine(name), () => undefined)).toMatch(
      /is no name of a machine/,
    );
  });

  test("is one of so many, and no more", () => {
    const hosts = new JoinedHosts(new FakeClock());
    const join = (count: number) => hosts.join(machine(`m${count}`), () => undefined);
    for (let count = 1; count <= hostsLimits.joinedHostsMax; count += 1) {
      expect(typeof join(count)).toBe("function");
    }
    expect(join(0)).toBe("200 machines have joined (joinedHostsMax)");
  });
});

describe("the endpoint", () => {
  interface Noted {
    readonly said: (string | Uint8Array)[];
    readonly ended: string[];
    readonly reading: boolean[];
    readonly told: string[];
    queued: number;
    readonly handler: SocketHandler;
  }

  function open(hosts: JoinedHosts, query: string): Noted {
    const [said, ended, reading]: [(string | Uint8Array)[], string[], boolean[]] = [[], [], []];
    const told: string[] = [];
    const noted = { said, ended, reading, told, queued: 0 };
    const socket: DoorSocket = {
      isOpen: true,
      get queuedBytes() {
        return noted.queued;
      },
      send: (message) => said.push(message),
      setReading: (isReading) => reading.push(isReading),
      end: (code, reason) => ended.push(`${code} ${reason}`),
      destroy: () => undefined,
    };
    const caller = { role: "admin", scope: undefined } as never;
    const teller = {
      joined: (name: string) => told.push(`${name} has joined`),
      gone: (name: string) => told.push(`${name} is gone`),
    };
    const handler = createHostsEndpoint(hosts, teller).open(
      socket,
      caller,
      new URLSearchParams(query),
    );
    return Object.assign(noted, { handler });
  }

  test("takes a machine in with its room and its types, and lets it go", () => {
    const hosts = new JoinedHosts(new FakeClock());
    const { said, told, handler } = open(hosts, "name=a&capacity=4&types=pc,pc3000");
    const second = open(hosts, "name=a");
    second.handler.onClosed();
    expect(second.told).toEqual([]);
    expect(told).toEqual(["a has joined"]);
    expect(said).toEqual(['{"joined":"a"}']);
    expect(hosts.find("a")).toMatchObject({ capacity: 4, types: ["pc", "pc3000"] });
    handler.onClosed();
    expect(hosts.names()).toEqual([]);
    expect(told).toEqual(["a has joined", "a is gone"]);
  });

  test.each(["0", "-1", "1.5", "x"])("refuses room for %s nodes", (room) => {
    const { ended } = open(new JoinedHosts(new FakeClock()), `name=a&capacity=${room}`);
    expect(ended).toEqual(["4400 capacity is a number of nodes, from 1"]);
  });

  test("carries bytes both ways, and waits for who does not read", async () => {
    const hosts = new JoinedHosts(new FakeClock());
    const control = open(hosts, "name=a");
    const asked = hosts.open("a", uninterrupted);
    const { start } = JSON.parse(String(control.said[1])) as { readonly start: string };
    const link = open(hosts, `link=${start}`);
    const stream = await asked;
    const heard: string[] = [];
    stream.on("data", (bytes: Buffer) => heard.push(bytes.toString()));
    link.handler.onMessage(Buffer.from("from there"));
    await expect.poll(() => heard).toEqual(["from there"]);
    link.queued = 1_000_000;
    let isTaken = false;
    stream.write("to it", () => {
      isTaken = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([link.said.map(String), isTaken]).toEqual([["to it"], false]);
    link.queued = 0;
    link.handler.onSent?.();
    await expect.poll(() => isTaken).toBe(true);
    const closed = new Promise((resolve) => stream.once("close", resolve));
    link.handler.onClosed();
    await closed;
  });

  test("closes a stream that nobody waits for", () => {
    const { ended } = open(new JoinedHosts(new FakeClock()), "link=guessed");
    expect(ended).toEqual(["4400 nobody waits for that stream"]);
  });
});
