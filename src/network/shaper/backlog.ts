// SPDX-License-Identifier: MIT
// When packets came that a thread finds all at once because it did not run: one after the other,
// evenly, over the time that it did not look. Stamped with the instant at which they are found they
// would be a burst that nobody sent, and find a link's queue full that on an idle machine would
// have been nearly empty: a loss of this machine in the books of the link. Pure.
//
//   W1. Instants are not before the socket was last seen empty, not after the packets were found,
//       and never go back.
//   W2. Packets come out in the order in which they went in, none twice, none left.

export interface BacklogBounds {
  /** Who looks as often as that is not behind, microseconds. */
  readonly behindUs: number;
  /** Packets that are held at most: then they are given out, whatever more there is. */
  readonly packetsMax: number;
}

export class Backlog<Packet> {
  readonly #bounds: BacklogBounds;
  #emptyUs = -Infinity;
  #held: Packet[] = [];

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds;
  }

  /** Packets are held: nothing that comes later may be done before they are given out. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  get isFull(): boolean {
    return this.#held.length >= this.#bounds.packetsMax;
  }

  /** When the socket was last seen empty: what is read came later. */
  get emptyUs(): number {
    return this.#emptyUs;
  }

  /** Nothing was there to be read at this instant. */
  empty(nowUs: number): void {
    this.#emptyUs = Math.max(this.#emptyUs, nowUs);
  }

  /** @returns false of a packet that came now: it is the caller's. */
  hold(nowUs: number, packet: Packet): boolean {
    if (!this.isHolding && nowUs - this.#emptyUs <= this.#bounds.behindUs) return false;
    this.#held.push(packet);
    return true;
  }

  /**
   * Gives out all that is held; from here on the socket counts as seen empty.
   * @returns how far an instant that it gave may be from the true one, microseconds
   */
  release(nowUs: number, take: (atUs: number, packet: Packet) => void): number {
    const held = this.#held;
    this.#held = [];
    const fromUs = Math.min(this.#emptyUs, nowUs);
    const stepUs = (nowUs - fromUs) / held.length;
    for (const [index, packet] of held.entries()) take(fromUs + (index + 1) * stepUs, packet);
    this.empty(nowUs);
    return nowUs - fromUs;
  }
}
