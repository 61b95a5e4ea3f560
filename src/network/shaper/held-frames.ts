// SPDX-License-Identifier: MIT
// Frames of a LAN on several machines that wait at its switch, for a way down or for another
// machine: each has an instant of its own, because the ways by which they came are of different
// lengths.
//
//   H1. The first has the smallest instant; of equals, the one that came first.
import { DueHeap, type DueRow } from "../../core/due-heap.ts";

export interface HeldFrame {
  readonly dueUs: number;
}

export class HeldFrames<Frame extends HeldFrame> {
  readonly #frames = new DueHeap<Frame & DueRow>();
  #lastId = 0;

  /** Infinity when none waits. */
  get nextUs(): number {
    return this.#frames.nextDueUs() ?? Infinity;
  }

  push(frame: Frame): void {
    this.#lastId += 1;
    this.#frames.add({ ...frame, id: this.#lastId });
  }

  /** @returns the first, if it is due by `nowUs` */
  take(nowUs: number): Frame | undefined {
    return this.#frames.takeDue(nowUs);
  }
}
