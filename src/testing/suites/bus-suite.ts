// SPDX-License-Identifier: MIT
// What every bus must do (wire/event/bus.ts, N1-N4), as tests that take a factory: memory, a
// WebSocket, NATS. The runner's words come as arguments, so that this file depends on no runner.
// Nothing here waits for a time: a test waits for what it expects, or for a last notification
// behind which nothing can come.
import type {
  Bus,
  BusPlace,
  PlacedNotification,
  Subscribed,
  Subscriber,
  Subscription,
} from "../../wire/event/bus.ts";
import { notificationBytesMax } from "../../wire/event/limits.ts";
import type { Address, Notification } from "../../wire/event/notification.ts";
import {
  createNotification,
  getInt32,
  int32Attribute,
  int64Attribute,
  opaqueAttribute,
  real64Attribute,
  textAttribute,
} from "../../wire/event/notification.ts";
import type { Runner } from "./log-suite.ts";

/** Bounds of the bus under test, small enough that a test reaches them. */
export interface BusSuiteLimits {
  readonly ringNotificationsMax: number;
  readonly queueNotificationsMax: number;
}

export interface BusBench {
  readonly bus: Bus;
  /** Lets something happen; the suite asks again and again until it has what it waits for. */
  turn(): Promise<void>;
  /** Makes the bus lose its memory; afterwards `bus` leads to one of another epoch. */
  restart(): Promise<void>;
  /** Cuts every connection, in the middle of whatever it carries; nothing where there is none. */
  cut(): void;
  dispose(): Promise<void>;
}

export interface BusSuiteOptions {
  readonly create: (limits: BusSuiteLimits) => Promise<BusBench>;
  readonly hasConnections: boolean;
}

/** More turns than anything here needs: a test that waits in vain says for what. */
const turnsMax = 200_000;

const small: BusSuiteLimits = { ringNotificationsMax: 64, queueNotificationsMax: 16 };
const large: BusSuiteLimits = { ringNotificationsMax: 8_192, queueNotificationsMax: 4_096 };

type Test = (
  title: string,
  limits: BusSuiteLimits,
  run: (bench: BusBench, wait: Wait) => Promise<void>,
) => void;
type Wait = (what: string, condition: () => boolean) => Promise<void>;
type Equal = Runner["equal"];

/** A notification with a number, to tell it from others. */
export function numbered(number: number, address: Partial<Address> = {}): Notification {
  return createNotification(
    { scheduler: 0, objname: "o", ...address },
    { sender: "192.0.2.1", layout: "2011", extra: [int32Attribute("TOKEN", number)] },
  );
}

const numberOf = ({ notification }: PlacedNotification): number =>
  getInt32(notification, "TOKEN") ?? -1;
const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** A subscriber that keeps all it is told. */
class Ear implements Subscriber {
  readonly got: PlacedNotification[] = [];
  readonly gaps: number[] = [];
  readonly calls: string[] = [];
  ended: { readonly reason: string; readonly place: BusPlace } | undefined;
  /** While set, a delivery is not taken. */
  #blocked: Promise<void> | undefined;
  #unblock: () => void = () => undefined;

  get numbers(): readonly number[] {
    return this.got.map(numberOf);
  }

  block(): void {
    this.#blocked = new Promise((resolve) => {
      this.#unblock = resolve;
    });
  }

  unblock(): void {
    this.#blocked = undefined;
    this.#unblock();
  }

  onNotifications(notifications: readonly PlacedNotification[]): void | Promise<void> {
    this.calls.push("notifications");
    this.got.push(...notifications);
    return this.#blocked;
  }

  onGap(lost: number): void {
    this.calls.push("gap");
    this.gaps.push(lost);
  }

  onEnd(reason: string, place: BusPlace): void {
    this.calls.push("end");
    this.ended = { reason, place };
  }
}

