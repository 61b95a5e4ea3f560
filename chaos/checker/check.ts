// SPDX-License-Identifier: MIT
// All that the checker looks at, over histories and the record of a run. Shares no code with the
// servers, their core or their models: it knows what was promised, and what clients saw.
import { checkPlace, placesOf } from "./barriers.ts";
import { checkElections } from "./elections.ts";
import { checkEvents, type EventsVerdict } from "./events.ts";
import type { Histories, Operation } from "./operations.ts";
import type { Record } from "./record.ts";
import { checkTopics } from "./topics.ts";
import { type Violation, violation } from "./violation.ts";

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly barriers: number;
  readonly messages: number;
  readonly aways: number;
  /** Operations of old doors that were ended without an answer, which their protocols allow. */
  readonly cutOff: number;
  readonly events: EventsVerdict;
}

export function check(histories: Histories, record?: Record): Verdict {
  const { operations, readers } = histories;
  const places = placesOf(operations);
  const events = checkEvents(histories);
  const violations = [
    ...histories.violations,
    ...places.flatMap(checkPlace),
    ...checkTopics(operations, readers),
    ...checkElections(operations),
    ...checkRest(operations),
    ...events.violations,
    ...(record?.check(places) ?? []),
  ];
  return {
    violations,
    // What was refused because nothing could be asked any more is none.
    operations: operations.filter(
      ({ endUs, code }) => endUs !== undefined && code !== "unavailable",
    ).length,
    barriers: places.length,
    messages: readers.reduce((sum, { messages }) => sum + messages.length, 0),
    aways: operations.reduce((sum, { aways }) => sum + aways, 0),
    cutOff: operations.filter(({ code }) => code === "closed" || code === "gave-up").length,
    events,
  };
}

/** What has no place: that it was answered well. */
function checkRest(operations: readonly Operation[]): readonly Violation[] {
  return operations.flatMap(({ asked, code, scope, name, party, answer }) => {
    const hasPlace =
      asked.kind !== "peers" && asked.kind !== "publish" && asked.kind !== "roster-open";
    if (hasPlace || code === "ok" || code === "") return [];
    const text = `${party} was answered ${code}: ${answer.message ?? ""}`;
    return [violation("refused", `${scope} ${name}`, text)];
  });
}
