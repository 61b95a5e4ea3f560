// SPDX-License-Identifier: MIT
// Goal: what a scheduler's log says reaches a run whole, at places that a second life repeats, and
// nobody falls over what is no such note. Method: entries made by hand through the teller and back
// through the parser; garbage for the parser.
import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../../src/core/command.ts";
import type { Applied, EdgeEffect, ObservedEffect } from "../../../src/core/effect.ts";
import { eventsLimits } from "../../../src/events/events-limits.ts";
import { firstQuestion, LogTeller } from "../../../src/events/log-teller.ts";
import {
  createNotification,
  type Notification,
  textAttribute,
} from "../../../src/wire/event/notification.ts";
import {
  formatBarrierEnd,
  formatQuestion,
  formatTold,
  parseQuestion,
  parseTold,
  runNoteObject,
  type Told,
} from "../../../src/wire/event/run-notes.ts";

const by = { experiment: "p/e", sender: "127.0.0.1" };

function entry(
  sequence: number,
  told: readonly EdgeEffect[],
  observed: readonly ObservedEffect[] = [],
): [LogEntry, Applied] {
  const addressed = told.map((effect) => ({ edge: "scheduler", incarnation: 1, effect }));
  const other: EdgeEffect = { kind: "agenda-idle", scope: "other", waitingFor: [] };
  const logged = { sequence, stampUs: 7, entry: { batches: [] } } as unknown as LogEntry;
  const all = [...addressed, { edge: "other", incarnation: 1, effect: other }];
  return [logged, { nowUs: 7, addressed: all, observed, keptPayloads: [], freedPayloads: [] }];
}

function teller(): { readonly teller: LogTeller; readonly told: () => (Told | undefined)[] } {
  const heard: Notification[] = [];
  const made = new LogTeller({ edge: "scheduler", by, pending: () => 3 });
  made.begin((notification) => heard.push(notification));
  return { teller: made, told: () => heard.map(parseTold) };
}

const idle: EdgeEffect = { kind: "agenda-idle", scope: "p/e", waitingFor: [] };
const started: EdgeEffect = { kind: "time-started", scope: "p/e", epoch: 1, zeroStampUs: 5 };
const event = { id: 1, object: "p", type: "PROGRAM", event: "START", args: "" };
const fired: ObservedEffect = {
  ...{ kind: "event-fired", scope: "p/e", item: 1, event, token: 1, plannedUs: 1 },
  ...{ firedStampUs: 6, latenessUs: 0, skewUs: 3, late: false, outcome: "done" },
};

describe("what is told to a run", () => {
  it("has the place of its entry; time 0 comes first and the end last, nothing of other edges", () => {
    const { teller: one, told } = teller();
    one.see(...entry(4, [idle, started], [fired]));
    const place = { entry: 4, part: 0, stampUs: 7, pending: 3 };
    expect(told()).toEqual([{ ...place, effects: [started, fired, idle] }]);
  });

  it("is held until the bus is there: what a log says that is read again", () => {
    const heard: Notification[] = [];
    const one = new LogTeller({ edge: "scheduler", by, pending: () => 0 });
    one.see(...entry(4, [started]));
    expect(heard).toEqual([]);
    one.begin((notification) => heard.push(notification));
    one.see(...entry(5, [idle]));
    expect(heard.map((told) => parseTold(told)?.entry)).toEqual([4, 5]);
  });

  it("takes a second notification above toldPerNotificationMax, the same ones each time", () => {
    const { toldPerNotificationMax: max } = eventsLimits;
    for (const [count, parts] of [
      [max, [max]],
      [max + 1, [max, 1]],
    ] as const) {
      const lives = [teller(), teller()];
      for (const life of lives) life.teller.see(...entry(9, [], Array(count).fill(fired)));
      const [first, second] = lives.map(({ told }) => told());
      expect(first?.map((told) => told?.effects.length)).toEqual(parts);
      expect(first?.map((told) => told?.part)).toEqual(parts.map((_, index) => index));
      expect(second).toEqual(first);
    }
  });

  it("does not say between two epochs that nothing is planned, in a second life either", () => {
    const load = { kind: "agenda-load", scope: "p/e" };
    const loads = { sequence: 4, stampUs: 7, entry: { batches: [{ commands: [load] }] } };
    const [, applied] = entry(4, [idle]);
    for (const { teller: life, told } of [teller(), teller()]) {
      life.see(...entry(3, [idle]));
      life.see(loads as unknown as LogEntry, applied);
      life.see(...entry(5, [idle]));
      life.see(...entry(6, [started, idle]));
      expect(told().map((one) => [one?.entry, one?.effects.length])).toEqual([
        [3, 1],
        [6, 2],
      ]);
    }
  });

  it("says nothing of an entry that changes nothing for a run", () => {
    const { teller: one, told } = teller();
    one.see(...entry(4, []));
    expect(told()).toEqual([]);
  });
});

