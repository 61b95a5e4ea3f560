// SPDX-License-Identifier: MIT
// The orders of an agent that have not fired, and which of them their performer meets by itself. It
// may do so only where nothing can come between: what an earlier order for the same object changes
// would otherwise be missed. Decides nothing else; who fires an order takes it out.
//
//   O1. No order that is to be told is due before one of its object that its performer meets; one
//       that is due at the same instant came later. Performers keep what they meet in order.

export type TakeBack = () => "revoked" | "already fired";

interface Armed {
  readonly object: string;
  readonly dueUs: number;
  readonly isMet: boolean;
  readonly takeBack: TakeBack;
}

interface OfObject {
  toldCount: number;
  readonly met: Set<string>;
}

export class ArmedOrders {
  readonly #armed = new Map<string, Armed>();
  readonly #objects = new Map<string, OfObject>();
  #onFewer: () => void = () => undefined;

  has(key: string): boolean {
    return this.#armed.has(key);
  }

  /** Whether nothing is to be told to the object, so that its performer may meet what comes. */
  isFree(object: string): boolean {
    return (this.#objects.get(object)?.toldCount ?? 0) === 0;
  }

  /** @param armed `isMet`: its performer meets it by itself */
  add(key: string, armed: Armed): void {
    this.remove(key);
    this.#armed.set(key, armed);
    const of = this.#objects.get(armed.object) ?? { toldCount: 0, met: new Set() };
    this.#objects.set(armed.object, of);
    if (armed.isMet) of.met.add(key);
    else of.toldCount += 1;
  }

  /** O1: something is to be told to the object then; what is due later is not met any more. */
  overtake(object: string, dueUs: number): void {
    for (const key of this.#objects.get(object)?.met ?? []) {
      const armed = this.#armed.get(key);
      if (armed !== undefined && dueUs < armed.dueUs) armed.takeBack();
    }
  }

  remove(key: string): void {
    const armed = this.#armed.get(key);
    if (armed === undefined) return;
    this.#armed.delete(key);
    const of = this.#objects.get(armed.object);
    if (of === undefined) return;
    if (armed.isMet) of.met.delete(key);
    else of.toldCount -= 1;
    if (of.toldCount + of.met.size === 0) this.#objects.delete(armed.object);
    this.#onFewer();
  }

  /** Takes back what has not fired; the rest stays until it has said so. */
  takeAllBack(): void {
    for (const [key, { takeBack }] of [...this.#armed]) {
      if (takeBack() === "revoked") this.remove(key);
    }
  }

  /** Resolves when nothing is armed. */
  async drain(): Promise<void> {
    while (this.#armed.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onFewer = resolve;
      });
    }
  }
}
