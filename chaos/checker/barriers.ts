// SPDX-License-Identifier: MIT
// Whether barriers kept their promises, told from outside: of each place who asked when and was let
// go when. A place that is used once crosses once, for everybody, with one generation and one error
// number, and not before all have come that it needs.
//
//   K1. Nobody is let go before the k-th of those who are needed has asked: `askUs` is earlier than
//       any arrival, `endUs` later than any release, so that what is found is no matter of chance.
import { checkNumbers, numbersOf } from "./numbers.ts";
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
  /**
   * Those who asked again later than an id is known, here or at a crossing of the name before: each
   * may have counted once more, at the generation that was open then.
   */
  recounted: readonly Operation[];
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

const arrivalKinds: ReadonlySet<Operation["asked"]["kind"]> = new Set([
  ...(["count-wait", "signal", "signal-wait", "publish-wait"] as const),
  ...(["quorum-wait", "roster-arrive"] as const),
]);

/** Codes by which an old door, or the patience of its client, ends a wait without an answer. */
const oldCodes: readonly string[] = ["closed", "gave-up"];

/** Of a publication of the HTTP door, which has no id: it may have counted or not. */
const unheard = "unanswered";

export function placesOf(operations: readonly Operation[]): readonly Place[] {
  const places = new Map<string, Place>();
  const opened = new Map<string, Operation>();
  const recounted = Map.groupBy(operations.filter(isRecounted), whereOf);
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
    const crossing = crossingOf(operation);
    const key = `${kind} ${scope} ${name} ${phase} ${crossing}`;
    let place = places.get(key);
    if (place === undefined) {
      place = {
        ...{ kind, scope, name, phase, crossing, waits: [], arrivals: [], opens: [] },
        ...{ isOld: false, isReopened: false, recounted: [] },
      };
      places.set(key, place);
    }
    add(place, operation);
  }
  for (const place of places.values()) {
    const where = whereOf(place);
    const again = recounted.get(where) ?? [];
    place.recounted = again.filter(
      (operation) =>
        kindOf[operation.asked.kind] === place.kind && crossingOf(operation) <= place.crossing,
    );
    place.isReopened = reopened.has(where);
    const open = opened.get(where);
    if (place.kind === "roster" && open !== undefined) place.opens.push(open);
  }
  return [...places.values()];
}

function namesOf(operations: readonly Operation[]): ReadonlySet<string> {
  return new Set(operations.map(whereOf));
}

const whereOf = ({ scope, name }: { readonly scope: string; readonly name: string }): string =>
  `${scope} ${name}`;

function crossingOf({ asked }: Operation): number {
  return ("crossing" in asked ? asked.crossing : undefined) ?? 1;
}

/** A member of a roster counts once by its name, and who only looks at a state does not count. */
function isRecounted({ asked, recountsUs }: Operation): boolean {
  return recountsUs.length > 0 && asked.kind !== "roster-arrive" && asked.kind !== "state-wait";
}

/** Of crossings of one name each has a larger generation than the one before. */
export function checkCrossings(places: readonly Place[]): readonly Violation[] {
  const found: Violation[] = [];
  const latest = new Map<string, number>();
  const counts = places.filter(({ kind, recounted }) => kind === "count" && recounted.length === 0);
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
  if (isArrival(operation)) place.arrivals.push(operation);
  if (kind !== "count-init" && kind !== "quorum-init" && kind !== "signal") {
    place.waits.push(operation);
  }
}

function isArrival({ asked }: Operation): boolean {
  return arrivalKinds.has(asked.kind);
}

/** When somebody may have come once more. */
export function recountsOf({ recounted }: Place): readonly number[] {
  return recounted.filter(isArrival).flatMap(({ recountsUs }) => recountsUs);
}

