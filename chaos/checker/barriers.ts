// SPDX-License-Identifier: MIT
// Whether barriers kept their promises, told from outside: of each place who asked when and was let
// go when. A place that is used once crosses once, for everybody, with one generation and one error
// number, and not before all have come that it needs.
//
//   K1. Nobody is let go before the k-th of those who are needed has asked: `askUs` is earlier than
//       any arrival, `endUs` later than any release, so that what is found is no matter of chance.
import type { Operation } from "./operations.ts";
import { type Violation, violation } from "./violation.ts";

type BarrierKind = "count" | "state" | "quorum" | "roster";

export interface Place {
  readonly kind: BarrierKind;
  readonly scope: string;
  readonly name: string;
  /** Of a roster; 0 of the others. */
  readonly phase: number;
  /** Of a count whose name is used more than once, from 1; else 1. */
  readonly crossing: number;
  /** Those who wait. */
  readonly waits: Operation[];
  /** Those whose coming counts. */
  readonly arrivals: Operation[];
  /** Those who open it. */
  readonly opens: Operation[];
  /** What old doors have, where connections are lost for good. */
  isOld: boolean;
  /**
   * Somebody asked again with an id. When its server was gone it may have been taken back before,
   * and a barrier that nobody had asked for and nobody waits at is another one afterwards: its
   * generation is that of all who cross with it, and larger than the one before.
   */
  isReopened: boolean;
  /** Somebody asked again later than an id is known: how often that one counts is open. */
  isForgotten: boolean;
}

const kindOf: Readonly<Record<Operation["asked"]["kind"], BarrierKind | undefined>> = {
  "count-init": "count",
  "count-wait": "count",
  "count-init-wait": "count",
  signal: "state",
  "signal-wait": "state",
  "state-wait": "state",
  "publish-wait": "state",
  publish: undefined,
  "quorum-init": "quorum",
  "quorum-wait": "quorum",
  "roster-open": "roster",
  "roster-arrive": "roster",
  campaign: undefined,
  resign: undefined,
  peers: undefined,
  event: undefined,
};

/** Codes by which an old door, or the patience of its client, ends a wait without an answer. */
const oldCodes: readonly string[] = ["closed", "gave-up"];

export function placesOf(operations: readonly Operation[]): readonly Place[] {
  const places = new Map<string, Place>();
  const opened = new Map<string, Operation>();
  // Also those of the same name behind it: what counts anew may count there.
  const forgotten = namesOf(operations.filter(({ isForgotten }) => isForgotten));
  const reopened = namesOf(operations.filter(({ agains }) => agains > 0));
  for (const operation of operations) {
    const { asked, scope, name } = operation;
    const kind = kindOf[asked.kind];
    if (kind === undefined || isRefusedPublication(operation)) continue;
    if (asked.kind === "roster-open") {
      opened.set(`${scope} ${name}`, operation);
      continue;
    }
    const phase = asked.kind === "roster-arrive" ? asked.phase : 0;
    const crossing = ("crossing" in asked ? asked.crossing : undefined) ?? 1;
    const key = `${kind} ${scope} ${name} ${phase} ${crossing}`;
    let place = places.get(key);
    if (place === undefined) {
      place = {
        ...{ kind, scope, name, phase, crossing, waits: [], arrivals: [], opens: [] },
        ...{ isOld: false, isReopened: false, isForgotten: false },
      };
      places.set(key, place);
    }
    add(place, operation);
  }
  for (const place of places.values()) {
    const where = `${place.scope} ${place.name}`;
    place.isForgotten = forgotten.has(where);
    place.isReopened = reopened.has(where);
    const open = opened.get(where);
    if (place.kind === "roster" && open !== undefined) place.opens.push(open);
  }
  return [...places.values()];
}

function namesOf(operations: readonly Operation[]): ReadonlySet<string> {
  return new Set(operations.map(({ scope, name }) => `${scope} ${name}`));
}

