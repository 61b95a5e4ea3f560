// SPDX-License-Identifier: MIT
// Cores without hosts, joined to a tree by wires that a test holds in its hands: it may cut one,
// let what is on its way be lost, and let a core forget everything. For tests of what controllers
// decide together.
import type { TreeMessage } from "../core/barriers/tree-messages.ts";
import type { Command, TreeCommand } from "../core/command.ts";
import type { Applied, EdgeEffect } from "../core/effect.ts";
import { type Limits, unusualLimits } from "../core/limits.ts";
import { coreVersionMax } from "../core/version.ts";
import { commandOf } from "../edges/tree/index.ts";
import { CoreDriver } from "./core-driver.ts";

const scope = "s";

interface Wire {
  readonly parent: string;
  readonly child: string;
  /** A cut one carries nothing; what was on its way is lost. */
  isCut: boolean;
  /** What is on its way: to whom, and as what command. */
  frames: { readonly to: string; readonly from: string; readonly command: TreeCommand }[];
}

/** Everything that was told to edges that are not wires, by controller. */
export interface Told {
  readonly controller: string;
  readonly edge: string;
  readonly effect: EdgeEffect;
}

export class TreeBench {
  readonly cores: Map<string, CoreDriver> = new Map();
  readonly #wires: Wire[] = [];
  readonly #limits: Partial<Limits>;
  readonly #versions: ReadonlyMap<string, number>;
  /** Told of every message that is put on a wire. */
  onMessage: (message: TreeMessage) => void = () => undefined;
  #told: Told[] = [];
  #lastLife = 0;

  /**
   * @param pairs `["root", "a"]`: the root is above a
   * @param versions of logs of older builds
   */
  constructor(
    pairs: readonly (readonly [string, string])[],
    limits: Partial<Limits> = {},
    versions: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#limits = limits;
    this.#versions = versions;
    for (const [parent, child] of pairs) {
      for (const name of [parent, child]) {
        if (!this.cores.has(name)) this.cores.set(name, this.#create(name));
      }
      this.#wires.push({ parent, child, isCut: false, frames: [] });
    }
    for (const wire of this.#wires) this.#connect(wire);
    this.settle();
    this.takeTold();
  }

  core(name: string): CoreDriver {
    const core = this.cores.get(name);
    if (core === undefined) throw new Error(`no controller ${name}`);
    return core;
  }

  /** Commands of an edge of a controller; then everything is brought that is on its way. */
  send(name: string, edge: string, ...commands: readonly Command[]): readonly Told[] {
    this.put(name, edge, ...commands);
    this.settle();
    return this.takeTold();
  }

  /** Commands only; what they lead to stays on its way. */
  put(name: string, edge: string, ...commands: readonly Command[]): void {
    this.#route(name, this.core(name).send(edge, ...commands));
  }

  /** Time passes at every controller, a second at a time. */
  pass(us: number): readonly Told[] {
    for (let leftUs = us; leftUs > 0; leftUs -= 1_000_000) {
      this.tick(Math.min(leftUs, 1_000_000));
      this.settle();
    }
    return this.takeTold();
  }

  /** Time passes; what that leads to stays on its way. */
  tick(us: number): void {
    for (const [name, core] of this.cores) this.#route(name, core.tick(us));
  }

  /** Brings what is on its way until nothing is. */
  settle(): void {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const wire of this.#wires) isQuiet = !this.step(wire.parent, wire.child) && isQuiet;
    }
  }

  /** Brings one frame of a wire. @returns false when none is on its way. */
  step(parent: string, child: string): boolean {
    const frame = this.#wire(parent, child).frames.shift();
    if (frame === undefined) return false;
    const { to, from, command } = frame;
    this.#route(to, this.core(to).send(edgeOf(from), command));
    return true;
  }

  /** What is on its way over a wire. */
  onItsWay(parent: string, child: string): number {
    return this.#wire(parent, child).frames.length;
  }

  /** What is on its way is lost, and so is what follows. */
  cut(parent: string, child: string): void {
    const wire = this.#wire(parent, child);
    wire.isCut = true;
    wire.frames = [];
  }

  mend(parent: string, child: string): void {
    const wire = this.#wire(parent, child);
    wire.isCut = false;
    wire.frames = [];
    this.#connect(wire);
  }

  /** The edges of a wire end at both controllers, as after a lease. */
  lose(parent: string, child: string): readonly Told[] {
    this.cut(parent, child);
    this.put(parent, edgeOf(child), { kind: "end-edge" });
    this.put(child, edgeOf(parent), { kind: "end-edge" });
    this.settle();
    return this.takeTold();
  }

  /** A controller starts with nothing in its memory; its wires are mended. */
  forget(name: string): void {
    this.cores.set(name, this.#create(name));
    for (const wire of this.#wires) {
      if (wire.parent !== name && wire.child !== name) continue;
      this.mend(wire.parent, wire.child);
    }
  }

  /** What was told since the last time. */
  takeTold(): readonly Told[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  #create(name: string): CoreDriver {
    const core = new CoreDriver(this.#limits);
    const version = this.#versions.get(name) ?? coreVersionMax;
    const limits = unusualLimits(core.limits);
    if (version > 1) core.send("host", { kind: "version", version, limits });
    return core;
  }

  #wire(parent: string, child: string): Wire {
    const found = this.#wires.find((wire) => wire.parent === parent && wire.child === child);
    if (found === undefined) throw new Error(`no wire from ${parent} to ${child}`);
    return found;
  }

  #connect({ parent, child }: Wire): void {
    const join = (name: string, peer: string, side: "parent" | "child"): void => {
      this.#lastLife += 1;
      const life = this.#lastLife;
      const command = { kind: "tree-join", scope, name, peer, side, life } as const;
      const core = this.core(name);
      // One incarnation after the other, as an edge that was given up comes back.
      core.revive(edgeOf(peer));
      this.#route(name, core.send(edgeOf(peer), command));
    };
    join(parent, child, "child");
    join(child, parent, "parent");
  }

  #route(controller: string, { addressed }: Applied): void {
    for (const { edge, effect } of addressed) {
      const command = commandOf(controller, effect);
      if (command === undefined) {
        if (!edge.startsWith("tree/")) this.#told.push({ controller, edge, effect });
        continue;
      }
      const peer = edge.slice("tree/".length);
      const wire = this.#wires.find(
        ({ parent, child }) =>
          (parent === controller && child === peer) || (parent === peer && child === controller),
      );
      if (wire !== undefined && !wire.isCut) {
        if (command.kind === "tree-message") this.onMessage(command.message);
        wire.frames.push({ to: peer, from: controller, command });
      }
    }
  }
}

function edgeOf(peer: string): string {
  return `tree/${peer}`;
}
