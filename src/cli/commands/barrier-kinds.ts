// SPDX-License-Identifier: MIT
// What the words of `muster barrier` do with each kind of barrier. Options that do not belong to
// the kind, or are missing, are told before a server is asked.

import type { Crossing, Session, WaitOptions } from "../../client/index.ts";
import { unreachable } from "../../core/assert.ts";
import type { RosterMember } from "../../core/barriers/commands.ts";
import type { BarrierKind } from "../../core/effect.ts";
import { barrierCountMax } from "../../core/limits.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { arriveAtAny } from "./arrive-at-any.ts";
import type { InitArguments, WaitArguments } from "./barrier-arguments.ts";

/** The ways to end a barrier, which all kinds share. */
type Handle = Pick<ReturnType<Session["countBarrier"]>, "cancel" | "fail">;

export function handleOf(session: Session, kind: BarrierKind, name: string): Handle {
  switch (kind) {
    case "count":
      return session.countBarrier(name);
    case "state":
      return session.stateBarrier(name);
    case "quorum":
      return session.quorumBarrier(name);
    case "roster":
      return session.rosterBarrier(name);
    default:
      return unreachable(kind);
  }
}

/** What `init` asks for. */
export interface Order {
  readonly kind: BarrierKind;
  readonly count: number;
  /** What to say when it has been given. */
  readonly text: string;
  readonly give: (session: Session, signal: AbortSignal) => Promise<unknown>;
}

/** @throws CommandError */
export function readOrder(argv: InitArguments): Order {
  const { barrier, kind, name, error, wait } = argv;
  const member = [...argv.member, ...(argv.at ?? []).map(readAt)];
  const who = name === undefined ? {} : { name };
  if (wait && kind !== "count") throw usage("--wait belongs to a count; others wait by: wait");
  if (member.length > 0 && kind !== "roster") {
    throw usage("--member and --at belong to --kind roster");
  }
  switch (kind) {
    case "count": {
      const count = readCount(argv.count);
      const give = (session: Session, signal: AbortSignal) =>
        session.countBarrier(barrier).init(count, { error, signal, ...who });
      return { kind, count, text: `${count} more expected`, give };
    }
    case "quorum": {
      const [, percent] = /^(\d{1,3})%$/.exec(argv.count ?? "") ?? [];
      const size = percent === undefined ? readCount(argv.count) : Number(percent);
      const asked = percent === undefined ? { count: size } : { percent: size };
      const give = (session: Session, signal: AbortSignal) =>
        session.quorumBarrier(barrier).init(asked, { signal, ...who });
      return { kind, count: size, text: `open for ${argv.count}`, give };
    }
    case "roster": {
      if (member.length === 0) throw usage("--kind roster needs --member NAME, once for each");
      const { phases, whenDead, whenLate } = argv;
      const rules = { phases: phases === 0 ? ("endless" as const) : phases, whenDead, whenLate };
      const give = (session: Session, signal: AbortSignal) =>
        session.rosterBarrier(barrier).open({ members: member, ...rules, signal });
      return { kind, count: member.length, text: `open for ${member.length}`, give };
    }
    case "state":
      throw usage("a state needs no init; see: muster barrier wait --kind state --target N");
    default:
      return unreachable(kind);
  }
}

/** @throws CommandError */
export function readArrival(
  argv: WaitArguments,
  options: WaitOptions,
): (session: Session, signal: AbortSignal) => Promise<Crossing> {
  const { barrier, target, phase } = argv;
  // What only one kind has says which is meant.
  const isState = target !== undefined || argv.signal;
  const kind = argv.kind ?? (phase !== undefined ? "roster" : isState ? "state" : undefined);
  if (kind !== "state" && isState) {
    throw usage("--target and --signal belong to --kind state");
  }
  if (kind !== "roster" && phase !== undefined) throw usage("--phase belongs to --kind roster");
  switch (kind) {
    case undefined:
      return (session, signal) => arriveAtAny(session, barrier, { ...options, signal });
    case "count":
      return (session, signal) => session.countBarrier(barrier).wait({ ...options, signal });
    case "state": {
      if (target === undefined) throw usage("--kind state needs --target N");
      return (session, signal) => {
        const state = session.stateBarrier(barrier);
        if (argv.signal) return state.signalAndWait(target, { ...options, signal });
        return state.wait(target, { ...options, signal });
      };
    }
    case "quorum":
      return (session, signal) => session.quorumBarrier(barrier).wait({ ...options, signal });
    case "roster": {
      if (options.name === undefined) throw usage("--kind roster needs --name NAME");
      const which = phase === undefined ? {} : { phase };
      return (session, signal) =>
        session.rosterBarrier(barrier).arrive({ ...options, ...which, signal });
    }
    default:
      return unreachable(kind);
  }
}

/** `/east/leaf=NAME`: a member and the controller that it comes to. */
function readAt(text: string): RosterMember {
  const [, at = "", name = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === "") throw usage(`--at ${text}: give CONTROLLER=NAME, as in /east=n1`);
  return { name, at };
}

function readCount(text = ""): number {
  const count = Number(text);
  if (text.trim() !== "" && Number.isInteger(count) && count >= 0 && count <= barrierCountMax) {
    return count;
  }
  throw usage(`give a whole number from 0 to ${barrierCountMax} after the barrier's name`);
}

function usage(text: string): CommandError {
  return new CommandError(exitCodes.usage, text);
}
