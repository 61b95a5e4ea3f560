// SPDX-License-Identifier: MIT
// A long random history from a seed, and the digest it leads to: the same on every machine and
// every version of the runtime, or the core is not deterministic (D16). Imports the core only, so
// that the compiled file runs on any Node there is.
import type { AgendaEvent } from "../core/agenda/commands.ts";
import type {
  Batch,
  Command,
  Deadline,
  LogEntry,
  QuorumInit,
  RosterOpen,
} from "../core/command.ts";
import { Digest } from "../core/digest.ts";
import { type Limits, resolveLimits } from "../core/limits.ts";
import { Random } from "../core/random.ts";
import { Service } from "../core/service.ts";

const edges = 12;
const scopes = ["s", "t", "\u00fc\u4e2d", "pid/eid"] as const;
const nodes = ["node0", "node1", "node2", "node3"] as const;

/**
 * @param look sees the machine after each entry.
 * @returns 64 hex digits: the digest of the state, and that of all effects.
 */
export function digestOfHistory(
  seed: number,
  entries: number,
  look: (service: Service) => void = () => undefined,
): string {
  const service = new Service(historyLimits);
  const effects = new Digest();
  for (const entry of randomHistory(seed, entries)) {
    const applied = service.apply(entry);
    effects.addRow(`${entry.sequence} ${JSON.stringify(applied)}`, 1);
    look(service);
  }
  return service.digest() + effects.toString();
}

/** Some of them are reached. */
export const historyLimits: Limits = resolveLimits({
  ...{ closedBarriersPerScopeMax: 100, eventsPerScopeMax: 100 },
});

/** The first entries of a log. */
export function* randomHistory(seed: number, entries: number): Iterable<LogEntry> {
  const history = new History(new Random(seed));
  for (let sequence = 1; sequence <= entries; sequence += 1) yield history.next(sequence);
}

/** The same in a log that knows keys: of arrivals that have one many are asked for again. */
export function* keyedHistory(seed: number, entries: number): Iterable<LogEntry> {
  const random = new Random(seed ^ 0x6e75);
  const asked: Command[] = [];
  const withKey = (command: Command): readonly Command[] => {
    const again = asked.length > 0 && random.chance(0.2) ? random.pick(asked.slice(-20)) : command;
    if (again !== command) {
      return [command, { ...again, connection: random.below(200) } as Command];
    }
    if (!("error" in command && "who" in command) && command.kind !== "state-signal") {
      return [command];
    }
    const keyed: Command = { ...command, key: `k${asked.length}` } as Command;
    asked.push(keyed);
    return [keyed];
  };
  for (const { entry, ...rest } of randomHistory(seed, entries)) {
    const batches = entry.batches.map((batch) => ({
      ...batch,
      commands: batch.commands.flatMap(withKey),
    }));
    yield { ...rest, entry: { format: 1, batches: rest.sequence === 1 ? [raise] : batches } };
  }
}

const raise: Batch = {
  ...{ edge: "raiser", incarnation: 1, number: 1 },
  commands: [{ kind: "attach" }, { kind: "version", version: 9, limits: historyLimits }],
};

class History {
  readonly #random: Random;
  readonly #lives: number[] = Array.from({ length: edges }, () => 1);
  readonly #numbers: number[] = Array.from({ length: edges }, () => 0);
  #stampUs = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(sequence: number): LogEntry {
    const random = this.#random;
    this.#stampUs += random.chance(0.01) ? 3_000_000 : random.below(200_000);
    const batches: Batch[] = [];
    for (let count = random.below(3); count > 0; count -= 1) batches.push(this.#batch());
    return { sequence, stampUs: this.#stampUs, entry: { format: 1, batches } };
  }

  #batch(): Batch {
    const random = this.#random;
    const edge = random.below(edges);
    if (random.chance(0.002)) {
      this.#lives[edge] = (this.#lives[edge] ?? 0) + 1;
      this.#numbers[edge] = 0;
    }
    const commands: Command[] = [this.#command(), this.#command()];
    const number = (this.#numbers[edge] ?? 0) + 1;
    // A batch in a hundred is lost, so that the next one is out of turn.
    if (!random.chance(0.01)) this.#numbers[edge] = number;
    const first: readonly Command[] = number === 1 ? [{ kind: "attach" }] : [];
    return {
      edge: `e${edge}`,
      incarnation: this.#lives[edge] ?? 1,
      number,
      commands: [...first, ...commands],
    };
  }

  #command(): Command {
    const random = this.#random;
    const scope = random.pick(scopes);
    const draw = random.below(100);
    if (draw < 10) return this.#topic(scope);
    if (draw < 50) return this.#arrival(scope, draw < 25);
    if (draw < 80) return this.#ofAnotherKind(scope);
    if (draw < 90) return { kind: "leave", connection: random.below(200) };
    if (draw < 92) {
      const edge = random.below(edges);
      return { kind: "detach", edge: `e${edge}`, incarnation: this.#lives[edge] ?? 1 };
    }
    if (draw < 94) return { kind: "attach" };
    if (draw < 97) return this.#agenda(scope);
    if (draw < 98) return { kind: "open-scope", scope, nodes: nodes.slice(random.below(4)) };
    const kind = random.chance(0.1) ? "close-scope" : "cancel-all";
    return random.chance(0.2) ? { kind, scope, error: 240 } : { kind: "agenda-start", scope };
  }

  #topic(scope: string): Command {
    const random = this.#random;
    const topic = `t${random.below(4)}`;
    const connection = random.below(200);
    const draw = random.below(10);
    if (draw < 2) return { kind: "topic-follow", scope, topic, connection };
    if (draw < 3) return { kind: "topic-unfollow", scope, topic };
    const payload = { id: random.below(1_000_000), bytes: random.below(600_000), hash: draw };
    return { kind: "publish", scope, topic, connection, payload };
  }

  #arrival(scope: string, isInit: boolean): Command {
    const random = this.#random;
    const connection = random.below(200);
    const node = random.pick(nodes);
    const arrival = {
      scope,
      barrier: `b${random.below(6)}`,
      connection,
      who: { address: `10.0.0.${connection}:7/tcp`, ...(random.chance(0.5) ? { node } : {}) },
      error: random.chance(0.9) ? 0 : random.below(240),
      ...(random.chance(0.2) ? { timeoutUs: random.below(4_000_000) } : {}),
    };
    if (!isInit) return { kind: "count-wait", ...arrival };
    return { kind: "count-init", ...arrival, count: random.below(4), waits: random.chance(0.5) };
  }

