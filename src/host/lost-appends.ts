// SPDX-License-Identifier: MIT
// Whether an entry that the log has said to have taken is where it said: a log on NATS may have
// lost it all the same, when the broker that took it had been deposed by the others and did not
// know. What is lost is appended again by the host, as after a failure (H2).
//
//   Q1. An append is lost when its place holds an entry of somebody else, or of another life.
//   Q2. What was appended before this life began is not looked for: its answer may come later.

/** Places of own entries whose acknowledgement has not come; it may never come. */
const keptMax = 4_096;

export class LostAppends {
  /** Taken, and not delivered yet. */
  readonly #taken = new Set<number>();
  /** Own, delivered, and not known to be taken. */
  readonly #delivered = new Set<number>();
  #life = 0;

  /** In which life an append is sent. */
  get life(): number {
    return this.#life;
  }

  /**
   * @param life in which it was sent (Q2)
   * @param applied the last entry that was delivered
   * @returns whether it is lost (Q1)
   */
  taken(life: number, sequence: number, applied: number): boolean {
    if (life !== this.#life) return false;
    if (sequence <= applied) return !this.#delivered.delete(sequence);
    this.#taken.add(sequence);
    return false;
  }

  /** @param isOwn of this life of this server. @returns whether an own one is lost (Q1). */
  delivered(sequence: number, isOwn: boolean): boolean {
    if (this.#taken.delete(sequence)) return !isOwn;
    if (isOwn) this.#delivered.add(sequence);
    if (this.#delivered.size > keptMax) {
      for (const oldest of this.#delivered) {
        this.#delivered.delete(oldest);
        break;
      }
    }
    return false;
  }

  /** It has joined anew: what its last life has appended counts no more. */
  forget(): void {
    this.#life += 1;
    this.#taken.clear();
    this.#delivered.clear();
  }
}