/** Of crossings of one name each has a larger generation than the one before. */
export function checkCrossings(places: readonly Place[]): readonly Violation[] {
  const found: Violation[] = [];
  const latest = new Map<string, number>();
  const counts = places.filter(({ kind, isForgotten }) => kind === "count" && !isForgotten);
  for (const place of counts.toSorted((a, b) => a.crossing - b.crossing)) {
    const where = `${place.scope} ${place.name}`;
    const { generation } = place.waits.find(({ code }) => code === "ok")?.answer ?? {};
    if (generation === undefined) continue;
    const before = latest.get(where) ?? 0;
    if (generation <= before) {
      const text = `crossing ${place.crossing} has generation ${generation}, behind ${before}`;
      found.push(violation("doubled", where, text, place.waits));
    }
    latest.set(where, generation);
  }
  return found;
}

/** Of which the server has said that the message could not be stored: it must not have counted. */
export function isRefusedPublication({ asked, code }: Operation): boolean {
  return asked.kind === "publish-wait" && code === "unavailable";
}

function add(place: Place, operation: Operation): void {
  const { kind } = operation.asked;
  if (oldCodes.includes(operation.code)) place.isOld = true;
  if (kind === "count-init" || kind === "count-init-wait" || kind === "quorum-init") {
    place.opens.push(operation);
  }
  const counts = ["count-wait", "signal", "signal-wait", "publish-wait"].includes(kind);
  if (counts || kind === "quorum-wait" || kind === "roster-arrive") place.arrivals.push(operation);
  if (kind !== "count-init" && kind !== "quorum-init" && kind !== "signal") {
    place.waits.push(operation);
  }
}

export function checkPlace(place: Place): readonly Violation[] {
  const found: Violation[] = [];
  const where = `${place.scope} ${place.name}${place.phase > 0 ? ` phase ${place.phase}` : ""}`;
  const evidence = [...new Set([...place.opens, ...place.arrivals, ...place.waits])];
  const wrong = (kind: Violation["kind"], text: string): void => {
    found.push(violation(kind, where, text, evidence));
  };
  for (const { code, party, answer } of evidence) {
    if (code === "ok" || code === "" || oldCodes.includes(code)) continue;
    wrong("refused", `${party} was answered ${code}: ${answer.message ?? ""}`);
  }
  if (place.isForgotten) return found;
  for (const wait of place.waits) checkWait(place, wait, wrong);
  checkAgreement(place, wrong);
  if (place.kind === "state") checkValues(place, wrong);
  return found;
}

type Wrong = (kind: Violation["kind"], text: string) => void;

/** K1, and that who has all he waits for is let go. */
function checkWait(place: Place, wait: Operation, wrong: Wrong): void {
  const readyUs = earliestUs(place, wait);
  const { endUs, code, party } = wait;
  if (code === "ok" && endUs !== undefined) {
    if (readyUs === undefined) wrong("early", `${party} was let go, and not all have ever come`);
    else if (endUs < readyUs) {
      wrong("early", `${party} was let go ${readyUs - endUs} us before the last who is needed`);
    }
  }
  if (place.isOld || code !== "" || readyUs === undefined) return;
  const isCounted = place.arrivals.some((arrival) => arrival.code === "ok");
  wrong(isCounted ? "not-counted" : "lost", `all have come, and ${party} was not let go`);
}

/** The earliest instant at which all that a wait needs can have come; undefined: never. */
export function earliestUs(place: Place, wait: Operation): number | undefined {
  const opens = place.opens.map(({ askUs }) => askUs);
  const arrivals = place.arrivals.map(({ askUs }) => askUs).toSorted((a, b) => a - b);
  const needed = neededOf(place, wait);
  if (needed === undefined || arrivals.length < needed) return undefined;
  if (place.kind !== "state" && opens.length === 0) return undefined;
  return Math.max(...opens, needed === 0 ? 0 : (arrivals[needed - 1] ?? 0));
}