export function checkPlace(place: Place): readonly Violation[] {
  const found: Violation[] = [];
  const where = `${place.scope} ${place.name}${place.phase > 0 ? ` phase ${place.phase}` : ""}`;
  const evidence = [...new Set([...place.opens, ...place.arrivals, ...place.waits])];
  const wrong = (kind: Violation["kind"], text: string): void => {
    found.push(violation(kind, where, text, evidence));
  };
  for (const { code, party, answer } of evidence) {
    if (code === "ok" || code === "" || oldCodes.includes(code) || code === unheard) continue;
    wrong("refused", `${party} was answered ${code}: ${answer.message ?? ""}`);
  }
  for (const wait of place.waits) checkWait(place, wait, wrong);
  checkAgreement(place, wrong);
  if (place.kind === "state") checkValues(place, wrong);
  return found;
}

type Wrong = (kind: Violation["kind"], text: string) => void;

/** K1. */
export function checkEarly(place: Place, wait: Operation, wrong: Wrong): void {
  const { endUs, code, party } = wait;
  if (code !== "ok" || endUs === undefined) return;
  const readyUs = earliestUs(place, wait);
  if (readyUs === undefined) wrong("early", `${party} was let go, and not all have ever come`);
  else if (endUs < readyUs) {
    wrong("early", `${party} was let go ${readyUs - endUs} us before the last who is needed`);
  }
}

/** K1, and that who has all he waits for is let go. */
function checkWait(place: Place, wait: Operation, wrong: Wrong): void {
  checkEarly(place, wait, wrong);
  const readyUs = earliestUs(place, wait);
  const { code, party } = wait;
  if (place.isOld || code !== "" || readyUs === undefined) return;
  // What counted in the place of another wait leaves one over. Signals have no such places.
  if (place.kind !== "state" && place.recounted.length > 0) return;
  const sure = place.arrivals.filter((arrival) => arrival.code !== unheard).length;
  if (sure < (neededOf(place, wait) ?? 0)) return;
  const isCounted = place.arrivals.some((arrival) => arrival.code === "ok");
  wrong(isCounted ? "not-counted" : "lost", `all have come, and ${party} was not let go`);
}

/** The earliest instant at which all that a wait needs can have come; undefined: never. */
function earliestUs(place: Place, wait: Operation): number | undefined {
  const opens = place.opens.map(({ askUs }) => askUs);
  const own = place.arrivals.map(({ askUs }) => askUs);
  const arrivals = [...own, ...recountsOf(place)].toSorted((a, b) => a - b);
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
export function checkAgreement(place: Place, wrong: Wrong): void {
  const released = place.waits.filter(({ code }) => code === "ok");
  for (const { answer, party } of released) {
    const { generation, phase } = answer;
    const expectedGeneration = expectedOf(place, generation);
    // The generations of a state count its targets.
    if (generation !== expectedGeneration && place.kind !== "state") {
      wrong("doubled", `${party} went with generation ${generation}, not ${expectedGeneration}`);
    }
    if (phase !== undefined && phase !== place.phase) {
      wrong("disagreement", `${party} came to phase ${place.phase} and went with ${phase}`);
    }
  }
  if (place.kind !== "count" || place.recounted.length > 0) return;
  // An init that does not wait brings no error number; who has given up may have brought his.
  const brought = place.waits.map(({ asked }) => ("error" in asked ? asked.error : 0));
  const expected = Math.max(0, ...brought);
  for (const { answer, party } of released) {
    if (answer.error === expected || (place.isOld && brought.includes(answer.error ?? -1)))
      continue;
    wrong("disagreement", `${party} was told error ${answer.error}, where ${expected} was brought`);
  }
}

/** With which generation somebody goes who says that he went with this one. */
function expectedOf(place: Place, generation: number | undefined): number | undefined {
  if (generation === undefined) return undefined;
  const { crossing, recounted, isReopened, waits } = place;
  // Who counted once more may go with a later one, and then the others of the name, too.
  if (recounted.length > 0) return Math.max(crossing, generation);
  if (!isReopened) return crossing;
  return waits.find(({ code }) => code === "ok")?.answer.generation;
}

/** Signals get 1, 2, 3, ..., each once, in an order that time does not contradict. */
export function checkValues({ arrivals }: Place, wrong: Wrong): void {
  const { told, unheard } = numbersOf(arrivals, ({ answer }) => answer.value);
  checkNumbers({ numbers: told, unheard, wrong });
}
