// SPDX-License-Identifier: MIT
// Who may change the nodes of a run: several restarts of single nodes at once, or one modification
// of the whole. Who comes later waits, in the order of coming.
//
//   C1. While a modification is made no restart is, and the other way round.

export class NodeChanges {
  /** Resolves when what came so far, and excludes a restart, is over. */
  #whole: Promise<unknown> = Promise.resolve();
  /** Restarts that are under way, or wait. Settle, and never reject. */
  readonly #single = new Set<Promise<unknown>>();

  /** A change of one node. */
  async single<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#whole.then(change);
    const over = result.then(
      () => undefined,
      () => undefined,
    );
    this.#single.add(over);
    void over.then(() => this.#single.delete(over));
    return await result;
  }

  /** A change of the whole. */
  async whole<T>(change: () => Promise<T>): Promise<T> {
    const earlier = [this.#whole, ...this.#single];
    const result = Promise.all(earlier).then(change);
    this.#whole = result.catch(() => undefined);
    return await result;
  }
}