/** Declares the tests of one bus. */
export function declareBusSuite(options: BusSuiteOptions, { it, equal }: Runner): void {
  const test: Test = (title, limits, run) => {
    it(title, async () => {
      const bench = await options.create(limits);
      const wait: Wait = async (what, condition) => {
        for (let turns = 0; !condition(); turns += 1) {
          if (turns === turnsMax) throw new Error(`waited in vain for ${what}`);
          await bench.turn();
        }
      };
      try {
        await run(bench, wait);
      } finally {
        await bench.dispose();
      }
    });
  };
  declareDelivery(test, equal);
  declareContents(test, equal);
  declareRefusals(test, equal);
  declareSlowness(test, equal);
  declareResumption(test, equal);
  declareCalls(test, equal);
  if (options.hasConnections) declareCuts(test, equal);
}

const now: Subscription = { address: { scheduler: 0 }, slow: "end" };

async function publishAll(bus: Bus, numbers: readonly number[]): Promise<void> {
  await Promise.all(numbers.map((number) => bus.publish(numbered(number))));
}

/** N1. */
function declareDelivery(test: Test, equal: Equal): void {
  test("N1 subscribers get everything that matches, in order, once", large, async (bench, wait) => {
    const [first, second] = [new Ear(), new Ear()];
    await bench.bus.subscribe(now, first);
    await bench.bus.subscribe({ ...now, address: { objname: "a,b", scheduler: 0 } }, second);
    const names = ["a", "b", "c"];
    const published = range(1, 1_000).map((number) =>
      bench.bus.publish(numbered(number, { objname: names[number % 3] ?? "" })),
    );
    const places = (await Promise.all(published)).map(({ place }) => place.position);
    await wait("all", () => first.got.length >= 1_000 && second.got.length >= 666);
    equal(first.numbers, range(1, 1_000));
    equal(
      first.got.map(({ position }) => position),
      places,
    );
    equal(
      second.numbers,
      range(1, 1_000).filter((number) => number % 3 !== 2),
    );
    equal(
      places.every((place, index) => place > (places[index - 1] ?? 0)),
      true,
    );
  });

  test("publish() says how many subscriptions matched", small, async ({ bus }) => {
    const matched = async (objname: string): Promise<number> =>
      (await bus.publish(numbered(1, { objname }))).matched;
    equal(await matched("a"), 0);
    const subscribed = await bus.subscribe(
      { ...now, address: { objname: "a", scheduler: 0 } },
      new Ear(),
    );
    await bus.subscribe({ ...now, address: undefined }, new Ear());
    // Who only watches is not somebody who hears it.
    await bus.subscribe({ address: undefined, slow: "drop-oldest" }, new Ear());
    equal(await matched("a"), 2);
    equal(await matched("b"), 1);
    subscribed.close();
    equal(await matched("a"), 1);
  });

  test("what was published before subscribing does not come", small, async (bench, wait) => {
    await publishAll(bench.bus, range(1, 5));
    const ear = new Ear();
    await bench.bus.subscribe(now, ear);
    await publishAll(bench.bus, [6]);
    await wait("the one behind", () => ear.got.length > 0);
    equal(ear.numbers, [6]);
  });
}

/** What comes, and that nothing of it is lost. */
function declareContents(test: Test, equal: Equal): void {
  test(
    "requests to the scheduler reach whoever asks for them or for everything",
    small,
    async (bench, wait) => {
      const [live, held, all] = [new Ear(), new Ear(), new Ear()];
      await bench.bus.subscribe(now, live);
      await bench.bus.subscribe({ ...now, address: { scheduler: 1 } }, held);
      await bench.bus.subscribe({ ...now, address: undefined }, all);
      await bench.bus.publish(numbered(1, { scheduler: 1 }));
      await bench.bus.publish(numbered(2));
      await wait("both", () => all.got.length === 2 && live.got.length > 0 && held.got.length > 0);
      equal([live.numbers, held.numbers, all.numbers], [[2], [1], [1, 2]]);
    },
  );

  test(
    "every type of attribute arrives as it was sent, in its order",
    small,
    async (bench, wait) => {
      const ear = new Ear();
      await bench.bus.subscribe({ ...now, address: undefined }, ear);
      const notification: Notification = {
        attributes: [
          real64Attribute("z", Number.NEGATIVE_INFINITY),
          real64Attribute("r", -0),
          int64Attribute("l", -9_223_372_036_854_775_808n),
          int32Attribute("i", -1),
          textAttribute("s", 'x "é" \n'),
          opaqueAttribute("o", Uint8Array.of(0, 255)),
          textAttribute("a", ""),
        ],
      };
      await bench.bus.publish(notification);
      await wait("it", () => ear.got.length > 0);
      equal(ear.got[0]?.notification, notification);
    },
  );
}

