// SPDX-License-Identifier: MIT
// Outbox of an edge: turns the commands of one turn of the event loop into a numbered batch and
// keeps each batch until the core has applied it (K1). The same piece serves edges in the core's
// process, in others, and sessions of the client library.
import type { Batch, Command } from "../../core/command.ts";
import type { Limits } from "../../core/limits.ts";

/** The bounds of an outbox. */
export type OutboxLimits = Pick<Limits, "mailboxCommandsMax" | "entryCommandsMax">;

export class EdgeOutbox {
  readonly edge: string;
  readonly incarnation: number;
  readonly #limits: OutboxLimits;
  readonly #wake: () => void;
  #queued: Command[] = [];
  #unacknowledged: Batch[] = [];
  #lastNumber = 0;
  /** Commands in `#unacknowledged`. */
  #sentCommands = 0;
  /** Commands that are known to be in the log. */
  #doneCommands = 0;
  #full = false;

  /**
   * @param wake is called when there is something to take where there was nothing.
   * @param lastNumber of the batches that a former process of the same incarnation has sent
   */
  constructor(
    edge: string,
    incarnation: number,
    limits: OutboxLimits,
    wake: () => void,
    lastNumber = 0,
  ) {
    this.edge = edge;
    this.incarnation = incarnation;
    this.#limits = limits;
    this.#wake = wake;
    this.#lastNumber = lastNumber;
  }

  /** False when the mailbox is full: nothing was queued. */
  submit(command: Command): boolean {
    if (this.depth >= this.#limits.mailboxCommandsMax) {
      this.#full = true;
      return false;
    }
    this.submitAlways(command);
    return true;
  }

  /**
   * For what an edge's life depends on: a full mailbox must not keep it from ending or returning.
   */
  submitAlways(command: Command): void {
    this.#queued.push(command);
    if (this.#queued.length === 1) this.#wake();
  }

  /** Commands that are not known to be in the log. */
  get depth(): number {
    return this.#queued.length + this.#sentCommands;
  }

  /** Commands that are known to be in the log, since the beginning. */
  get done(): number {
    return this.#doneCommands;
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  /** The queued commands as the next batch, at most `entryCommandsMax` of them. */
  take(): Batch | undefined {
    if (this.#queued.length === 0) return undefined;
    const max = this.#limits.entryCommandsMax;
    const commands = this.#queued.length <= max ? this.#queued : this.#queued.slice(0, max);
    this.#queued = this.#queued.length <= max ? [] : this.#queued.slice(max);
    this.#lastNumber += 1;
    const { edge, incarnation } = this;
    const batch = { edge, incarnation, number: this.#lastNumber, commands };
    this.#unacknowledged.push(batch);
    this.#sentCommands += commands.length;
    return batch;
  }

  /**
   * All batches up to `number` are in the log. @returns true when a full mailbox has room again.
   */
  acknowledge(number: number): boolean {
    let done = 0;
    for (const batch of this.#unacknowledged) {
      if (batch.number > number) break;
      this.#sentCommands -= batch.commands.length;
      this.#doneCommands += batch.commands.length;
      done += 1;
    }
    if (done > 0) this.#unacknowledged = this.#unacknowledged.slice(done);
    if (!this.#full || this.depth * 2 > this.#limits.mailboxCommandsMax) return false;
    this.#full = false;
    return true;
  }

  /** What has to be sent again after a failure, in order. */
  unacknowledged(): readonly Batch[] {
    return this.#unacknowledged;
  }
}
