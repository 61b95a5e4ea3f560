// SPDX-License-Identifier: MIT
// A tree of controllers in one process: the links carry what the cores say to each other, in order
// and at once, and every message is counted by kind and level.
import type { Command } from "../../src/core/command.ts";
import type { EdgeEffect } from "../../src/core/effect.ts";
import { commandOf } from "../../src/edges/tree/index.ts";
import { Controller, scope } from "./controller.ts";
import type { TreeShape } from "./figures.ts";

interface Place {
  readonly controller: Controller;
  /** The top has 0. A link has the level of its lower end. */
  readonly level: number;
}

export interface TreeRun {
  readonly controllers: readonly number[];
  /** Of the crossing; joining the tree is not in it. `kind@level`. */
  readonly messages: ReadonlyMap<string, number>;
  readonly released: number;
  readonly entriesTop: number;
  readonly entriesLowest: number;
}

const place = { scope, barrier: "b" } as const;
const who = { address: "10.0.0.1:4711" } as const;

/** Everybody arrives at the lowest controllers, and all go on. */
export function playTree({ depth, fanOut, parties }: TreeShape): TreeRun {
  const places = new Map<string, Place>();
  const messages = new Map<string, number>();
  const waiting: { readonly to: string; readonly edge: string; readonly command: Command }[] = [];
  const levels: string[][] = [];
  const post = (from: string, edge: string, effect: EdgeEffect): void => {
    if (!edge.startsWith("tree/")) return;
    const to = edge.slice("tree/".length);
    if (effect.kind === "tree-left") throw new Error(`${from} has left the tree: ${effect.reason}`);
    const command = commandOf(from, effect);
    if (command === undefined) return;
    const level = Math.max(places.get(from)?.level ?? 0, places.get(to)?.level ?? 0);
    const kind = effect.kind === "tree-message" ? effect.message.kind : effect.kind;
    messages.set(`${kind}@${level}`, (messages.get(`${kind}@${level}`) ?? 0) + 1);
    waiting.push({ to, edge: `tree/${from}`, command });
  };
  const deliver = (): void => {
    for (const { to, edge, command } of waiting) at(places, to).send(edge, [command]);
    waiting.length = 0;
  };
  for (let level = 0; level <= depth; level += 1) {
    levels.push([]);
    for (let index = 0; index < fanOut ** level; index += 1) {
      const name = `c${level}-${index}`;
      const controller = new Controller(name, (edge, effect) => post(name, edge, effect));
      places.set(name, { controller, level });
      levels[level]?.push(name);
      if (level > 0) join(places, `c${level - 1}-${Math.floor(index / fanOut)}`, name);
      deliver();
    }
  }
  const lowest = levels[depth] ?? [];
  const each = parties / lowest.length;
  for (const name of lowest) {
    const peers = { kind: "peers-set", scope, connection: 1, count: each } as const;
    at(places, name).send("peers", [peers]);
  }
  messages.clear();
  const before = [...places.values()].map(({ controller }) => controller.entries);
  const quorum = { kind: "percent", percent: 100 } as const;
  const init = { kind: "quorum-init", ...place, connection: 2, who, quorum } as const;
  at(places, "c0-0").send("driver", [{ ...init, echo: "automatic" }]);
  deliver();
  for (const name of lowest) {
    at(places, name).sendMany("peers", each, (index) => {
      return { kind: "quorum-wait", ...place, connection: 10 + index, who, error: 0 };
    });
    deliver();
  }
  const all = [...places.values()].map(({ controller }) => controller);
  const entries = all.map((controller, index) => controller.entries - (before[index] ?? 0));
  return {
    controllers: levels.map(({ length }) => length),
    messages,
    released: all.reduce((sum, controller) => sum + controller.released, 0),
    entriesTop: entries[0] ?? 0,
    entriesLowest: entries.at(-1) ?? 0,
  };
}

function at(places: ReadonlyMap<string, Place>, name: string): Controller {
  const found = places.get(name);
  if (found === undefined) throw new Error(`no controller ${name}`);
  return found.controller;
}

function join(places: ReadonlyMap<string, Place>, parent: string, child: string): void {
  const head = { kind: "tree-join", scope, life: 1 } as const;
  at(places, parent).send(`tree/${child}`, [{ ...head, name: parent, peer: child, side: "child" }]);
  at(places, child).send(`tree/${parent}`, [
    { ...head, name: child, peer: parent, side: "parent" },
  ]);
}
