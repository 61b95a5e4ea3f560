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

interface Frame {
  readonly to: string;
  readonly edge: string;
  readonly command: Command;
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

/** Barriers that are carried; of a state a signal is what an arrival at a count is. */
export type CarriedKind = "quorum" | "count" | "roster";

/** Reports of counts that wait for their time go after this much. */
const flushUs = 1_000;

/** Everybody arrives at the lowest controllers, and all go on. */
export function playTree(shape: TreeShape, kind: CarriedKind = "quorum"): TreeRun {
  const tree = new PlayedTree(shape);
  tree.open(kind);
  tree.arrive(kind);
  return tree.result();
}

class PlayedTree {
  readonly #shape: TreeShape;
  readonly #places = new Map<string, Place>();
  readonly #levels: string[][] = [];
  readonly #messages = new Map<string, number>();
  readonly #waiting: Frame[] = [];
  readonly #each: number;
  readonly #before: readonly number[];

  constructor(shape: TreeShape) {
    this.#shape = shape;
    const { depth, fanOut, parties } = shape;
    for (let level = 0; level <= depth; level += 1) {
      this.#levels.push([]);
      for (let index = 0; index < fanOut ** level; index += 1) this.#add(level, index);
    }
    this.#each = parties / this.#lowest.length;
    for (const name of this.#lowest) {
      const peers = { kind: "peers-set", scope, connection: 1, count: this.#each } as const;
      this.#at(name).send("peers", [peers]);
    }
    this.#messages.clear();
    this.#before = this.#controllers.map(({ entries }) => entries);
  }

  open(kind: CarriedKind): void {
    const { parties } = this.#shape;
    const head = { ...place, connection: 2, who } as const;
    const percent = { kind: "percent", percent: 100 } as const;
    const rules = { phases: 1, whenDead: "fail", whenLate: "refuse" } as const;
    const commands = {
      quorum: () => ({ kind: "quorum-init", ...head, quorum: percent, echo: "automatic" }) as const,
      count: () =>
        ({ kind: "count-init", ...head, error: 0, count: parties, waits: false }) as const,
      roster: () => ({ kind: "roster-open", ...head, members: this.#members(), rules }) as const,
    };
    this.#at("c0-0").send("driver", [commands[kind]()]);
    this.#deliver();
  }

  arrive(kind: CarriedKind): void {
    for (const name of this.#lowest) {
      this.#at(name).sendMany("peers", this.#each, (index) => {
        const arrival = { ...place, connection: 10 + index, error: 0 } as const;
        if (kind === "quorum") return { kind: "quorum-wait", ...arrival, who };
        if (kind === "count") return { kind: "count-wait", ...arrival, who };
        return { kind: "roster-arrive", ...arrival, who: { ...who, name: `${name}.${index}` } };
      });
      this.#deliver();
    }
    if (kind !== "count") return;
    // Each level has to wait once.
    for (let turn = 0; turn <= this.#shape.depth + 1; turn += 1) {
      for (const controller of this.#controllers) {
        controller.stampUs += flushUs;
        controller.send("time", []);
      }
      this.#deliver();
    }
  }

  result(): TreeRun {
    const all = this.#controllers;
    const entries = all.map((controller, index) => controller.entries - (this.#before[index] ?? 0));
    return {
      controllers: this.#levels.map(({ length }) => length),
      messages: this.#messages,
      released: all.reduce((sum, controller) => sum + controller.released, 0),
      entriesTop: entries[0] ?? 0,
      entriesLowest: entries.at(-1) ?? 0,
    };
  }

  get #lowest(): readonly string[] {
    return this.#levels.at(-1) ?? [];
  }

  get #controllers(): readonly Controller[] {
    return [...this.#places.values()].map(({ controller }) => controller);
  }

  /** Each with the path to its controller. */
  #members() {
    const { depth, fanOut } = this.#shape;
    return this.#lowest.flatMap((at, number) => {
      const path = Array.from({ length: depth }, (_, index) => {
        return `c${index + 1}-${Math.floor(number / fanOut ** (depth - index - 1))}`;
      });
      return Array.from({ length: this.#each }, (_, index) => {
        return { name: `${at}.${index}`, at: path.join("/") };
      });
    });
  }

  #add(level: number, index: number): void {
    const name = `c${level}-${index}`;
    const controller = new Controller(name, (edge, effect) => this.#post(name, edge, effect));
    this.#places.set(name, { controller, level });
    this.#levels[level]?.push(name);
    if (level > 0) this.#join(`c${level - 1}-${Math.floor(index / this.#shape.fanOut)}`, name);
    this.#deliver();
  }

  #join(parent: string, child: string): void {
    const head = { kind: "tree-join", scope, life: 1 } as const;
    const below = { ...head, name: parent, peer: child, side: "child" } as const;
    this.#at(parent).send(`tree/${child}`, [below]);
    const above = { ...head, name: child, peer: parent, side: "parent" } as const;
    this.#at(child).send(`tree/${parent}`, [above]);
  }

  #post(from: string, edge: string, effect: EdgeEffect): void {
    if (!edge.startsWith("tree/")) return;
    const to = edge.slice("tree/".length);
    if (effect.kind === "tree-left") throw new Error(`${from} has left the tree: ${effect.reason}`);
    const command = commandOf(from, effect);
    if (command === undefined) return;
    const levels = [from, to].map((name) => this.#places.get(name)?.level ?? 0);
    const kind = effect.kind === "tree-message" ? effect.message.kind : effect.kind;
    const key = `${kind}@${Math.max(...levels)}`;
    this.#messages.set(key, (this.#messages.get(key) ?? 0) + 1);
    this.#waiting.push({ to, edge: `tree/${from}`, command });
  }

  #deliver(): void {
    for (const { to, edge, command } of this.#waiting) this.#at(to).send(edge, [command]);
    this.#waiting.length = 0;
  }

  #at(name: string): Controller {
    const found = this.#places.get(name);
    if (found === undefined) throw new Error(`no controller ${name}`);
    return found.controller;
  }
}
