// SPDX-License-Identifier: MIT
// The work of one agent: one piece after the other, in the order of its coming, so that who gives
// it never waits and work of another agent is not delayed. [EMULAB-EVENTS 2.8, 9 fault 16]

export class WorkQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as the work does; the next piece begins all the same. */
  add<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when there is nothing to do. */
  async settle(): Promise<void> {
    for (let last: unknown; last !== this.#last; ) {
      last = this.#last;
      await last;
    }
  }
}