describe("questions of a run", () => {
  it("ends of barriers and changes become commands with their place, so that they count once", () => {
    const one = new LogTeller({ edge: "scheduler", by, pending: () => 0 });
    const end = { barrier: "b", outcome: "timeout" } as const;
    const told = { kind: "barrier-told", scope: "p/e", ...end, origin: "here" };
    expect(one.commandsFor(formatBarrierEnd(end, by), () => "here")).toEqual([told]);
    const edit = { kind: "agenda-edit", scope: "p/e", request: 7, id: 4, args: "A=1" };
    const change = (command: unknown) =>
      one.commandsFor(
        formatQuestion({ kind: "change", number: 3, command: JSON.stringify(command) }, by),
        () => "here",
      );
    const request = firstQuestion + 3;
    expect(change(edit)).toEqual([{ ...edit, request, origin: "here" }]);
    // Whole, of the scope of the scheduler, and a change: nothing else reaches the log.
    expect(change({ ...edit, scope: "p/other" })).toEqual(change(edit));
    const none = [{ kind: "agenda-cancel", scope: "p/e", request, id: 0 }];
    for (const bad of [{ ...edit, id: "4" }, { kind: "agenda-halt" }, "text", null]) {
      expect(change(bad)).toEqual(none);
    }
    const odd = { barrier: "b", outcome: "lost" } as unknown as typeof end;
    expect(one.commandsFor(formatBarrierEnd(odd, by), () => "here")).toBeUndefined();
  });

  it("become commands, and their answers are told under their numbers", () => {
    const { teller: one, told } = teller();
    const ask = (kind: "halt" | "errors" | "mark") =>
      one.commandsFor(formatQuestion({ kind, number: 2 }, by), () => "");
    expect(ask("halt")).toEqual([{ kind: "agenda-halt", scope: "p/e" }]);
    const [[errors] = [], [mark] = []] = [ask("errors"), ask("mark")];
    expect([errors?.kind, mark?.kind]).toEqual(["agenda-take-errors", "agenda-cancel"]);
    if (mark?.kind !== "agenda-cancel") throw new Error("a mark is a question to the core");
    const answer = { kind: "refused", code: "not-found", message: "" } as unknown;
    const { request } = mark;
    one.see(...entry(5, [{ kind: "agenda-answer", scope: "p/e", request, answer } as EdgeEffect]));
    const reached = {
      ...{ kind: "question-answered", number: 2, errors: [], dropped: 0 },
      answer: expect.objectContaining({ kind: "refused" }),
    };
    expect(told()[0]?.effects).toEqual([reached]);
  });

  it("are no requests of senders, whose numbers are smaller", () => {
    const { teller: one, told } = teller();
    const answer = { kind: "accepted", id: 3 } as const;
    const given: EdgeEffect = { kind: "agenda-answer", scope: "p/e", request: 2, answer };
    one.see(...entry(5, [given]));
    expect(told()[0]?.effects).toEqual([given]);
  });
});

describe("what is no note of a run", () => {
  const note = (objname: string, eventtype: string): Notification =>
    createNotification(
      { expt: "p/e", objname, eventtype, scheduler: 1 },
      { sender: "127.0.0.1", layout: "2011", extra: [] },
    );

  it("is an event like any other", () => {
    expect(parseQuestion(note("p", "HALT"))).toBeUndefined();
    expect(parseQuestion(note(runNoteObject, "HALT"))).toBeUndefined();
    expect(parseQuestion(formatQuestion({ kind: "halt", number: 0 }, by))).toBeUndefined();
    expect(parseTold(note(runNoteObject, "TOLD"))).toBeUndefined();
  });

  it("is passed over when its effects cannot be read", () => {
    const good: Told = { entry: 1, part: 0, stampUs: 1, pending: 0, effects: [started, fired] };
    const whole = formatTold(good, by);
    expect(parseTold(whole)).toEqual(good);
    const bodies = [
      ...["", "{", "null", "[]", "7", `{"stampUs":1}`, `{"stampUs":"1","effects":[]}`],
      ...[`[null]`, `[{}]`, `[{"kind":"no"}]`, `[{"kind":"time-started","scope":"p/e"}]`].map(
        (effects) => `{"stampUs":1,"effects":${effects}}`,
      ),
      JSON.stringify({ stampUs: 1, effects: [{ ...fired, event: { ...event, object: 1 } }] }),
      JSON.stringify({ stampUs: 1, effects: [{ ...fired, event: null }] }),
    ];
    for (const body of bodies) {
      const name = "MUSTER_EFFECTS";
      const attributes = whole.attributes.map((one) =>
        one.name === name ? textAttribute(name, body) : one,
      );
      expect(parseTold({ attributes })).toBeUndefined();
    }
  });
});
