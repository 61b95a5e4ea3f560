// SPDX-License-Identifier: MIT
// Goal: the edge's end of a link says what it must, when it must, and hands on each effect once
// (K1, K2, K4). Method: the state machine alone, its frames written down.
import { describe, expect, it } from "vitest";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { EdgeLink } from "../../../src/wire/link/edge-link.ts";
import type { EdgeFrame } from "../../../src/wire/link/frames.ts";
import { linkFormat } from "../../../src/wire/link/frames.ts";

function createLink() {
  const frames: EdgeFrame[] = [];
  const effects: EdgeEffect[] = [];
  const events: string[] = [];
  const link = new EdgeLink({
    ...{ edge: "e", incarnation: 7, leaseUs: 5_000_000 },
    limits: { mailboxCommandsMax: 4, entryCommandsMax: 2 },
    onWork: () => void events.push("work"),
    onEffects: (some) => void effects.push(...some),
    onRoom: () => void events.push("room"),
    onUp: (isFirst) => void events.push(isFirst ? "first" : "again"),
    onEnd: (reason) => void events.push(`end ${reason}`),
  });
  const connect = (): void => link.connected((frame) => void frames.push(frame));
  return { link, frames, effects, events, connect };
}

const attach = { kind: "attach", leaseUs: 5_000_000 };
const leave = (connection: number) => ({ kind: "leave", connection }) as const;
const effect = (connection: number): EdgeEffect => ({ kind: "acknowledged", connection });

