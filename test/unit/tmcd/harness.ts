// SPDX-License-Identifier: MIT
// Worlds for the configuration server: experiments in memory, callers by address, a source that
// counts what it is asked, and connections without a network.

import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import type {
  Identity,
  NodeFacts,
  PortRow,
  Reservation,
  TlsIdentity,
  TmcdSource,
} from "../../../src/edges/tmcd/index.ts";
import { TcpDoor } from "../../../src/edges/tmcd/tcp.ts";
import { UdpDoor } from "../../../src/edges/tmcd/udp.ts";
import { tmcdTime } from "../../../src/edges/tmcd-time.ts";
import type { Experiment, Link, Program } from "../../../src/experiment/model.ts";
import { type ConfiguredNode, NodeConfig } from "../../../src/testbed/node-config.ts";
import { Lines, ManualClock } from "../syncd/harness.ts";

export { Lines, ManualClock };

const at = { file: "x.ns", line: 1, column: 1 };
const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };

/** Addresses of the callers that the tables name. */
export const addresses: Readonly<Record<string, string>> = {
  boss: "192.0.2.1",
  node0: "192.0.2.10",
  node1: "192.0.2.11",
  node2: "192.0.2.12",
  node3: "192.0.2.13",
  node4: "192.0.2.14",
  free: "192.0.2.20",
  other: "192.0.2.21",
  control: "192.0.2.30",
  remote: "198.51.100.7",
  stranger: "203.0.113.9",
};

export const eventKey = "00112233445566778899aabbccddeeff";

function link(name: string, ...members: readonly (readonly [string, number, string])[]): Link {
  return {
    name,
    kind: "link",
    netmask: "255.255.255.0",
    members: members.map(([node, port, address]) => ({
      ...{ node, port, address, toLink: shape, fromLink: shape },
    })),
    at,
  };
}

function program(name: string, node: string, extra: Partial<Program> = {}): Program {
  return {
    ...{ name, node, command: "echo hi", isStartCommand: false, directory: "", at },
    ...{ timeoutSeconds: 0, expectedExitCode: 0 },
    ...extra,
  };
}

function experiment(names: readonly string[], rest: Partial<Experiment>): Experiment {
  const nodes = names.map((name) => ({
    ...{ name, osName: "", hardwareType: "pc", failureAction: "fatal" as const, at },
  }));
  return {
    ...{ pid: "P", eid: "E", nodes, links: [], programs: [], events: [], sequences: [] },
    ...{ timelines: [], groups: [], syncServer: "node0", simulator: "ns", environment: [] },
    ...rest,
  };
}

const startCommand = { command: "/proj/P/startcmd1.sh x", isStartCommand: true };
const pair = experiment(["node0", "node1"], {
  programs: [program("node1_startcmd", "node1", startCommand)],
  environment: [["SIZE", "5"]],
});
const router = experiment(["node0", "node1", "node2", "node3", "node4"], {
  links: [
    link("link0", ["node0", 0, "10.1.3.2"], ["node2", 0, "10.1.3.3"]),
    link("link1", ["node1", 0, "10.1.4.2"], ["node2", 1, "10.1.4.3"]),
    link("link2", ["node2", 2, "10.1.1.2"], ["node3", 0, "10.1.1.3"]),
    link("link3", ["node3", 1, "10.1.2.2"], ["node4", 0, "10.1.2.3"]),
  ],
  programs: [
    program("prog", "node0", { directory: "/var/tmp", timeoutSeconds: 5, expectedExitCode: 3 }),
  ],
});

export const experiments: Readonly<Record<string, Experiment>> = {
  pair,
  router,
  alone: { ...pair, syncServer: undefined },
};

/** The nodes of a world; node1 hosts a virtual node. */
export function nodesOf({ nodes }: Experiment): readonly ConfiguredNode[] {
  const physical = nodes.map(({ name }, index) => ({
    name,
    id: `pc1${index}`,
    calledAt: `127.9.0.${index + 1}`,
    addresses: [{ link: "", experiment: "", loopback: addresses[name] ?? "" }],
  }));
  const inside = [{ link: "", experiment: "", loopback: "172.16.0.1" }];
  const virtual = { name: "virt", id: "pcvm11-1", calledAt: "", addresses: inside, host: "node1" };
  return [...physical, virtual];
}

/** An experiment in memory, and around it callers of other kinds. Counts every query. */
export class World {
  readonly config: NodeConfig;
  readonly source: TmcdSource;
  readonly queries: string[] = [];
  /** Called before each query; a test makes it slow or fail. */
  beforeQuery: (name: string) => Promise<void> | undefined = () => undefined;
  readonly #otherPorts = new Map<string, PortRow>();