async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

function declareRefusals(test: Test, equal: Equal): void {
  test(
    "a notification as large as the limit goes through, one byte more is refused",
    large,
    async (bench, wait) => {
      const ear = new Ear();
      await bench.bus.subscribe({ ...now, address: undefined }, ear);
      const sized = (bytes: number): Notification => ({
        attributes: [textAttribute("a", "x".repeat(bytes - 1))],
      });
      equal(await codeOf(bench.bus.publish(sized(notificationBytesMax + 1))), "too-large");
      equal(await codeOf(bench.bus.publish(sized(notificationBytesMax))), "none");
      await wait("it", () => ear.got.length > 0);
      equal(ear.got.length, 1);
    },
  );

  test("what is no notification or no subscription is refused", small, async ({ bus }) => {
    const twice = { attributes: [int32Attribute("a", 1), int32Attribute("a", 1)] };
    equal(await codeOf(bus.publish(twice)), "invalid");
    const subscribe = (subscription: Partial<Subscription>): Promise<string> =>
      codeOf(bus.subscribe({ ...now, ...subscription }, new Ear()));
    equal(await subscribe({ address: { objname: ",", scheduler: 0 } }), "invalid");
    equal(await subscribe({ address: { objname: "x".repeat(9_000), scheduler: 0 } }), "too-large");
    const { place } = await bus.publish(numbered(1));
    equal(await subscribe({ after: { ...place, position: place.position + 1 } }), "invalid");
    equal(await subscribe({ after: { ...place, position: -1 } }), "invalid");
    equal(await subscribe({ after: { ...place, position: 0.5 } }), "invalid");
  });
}

/** N2. */
function declareSlowness(test: Test, equal: Equal): void {
  test("N2 nobody waits for a subscriber that takes nothing", small, async (bench, wait) => {
    const [slow, other] = [new Ear(), new Ear()];
    slow.block();
    await bench.bus.subscribe({ ...now, slow: "drop-oldest" }, slow);
    await bench.bus.subscribe(now, other);
    for (const number of range(1, 500)) {
      await bench.bus.publish(numbered(number));
      await wait("the quick one", () => other.got.length === number);
    }
    equal(other.numbers, range(1, 500));
    slow.unblock();
    await wait("the last", () => slow.numbers.at(-1) === 500);
    // Together with what it was told is lost, it is everything.
    equal(
      slow.gaps.every((lost) => lost > 0),
      true,
    );
    equal(slow.got.length + slow.gaps.reduce((sum, lost) => sum + lost, 0), 500);
    equal(
      slow.numbers,
      [...slow.numbers].sort((a, b) => a - b),
    );
    equal(slow.gaps.length > 0, true);
  });

  test(
    "N2 a subscriber that asked for it is ended, and misses nothing when it comes back",
    small,
    async (bench, wait) => {
      const slow = new Ear();
      slow.block();
      await bench.bus.subscribe(now, slow);
      const last = await untilEnded(bench.bus, slow, wait);
      const place = slow.ended?.place;
      const had = slow.numbers;
      slow.unblock();
      const back = new Ear();
      await bench.bus.subscribe({ ...now, ...(place === undefined ? {} : { after: place }) }, back);
      await wait("the rest", () => back.numbers.at(-1) === last);
      equal([...had, ...back.numbers], range(1, last));
      equal([...slow.gaps, ...back.gaps], []);
      equal(slow.got.length, had.length);
    },
  );
}

/** Publishes until a subscriber has been ended. @returns the number of the last. */
async function untilEnded(bus: Bus, slow: Ear, wait: Wait): Promise<number> {
  let number = 0;
  await wait("its end", () => {
    if (slow.ended !== undefined) return true;
    number += 1;
    void bus.publish(numbered(number));
    return false;
  });
  // All that was sent has been taken when this one has.
  number += 1;
  await bus.publish(numbered(number));
  return number;
}