  #ofAnotherKind(scope: string): Command {
    const random = this.#random;
    const barrier = `b${random.below(4)}`;
    const connection = random.below(200);
    const place = { scope, barrier, connection };
    const who = { address: "x", name: random.pick(nodes), node: random.pick(nodes) };
    const timeout = random.chance(0.2) ? { timeoutUs: random.below(4_000_000) } : {};
    const arrival = { ...place, who, error: random.below(3), ...timeout };
    switch (random.below(14)) {
      case 0:
      case 1:
        return { kind: "state-signal", ...place, who };
      case 2:
        return { kind: "state-wait", ...arrival, target: random.below(2_000) };
      case 3:
        return { kind: "state-signal-and-wait", ...arrival, target: random.below(2_000) };
      case 4:
        return this.#quorumInit({ ...place, who });
      case 5:
      case 6:
        return { kind: "quorum-wait", ...arrival };
      case 7:
        return { kind: "quorum-echo", ...place };
      case 8:
        return { kind: "peers-set", scope, connection, count: random.below(6) };
      case 9:
        return this.#rosterOpen({ ...place, who });
      case 10:
      case 11:
        return { kind: "roster-arrive", ...arrival };
      case 12:
        return { kind: "roster-dead", scope, participant: random.pick(nodes), reason: "gone" };
      default: {
        const barrierKind = random.pick(["count", "state", "quorum", "roster"] as const);
        return { kind: "fail", scope, barrier, barrierKind, error: 1, reason: "failed" };
      }
    }
  }

  #quorumInit(place: Omit<QuorumInit, "kind" | "quorum" | "echo">): Command {
    const random = this.#random;
    const quorum = { kind: "percent", percent: random.below(101) } as const;
    const echo = random.chance(0.5) ? "automatic" : "explicit";
    return { kind: "quorum-init", ...place, quorum, echo, deadline: this.#deadline() };
  }

  #rosterOpen(place: Omit<RosterOpen, "kind" | "members" | "rules">): Command {
    const random = this.#random;
    const whenDead = random.pick(["fail", "shrink", "wait"] as const);
    const whenLate = random.pick(["pass", "refuse", "next"] as const);
    const rules = { phases: random.below(3), whenDead, whenLate, deadline: this.#deadline() };
    const members = nodes.slice(random.below(3)).map((name) => ({ name }));
    return { kind: "roster-open", ...place, members, rules };
  }

  #deadline(): Deadline {
    const random = this.#random;
    const since = random.pick(["opening", "first-arrival", "last-arrival"] as const);
    return { since, us: random.below(60_000_000) };
  }

  #request(scope: string): Command {
    const random = this.#random;
    const request = random.below(1_000);
    const token = random.below(500);
    switch (random.below(7)) {
      case 0:
        return { kind: "agenda-cancel", scope, request, id: random.below(500) };
      case 1:
        return { kind: random.pick(["agenda-pause", "agenda-resume"]), scope, request };
      case 2:
        return { kind: "agenda-revoked", scope, token, fired: random.chance(0.5) };
      case 3:
        return { kind: "agenda-fired", scope, token, firedStampUs: this.#stampUs, outcome: "done" };
      case 4:
        return { kind: "agenda-edit", scope, request, id: random.below(500), args: "X=1" };
      default: {
        const at = { kind: "in", us: random.below(3_000_000) } as const;
        const object = random.pick(["p", "q", "l", "g", "x"]);
        const event = random.pick(["START", "RUN", "RESET", "STOP"]);
        return { kind: "agenda-schedule", scope, request, object, event, args: "", at };
      }
    }
  }

  #agenda(scope: string): Command {
    const random = this.#random;
    if (random.chance(0.3)) return this.#request(scope);
    if (random.chance(0.7)) {
      return {
        kind: "agenda-complete",
        scope,
        token: random.below(500),
        error: random.below(4) === 0 ? 1 : 0,
      };
    }
    const event = (): AgendaEvent => ({
      id: random.below(100),
      object: random.pick(["p", "q", "l", "g"]),
      type: random.pick(["PROGRAM", "SEQUENCE", "TIMELINE", "LINK"]),
      event: random.pick(["START", "RUN", "UP"]),
      args: "",
    });
    const timed = () =>
      Array.from({ length: random.below(6) }, () => ({
        atUs: random.below(5_000_000),
        event: event(),
        ...(random.chance(0.1) ? { on: { barrier: "b1", outcome: "crossed" as const } } : {}),
      }));
    return {
      kind: "agenda-load",
      scope,
      agents: [{ name: "m", type: "PROGRAM", node: "node0" }],
      groups: [{ name: "g", members: ["p", "m"] }],
      main: timed(),
      timelines: [{ name: "l", events: timed() }],
      sequences: [{ name: "q", steps: timed() }],
    };
  }
}
