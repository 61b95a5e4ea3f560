// SPDX-License-Identifier: MIT
// Goal: notifications come to the bus in their order, many at once, also when it is away in
// between. Method: a bus whose answers are given by hand, under a clock moved by hand.
import { beforeEach, describe, expect, it } from "vitest";
import { eventsLimits, eventsTime } from "../../../src/events/events-limits.ts";
import { SteadyPublisher } from "../../../src/events/steady-publisher.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { type Bus, BusError, type Published } from "../../../src/wire/event/bus.ts";
import {
  createNotification,
  getText,
  type Notification,
} from "../../../src/wire/event/notification.ts";

const { publicationsAtOnceMax } = eventsLimits;

let clock: VirtualClock;
/** What came to the bus, and is not answered. */
let asked: { name: string; answer: (outcome: Published | BusError) => void }[];
let warnings: string[];
let told: string[];
let publisher: SteadyPublisher;
let position: number;

const bus: Pick<Bus, "publish"> = {
  publish: (notification) =>
    new Promise((resolve, reject) => {
      asked.push({
        name: getText(notification, "OBJNAME") ?? "",
        answer: (outcome) => {
          if (outcome instanceof BusError) reject(outcome);
          else resolve(outcome);
        },
      });
    }),
};

const note = (objname: string): Notification =>
  createNotification({ objname, scheduler: 0 }, { sender: "", layout: "2011", extra: [] });
const names = (): readonly string[] => asked.map(({ name }) => name);
const settled = (): Promise<void> => clock.settle();
const away = new BusError("unavailable", "gone");

function publish(...all: readonly string[]): void {
  for (const name of all) publisher.publish(note(name), () => told.push(name));
}

/** The bus answers everything that it was asked. */
async function answerAll(outcome?: BusError): Promise<void> {
  for (const { answer } of asked.splice(0)) {
    position += 1;
    answer(outcome ?? { place: { epoch: "e", position }, matched: 1 });
  }
  await settled();
}

async function pause(): Promise<void> {
  await clock.pass(eventsTime.republishMs * 1_000);
}

beforeEach(() => {
  clock = new VirtualClock();
  [asked, warnings, told, position] = [[], [], [], 0];
  publisher = new SteadyPublisher({
    ...{ bus: bus as Bus, clock, sign: (one) => one, onWarning: (text) => warnings.push(text) },
  });
});

describe("SteadyPublisher", () => {
  it("has publicationsAtOnceMax on their way, the next when the first is answered", async () => {
    const all = Array.from({ length: publicationsAtOnceMax + 2 }, (_none, index) => `n${index}`);
    publish(...all);
    expect(names()).toEqual(all.slice(0, publicationsAtOnceMax));
    // An answer to a later one makes no room: what fails before it would come behind.
    asked.splice(1, 1)[0]?.answer({ place: { epoch: "e", position: 2 }, matched: 1 });
    await settled();
    expect([names().length, told]).toEqual([publicationsAtOnceMax - 1, []]);
    asked.shift()?.answer({ place: { epoch: "e", position: 1 }, matched: 1 });
    await settled();
    expect([names().slice(-2), told]).toEqual([all.slice(-2), ["n0", "n1"]]);
  });

  it("P1, P2 publishes all that was on its way again, in order, one first", async () => {
    publish("a", "b", "c");
    const [a, b, c] = asked.splice(0);
    a?.answer(away);
    b?.answer({ place: { epoch: "e", position: 1 }, matched: 1 });
    await settled();
    // Whatever comes meanwhile, and whoever is not answered yet, nothing goes before the first.
    publish("d");
    await pause();
    expect([names(), told]).toEqual([[], []]);
    c?.answer(away);
    await settled();
    await pause();
    expect([names(), told]).toEqual([["a"], []]);
    await answerAll();
    expect([names(), told]).toEqual([["b", "c", "d"], ["a"]]);
    await answerAll();
    expect(told).toEqual(["a", "b", "c", "d"]);
    expect(warnings).toEqual(["the bus is away, trying again: gone", "the bus is there again"]);
  });

  it("gives up what the bus refuses, and goes on", async () => {
    publish("a", "b");
    asked.shift()?.answer(new BusError("too-large", "no"));
    await answerAll();
    expect(told).toEqual(["b"]);
    expect(warnings).toEqual(["the bus does not take a notification: no"]);
  });

  it("is drained when everything is answered, and closed with nothing more to say", async () => {
    publish("a");
    let isDrained = false;
    void publisher.drain().then(() => {
      isDrained = true;
    });
    let isDrainedToo = false;
    void publisher.drain().then(() => {
      isDrainedToo = true;
    });
    await settled();
    expect(isDrained).toBe(false);
    await answerAll();
    expect([isDrained, isDrainedToo]).toEqual([true, true]);
    publish("b");
    publisher.close();
    await answerAll();
    publish("c");
    expect([names(), told]).toEqual([[], ["a"]]);
  });
});