describe("EdgeLink", () => {
  it("says hello first, and nothing else until it is let in", () => {
    const { link, frames, connect } = createLink();
    link.submit(leave(1));
    connect();
    link.flush();
    expect(frames).toEqual([
      {
        ...{ kind: "hello", format: linkFormat, edge: "e", incarnation: 7 },
        ...{ acknowledged: 0, seen: 0 },
      },
    ]);
    link.receive({ kind: "welcome", lastBatch: 0 });
    link.flush();
    expect(frames.slice(1)).toEqual([{ kind: "batch", number: 1, commands: [attach, leave(1)] }]);
  });

  it("K1 sends again what is not acknowledged, and then that it is back", () => {
    const { link, frames, events, connect } = createLink();
    connect();
    link.receive({ kind: "welcome", lastBatch: 0 });
    link.flush();
    for (const connection of [1, 2, 3]) link.submit(leave(connection));
    link.flush();
    link.receive({ kind: "applied", number: 1 });
    expect(link.disconnected()).toBe(true);
    frames.length = 0;
    connect();
    expect(frames[0]).toMatchObject({ kind: "hello", acknowledged: 1 });
    link.receive({ kind: "welcome", lastBatch: 2 });
    link.flush();
    expect(frames.slice(1)).toEqual([
      { kind: "batch", number: 3, commands: [leave(3)] },
      { kind: "batch", number: 4, commands: [attach] },
    ]);
    expect(events.filter((event) => event !== "work")).toEqual(["first", "again"]);
  });

  it("K2 hands each effect on once, and says up to where it has them", () => {
    const { link, frames, effects, connect } = createLink();
    connect();
    link.receive({ kind: "welcome", lastBatch: 0 });
    const first = { kind: "effects", sequence: 5, effects: [effect(1)] } as const;
    link.receive(first);
    link.receive(first);
    link.receive({ kind: "effects", sequence: 4, effects: [effect(9)] });
    link.receive({ kind: "effects", sequence: 6, effects: [effect(2)] });
    expect(effects).toEqual([effect(1), effect(2)]);
    const seen = frames.filter(({ kind }) => kind === "seen");
    expect(seen.map((frame) => ("sequence" in frame ? frame.sequence : 0))).toEqual([5, 6]);
    link.disconnected();
    connect();
    expect(frames.at(-1)).toMatchObject({ kind: "hello", seen: 6 });
  });

  it("takes as many commands as its mailbox holds, and says when there is room again", () => {
    const { link, events, connect } = createLink();
    connect();
    link.receive({ kind: "welcome", lastBatch: 0 });
    // `attach` is one of the four.
    expect([1, 2, 3, 4].map((at) => link.submit(leave(at)))).toEqual([true, true, true, false]);
    link.flush();
    expect(events).not.toContain("room");
    link.receive({ kind: "applied", number: 2 });
    expect(events).toContain("room");
    expect(link.submit(leave(5))).toBe(true);
  });

  it("takes an arrival back also when its mailbox is full, and not when it is closing", () => {
    const { link, frames, connect } = createLink();
    connect();
    while (link.submit({ kind: "cancel-all", scope: "s", error: 0 })) {
      // Until it is full.
    }
    link.leave(7);
    link.close();
    link.leave(8);
    link.receive({ kind: "welcome", lastBatch: 0 });
    link.flush();
    const said = frames.flatMap((frame) => (frame.kind === "batch" ? frame.commands : []));
    expect(said.slice(-2)).toEqual([leave(7), { kind: "end-edge" }]);
  });

  it("K4 is over when the core says so: what it was told before is handed on, nothing after", () => {
    const { link, frames, effects, events, connect } = createLink();
    connect();
    link.receive({ kind: "welcome", lastBatch: 0 });
    link.receive({ kind: "effects", sequence: 1, effects: [effect(1), { kind: "revoked" }] });
    link.receive({ kind: "effects", sequence: 2, effects: [effect(2)] });
    expect(effects).toEqual([effect(1)]);
    expect(events.at(-1)).toBe("end the core ended this edge's incarnation");
    frames.length = 0;
    expect(link.submit(leave(1))).toBe(false);
    link.flush();
    connect();
    expect(frames).toEqual([]);
  });

  it("a core that is closing may be come back to; one that refuses may not", () => {
    const { link, events, connect } = createLink();
    connect();
    link.receive({ kind: "closed", reason: "the core is closing", mayReturn: true });
    expect(link.hasEnded).toBe(false);
    link.disconnected();
    connect();
    link.receive({ kind: "closed", reason: "no", mayReturn: false });
    expect([link.hasEnded, events.at(-1)]).toEqual([true, "end no"]);
  });

  it("close() ends when the core has it; a question is answered when the link is lost", () => {
    const { link, frames, events, connect } = createLink();
    connect();
    link.receive({ kind: "welcome", lastBatch: 0 });
    const answers: unknown[] = [];
    link.describe({ scope: "s" }, (answer) => void answers.push(answer));
    link.close();
    link.flush();
    expect(frames.at(-1)).toEqual({
      ...{ kind: "batch", number: 1, commands: [attach, { kind: "end-edge" }] },
    });
    link.disconnected();
    expect(answers).toEqual([undefined]);
    connect();
    link.receive({ kind: "welcome", lastBatch: 1 });
    link.receive({ kind: "effects", sequence: 3, effects: [{ kind: "revoked" }] });
    expect(events.at(-1)).toBe("end undefined");
  });

  it.each<[string, (link: EdgeLink) => void]>([
    ["the link is lost", (link) => void link.disconnected()],
    ["this end lets go", (link) => link.abandon()],
    [
      "the core has ended it",
      (link) => link.receive({ kind: "effects", sequence: 1, effects: [{ kind: "revoked" }] }),
    ],
    [
      "the core refuses it",
      (link) => link.receive({ kind: "closed", reason: "no", mayReturn: false }),
    ],
  ])("K5 whoever has asked hears once that there is no answer when %s", (_, end) => {
    const { link, connect } = createLink();
    connect();
    link.receive({ kind: "welcome", lastBatch: 0 });
    const answers: unknown[] = [];
    link.describe({ scope: "s" }, (answer) => void answers.push(["state", answer]));
    link.listEvents("s", 0, (answer) => void answers.push(["events", answer]));
    link.askClock((answer) => void answers.push(["clock", answer]));
    const none = [
      ["state", undefined],
      ["events", undefined],
      ["clock", undefined],
    ];
    end(link);
    expect(answers).toEqual(none);
    link.disconnected();
    expect(answers).toEqual(none);
  });

  it("puts no more text of messages into a batch, and takes no more, than its limits say", () => {
    const limits = { mailboxCommandsMax: 99, entryCommandsMax: 99 };
    const batches: number[][] = [];
    const link = new EdgeLink({
      ...{ edge: "e", incarnation: 7, limits: { ...limits, batchTextMax: 10, mailboxTextMax: 20 } },
      ...{ onWork: () => undefined, onEffects: () => undefined, onEnd: () => undefined },
    });
    link.connected((frame) => {
      if (frame.kind !== "batch") return;
      const texts = frame.commands.map((each) =>
        each.kind === "topic-publish" ? each.message.length : 0,
      );
      batches.push(texts);
    });
    link.receive({ kind: "welcome", lastBatch: 0 });
    const publish = (length: number): boolean =>
      link.submit({
        ...{ kind: "topic-publish", scope: "s", topic: "t", connection: length },
        message: "x".repeat(length),
      });
    expect([publish(5), publish(5), publish(10)]).toEqual([true, true, true]);
    expect([publish(1), link.submit(leave(1))]).toEqual([false, true]);
    link.flush();
    expect(batches).toEqual([
      [0, 5, 5],
      [10, 0],
    ]);
    link.receive({ kind: "applied", number: 1 });
    expect([publish(11), publish(10)]).toEqual([false, true]);
    link.receive({ kind: "applied", number: 2 });
    link.flush();
    // One message may always go, alone.
    link.receive({ kind: "applied", number: 3 });
    expect([publish(30), publish(1)]).toEqual([true, false]);
    link.flush();
    expect(batches.slice(2)).toEqual([[10], [30]]);
  });
});
