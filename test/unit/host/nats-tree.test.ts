// SPDX-License-Identifier: MIT
// Goal: a controller below another one over NATS says one thing up and is told one thing for a
// crossing, whatever the number of parties; a channel that loses something ends, and the link goes
// on over another; who does not have the key does not come in. Method: hosts of this process, a
// real nats-server, and somebody at the broker who hears all that goes over it.
import type { Duplex } from "node:stream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { TreeCarrier } from "../../../src/edges/tree/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { callNatsChannel, listenNatsChannels } from "../../../src/engine/nats-channel.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { Host } from "../../../src/host/host.ts";
import { newIncarnation, newRunId, newSecret } from "../../../src/host/ids.ts";
import { LinkListener } from "../../../src/host/link-listener.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { connectStreamEdge } from "../../../src/host/remote-link.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import { Cutter } from "../engine/cutter.ts";

const limits = resolveLimits();
const secret = newSecret();
let broker: NatsServer;
const closers: (() => Promise<void> | void)[] = [];
beforeAll(async () => {
  broker = await NatsServer.start();
});
afterAll(() => broker.dispose());
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function connection(address = broker.address): Promise<NatsConnection> {
  const made = await connect({ servers: address, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
  closers.push(() => made.close());
  return made;
}

async function startHost(): Promise<Host> {
  const log = new MemoryLog({ nowUs: systemClock.nowUs });
  const host = new Host({ log, clock: systemClock, limits, logger: silentLogger });
  await host.start();
  closers.push(() => host.close());
  return host;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    if (turns === 10_000) throw new Error(`waited in vain for ${what}`);
    await sleep(systemClock, 1);
  }
}

const about = (at: NatsConnection, stream: string) => ({
  ...{ connection: at, clock: systemClock, stream, name: "root" },
});

async function listenAsRoot(host: Host, stream: string): Promise<void> {
  const listener = new LinkListener({
    ...{ host, logger: silentLogger, admitted: [], asksForProof: true },
    admits: (edge) => ({ edge, secret, rights: { kind: "child", name: edge.slice(6) } }),
  });
  const listening = listenNatsChannels({
    ...about(await connection(), stream),
    refuses: () => undefined,
    onChannel: (channel) => listener.accept(channel),
  });
  closers.push(() => {
    listening.close();
    listener.close();
  });
}

interface Child {
  readonly host: Host;
  /** Times that it has joined. */
  joins: number;
  readonly errors: string[];
}

async function joinBelow(name: string, at: NatsConnection, stream: string, key = secret) {
  const child: Child = { host: await startHost(), joins: 0, errors: [] };
  const open = (): Duplex =>
    callNatsChannel(about(at, stream), newRunId()).on("error", ({ message }: Error) => {
      child.errors.push(message);
    });
  const carrier = new TreeCarrier({
    ...{ scopes: ["s"], name, parent: "root", limits, logger: silentLogger, clock: systemClock },
    newLife: newIncarnation,
    onJoined: () => {
      child.joins += 1;
    },
    connectOwn: child.host.connectEdge,
    connectParent: connectStreamEdge({
      ...{ secret: key, proves: true, clock: systemClock, limits, open },
    }),
  });
  closers.push(() => carrier.close());
  return child;
}

const place = { scope: "s", barrier: "b" } as const;

it("says one thing up and one down for each child and crossing, for 1 party and for 500", async () => {
  const stream = "count";
  const root = await startHost();
  await listenAsRoot(root, stream);
  const said: string[] = [];
  const ear = await connection();
  ear.subscribe(`muster.${stream}.tree.>`, {
    callback: (_error, message) => {
      said.push(message.string());
    },
  });
  await ear.flush();
  const children = await Promise.all(
    ["a", "c"].map(async (name) => joinBelow(name, await connection(), stream)),
  );
  await until("both", () => children.every(({ joins }) => joins === 1));
  const statuses: string[] = [];
  const driver = root.connectEdge("driver", {
    onEffects: (effects) => {
      for (const effect of effects) {
        if (effect.kind === "quorum-status") statuses.push(effect.status);
      }
    },
  });
  const peers = children.map(({ host }, index) => {
    const peer = {
      released: 0,
      link: host.connectEdge(`peers${index}`, {
        onEffects: (effects) => {
          for (const effect of effects) {
            if (effect.kind === "released") peer.released += effect.connections.length;
          }
        },
      }),
    };
    return peer;
  });
  const round = async (parties: number): Promise<void> => {
    for (const { link } of peers) {
      link.submit({ kind: "peers-set", scope: "s", connection: 0, count: parties });
    }
    const [wasReleased, had] = [peers.map(({ released }) => released), statuses.length];
    driver.submit({
      ...{ kind: "quorum-init", ...place, connection: 1, who: { address: "d" } },
      ...{ quorum: { kind: "percent", percent: 100 }, echo: "automatic" },
    });
    await until("the barrier", () => statuses.length > had);
    said.length = 0;
    for (const { link } of peers) {
      for (let party = 1; party <= parties; party += 1) {
        const connection = newIncarnation();
        link.submit({ kind: "quorum-wait", ...place, connection, who: { address: "p" }, error: 0 });
      }
    }
    await until("all", () =>
      peers.every(({ released }, index) => released === (wasReleased[index] ?? 0) + parties),
    );
    await ear.flush();
    const count = (kind: string): number =>
      said.join("").split(`"message":{"kind":"${kind}"`).length - 1;
    expect([count("reached"), count("released"), count("unreached")]).toEqual([2, 2, 0]);
  };
  await round(1);
  await round(500);
});

it("counts 500 parties at each of two children in at most a report a flush, and ends it once", async () => {
  const stream = "sums";
  const root = await startHost();
  await listenAsRoot(root, stream);
  const said: string[] = [];
  const ear = await connection();
  ear.subscribe(`muster.${stream}.tree.>`, {
    callback: (_error, message) => {
      said.push(message.string());
    },
  });
  await ear.flush();
  const cutter = await new Cutter().start(broker.port);
  closers.push(() => cutter.close());
  const children = [
    await joinBelow("a", await connection(), stream),
    await joinBelow("c", await connection(cutter.address), stream),
  ];
  await until("both", () => children.every(({ joins }) => joins === 1));
  let released = 0;
  const peers = children.map(({ host }, index) =>
    host.connectEdge(`peers${index}`, {
      onEffects: (effects) => {
        for (const effect of effects) {
          if (effect.kind === "released") released += effect.connections.length;
        }
      },
    }),
  );
  const come = (parties: number): void => {
    for (const link of peers) {
      for (let party = 0; party < parties; party += 1) {
        const connection = newIncarnation();
        link.submit({ kind: "count-wait", ...place, connection, who: { address: "p" }, error: 0 });
      }
    }
  };
  const open = (count: number): void => {
    peers[1]?.submit({
      ...{ kind: "count-init", ...place, connection: 1, who: { address: "o" }, error: 0 },
      ...{ count, waits: false },
    });
  };
  const count = (kind: string): number =>
    said.join("").split(`"message":{"kind":"${kind}"`).length - 1;
  open(1_000);
  const began = systemClock.nowUs();
  come(500);
  await until("all", () => released === 1_000);
  const flushes = (systemClock.nowUs() - began) / limits.treeFlushUs;
  await ear.flush();
  expect(count("count-ended")).toBe(2);
  expect(count("report")).toBeGreaterThanOrEqual(2);
  expect(count("report")).toBeLessThanOrEqual(2 * (2 + flushes));

  // What is cut on its way is said again, and counts once.
  for (let round = 1; round <= 3; round += 1) {
    if (round > 1) cutter.cut();
    come(10);
    if (round < 3) cutter.cut();
    open(20);
    await until("the round", () => released === 1_000 + 20 * round);
  }
  expect(root.describe("s").barriers).toEqual([]);
});

it("says once up and once down a child and phase that a roster of 500 each has met", async () => {
  const stream = "names";
  const root = await startHost();
  await listenAsRoot(root, stream);
  const said: string[] = [];
  const ear = await connection();
  ear.subscribe(`muster.${stream}.tree.>`, {
    callback: (_error, message) => {
      said.push(message.string());
    },
  });
  await ear.flush();
  const names = ["a", "c"] as const;
  const children = await Promise.all(
    names.map(async (name) => joinBelow(name, await connection(), stream)),
  );
  await until("both", () => children.every(({ joins }) => joins === 1));
  const heard: string[] = [];
  let released = 0;
  const edgeOf = (host: Host, edge: string) =>
    host.connectEdge(edge, {
      onEffects: (effects) => {
        for (const effect of effects) {
          if (effect.kind === "released") released += effect.connections.length;
          else heard.push(effect.kind === "refused" ? effect.message : effect.kind);
        }
      },
    });
  const peers = children.map(({ host }, index) => edgeOf(host, `peers${index}`));
  const members = names.flatMap((at) =>
    Array.from({ length: 500 }, (_, index) => ({ name: `${at}${index}`, at: `/${at}` })),
  );
  // Opened at one of the children.
  peers[0]?.submit({
    ...{ kind: "roster-open", ...place, connection: 1, who: { address: "o" }, members },
    rules: { phases: 2, whenDead: "fail", whenLate: "refuse" },
  });
  await until("it is open", () => heard.length > 0);
  expect(heard).toEqual(["acknowledged"]);
  for (let phase = 1; phase <= 2; phase += 1) {
    said.length = 0;
    for (const [index, link] of peers.entries()) {
      for (let party = 0; party < 500; party += 1) {
        const who = { address: "p", name: `${names[index]}${party}` };
        const arrival = { connection: newIncarnation(), who, error: 0 };
        link.submit({ kind: "roster-arrive", ...place, ...arrival, phase });
      }
    }
    await until("all", () => released === phase * 1_000);
    await ear.flush();
    const count = (kind: string): number =>
      said.join("").split(`"message":{"kind":"${kind}"`).length - 1;
    expect([count("roster-complete"), count("roster-crossed")]).toEqual([2, 2]);
  }
});

it("ends a channel that a cut has torn, and goes on over another", async () => {
  const stream = "cuts";
  const cutter = await new Cutter().start(broker.port);
  closers.push(() => cutter.close());
  const root = await startHost();
  await listenAsRoot(root, stream);
  const child = await joinBelow("a", await connection(cutter.address), stream);
  await until("it", () => child.joins === 1);
  const statuses: string[] = [];
  const driver = root.connectEdge("driver", {
    onEffects: (effects) => {
      for (const effect of effects) {
        if (effect.kind === "quorum-status") statuses.push(effect.status);
      }
    },
  });
  const count = (wanted: string): number => statuses.filter((one) => one === wanted).length;
  let released = 0;
  const peer = child.host.connectEdge("peers", {
    onEffects: (effects) => {
      if (effects.some(({ kind }) => kind === "released")) released += 1;
    },
  });
  peer.submit({ kind: "peers-set", scope: "s", connection: 0, count: 1 });
  for (let round = 1; round <= 5; round += 1) {
    driver.submit({
      ...{ kind: "quorum-init", ...place, connection: round, who: { address: "d" } },
      ...{ quorum: { kind: "percent", percent: 100 }, echo: "automatic" },
    });
    if (round % 2 === 0) cutter.cut();
    await until("the barrier", () => count("initialised") === round);
    if (round % 2 === 1) cutter.cut();
    const who = { address: "p" };
    peer.submit({ kind: "quorum-wait", ...place, connection: round, who, error: 0 });
    await until("the release", () => released === round);
  }
  await until("the last", () => count("released") === 5);
  // It was the same link all the time: nobody had to join anew.
  expect(child.joins).toBe(1);
  expect(child.errors.length).toBeGreaterThan(0);
});

it("keeps out who does not have the key, and says when nobody is there", async () => {
  const at = await connection();
  const lonely = await joinBelow("a", at, "nobody");
  await until("the error", () => lonely.errors.length > 0);
  expect(lonely.errors[0]).toContain("nobody answers as root");
  const root = await startHost();
  await listenAsRoot(root, "keys");
  const stranger = await joinBelow("a", at, "keys", newSecret());
  const friend = await joinBelow("b", at, "keys");
  await until("the friend", () => friend.joins === 1);
  expect(stranger.joins).toBe(0);
});
