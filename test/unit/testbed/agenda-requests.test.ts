// SPDX-License-Identifier: MIT
// Goal: every question to an agenda is answered once, with its own answer, or when the link closes.
import { expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { AgendaRequests } from "../../../src/testbed/agenda-requests.ts";

function setUp({ countMax = Number.POSITIVE_INFINITY } = {}) {
  const told: Command[] = [];
  let hear: (effects: readonly EdgeEffect[]) => void = () => undefined;
  let end: (reason: string) => void = () => undefined;
  const requests = new AgendaRequests((_, { onEffects, onClosed }) => {
    hear = onEffects;
    end = (reason) => onClosed?.(reason);
    const submit = (command: Command): boolean => told.push(command) <= countMax;
    return { submit, close: () => Promise.resolve() };
  });
  return { told, requests, hear: (effect: EdgeEffect) => hear([effect]), end: () => end("over") };
}

const record = { object: "p", type: "PROGRAM", token: 1, error: 2, text: "" };

it("gives each its own answer, and does not take acceptance for completion", async () => {
  const { told, requests, hear } = setUp();
  const errors = requests.takeErrors("s");
  let isDone = false;
  const fired = requests.fireNow("s", "__ns_swapout", "RUN").then(() => {
    isDone = true;
  });
  expect(told).toMatchObject([
    { kind: "agenda-take-errors", request: 1 },
    { kind: "agenda-schedule", request: 2, object: "__ns_swapout" },
  ]);
  const answer = { kind: "agenda-answer", scope: "s" } as const;
  hear({ ...answer, request: 2, answer: { kind: "accepted", id: 4 } });
  hear({
    ...{ ...answer, request: 1 },
    answer: { kind: "errors", errors: [record], dropped: 3 },
  });
  expect(await errors).toEqual({ errors: [record], dropped: 3 });
  expect(isDone).toBe(false);
  hear({ kind: "event-done", scope: "s", request: 2, id: 4, error: 0, text: "" });
  await fired;
});

it("takes a refusal for the end", async () => {
  const { requests, hear } = setUp();
  const fired = requests.fireNow("s", "x", "RUN");
  const refusal = { kind: "refused", code: "unknown", message: "no x" } as const;
  hear({ kind: "agenda-answer", scope: "s", request: 1, answer: refusal });
  await fired;
});

it("answers what is open, and what comes later, when the link closes", async () => {
  const { told, requests } = setUp();
  const open = requests.takeErrors("s");
  await requests.close();
  expect(await open).toEqual({ errors: [], dropped: 0 });
  await requests.fireNow("s", "x", "RUN");
  expect(told).toHaveLength(1);
});

it("answers what is open when the core ends the link, and what it has no room for", async () => {
  const ended = setUp();
  const open = ended.requests.cancel("s", 1);
  ended.end();
  expect(await open).toBeUndefined();
  const full = setUp({ countMax: 0 });
  expect(await full.requests.cancel("s", 1)).toBeUndefined();
});
