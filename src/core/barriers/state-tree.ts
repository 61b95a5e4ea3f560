// SPDX-License-Identifier: MIT
// States over a tree of controllers (D9): signals go up as a number, the root gives each its own,
// and who waits for a target is told once when it is reached. Owns what reports and answers mean.
//
//   W8. A signal that has been reported when the link to the controller above is lost may have been
//       counted: whoever waits for its number is told so. One that has not goes to the next.
//   W9. What was said of who waits comes up after such a loss, when it was not known to be there:
//       so it is said again of those whose waits have ended with the link.
import { limitMessage } from "../limits.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { statesVersion } from "../version.ts";
import type { Common } from "./common.ts";
import { open, type StateKind, sharesOf } from "./state.ts";
import type { StateCounter } from "./state-counter.ts";
import { countOf, type OwnSegment, type Segment, type StateShares } from "./state-shares.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { StateEnd, StateReport, StateTold, StateWant } from "./tree-messages.ts";
import type { TreeReports } from "./tree-reports.ts";

interface StateTreeParts {
  readonly common: Common;
  readonly states: StateKind;
  readonly reports: TreeReports;
  readonly links: TreeLinks;
}

export class StateTree {
  readonly #parts: StateTreeParts;

  constructor(parts: StateTreeParts) {
    this.#parts = parts;
  }

  /**
   * There is a controller above from now on. What has been signalled here is a part of its state;
   * numbers that were given stay as they are.
   */
  adopt(scope: Scope): void {
    for (const counter of scope.states.values()) {
      const shares = sharesOf(counter);
      const { value } = counter;
      if (!shares.isAdopted && value > 0) {
        shares.segments.push({ report: 0, child: "", count: value, of: 0 });
        counter.value = 0;
      }
      shares.isAdopted = true;
      for (const target of counter.targets.keys()) shares.dirty.add(target);
      this.#parts.states.touch(scope, counter);
    }
  }

  report(scope: Scope, names: readonly string[], number: number): readonly StateReport[] {
    return names.flatMap((barrier) => {
      const counter = scope.states.get(barrier);
      if (counter === undefined) return [];
      const shares = sharesOf(counter);
      shares.isAdopted = true;
      const wants = [...shares.dirty].map((target) => wantOf(counter, shares, target));
      shares.dirty.clear();
      const signals = shares.reported(number);
      const nodes = [...counter.nodes].slice(0, this.#parts.common.limits.namesInReportMax);
      return [{ barrier, signals, wants, nodes }];
    });
  }

  /** There is nobody above: what has not been reported counts here. */
  settle(scope: Scope, names: readonly string[], turn: Turn): void {
    for (const name of names) {
      const counter = scope.states.get(name);
      if (counter?.shares === undefined) continue;
      counter.shares.dirty.clear();
      const segments = counter.shares.takeOf(0);
      const first = counter.value + 1;
      const reached = counter.signal(segments.reduce((sum, one) => sum + countOf(one), 0));
      this.#answer(scope, counter, { segments, first }, turn);
      for (const { part } of reached) this.#reached(part, counter, turn);
    }
  }

  take(scope: Scope, child: string, number: number, report: StateReport, turn: Turn): void {
    const { common, links, states } = this.#parts;
    const { barrier, signals, wants, nodes } = report;
    const known = scope.states.get(barrier);
    if (known === undefined && scope.openBarriers >= common.limits.barriersPerScopeMax) {
      const reason = `too many barriers are open there: ${limitMessage(common.limits, "barriersPerScopeMax")}`;
      const ends = wants.map(({ target }) => failed(target, reason));
      const told = { barrier, report: number, first: 0, value: 0, ends };
      links.sayDown(scope, child, { kind: "state-told", ...told }, turn);
      return;
    }
    const counter = known ?? open(scope, barrier, turn.nowUs);
    const shares = sharesOf(counter);
    for (const node of nodes) if (scope.hasNode(node)) counter.nodes.add(node);
    const isBelow = this.#parts.reports.isBelow(scope);
    const ends: StateEnd[] = [];
    for (const want of wants) {
      const end = this.#want(counter, child, want, turn, isBelow ? 0 : signals);
      if (end !== undefined) ends.push(end);
      else if (isBelow) shares.dirty.add(want.target);
    }
    if (isBelow) {
      if (signals > 0) shares.segments.push({ report: 0, child, count: signals, of: number });
      if (ends.length > 0) this.#tell(scope, child, counter, { report: 0, first: 0, ends }, turn);
      states.touch(scope, counter);
      return;
    }
    const first = counter.value + 1;
    const reached = counter.signal(signals);
    if (signals > 0 || ends.length > 0) {
      this.#tell(scope, child, counter, { report: number, first, ends }, turn);
    }
    for (const { part } of reached) this.#reached(part, counter, turn);
  }

  /** @param signals that are about to count. @returns how it ends at once, if it does. */
  #want(
    counter: StateCounter,
    child: string,
    { target, waiting, error }: StateWant,
    turn: Turn,
    signals = 0,
  ): StateEnd | undefined {
    const shares = sharesOf(counter);
    if (waiting > 0 && target <= counter.value) {
      return { target, outcome: "crossed", error, reason: "" };
    }
    const { failure } = counter;
    if (waiting > 0 && failure !== undefined && target > counter.value + signals) {
      return { target, outcome: "failed", error: failure.error, reason: failure.reason ?? "" };
    }
    if (waiting === 0 && !counter.targets.has(target)) return undefined;
    const place = counter.obtain(target, turn.nowUs);
    const wants = shares.wants.get(target) ?? new Map();
    place.waitingBelow += waiting - (wants.get(child)?.waiting ?? 0);
    if (error > place.error) place.error = error;
    if (waiting === 0) wants.delete(child);
    else wants.set(child, { waiting, error });
    if (wants.size === 0) shares.wants.delete(target);
    else shares.wants.set(target, wants);
    counter.dropIfIdle(place);
    return undefined;
  }

