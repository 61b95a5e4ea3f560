// SPDX-License-Identifier: MIT
// The faults, by name, and the plan of a run: what goes wrong when and for how long, all from the
// seed. Each is undone before the run ends. Whom it meets is chosen when it begins, where that
// depends on who leads.
import type { Brokers } from "./cluster/brokers.ts";
import type { Member } from "./cluster/member.ts";
import type { Network } from "./cluster/network.ts";
import { LoadProcess } from "./load-process.ts";
import { MortalClient } from "./mortal-clients.ts";
import type { Random } from "./random.ts";
import { pause } from "./wait.ts";

export const faultNames = [
  "kill-server",
  "kill-servers",
  "term-server",
  "stop-server",
  "cut-server-front",
  "cut-server-back",
  "kill-broker",
  "kill-leader",
  "stop-broker",
  "stop-leader",
  "cut-broker",
  "cut-leader",
  "lose-majority",
  "restart-brokers",
  "disk-full",
  "stop-client",
  "kill-client",
  "kill-scheduler",
] as const;
export type FaultName = (typeof faultNames)[number];

/**
 * A broker was silent and comes back as it was. After these NATS 2.9 was seen to lose what it had
 * acknowledged, or to keep another entry than it had delivered, also without Muster (reports/):
 * what is found then need not be Muster's.
 */
const deposing: ReadonlySet<FaultName> = new Set([
  ...(["stop-leader", "cut-leader", "stop-broker", "cut-broker"] as const),
]);

/** Unless others are named. */
export const standardFaults: readonly FaultName[] = faultNames.filter(
  (name) => !deposing.has(name),
);

/** Those that meet brokers. */
export const bareFaults: readonly FaultName[] = faultNames.filter((name) =>
  /broker|leader|majority|disk/.test(name),
);

/** What each does, for the report. */
export const faultTexts: Readonly<Record<FaultName, string>> = {
  "kill-server": "`kill -9` of a Muster server, started again",
  "kill-servers": "`kill -9` of all Muster servers at once, started again",
  "term-server": "SIGTERM to a Muster server, started again",
  "stop-server": "SIGSTOP of a Muster server",
  "cut-server-front": "the link between a Muster server and its clients is down",
  "cut-server-back": "the link between a Muster server and the brokers is down",
  "kill-broker": "`kill -9` of a NATS server, started again",
  "kill-leader": "`kill -9` of the NATS server that leads the log, started again",
  "stop-broker": "SIGSTOP of a NATS server that does not lead the log",
  "stop-leader": "SIGSTOP of the NATS server that leads the log",
  "cut-broker": "the link of a NATS server that does not lead the log is down",
  "cut-leader": "the link of the NATS server that leads the log is down",
  "lose-majority": "`kill -9` of two of three NATS servers, started again",
  "restart-brokers": "`kill -9` of all NATS servers, started again",
  "disk-full": "the disk of a NATS server's store is full, then it is killed and started again",
  "stop-client": "SIGSTOP of a process with clients, or of that with the agents of all nodes",
  "kill-client": "`kill -9` of a process with clients of lanes of their own, started again",
  "kill-scheduler": "`kill -9` of the scheduler of events, started again",
};

/**
 * How long each lasts, milliseconds, from and to. Stops of 10 s are as long as a server's lease.
 */
const lasts: Readonly<Record<FaultName, readonly [number, number]>> = {
  "kill-server": [500, 5_000],
  "kill-servers": [500, 3_000],
  "term-server": [200, 2_000],
  "stop-server": [10_000, 12_000],
  "cut-server-front": [3_000, 12_000],
  "cut-server-back": [3_000, 15_000],
  "kill-broker": [500, 6_000],
  "kill-leader": [500, 6_000],
  "stop-broker": [10_000, 10_000],
  "stop-leader": [10_000, 10_000],
  "cut-broker": [4_000, 10_000],
  "cut-leader": [4_000, 10_000],
  "lose-majority": [2_000, 5_000],
  "restart-brokers": [500, 3_000],
  "disk-full": [5_000, 10_000],
  "stop-client": [3_000, 8_000],
  "kill-client": [500, 12_000],
  "kill-scheduler": [500, 3_000],
};

/**
 * A broker whose disk was full is none until it is started again: with another one away, two of
 * three would be.
 */
const aloneFaults: ReadonlySet<FaultName> = new Set(["disk-full"]);

export interface PlannedFault {
  readonly name: FaultName;
  readonly lastsMs: number;
  /** From its end, or from its beginning where it overlaps, to the beginning of the next. */
  readonly pauseMs: number;
  /** The next begins while it lasts. */
  readonly overlaps: boolean;
  /** It begins when no other lasts. */
  readonly isAlone: boolean;
  readonly target: number;
}

