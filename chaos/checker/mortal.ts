// SPDX-License-Identifier: MIT
// What may follow when clients are killed. Their arrivals count or not; everybody else hears how it
// ended, and soon: by a crossing, for which all have asked, by the patience of his own, or because
// somebody is gone.
//
//   D1. A client writes down what it asks before it asks it, also when it is killed right then; so
//       nobody is let go before as many have asked as are needed, whoever died.
//   D2. All who wait for a crossing of a count or of a phase of a roster go with it, if one does.
//   D3. A wait times out not before its patience is over, and fails when one of its scope is gone.
//   D4. The session of somebody who hears neither is over: with it he is gone himself.
import { mortalScopes } from "../history.ts";
import { checkAgreement, checkEarly, checkValues, type Place, placesOf } from "./barriers.ts";
import { type Departure, deadCode, type Histories, type Operation } from "./operations.ts";
import { type Violation, violation } from "./violation.ts";

export interface MortalVerdict {
  readonly violations: readonly Violation[];
  readonly crossed: number;
  /** Ended by the patience of who asked. */
  readonly timedOut: number;
  /** Ended by who was gone. */
  readonly failed: number;
  /** Of clients that had been killed before they heard. */
  readonly dead: number;
}

/** Patience is of the server's time, whose clock is set a little all the time. */
const toleranceUs = 1_000_000;
/** Behind his patience, or behind the first death, everybody hears so soon, whatever else fails. */
const heardUs = 150_000_000;
/** What somebody is told whose session is over. */
const lostCodes: ReadonlySet<string> = new Set(["ended", "unavailable"]);

export const isMortal = ({ scope }: { readonly scope: string }): boolean =>
  scope.startsWith(mortalScopes);

export function checkMortal({ operations, departures }: Histories): MortalVerdict {
  const own = operations.filter(isMortal);
  const gone = Map.groupBy(departures, ({ scope }) => scope);
  const places = placesOf(own);
  const violations = [
    ...places.flatMap((place) => checkPlace(place)),
    ...own.flatMap((operation) => checkEnd(operation, gone.get(operation.scope) ?? [])),
  ];
  const numberOf = (word: string): number => own.filter(({ code }) => code === word).length;
  const waits = own.filter(({ asked, code }) => code === "ok" && !/open|init$/.test(asked.kind));
  return {
    ...{ violations, crossed: waits.length, timedOut: numberOf("timeout") },
    ...{ failed: numberOf("failed"), dead: numberOf(deadCode) },
  };
}

/** D1, D2. */
function checkPlace(place: Place): readonly Violation[] {
  const found: Violation[] = [];
  const { kind, scope, name, phase, waits, opens } = place;
  const where = `${scope} ${name}${phase > 0 ? ` phase ${phase}` : ""}`;
  const wrong = (what: Violation["kind"], text: string): void => {
    found.push(violation(what, where, text, [...opens, ...waits]));
  };
  for (const wait of waits) checkEarly(place, wait, wrong);
  checkAgreement(place, wrong);
  if (kind === "state") {
    checkValues(place, wrong);
    return found;
  }
  const went = waits.find(({ code }) => code === "ok");
  for (const { party, code } of waits) {
    if (went === undefined || (code !== "timeout" && code !== "failed")) continue;
    wrong("disagreement", `${went.party} went, and ${party} was told ${code}`);
  }
  return found;
}

/** D3, D4. */
function checkEnd(operation: Operation, gone: readonly Departure[]): readonly Violation[] {
  const { party, scope, name, code, asked, askUs, answer } = operation;
  const endUs = operation.endUs ?? askUs;
  const found = (kind: Violation["kind"], text: string): readonly Violation[] => [
    violation(kind, `${scope} ${name}`, text, [operation, ...gone]),
  ];
  const patienceUs = "timeoutMs" in asked ? (asked.timeoutMs ?? 0) * 1_000 : undefined;
  const others = gone.filter((departure) => departure.party !== party);
  const firstUs = others.length === 0 ? 0 : Math.min(...others.map(({ us }) => us));
  const sinceUs = patienceUs === undefined ? Math.max(askUs, firstUs) : askUs + patienceUs;
  if (endUs - sinceUs > heardUs) {
    return found("late", `${party} heard ${Math.round((endUs - sinceUs) / 1e6)} s too late`);
  }
  if (code === "ok" || code === "" || code === deadCode) return [];
  if (code === "timeout" && patienceUs !== undefined) {
    if (endUs - askUs >= patienceUs - toleranceUs) return [];
    return found("early", `${party} timed out after ${endUs - askUs} us`);
  }
  // Who arrives when it has failed is told that it is over.
  if ((code === "failed" || code === "unknown") && asked.kind === "roster-arrive") {
    if (others.some(({ us }) => us <= endUs)) return [];
    return found("refused", `${party} was told that somebody is dead, and nobody is gone`);
  }
  // At the beginning of an epoch when there is a later one: whether it counted is open.
  if (code === "aborted" && asked.kind === "count-wait" && patienceUs === undefined) return [];
  const isLost = gone.some((departure) => departure.party === party && departure.us === 0);
  if (lostCodes.has(code) && isLost) return [];
  return found("refused", `${party} was answered ${code}: ${answer.message ?? ""}`);
}