  #reached(target: number, counter: StateCounter, turn: Turn): void {
    const place = counter.targets.get(target);
    if (place !== undefined) this.#parts.states.endTarget(place, "crossed", undefined, turn);
  }

  #tell(
    scope: Scope,
    child: string,
    counter: StateCounter,
    told: Pick<StateTold, "report" | "first" | "ends">,
    turn: Turn,
  ): void {
    const { name: barrier, value } = counter;
    this.#parts.links.sayDown(scope, child, { kind: "state-told", barrier, value, ...told }, turn);
  }

  /** What the root has made of what was reported. */
  told(scope: Scope, message: StateTold, turn: Turn): void {
    const counter = scope.states.get(message.barrier);
    if (counter === undefined) return;
    const { report, first, value, ends } = message;
    if (value > counter.value) counter.value = value;
    // Of signals that were given up meanwhile there are none (W8).
    const segments = report === 0 ? [] : sharesOf(counter).takeOf(report);
    this.#answer(scope, counter, { segments, first }, turn);
    for (const { target, outcome, error, reason } of ends) {
      const place = counter.targets.get(target);
      if (place === undefined) continue;
      place.error = error;
      const why = reason === "" ? undefined : reason;
      this.#parts.states.endTarget(place, outcome, why, turn);
    }
  }

  /** G1. */
  #answer(
    scope: Scope,
    counter: StateCounter,
    { segments, first }: { readonly segments: readonly Segment[]; readonly first: number },
    turn: Turn,
  ): void {
    let next = first;
    for (const segment of segments) {
      this.#answerOne(scope, counter, segment, next, turn);
      if (next > 0) next += countOf(segment);
    }
  }

  #answerOne(
    scope: Scope,
    counter: StateCounter,
    segment: Segment,
    value: number,
    turn: Turn,
  ): void {
    if ("child" in segment) {
      const { child, of: report } = segment;
      if (child !== "") this.#tell(scope, child, counter, { report, first: value, ends: [] }, turn);
      return;
    }
    const { edge: name, incarnation, connection } = segment;
    const edge = { name, incarnation };
    const { name: barrier } = counter;
    const wait = this.#waitOf(counter, segment);
    if (value > 0) {
      turn.tell(edge, { kind: "signalled", scope: scope.name, barrier, connection, value });
      if (wait === undefined) return;
      const { target: part, error } = wait;
      const crossed = { outcome: "crossed", generation: 1, part, error } as const;
      const facts = { scope: scope.name, barrier, barrierKind: "state", ...crossed } as const;
      turn.tell(edge, { kind: "released", ...facts, connections: [connection] });
      return;
    }
    const message = `the signal of ${barrier} could not be brought to the root; it may count, or not`;
    turn.tell(edge, { kind: "refused", connection, code: "unavailable", message });
  }

  /** G2. What one who has signalled goes on from; undefined when it waits for more, or not. */
  #waitOf(counter: StateCounter, segment: OwnSegment): OwnSegment["wait"] {
    const { edge, connection, waits, wait } = segment;
    const waiter = waits && this.#parts.common.edges.get(edge)?.waiters.get(connection);
    if (waits === undefined || waiter === undefined) return wait;
    if (!sharesOf(counter).forget(waiter)) return undefined;
    this.#parts.states.goOn(waiter);
    return { target: waiter.barrier.part, error: waits.error };
  }

  /** W8, W9. */
  parentLost(scope: Scope, reason: string, turn: Turn): void {
    for (const counter of [...scope.states.values()]) {
      if (counter.shares === undefined) continue;
      const { shares } = counter;
      const numbers = new Set(shares.segments.map(({ report }) => report));
      numbers.delete(0);
      const ended = [...counter.targets.keys()];
      for (const place of [...counter.targets.values()]) {
        place.error = 0;
        this.#parts.states.endTarget(place, "failed", reason, turn);
      }
      for (const number of numbers) {
        this.#answer(scope, counter, { segments: shares.takeOf(number), first: 0 }, turn);
      }
      shares.dirty.clear();
      if (this.#parts.common.version() >= statesVersion) {
        for (const target of ended) shares.dirty.add(target);
      }
      this.#parts.states.touch(scope, counter);
    }
  }

  /** What it has signalled stays (N1); nobody waits there any more. */
  childLost(scope: Scope, child: string, reason: string, turn: Turn): void {
    for (const counter of [...scope.states.values()]) {
      for (const [target, wants] of [...(counter.shares?.wants ?? [])]) {
        if (!wants.has(child)) continue;
        // In case that it is lost on this side only.
        const ends = [failed(target, reason)];
        this.#tell(scope, child, counter, { report: 0, first: 0, ends }, turn);
        this.#want(counter, child, { target, waiting: 0, error: 0 }, turn);
        if (!this.#parts.reports.isBelow(scope)) continue;
        sharesOf(counter).dirty.add(target);
        this.#parts.states.touch(scope, counter);
      }
    }
  }
}

function failed(target: number, reason: string): StateEnd {
  return { target, outcome: "failed", error: 0, reason };
}

function wantOf(counter: StateCounter, shares: StateShares, target: number): StateWant {
  const below = shares.below(target);
  const place = counter.targets.get(target);
  const own = place === undefined ? 0 : place.waiters.size - place.held;
  const waiting = own + below.waiting;
  return { target, waiting, error: Math.max(place?.error ?? 0, below.error) };
}
