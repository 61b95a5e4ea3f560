// SPDX-License-Identifier: MIT
// The orders of an agent that have not fired, and which of them their performer meets by itself. It
// may do so only where nothing can come between: what an earlier order for the same object changes
// would otherwise be missed. Decides nothing else; who fires an order takes it out.
//
//   O1. An order that its performer meets is due before every other one of its object; one that is
//       due at the same instant came later.

export type TakeBack = () => "revoked" | "already fired";

interface Armed {
  readonly object: string;
  readonly dueUs: number;
  takeBack: TakeBack;
}

export class ArmedOrders {
  readonly #armed = new Map<string, Armed>();
  /** By object. */
  readonly #counts = new Map<string, number>();
  /** By object: the key of the order that its performer meets. */
  readonly #met = new Map<string, string>();
  #onFewer: () => void = () => undefined;

  has(key: string): boolean {
    return this.#armed.has(key);
  }

  /** Whether nothing else is armed for the object. */
  isFree(object: string): boolean {
    return !this.#counts.has(object);
  }

  /**
   * O1. Another order for the object is due then.
   *
   * @returns the key of an order that its performer must not meet any more
   */
  overtaken(object: string, dueUs: number): string | undefined {
    const key = this.#met.get(object);
    const armed = key === undefined ? undefined : this.#armed.get(key);
    return armed !== undefined && dueUs < armed.dueUs ? key : undefined;
  }

  /** @param isMet its performer meets it by itself */
  add(
    key: string,
    { object, dueUs, isMet }: { object: string; dueUs: number; isMet: boolean },
    takeBack: TakeBack,
  ): void {
    this.remove(key);
    this.#armed.set(key, { object, dueUs, takeBack });
    this.#counts.set(object, (this.#counts.get(object) ?? 0) + 1);
    if (isMet) this.#met.set(object, key);
  }

  takeBack(key: string): ReturnType<TakeBack> | undefined {
    return this.#armed.get(key)?.takeBack();
  }

  remove(key: string): void {
    const armed = this.#armed.get(key);
    if (armed === undefined) return;
    const { object } = armed;
    this.#armed.delete(key);
    const count = (this.#counts.get(object) ?? 1) - 1;
    if (count === 0) this.#counts.delete(object);
    else this.#counts.set(object, count);
    if (this.#met.get(object) === key) this.#met.delete(object);
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
