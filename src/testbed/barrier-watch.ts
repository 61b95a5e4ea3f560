// SPDX-License-Identifier: MIT
// Turns what the core applies into run events: every log entry for the record, barriers as they
// fill, are crossed or take too long, sequences and timelines that the agenda starts by itself.

import type { EventCancelled, EventFired } from "../core/agenda/effects.ts";
import { nameParticipant } from "../core/barriers/place.ts";
import type { LogEntry } from "../core/command.ts";
import type { BarrierDescription } from "../core/description.ts";
import type { Applied, BarrierClosed, ObservedEffect, ParticipantRecord } from "../core/effect.ts";
import type { BarrierDeclaration } from "../experiment/model.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { Host } from "../host/host.ts";
import { fileParticipant } from "./declared-barriers.ts";
import { isProbeBarrier } from "./linktest/probe-barrier.ts";
import type { RunEventBody } from "./run-event.ts";
import { SentEvents } from "./sent-events.ts";
import type { TimeBase } from "./time-base.ts";

/** Barriers that fill are told of at most this often. */
const changeIntervalMs = 50;

export interface BarrierWatchOptions {
  readonly host: Host;
  readonly scope: string;
  /** Those that the file declares. */
  readonly declared: readonly BarrierDeclaration[];
  /** The node of a program that has but its name. */
  readonly nodeOf: (program: string) => string | undefined;
  readonly clock: Clock;
  readonly time: TimeBase;
  readonly say: (body: RunEventBody, monotonicUs: number) => void;
}

type Named = Pick<BarrierClosed, "scope" | "barrier" | "barrierKind">;

export class BarrierWatch {
  readonly #options: BarrierWatchOptions;
  readonly #declared: ReadonlyMap<string, BarrierDeclaration>;
  readonly #told = new Map<string, string>();
  readonly #sent = new SentEvents();
  #stopObserving: () => void = () => undefined;
  /** Set while changes are to be told. */
  #cancelChanges: Cancel | undefined;

  constructor(options: BarrierWatchOptions) {
    this.#options = options;
    this.#declared = new Map(options.declared.map((one) => [one.name, one]));
  }