export function neededOf(place: Place, { asked }: Operation): number | undefined {
  switch (place.kind) {
    case "count":
      return sum(place.opens, "count");
    case "quorum":
      return sum(place.opens, "needed");
    case "roster":
      return sum(place.opens, "members");
    case "state":
      return "target" in asked ? asked.target : undefined;
  }
}

function sum(operations: readonly Operation[], field: string): number {
  return operations.reduce((total, { asked }) => {
    const value = (asked as unknown as Readonly<Record<string, unknown>>)[field];
    return total + (typeof value === "number" ? value : 0);
  }, 0);
}

/** One crossing: the same generation, the first, and of count barriers the largest error number. */
function checkAgreement(place: Place, wrong: Wrong): void {
  const released = place.waits.filter(({ code }) => code === "ok");
  for (const { answer, party } of released) {
    const { generation, phase } = answer;
    const expectedGeneration = place.isReopened ? released[0]?.answer.generation : place.crossing;
    // The generations of a state count its targets.
    if (generation !== undefined && generation !== expectedGeneration && place.kind !== "state") {
      wrong("doubled", `${party} went with generation ${generation}, not ${expectedGeneration}`);
    }
    if (phase !== undefined && phase !== place.phase) {
      wrong("disagreement", `${party} came to phase ${place.phase} and went with ${phase}`);
    }
  }
  if (place.kind !== "count") return;
  // An init that does not wait brings no error number; who has given up may have brought his.
  const brought = place.waits.map(({ asked }) => ("error" in asked ? asked.error : 0));
  const expected = Math.max(0, ...brought);
  for (const { answer, party } of released) {
    if (answer.error === expected || (place.isOld && brought.includes(answer.error ?? -1)))
      continue;
    wrong("disagreement", `${party} was told error ${answer.error}, where ${expected} was brought`);
  }
}

/** Signals get 1, 2, 3, ..., each once, in an order that time does not contradict. */
function checkValues(place: Place, wrong: Wrong): void {
  const told = place.arrivals.flatMap((operation) => {
    const { value } = operation.answer;
    return value === undefined ? [] : [{ operation, value }];
  });
  checkNumbers({
    numbers: told.map(({ operation, value }) => ({ ...spanOf(operation), number: value })),
    asked: place.arrivals.length,
    isWhole: !place.isOld && told.length === place.arrivals.length,
    wrong,
  });
}

export function spanOf({ askUs, endUs, party }: Operation) {
  return { askUs, endUs: endUs ?? Number.POSITIVE_INFINITY, party };
}

/** Numbers that are given once each: those of signals, of counters, of messages. */
export function checkNumbers(options: {
  readonly numbers: readonly {
    readonly number: number;
    readonly askUs: number;
    readonly endUs: number;
    readonly party: string;
  }[];
  /** How many have asked for one. */
  readonly asked: number;
  /** Whether everybody who asked has got one: then none is left out. */
  readonly isWhole: boolean;
  readonly wrong: Wrong;
}): void {
  const { asked, isWhole, wrong } = options;
  const numbers = options.numbers.toSorted((a, b) => a.number - b.number);
  let latest = { askUs: 0, number: 0, party: "" };
  for (const [index, { number, askUs, endUs, party }] of numbers.entries()) {
    const before = numbers[index - 1];
    if (before?.number === number) {
      wrong("doubled", `${number} was given to ${before.party} and to ${party}`);
    } else if (isWhole && number !== (before?.number ?? 0) + 1) {
      wrong("gap", `${party} got ${number}, and nobody got ${(before?.number ?? 0) + 1}`);
    }
    if (number > asked) wrong("doubled", `${party} got ${number}, and only ${asked} have asked`);
    // Somebody who asked after this one had his answer has a smaller number.
    if (endUs < latest.askUs) {
      const text = `${party} had ${number} before ${latest.party} asked and got ${latest.number}`;
      wrong("order", text);
    }
    if (askUs > latest.askUs) latest = { askUs, number, party };
  }
}
