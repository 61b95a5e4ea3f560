// SPDX-License-Identifier: MIT
// What clients of the simulated world ask of kinds of barriers that the sync server does not know:
// states, quorums and rosters, drawn from the seed.
import type {
  Command,
  QuorumInit,
  QuorumWait,
  RosterArrive,
  RosterOpen,
  StateSignal,
  StateSignalAndWait,
  StateWait,
} from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { Random } from "../core/random.ts";

/** A request of one client; the edge gives the connection, and the client its name. */
export type KindRequest =
  | StateSignal
  | StateWait
  | StateSignalAndWait
  | QuorumInit
  | QuorumWait
  | RosterOpen
  | RosterArrive;

const members = ["m0", "m1", "m2"] as const;

export function drawRequest(random: Random, scope: string, barrier: string): KindRequest {
  const place = { scope, barrier, connection: 0, who: { address: "" } };
  const error = random.chance(0.8) ? 0 : random.below(240);
  const timeout = random.chance(0.3) ? { timeoutUs: random.below(5_000_000) } : {};
  const arrival = { ...place, error, ...timeout };
  const draw = random.below(20);
  if (draw < 3) return { kind: "state-signal", ...place };
  if (draw < 5) return { kind: "state-wait", ...arrival, target: random.below(60) };
  if (draw < 7) return { kind: "state-signal-and-wait", ...arrival, target: random.below(60) };
  if (draw < 9) {
    const quorum = { kind: "percent", percent: random.pick([34, 67, 100]) } as const;
    const echo = random.chance(0.5) ? "automatic" : "explicit";
    return { kind: "quorum-init", ...place, quorum, echo };
  }
  if (draw < 13) return { kind: "quorum-wait", ...arrival };
  if (draw < 15) {
    const whenDead = random.pick(["fail", "shrink", "wait"] as const);
    const whenLate = random.pick(["pass", "refuse", "next"] as const);
    const rules = { phases: random.below(3), whenDead, whenLate };
    const names = members.slice(random.below(2)).map((name) => ({ name }));
    return { kind: "roster-open", ...place, members: names, rules };
  }
  return { kind: "roster-arrive", ...arrival, who: { address: "", name: random.pick(members) } };
}

/** What nobody waits for, and everybody may do. */
export function drawOrder(random: Random, scope: string, barrier: string): Command {
  if (random.chance(0.5))
    return { kind: "peers-set", scope, connection: 0, count: random.below(5) };
  const barrierKind = random.pick(["state", "quorum", "roster"] as const);
  return { kind: "fail", scope, barrier, barrierKind, error: 99, reason: "drawn" };
}

/**
 * What an effect says to a client at last: the error number, -1 for a refusal; undefined when there
 * is more to come.
 */
export function answerOf(effect: EdgeEffect, asked: string): number | undefined {
  switch (effect.kind) {
    case "released":
      return effect.error;
    case "acknowledged":
      return 0;
    case "refused":
      // The refusal of an answer to a barrier that has ended meanwhile says nothing of its init.
      return asked === "quorum-init" && effect.code === "unknown" ? undefined : -1;
    case "signalled":
      return asked === "state-signal" ? 0 : undefined;
    case "quorum-status":
      return effect.status === "initialised" || effect.status === "crossed"
        ? undefined
        : effect.error;
    default:
      return undefined;
  }
}

/** The connections that an effect is about. */
export function connectionsOf(effect: EdgeEffect): readonly number[] {
  if (effect.kind === "released") return effect.connections;
  return "connection" in effect ? [effect.connection] : [];
}