  start(): void {
    this.#stopObserving = this.#options.host.observe((entry, applied) => {
      this.#onApplied(entry, applied);
    });
  }

  /** Nothing is said any more, but of what was sent and never fired. */
  stop(): void {
    this.#stopObserving();
    const { clock, say } = this.#options;
    for (const left of this.#sent.leftOver()) say(left, clock.nowUs());
    this.#cancelChanges?.();
  }

  /** Something of an agenda, in whichever log it is. */
  observe(effect: ObservedEffect, stampUs: number): void {
    const { kind } = effect;
    const isOfEvent = kind === "event-accepted" || kind === "event-cancelled";
    if (isOfEvent || kind === "event-fired") this.#sent.note(effect);
    if (effect.kind === "event-fired") this.#sayFired(effect);
    if (effect.kind === "event-cancelled") this.#sayCancelled(effect, stampUs);
    if (effect.kind !== "agenda-problem") return;
    const { text } = effect;
    this.#options.say({ type: "message", level: "warning", node: null, text }, stampUs);
  }

  #onApplied(entry: LogEntry, applied: Applied): void {
    const { time, say } = this.#options;
    time.note(entry.stampUs, applied.nowUs);
    if (entry.entry.batches.length > 0) say({ type: "log", entry }, entry.stampUs);
    for (const effect of applied.observed) {
      if (effect.kind === "barrier-closed" && !isProbeBarrier(effect.barrier)) {
        this.#sayEnded(effect, entry.stampUs);
      }
      this.observe(effect, entry.stampUs);
      if (effect.kind === "wait-warning" && !isProbeBarrier(effect.barrier)) {
        const { barrier: name, waitedUs, arrived, missing } = effect;
        say({ type: "barrier-slow", name, waitedUs, arrived, missing }, entry.stampUs);
      }
    }
    this.#scheduleChanges();
  }

  /** Built-in sequences and timelines are no events of the experiment. */
  #sayFired(fired: EventFired): void {
    const { item: id, event: planned, firedStampUs, outcome } = fired;
    const { plannedUs, latenessUs, skewUs } = fired;
    const { object, type: objectType, event, args } = planned;
    if (object.startsWith("__ns_")) return;
    const { time, say } = this.#options;
    const firedUs = time.fromMonotonic(firedStampUs);
    const what = { id, object, objectType, event, args };
    const when = { plannedUs, firedUs, latenessUs, skewUs, outcome };
    say({ type: "event-fired", ...what, ...when }, firedStampUs);
  }

  /** What is left at the end is no news: it did not fire. */
  #sayCancelled(cancelled: EventCancelled, stampUs: number): void {
    const { item: id, event: planned, plannedUs, by, why } = cancelled;
    const { object, type: objectType, event, args } = planned;
    if (by === "halt" || object.startsWith("__ns_")) return;
    const facts = { id, object, objectType, event, args, plannedUs, why };
    this.#options.say({ type: "event-cancelled", ...facts }, stampUs);
  }

  #sayEnded(closed: BarrierClosed, stampUs: number): void {
    const { time, say } = this.#options;
    const { generation, outcome, error, expected } = closed;
    const declared = this.#declaredOf(closed);
    const crossedUs = time.fromLog(closed.closedUs);
    const parties = closed.participants.filter(
      ({ who }) => who.address !== fileParticipant.address,
    );
    const participants = parties.map((record) => ({
      name: nameOf(record),
      node: record.who.node ?? this.#options.nodeOf(record.who.name ?? "") ?? null,
      arrivedUs: time.fromLog(record.arrivedUs),
      releasedUs: record.left ? null : crossedUs,
    }));
    this.#told.delete(closed.barrier);
    say(
      {
        type: "barrier-ended",
        name: closed.barrier,
        kind: closed.barrierKind,
        generation,
        outcome,
        error,
        expected,
        crossedUs,
        participants,
        missing: missingOf(closed, declared),
        ...(declared?.onFailure === "continue" ? { isOptional: true } : {}),
      },
      stampUs,
    );
  }

  #declaredOf({ scope, barrier, barrierKind }: Named): BarrierDeclaration | undefined {
    if (scope !== this.#options.scope) return undefined;
    const found = this.#declared.get(barrier);
    return found?.rule.kind === barrierKind ? found : undefined;
  }

  #scheduleChanges(): void {
    this.#cancelChanges ??= this.#options.clock.after(changeIntervalMs, () => {
      this.#cancelChanges = undefined;
      this.#sayChanges();
    });
  }

  #sayChanges(): void {
    const { host, scope, say, clock } = this.#options;
    for (const barrier of host.describe(scope).barriers) {
      if (isProbeBarrier(barrier.name)) continue;
      const { generation, arrived, expected, count } = barrier;
      // Who is missing changes with the nodes of the scope, too.
      const state = JSON.stringify([generation, arrived, expected, count, barrier.missing]);
      if (this.#told.get(barrier.name) === state) continue;
      this.#told.set(barrier.name, state);
      const declared = this.#declaredOf({
        scope,
        barrier: barrier.name,
        barrierKind: barrier.kind,
      });
      const came = barrier.waiting.map(({ who }) => who.name);
      const named = declared === undefined ? undefined : absentOf(declared, came);
      const missing = arrived < expected ? named : undefined;
      const changed = { ...summary(barrier), ...(missing === undefined ? {} : { missing }) };
      say({ type: "barrier-changed", ...changed }, clock.nowUs());
    }
  }
}

function summary(barrier: BarrierDescription) {
  const { name, kind, arrived, expected, missing } = barrier;
  const waiting = barrier.waiting.map(({ who }) => who.node ?? nameParticipant(who));
  const ofKind = kind === "count" ? {} : { kind };
  return { name, ...ofKind, arrived, expected, waiting, missing };
}

/** A quorum of the file knows by name who may come. */
function missingOf(
  { outcome, missing, participants }: BarrierClosed,
  declared: BarrierDeclaration | undefined,
): readonly string[] {
  if (declared === undefined || outcome === "crossed") return missing;
  const came = participants.map(({ who, left }) => (left ? undefined : who.name));
  return absentOf(declared, came) ?? missing;
}

/** @returns undefined when the core knows better. */
function absentOf(
  { rule, members }: BarrierDeclaration,
  came: readonly (string | undefined)[],
): readonly string[] | undefined {
  if (rule.kind !== "quorum") return undefined;
  const there = new Set(came);
  return members.filter((name) => !there.has(name));
}

function nameOf({ who }: ParticipantRecord): string {
  return nameParticipant(who);
}