/** Goes on for ever: every fault once, in an order by chance, then again in another order. */
export function* planFaults(
  names: readonly FaultName[],
  random: Random,
): Generator<PlannedFault, void> {
  while (names.length > 0) {
    const round = [...names];
    while (round.length > 0) {
      const [name = "kill-server"] = round.splice(random.below(round.length), 1);
      const [least, most] = lasts[name];
      yield {
        name,
        lastsMs: random.between(least, most),
        pauseMs: random.between(2_000, 8_000),
        overlaps: random.below(5) === 0 && !aloneFaults.has(name),
        isAlone: aloneFaults.has(name),
        target: random.below(1_000),
      };
    }
  }
}

export interface Stage {
  readonly network: Network;
  readonly brokers: Brokers;
  readonly servers: { readonly members: readonly Member[] };
  readonly clients: readonly LoadProcess[];
  /** Those that are killed. */
  readonly mortals: readonly MortalClient[];
  /** Of events. */
  readonly schedulers: readonly Member[];
}

export interface Injected {
  readonly name: FaultName;
  readonly whom: string;
  readonly lastedMs: number;
}

export type Victim = Member | LoadProcess | MortalClient;

/** Does it, and undoes it. @returns whom it met; undefined when there was nobody left for it. */
export async function inject(
  fault: PlannedFault,
  stage: Stage,
  busy: Set<Victim>,
): Promise<Injected | undefined> {
  const members = (await choose(fault, stage)).filter((member) => !busy.has(member));
  if (members.length === 0) return undefined;
  for (const member of members) busy.add(member);
  const startedMs = performance.now();
  try {
    await Promise.all(members.map((member) => begin(fault.name, member, stage)));
    await pause(fault.lastsMs);
    await Promise.all(members.map((member) => undo(fault.name, member, stage)));
  } finally {
    for (const member of members) busy.delete(member);
  }
  const whom = members.map(({ name }) => name).join(" ");
  return { name: fault.name, whom, lastedMs: performance.now() - startedMs };
}

async function choose({ name, target }: PlannedFault, stage: Stage): Promise<readonly Victim[]> {
  const one = (members: readonly Victim[]): readonly Victim[] =>
    members.slice(target % members.length).slice(0, 1);
  const { brokers, servers, clients, mortals, schedulers } = stage;
  switch (name) {
    case "kill-servers":
      return servers.members;
    case "kill-server":
    case "term-server":
    case "stop-server":
    case "cut-server-front":
    case "cut-server-back":
      return one(servers.members);
    case "stop-client":
      return one(clients);
    case "kill-client":
      return one(mortals);
    case "kill-scheduler":
      return one(schedulers);
    case "restart-brokers":
      return brokers.members;
    case "lose-majority":
      return brokers.members.filter((_, index) => index !== target % brokers.members.length);
    case "kill-leader":
    case "stop-leader":
    case "cut-leader":
      return [(await brokers.leader()) ?? one(brokers.members)].flat();
    case "stop-broker":
    case "cut-broker": {
      const leader = await brokers.leader();
      return one(brokers.members.filter((member) => member !== leader));
    }
    case "kill-broker":
    case "disk-full":
      return one(brokers.members);
  }
}

async function begin(name: FaultName, member: Victim, stage: Stage): Promise<void> {
  if (member instanceof LoadProcess) {
    member.signal("SIGSTOP");
    return;
  }
  if (member instanceof MortalClient) {
    await member.kill();
    return;
  }
  switch (name) {
    case "kill-server":
    case "kill-servers":
    case "kill-broker":
    case "kill-leader":
    case "lose-majority":
    case "restart-brokers":
    case "kill-scheduler":
      await member.end("SIGKILL");
      return;
    case "term-server":
      await member.end("SIGTERM");
      return;
    case "stop-server":
    case "stop-broker":
    case "stop-leader":
      member.signal("SIGSTOP");
      return;
    case "cut-server-front":
      stage.network.cut(member.name, "front");
      return;
    case "cut-server-back":
    case "cut-broker":
    case "cut-leader":
      stage.network.cut(member.name, "back");
      return;
    case "disk-full":
      stage.brokers.fillDisk(member);
      return;
    case "stop-client":
    case "kill-client":
      return;
  }
}

async function undo(name: FaultName, member: Victim, stage: Stage): Promise<void> {
  if (member instanceof LoadProcess) {
    member.signal("SIGCONT");
    return;
  }
  if (member instanceof MortalClient) {
    member.start();
    return;
  }
  switch (name) {
    case "stop-server":
    case "stop-broker":
    case "stop-leader":
      member.signal("SIGCONT");
      return;
    case "cut-server-front":
      stage.network.mend(member.name, "front");
      return;
    case "cut-server-back":
    case "cut-broker":
    case "cut-leader":
      stage.network.mend(member.name, "back");
      return;
    case "disk-full":
      stage.brokers.freeDisk(member);
      // NATS 2.9 does not get over it: a leader that could not write holds a lock that it waits for
      // (README.md), answers `healthz` all the same, and does not end by SIGTERM.
      await member.end("SIGKILL");
      member.start();
      return;
    default:
      member.start();
  }
}
