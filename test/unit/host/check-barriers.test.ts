// SPDX-License-Identifier: MIT
// Goal: no command about barriers reaches the log in a shape that the core does not know, or from
// somebody who may not give it. Method: a good example of each kind; then each of its fields, at
// any depth, is taken away or made something else; and each is given by every role.
import { describe, expect, it } from "vitest";
import type { BarrierCommand } from "../../../src/core/barriers/commands.ts";
import type { Command } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { checkEdgeFrame } from "../../../src/host/check-frame.ts";
import type { EdgeRights } from "../../../src/host/edge-rights.ts";
import { FrameError } from "../../../src/wire/link/frames.ts";
import { type Role, roles } from "../../../src/wire/link/roles.ts";

const who = { address: "a", node: "n", name: "p" };
const place = { scope: "s", barrier: "b", connection: 1 };
const arrival = { ...place, who, error: 0, timeoutUs: 5 };
const quorum = { kind: "percent", percent: 50 } as const;
const deadline = { since: "last-arrival", us: 5 } as const;
const peer = { scope: "s", connection: 1, peer: "p" };
const members = [{ name: "m", group: "g" }];
const rules = { phases: 1, whenDead: "fail", whenLate: "pass", deadline } as const;
const init = { kind: "init", barrier: "b", key: 1 } as const;
const end = { scope: "s", error: 0, reason: "r", barrierKind: "state" } as const;

/** With every field that there can be, and the least role that may give it; undefined: none. */
const examples: {
  readonly [K in BarrierCommand["kind"]]: readonly [
    BarrierCommand & { readonly kind: K },
    Role | undefined,
  ];
} = {
  "count-init": [{ kind: "count-init", ...arrival, count: 1, waits: true, deadline }, "driver"],
  "count-wait": [{ kind: "count-wait", ...arrival }, "participant"],
  "state-signal": [{ kind: "state-signal", ...place, who }, "participant"],
  "state-wait": [{ kind: "state-wait", ...arrival, target: 1 }, "participant"],
  "state-signal-and-wait": [
    { kind: "state-signal-and-wait", ...arrival, target: 1 },
    "participant",
  ],
  "quorum-init": [
    { kind: "quorum-init", ...place, who, quorum, echo: "explicit", deadline },
    "driver",
  ],
  "quorum-wait": [{ kind: "quorum-wait", ...arrival }, "participant"],
  "quorum-echo": [{ kind: "quorum-echo", ...place }, "driver"],
  "quorum-change": [{ kind: "quorum-change", ...place, quorum }, "driver"],
  "peer-register": [{ kind: "peer-register", ...peer }, "driver"],
  "peer-deregister": [{ kind: "peer-deregister", ...peer }, "driver"],
  "peers-set": [{ kind: "peers-set", scope: "s", connection: 1, count: 1 }, "driver"],
  "roster-open": [{ kind: "roster-open", ...place, who, members, rules }, "driver"],
  "roster-arrive": [{ kind: "roster-arrive", ...arrival, phase: 1 }, "participant"],
  "roster-change": [{ kind: "roster-change", ...place, add: members, remove: ["q"] }, "driver"],
  "roster-dead": [
    {
      ...{ kind: "roster-dead", scope: "s", participant: "p", reason: "r", connection: 1 },
      unlessArrived: true,
    },
    "driver",
  ],
  "count-change": [{ kind: "count-change", ...place, expected: 1 }, "driver"],
  "tree-join": [
    { kind: "tree-join", scope: "s", name: "a", peer: "b", side: "child", life: 1 },
    undefined,
  ],
  "tree-meet": [{ kind: "tree-meet", scope: "s", from: "b", life: 1, received: 0 }, undefined],
  "tree-message": [
    { kind: "tree-message", scope: "s", from: "b", number: 1, message: { ...init, quorum } },
    undefined,
  ],
  "tree-acknowledge": [{ kind: "tree-acknowledge", scope: "s", from: "b", number: 1 }, undefined],
  "tree-leave": [{ kind: "tree-leave", scope: "s", peer: "b", reason: "r" }, undefined],
  "cancel-all": [{ kind: "cancel-all", ...end }, "driver"],
  cancel: [{ kind: "cancel", ...end, barrier: "b", connection: 1 }, "driver"],
  fail: [{ kind: "fail", ...end, barrier: "b", connection: 1 }, "driver"],
};
/** The last word of the path of every field that may be absent. */
const optional = new Set(["node", "timeoutUs", "barrierKind", "deadline", "group", "phase"]);
const optionalOf: Readonly<Record<string, readonly string[]>> = {
  "cancel-all": ["reason"],
  cancel: ["reason", "connection"],
  "tree-leave": ["reason"],
  "roster-dead": ["connection", "unlessArrived"],
  fail: ["connection"],
};
/** Numbers that the core looks at itself: it refuses that arrival and not the whole edge. */
const amounts = new Set([
  "timeoutUs",
  "count",
  "target",
  "percent",
  "us",
  "phase",
  "phases",
  "expected",
]);

