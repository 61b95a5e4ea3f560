// SPDX-License-Identifier: MIT
// The edges that are attached to a host: which port each of them has, how effects get to it, and
// what is kept for one that is away.
//
//   H3. Effects for an edge that is away are kept until it returns or its lease ends.
import type { AddressedEffect } from "../core/effect.ts";
import type { Kept } from "./effect-store.ts";
import { byEdge, EffectStore } from "./effect-store.ts";
import { type Life, LifeTable } from "./life-table.ts";
import type { Port } from "./port.ts";
import { SeenCount } from "./seen-count.ts";

export class AttachedPorts {
  /** What is kept for edges; a snapshot of the log brings its own. */
  readonly store: EffectStore = new EffectStore();
  /** By edge and incarnation: one that ends still has to be told so when the next is here. */
  readonly #ports = new LifeTable<Port>();
  readonly #seen = new SeenCount();
  readonly #mayReturn: (edge: string) => boolean;

  /** @param mayReturn whether that edge, which is away, may come back */
  constructor(mayReturn: (edge: string) => boolean) {
    this.#mayReturn = mayReturn;
  }

  get(life: Life): Port | undefined {
    return this.#ports.get(life);
  }

  has(life: Life): boolean {
    return this.#ports.has(life);
  }

  values(): readonly Port[] {
    return this.#ports.values();
  }

  /**
   * Puts a port in place, and delivers to it what is kept behind that entry.
   * @returns the port of the same incarnation that was there; it has been told
   */
  attach(port: Port, seenSequence: number): Port | undefined {
    const before = this.#ports.get(port);
    this.#ports.set(port, port);
    before?.replaced();
    this.store.drop(port, seenSequence);
    for (const { sequence, effects } of this.store.after(port, seenSequence)) {
      port.deliver(sequence, effects);
    }
    return before;
  }

  /** @returns false when another port has its place */
  detach(port: Port): boolean {
    return this.#ports.get(port) === port && this.#ports.delete(port);
  }

  /** An edge of another process is not this host's any more; its link is closed. */
  release(port: Port): void {
    this.#ports.delete(port);
    this.#seen.forget(port);
    port.replaced();
  }

  /** What an incarnation, also an ended one, has been told and may not have heard. */
  keptFor(life: Life, seenSequence: number): readonly Kept[] {
    return this.store.after(life, seenSequence);
  }

  /** An edge has so many more effects. @returns whether the log is to be told */
  noteSeen(life: Life, effects: number): boolean {
    return this.#seen.add(life, effects);
  }

  /** H3. What the entry with this sequence says to edges. */
  handOut(sequence: number, addressed: readonly AddressedEffect[]): void {
    for (const { life, effects } of byEdge(addressed)) {
      if (this.#ports.get(life)?.deliver(sequence, effects)) continue;
      if (this.#mayReturn(life.edge)) this.store.keep(life, sequence, effects);
    }
  }
}