/** N3. */
function declareResumption(test: Test, equal: Equal): void {
  test("N3 a subscriber that comes back gets what it missed", large, async (bench, wait) => {
    const first = new Ear();
    const subscribed = await bench.bus.subscribe(now, first);
    await publishAll(bench.bus, range(1, 10));
    await wait("ten", () => first.got.length === 10);
    subscribed.close();
    await publishAll(bench.bus, range(11, 2_000));
    const second = new Ear();
    await bench.bus.subscribe({ ...now, after: subscribed.place }, second);
    await publishAll(bench.bus, range(2_001, 2_010));
    await wait("the last", () => second.numbers.at(-1) === 2_010);
    equal(second.numbers, range(11, 2_010));
    equal([first.gaps, second.gaps, first.numbers], [[], [], range(1, 10)]);
  });

  test("N3 its place moves on although nothing matches", small, async (bench, wait) => {
    const [picky, all] = [new Ear(), new Ear()];
    const address = { objname: "rare", scheduler: 0 } as const;
    const subscribed = await bench.bus.subscribe({ ...now, address }, picky);
    await bench.bus.subscribe(now, all);
    for (const number of range(1, 200)) {
      await bench.bus.publish(numbered(number));
      await wait("each", () => all.got.length === number);
    }
    await wait("its place", () => subscribed.place.position >= 150);
    subscribed.close();
    await bench.bus.publish(numbered(201, address));
    const back = new Ear();
    await bench.bus.subscribe({ ...now, address, after: subscribed.place }, back);
    await wait("the rare one", () => back.got.length === 1);
    equal([back.numbers, back.gaps], [[201], []]);
  });

  test(
    "N3 behind the window it is told of a gap, and gets what is left",
    small,
    async (bench, wait) => {
      const { place } = await bench.bus.publish(numbered(0));
      for (const number of range(1, 200)) await bench.bus.publish(numbered(number));
      const ear = new Ear();
      await bench.bus.subscribe({ ...now, after: place }, ear);
      await wait("the last", () => ear.numbers.at(-1) === 200);
      equal(ear.gaps, [-1]);
      equal(ear.calls[0], "gap");
      equal(ear.numbers, range(201 - small.ringNotificationsMax, 200));
    },
  );

  test("N3 at the edge of the window nothing is missing", small, async (bench, wait) => {
    const { place } = await bench.bus.publish(numbered(0));
    const count = small.ringNotificationsMax;
    for (const number of range(1, count)) await bench.bus.publish(numbered(number));
    const ear = new Ear();
    await bench.bus.subscribe({ ...now, after: place }, ear);
    await wait("the last", () => ear.numbers.at(-1) === count);
    equal([ear.gaps, ear.numbers], [[], range(1, count)]);
  });

  test(
    "N3 with a place of another epoch it is told of a gap, and gets what there is",
    small,
    async (bench, wait) => {
      await publishAll(bench.bus, range(1, 5));
      const { place } = await bench.bus.publish(numbered(6));
      await bench.restart();
      await publishAll(bench.bus, range(7, 9));
      const ear = new Ear();
      const subscribed = await bench.bus.subscribe({ ...now, after: place }, ear);
      await wait("the last", () => ear.numbers.at(-1) === 9);
      equal([ear.gaps, ear.numbers, ear.calls[0]], [[-1], [7, 8, 9], "gap"]);
      equal(subscribed.place.epoch === place.epoch, false);
    },
  );
}