  constructor(name: string) {
    const given = experiments[name];
    if (given === undefined) throw new Error(`no world ${name}`);
    this.config = new NodeConfig({
      experiment: given,
      nodes: nodesOf(given),
      domain: "example.net",
      creator: "alice",
      swapper: "bob",
      eventKey,
      bossAddress: addresses["boss"] ?? "",
    });
    this.source = new Proxy<TmcdSource>(this.config, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        return async (...args: readonly unknown[]) => {
          this.queries.push(String(property));
          await this.beforeQuery(String(property));
          const own = this.#own(String(property), args);
          return own === undefined ? Reflect.apply(value, target, args) : own.result;
        };
      },
    });
  }

  /** Answers for callers that the experiment in memory does not know. */
  #own(name: string, args: readonly unknown[]): { readonly result: unknown } | undefined {
    if (name === "findNode") {
      const result = this.#outsider(args[0] as Identity);
      return result === undefined ? undefined : { result };
    }
    const owner = args[0] as Partial<Reservation>;
    if (name === "lookUpPort" && owner.eid === "Other") {
      return { result: this.#otherPorts.get(String(args[1])) };
    }
    if (name === "registerPort" && owner.eid === "Other") {
      this.#otherPorts.set(String(args[1]), args[2] as PortRow);
      return { result: undefined };
    }
    return undefined;
  }

  #outsider(identity: Identity): NodeFacts | undefined {
    if (identity.kind !== "address") return undefined;
    const kind = Object.entries(addresses).find(([, one]) => one === identity.address)?.[0] ?? "";
    if (!["free", "other", "control", "remote"].includes(kind)) return undefined;
    const eid = kind === "other" ? "Other" : "E";
    const reservation: Reservation = {
      ...{ pid: "P", eid, creator: "alice", swapper: "bob", syncServer: "node0", eventKey },
      keyHash: undefined,
    };
    const isFree = kind === "free" || kind === "control";
    return {
      ...{ id: `pc-${kind}`, vname: `pc-${kind}`, isVirtual: false, role: "node" },
      isRemote: kind === "remote",
      isControl: kind === "control",
      reservation: isFree ? undefined : reservation,
      needsUpdate: false,
    };
  }
}

export interface Played {
  readonly world: World;
  readonly tcp: TcpDoor;
  readonly udp: UdpDoor;
  readonly clock: ManualClock;
  readonly log: Lines;
}

/** Both doors over a world, in time that the test lets pass. */
export function play(
  world: World,
  options: { tls?: TlsIdentity; isDebugging?: boolean } = {},
): Played {
  const clock = new ManualClock();
  const log = new Lines();
  const { isDebugging = false, tls } = options;
  const shared = { source: world.source, clock, logger: log, time: tmcdTime, isDebugging };
  const given = { ...shared, isInsecure: false };
  return { world, tcp: new TcpDoor({ ...given, tls }), udp: new UdpDoor(given), clock, log };
}

/** One end of a connection whose other end a door serves. */
export class Caller {
  readonly stream: Duplex;
  readonly reply: Promise<string>;
  isOver = false;
  heard = "";

  constructor(door: TcpDoor, peerAddress: string, localAddress = "192.0.2.1") {
    const [near, far] = duplexPair({ allowHalfOpen: true });
    this.stream = near;
    const socket = Object.assign(far, { remoteAddress: peerAddress, localAddress });
    this.reply = new Promise((resolve) => {
      const finish = (): void => {
        this.isOver = true;
        resolve(this.heard);
      };
      near.on("data", (chunk: Buffer) => {
        this.heard += chunk.toString("utf8");
      });
      near.on("end", finish);
      near.on("close", finish);
      far.on("close", () => near.destroy());
      near.on("error", () => undefined);
    });
    door.accept(socket as unknown as Socket);
  }
}

/** Turns the event loop until nothing of a few streams is left to do. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** One request that is ended by the half-close, and its reply. */
export async function ask(played: Played, caller: string, text: string): Promise<string> {
  const one = new Caller(played.tcp, addresses[caller] ?? caller);
  one.stream.end(Buffer.from(text, "latin1"));
  return one.reply;
}

/** One datagram, and the one that comes back, if any. */
export async function askUdp(
  played: Played,
  caller: string,
  text: string,
): Promise<string | undefined> {
  const replies: string[] = [];
  played.udp.receive(Buffer.from(text, "latin1"), {
    address: addresses[caller] ?? caller,
    port: 4711,
    localAddress: "192.0.2.1",
    send: (reply) => replies.push(Buffer.from(reply).toString("utf8")),
  });
  await settle();
  if (replies.length > 1) throw new Error("more than one datagram");
  return replies[0];
}