function isTaken(command: unknown, rights: EdgeRights = { kind: "all" }): boolean {
  const batch = { kind: "batch", number: 1, commands: [command] };
  try {
    checkEdgeFrame(batch, resolveLimits(), { rights });
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

describe.each(Object.values(examples).map(([example, least]) => ({ ...example, example, least })))(
  "$kind",
  ({ example, least }) => {
    it("is taken as it is", () => {
      expect(isTaken(example)).toBe(true);
    });

    it.each(pathsOf(example).map((path) => [path.join("."), path] as const))(
      "is refused when %s is something else",
      (_, path) => {
        const name = String(path.at(-1));
        const isAmount = amounts.has(name) || (name === "error" && "who" in example);
        for (const wrong of [null, { length: 1 }, ...(isAmount ? [] : [0.5])]) {
          expect(isTaken(changed(example, path, wrong))).toBe(false);
        }
        if (typeof path.at(-1) === "number") return;
        const isName = path.join(".") === "who.name";
        const mayBeAbsent =
          isName || optional.has(name) || optionalOf[example.kind]?.includes(name) === true;
        expect(isTaken(changed(example, path, undefined))).toBe(mayBeAbsent);
      },
    );

    it(`is for the role ${least} and those above, in their scope`, () => {
      for (const role of roles) {
        const may = least !== undefined && roles.indexOf(role) >= roles.indexOf(least);
        expect(isTaken(example, { kind: "session", role })).toBe(may);
        expect(isTaken(example, { kind: "session", role, scope: "t" })).toBe(false);
      }
    });
  },
);

it("a sync server may arrive at barriers of its scope, and end counts and no other kind", () => {
  const rights = { kind: "sync", scope: "s" } as const;
  const may = (command: Command): boolean => isTaken(command, rights);
  const clear = { kind: "cancel-all", scope: "s", error: 240 } as const;
  expect(may({ ...clear, barrierKind: "count" })).toBe(true);
  expect(may({ ...clear, barrierKind: "state" })).toBe(false);
  expect(may(clear)).toBe(false);
  for (const [example] of Object.values(examples)) {
    if (example.kind === "cancel-all") continue;
    expect(may(example)).toBe(
      /^(?:count-init|count-wait|quorum-wait|roster-arrive)$/.test(example.kind),
    );
  }
});

describe("what carries the link to a sub-controller", () => {
  const rights: EdgeRights = { kind: "child", name: "b" };
  const own = Object.values(examples).filter(([{ kind }]) => kind.startsWith("tree-"));

  it("speaks of that one, as a sub-controller, and gives no other command", () => {
    for (const [example] of Object.values(examples)) {
      expect(isTaken(example, rights)).toBe(example.kind.startsWith("tree-"));
    }
    for (const kind of ["attach", "end-edge"] as const)
      expect(isTaken({ kind }, rights)).toBe(true);
    expect(own).toHaveLength(5);
    for (const [example] of own) {
      expect(isTaken(example, { kind: "child", name: "c" })).toBe(false);
    }
    const [join] = examples["tree-join"];
    expect(isTaken({ ...join, side: "parent" }, rights)).toBe(false);
    expect(isTaken(join, { ...rights, parent: join.name })).toBe(true);
    expect(isTaken(join, { ...rights, parent: "top" })).toBe(false);
  });

  it("looks at nothing", () => {
    const look = (frame: unknown) => () => checkEdgeFrame(frame, resolveLimits(), { rights });
    expect(look({ kind: "describe", id: 1, scope: "s" })).toThrow(FrameError);
    expect(look({ kind: "list-events", id: 1, scope: "s", after: 0 })).toThrow(FrameError);
  });
});