/** N4. */
function declareCalls(test: Test, equal: Equal): void {
  test("N4 nobody is called from inside publish() or subscribe()", small, async (bench, wait) => {
    const ear = new Ear();
    const { place } = await bench.bus.publish(numbered(1));
    const subscribing = bench.bus.subscribe({ ...now, after: { ...place, position: 0 } }, ear);
    equal(ear.calls, []);
    await subscribing;
    await wait("it", () => ear.got.length === 1);
    const publishing = bench.bus.publish(numbered(2));
    equal(ear.calls, ["notifications"]);
    await publishing;
  });

  test(
    "N4 nothing comes after close(), nor while a delivery is under way",
    small,
    async (bench, wait) => {
      const [closed, busy, other] = [new Ear(), new Ear(), new Ear()];
      const subscribed = await bench.bus.subscribe(now, closed);
      busy.block();
      await bench.bus.subscribe({ ...now, slow: "drop-oldest" }, busy);
      await bench.bus.subscribe(now, other);
      await bench.bus.publish(numbered(1));
      await wait("all three", () => [closed, busy, other].every(({ got }) => got.length === 1));
      subscribed.close();
      subscribed.close();
      for (const number of range(2, 9)) await bench.bus.publish(numbered(number));
      await wait("the other", () => other.got.length === 9);
      equal([closed.calls, busy.calls], [["notifications"], ["notifications"]]);
      busy.unblock();
      await wait("the rest", () => busy.got.length === 9);
    },
  );

  test(
    "a subscriber that fails is ended, and others notice nothing",
    small,
    async (bench, wait) => {
      const [bad, late, other] = [new Ear(), new Ear(), new Ear()];
      bad.onNotifications = () => {
        throw new Error("no such file");
      };
      late.onNotifications = () => Promise.reject(new Error("no such disk"));
      await bench.bus.subscribe(now, bad);
      await bench.bus.subscribe(now, late);
      await bench.bus.subscribe(now, other);
      const { place } = await bench.bus.publish(numbered(1));
      await bench.bus.publish(numbered(2));
      await wait("the other", () => other.got.length === 2);
      await wait("the ends", () => bad.ended !== undefined && late.ended !== undefined);
      equal(bad.ended?.reason.includes("no such file"), true);
      equal(late.ended?.reason.includes("no such disk"), true);
      // What it failed at counts as not had.
      equal(bad.ended?.place, { ...place, position: place.position - 1 });
      equal(late.ended?.place, bad.ended?.place);
    },
  );

  test(
    "a subscriber may publish, subscribe and close from inside its calls",
    small,
    async (bench, wait) => {
      const inner = new Ear();
      let subscribed: Subscribed | undefined;
      const ear = new Ear();
      const outer: Subscriber = {
        onNotifications(notifications) {
          ear.got.push(...notifications);
          if (ear.numbers.at(-1) !== 1) return;
          void bench.bus.subscribe(now, inner).then(() => bench.bus.publish(numbered(2)));
          subscribed?.close();
        },
        onGap: () => undefined,
        onEnd: () => undefined,
      };
      subscribed = await bench.bus.subscribe(now, outer);
      await bench.bus.publish(numbered(1));
      await wait("the answer", () => inner.numbers.at(-1) === 2);
      equal([ear.numbers, inner.numbers], [[1], [2]]);
    },
  );
}

/** N1 and N3 for what has connections: whoever subscribed does nothing, and misses nothing. */
function declareCuts(test: Test, equal: Equal): void {
  test("N3 a cut connection costs a subscriber nothing", large, async (bench, wait) => {
    const [ear, slow] = [new Ear(), new Ear()];
    await bench.bus.subscribe(now, ear);
    slow.block();
    await bench.bus.subscribe(now, slow);
    const sure: number[] = [];
    for (const number of range(1, 500)) {
      // What was on its way when the connection went may have been published, or not.
      const code = await codeOf(bench.bus.publish(numbered(number)));
      if (code === "none") sure.push(number);
      else equal(code, "unavailable");
      if (number % 100 === 50) bench.cut();
    }
    slow.unblock();
    await wait("all", () => [ear, slow].every(({ numbers }) => numbers.at(-1) === 500));
    equal(slow.numbers, ear.numbers);
    equal(
      ear.numbers,
      [...new Set(ear.numbers)].sort((a, b) => a - b),
    );
    equal(
      sure.filter((number) => !ear.numbers.includes(number)),
      [],
    );
    equal([ear.gaps, slow.gaps, ear.ended, slow.ended], [[], [], undefined, undefined]);
  });
}
