// SPDX-License-Identifier: MIT
// Goal: no command of the agenda reaches the log in a shape that the core does not know. Method: a
// good example of each kind; then each of its fields, at any depth, is taken away or made something
// else, and the frame must be refused unless that field may be absent.
import { describe, expect, it } from "vitest";
import type { AgendaCommand } from "../../../src/core/agenda/commands.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { checkEdgeFrame } from "../../../src/host/check-frame.ts";
import { FrameError } from "../../../src/wire/link/frames.ts";

const event = {
  ...{ id: 1, object: "p", type: "PROGRAM", event: "RUN", args: "" },
  terms: { toleranceUs: 1, whenLate: "skip", deadlineUs: 5 },
} as const;
const timed = [{ atUs: 0, event, on: { barrier: "b", outcome: "crossed" } }] as const;
const request = { scope: "s", request: 1 };

const examples: { readonly [K in AgendaCommand["kind"]]: AgendaCommand & { readonly kind: K } } = {
  "agenda-load": {
    ...{ kind: "agenda-load", scope: "s", main: timed },
    agents: [{ name: "p", type: "PROGRAM", node: "n" }],
    groups: [{ name: "g", members: ["p"] }],
    timelines: [{ name: "l", events: timed }],
    sequences: [{ name: "q", steps: timed, onError: "l" }],
  },
  "agenda-start": { kind: "agenda-start", scope: "s", inUs: 1 },
  "agenda-replay": { kind: "agenda-replay", scope: "s", inUs: 1 },
  "agenda-halt": { kind: "agenda-halt", scope: "s" },
  "agenda-pause": { kind: "agenda-pause", ...request },
  "agenda-resume": { kind: "agenda-resume", ...request },
  "agenda-schedule": {
    ...{ kind: "agenda-schedule", ...request, object: "p", event: "RUN", args: "" },
    ...{ at: { kind: "in", us: 1 }, on: timed[0].on, timeline: "l", terms: event.terms },
  },
  "agenda-cancel": { kind: "agenda-cancel", ...request, id: 1 },
  "agenda-edit": { kind: "agenda-edit", ...request, id: 1, at: { kind: "at", us: 1 }, args: "" },
  "agenda-amend": {
    ...{ kind: "agenda-amend", ...request, removed: ["q"] },
    agents: [{ name: "p", type: "PROGRAM", node: "n" }],
    groups: [{ name: "g", members: ["p"] }],
    timelines: [{ name: "l", events: timed }],
    sequences: [{ name: "q", steps: timed, onError: "l" }],
    main: { dropped: [1], changed: timed, added: timed, fromNow: timed },
  },
  "agenda-fired": {
    ...{ kind: "agenda-fired", scope: "s", token: 1, firedStampUs: 1, outcome: "done" },
  },
  "agenda-complete": {
    ...{ kind: "agenda-complete", scope: "s", token: 1, error: 0 },
    ...{ member: "p", text: "", unknown: false },
  },
  "agenda-revoked": { kind: "agenda-revoked", scope: "s", token: 1, fired: true },
  "agenda-agents": {
    ...{ kind: "agenda-agents", scope: "s", objects: ["p"], state: "down", reason: "gone" },
  },
  "agenda-take-errors": { kind: "agenda-take-errors", ...request },
};
/** The last word of the path of every field that may be absent. */
const optional = new Set([
  ...["terms", "toleranceUs", "whenLate", "deadlineUs", "on", "onError", "inUs", "timeline"],
  ...["member", "text", "unknown"],
]);

function isTaken(command: unknown): boolean {
  const sender = { edge: "e", incarnation: 1, rights: { kind: "all" } } as const;
  const batch = { kind: "batch", number: 1, commands: [command] };
  try {
    checkEdgeFrame(batch, resolveLimits(), sender);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError);
    return false;
  }
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    return [here, ...pathsOf(inner, here)];
  });
}

function changed(value: unknown, [key, ...rest]: Path, to: unknown): unknown {
  if (key === undefined) return to;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  const next = changed(copy[key], rest, to);
  if (next === undefined) delete copy[key];
  else copy[key] = next;
  return copy;
}

describe.each(Object.values(examples))("$kind", (example) => {
  it("is taken as it is", () => {
    expect(isTaken(example)).toBe(true);
  });

  it.each(pathsOf(example).map((path) => [path.join("."), path] as const))(
    "is refused when %s is something else",
    (_, path) => {
      const name = String(path.at(-1));
      // Terms have no field that must be there.
      for (const wrong of name === "terms" ? [null, 0.5] : [null, 0.5, { length: 1 }]) {
        expect(isTaken(changed(example, path, wrong))).toBe(false);
      }
      const isEdit = example.kind === "agenda-edit" && (name === "at" || name === "args");
      if (typeof path.at(-1) === "number") return;
      expect(isTaken(changed(example, path, undefined))).toBe(optional.has(name) || isEdit);
    },
  );
});
