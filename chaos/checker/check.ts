// SPDX-License-Identifier: MIT
// All that the checker looks at, over histories and the record of a run. Shares no code with the
// servers, their core or their models: it knows what was promised, and what clients saw.
import { checkCrossings, checkPlace, placesOf } from "./barriers.ts";
import { checkElections } from "./elections.ts";
import { checkEvents, type EventsVerdict } from "./events.ts";
import { checkMortal, isMortal, type MortalVerdict } from "./mortal.ts";
import type { Histories, Operation } from "./operations.ts";
import type { Record } from "./record.ts";
import { checkTopics } from "./topics.ts";
import { type Violation, violation } from "./violation.ts";

/** Codes of what has no answer. */
const unanswered: readonly string[] = ["unavailable", "unanswered"];

/** What clients of the HTTP door did: their parties are h0, h1, ... */
export interface HttpVerdict {
  readonly answered: number;
  readonly agains: number;
  /** Asked again later than an id is known. */
  readonly forgotten: number;
  /** Publications, which have no id. */
  readonly unanswered: number;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly barriers: number;
  readonly messages: number;
  readonly aways: number;
  /** Operations of old doors that were ended without an answer, which their protocols allow. */
  readonly cutOff: number;
  readonly http: HttpVerdict;
  readonly mortal: MortalVerdict;
  readonly events: EventsVerdict;
}

export function check(histories: Histories, record?: Record): Verdict {
  const { operations, readers } = histories;
  const places = placesOf(operations);
  const mortal = checkMortal(histories);
  const others = operations.filter((operation) => !isMortal(operation));
  const events = checkEvents(histories);
  const violations = [
    ...histories.violations,
    ...places.filter((place) => !isMortal(place)).flatMap(checkPlace),
    ...mortal.violations,
    ...checkCrossings(places),
    ...checkTopics(operations, readers),
    ...checkElections(operations),
    ...checkRest(others),
    ...checkPatience(others),
    ...events.violations,
    ...(record?.check(places) ?? []),
  ];
  return {
    violations,
    // What was refused because nothing could be asked any more is none.
    operations: operations.filter(
      ({ endUs, code }) => endUs !== undefined && !unanswered.includes(code),
    ).length,
    http: httpVerdict(operations),
    mortal,
    barriers: places.length,
    messages: readers.reduce((sum, { messages }) => sum + messages.length, 0),
    aways: operations.reduce((sum, { aways }) => sum + aways, 0),
    cutOff: operations.filter(({ code }) => code === "closed" || code === "gave-up").length,
    events,
  };
}

function httpVerdict(operations: readonly Operation[]): HttpVerdict {
  const own = operations.filter(({ party }) => /^h\d/.test(party));
  return {
    answered: own.filter(({ code }) => code === "ok").length,
    agains: own.reduce((sum, { agains }) => sum + agains, 0),
    forgotten: own.filter(({ recountsUs }) => recountsUs.length > 0).length,
    unanswered: own.filter(({ code }) => code === "unanswered").length,
  };
}

/** What waits for nobody is answered so soon, whatever fault it meets: they last for seconds. */
const patienceUs = 120_000_000;
const impatient: ReadonlySet<Operation["asked"]["kind"]> = new Set([
  ...(["count-init", "quorum-init", "roster-open", "signal", "publish", "peers"] as const),
]);

function checkPatience(operations: readonly Operation[]): readonly Violation[] {
  const late = operations.filter(
    ({ asked, askUs, endUs = askUs }) => impatient.has(asked.kind) && endUs - askUs > patienceUs,
  );
  return late.map(({ asked, scope, name, party, askUs, endUs = askUs }) => {
    const seconds = Math.round((endUs - askUs) / 1e6);
    const text = `${party} had its answer to ${asked.kind} after ${seconds} s`;
    return violation("late", `${scope} ${name}`, text);
  });
}

/** What has no place: that it was answered well. */
function checkRest(operations: readonly Operation[]): readonly Violation[] {
  return operations.flatMap(({ asked, code, scope, name, party, answer }) => {
    const hasPlace =
      asked.kind !== "peers" && asked.kind !== "publish" && asked.kind !== "roster-open";
    if (hasPlace || code === "ok" || code === "") return [];
    if (asked.kind === "publish" && code === "unanswered") return [];
    const text = `${party} was answered ${code}: ${answer.message ?? ""}`;
    return [violation("refused", `${scope} ${name}`, text)];
  });
}
