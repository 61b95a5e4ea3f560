// SPDX-License-Identifier: MIT
// Goal: each event that was not planned is a row of `logs/events`, and nothing else is. Method: a
// host that says what the test wants, and a directory.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LogEntry } from "../../../src/core/command.ts";
import type { ObservedEffect } from "../../../src/core/effect.ts";
import type { Observer } from "../../../src/host/host-options.ts";
import { EventRecording } from "../../../src/testbed/record/event-recording.ts";
import { FakeClock } from "./fake-clock.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-recording-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function setUp() {
  const observers = new Set<Observer>();
  const errors: string[] = [];
  const recording = new EventRecording({
    host: {
      observe: (observer) => {
        observers.add(observer);
        return () => observers.delete(observer);
      },
    },
    clock: new FakeClock(),
    experiment: directory,
    nodeOf: (object) => (object === "p" ? "n0" : ""),
    monotonicOf: (plannedUs) => plannedUs + 500,
    onError: (text) => errors.push(text),
  });
  recording.start();
  const say = (...observed: readonly ObservedEffect[]): void => {
    const entry: LogEntry = { sequence: 1, stampUs: 7_000_002, entry: { format: 1, batches: [] } };
    const applied = { nowUs: 0, addressed: [], observed, keptPayloads: [], freedPayloads: [] };
    for (const observer of observers) observer(entry, applied);
  };
  const text = (): string => readFileSync(join(directory, "logs/events"), "utf8");
  return { recording, errors, say, text };
}

const accepted = (object: string, args: string, parent = ""): ObservedEffect => ({
  ...{ kind: "event-accepted", scope: "s", item: 1, plannedUs: 8_000_000, parent },
  event: { id: 0, object, type: "PROGRAM", event: "START", args },
});

it("writes a row for each, with times of the wall clock", async () => {
  const { recording, say, text, errors } = setUp();
  say(accepted("p", "COMMAND=echo a, b\nc"), accepted("__ns_swapout", ""));
  const cancelled = { plannedUs: 0, by: "request", why: "" } as const;
  say({ kind: "event-cancelled", scope: "s", item: 1, event: { ...event }, ...cancelled });
  say(accepted("q", "", "line"));
  await recording.stop();
  expect(text().split("\n")).toEqual([
    "arrivaltime,firetime,vnode,objname,objecttype,eventtype,parent,arguments",
    "7:000002,8:000500,n0,p,PROGRAM,START,,COMMAND=echo a, b c",
    "7:000002,8:000500,,q,PROGRAM,START,line,",
    "",
  ]);
  expect(errors).toEqual([]);
});

it("makes no file when there is no such event", async () => {
  const { recording } = setUp();
  await recording.stop();
  expect(existsSync(join(directory, "logs"))).toBe(false);
});

it("says once that it cannot write, and does not follow a link", async () => {
  mkdirSync(join(directory, "logs"));
  symlinkSync(join(directory, "elsewhere"), join(directory, "logs/events"));
  const { recording, say, errors } = setUp();
  say(accepted("p", ""), accepted("q", ""));
  await recording.stop();
  expect(errors).toHaveLength(1);
  expect(existsSync(join(directory, "elsewhere"))).toBe(false);
});

const event = { id: 0, object: "p", type: "PROGRAM", event: "START", args: "" };
