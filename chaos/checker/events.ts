// SPDX-License-Identifier: MIT
// Whether events kept their promises: one that was accepted fires once, or its end is told as a
// failure; one that was refused never fires; none fires early; those of one object and instant fire
// in the order of their numbers.
//
//   V1. Of an event whose request was not answered, or whose connection was lost, nothing is
//       known: it may have fired, once.
//   V2. What its agent may have had when it went down has failed for who asks, and may have fired.
//   V3. Time in which no scheduler lived does not count, so that an event of before it is due later
//       than one for the same instant of after it; such pairs are counted and not compared.
import type { Fired, Histories, Operation } from "./operations.ts";
import { type Violation, violation } from "./violation.ts";

export interface EventsVerdict {
  readonly violations: readonly Violation[];
  readonly planned: number;
  readonly fired: number;
  /** Their end was told as a failure. */
  readonly failed: number;
  /** V1. */
  readonly unknown: number;
  readonly refused: number;
  /** Pairs of one object and instant, whose order was compared. */
  readonly equals: number;
  /** V3. */
  readonly apart: number;
}

/** No life of a scheduler begins as soon after another one. */
const apartUs = 100_000;
/** The wall's clock is compared with the machine's, and is set a little all the time. */
const toleranceUs = 20_000;

export function checkEvents({ operations, fired, completions }: Histories): EventsVerdict {
  const events = operations.filter(({ asked }) => asked.kind === "event");
  const violations: Violation[] = [];
  const wrong = (kind: Violation["kind"], event: Operation, text: string, more: unknown): void => {
    violations.push(violation(kind, `event ${textOf(event)}`, text, [event, more]));
  };
  const firings = Map.groupBy(fired, ({ text }) => text);
  const counts = { planned: events.length, fired: 0, failed: 0, unknown: 0, refused: 0 };
  for (const event of events) {
    const own = firings.get(textOf(event)) ?? [];
    const told = completions.get(event.answer.token ?? -1) ?? [];
    if (own.length > 0) counts.fired += 1;
    if (own.length > 1) wrong("doubled", event, `it has fired ${own.length} times`, own);
    for (const one of own) checkInstant(event, one, wrong);
    const errors = [...told, ...(event.answer.error === undefined ? [] : [event.answer.error])];
    const hasFailed = errors.some((error) => error !== 0);
    if (event.code === "refused") {
      counts.refused += 1;
      if (own.length > 0) wrong("doubled", event, "it was refused and has fired", own);
    } else if (hasFailed) counts.failed += 1;
    else if (own.length === 0 && errors.length > 0) {
      wrong("lost", event, "it has completed and has not fired", errors);
    } else if (own.length === 0 && event.answer.number !== undefined) {
      wrong("lost", event, "it was accepted, has not fired, and nobody says why", errors);
    } else if (event.code !== "ok") counts.unknown += 1;
  }
  const known = new Set(events.map(textOf));
  for (const one of fired) {
    if (known.has(one.text)) continue;
    violations.push(violation("doubled", one.object, "nobody has asked for this event", [one]));
  }
  const { found, ...compared } = checkOrder(events, firings);
  return { violations: [...violations, ...found], ...counts, ...compared };
}

function checkInstant(
  event: Operation,
  fired: Fired,
  wrong: (kind: Violation["kind"], event: Operation, text: string, more: unknown) => void,
): void {
  const earlyUs = fired.dueUs - fired.us;
  if (earlyUs > 0) wrong("early", event, `it fired ${earlyUs} us before it was due`, fired);
  const asked = event.asked.kind === "event" ? event.asked.atWallUs : 0;
  const beforeUs = asked - fired.wallUs;
  if (beforeUs > toleranceUs) {
    wrong("early", event, `it fired ${beforeUs} us before the instant asked for`, fired);
  }
}

function checkOrder(
  events: readonly Operation[],
  firings: ReadonlyMap<string, readonly Fired[]>,
): Pick<EventsVerdict, "equals" | "apart"> & { readonly found: readonly Violation[] } {
  const groups = Map.groupBy(
    events.filter(({ answer }) => answer.number !== undefined),
    ({ name, asked }) => `${name} ${asked.kind === "event" ? asked.atWallUs : 0}`,
  );
  const found: Violation[] = [];
  let [equals, apart] = [0, 0];
  for (const group of groups.values()) {
    const ordered = group.toSorted((a, b) => (a.answer.number ?? 0) - (b.answer.number ?? 0));
    let before: Fired | undefined;
    for (const event of ordered) {
      const [one] = firings.get(textOf(event)) ?? [];
      if (one === undefined) continue;
      if (before !== undefined && Math.abs(one.dueUs - before.dueUs) > apartUs) apart += 1;
      else if (before !== undefined) {
        equals += 1;
        if (one.us < before.us) {
          const text = "it fired before another one of its object and instant with a lower number";
          found.push(violation("order", `event ${textOf(event)}`, text, [event, one, before]));
        }
      }
      before = one;
    }
  }
  return { equals, apart, found };
}

function textOf({ asked }: Operation): string {
  return asked.kind === "event" ? asked.text : "";
}
