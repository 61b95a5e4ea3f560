// SPDX-License-Identifier: MIT
// Outbox of an edge: turns the commands of one turn of the event loop into a numbered batch and
// keeps each batch until the core has applied it (K1). The same piece serves edges in the core's
// process, in others, and sessions of the client library.
import type { Command } from "../../core/command.ts";
import type { Limits } from "../../core/limits.ts";
import type { EdgeCommand } from "./frames.ts";

/** The bounds of an outbox. */
export interface OutboxLimits extends Pick<Limits, "mailboxCommandsMax" | "entryCommandsMax"> {
  /** Characters of messages in one batch; one message may always go. No bound when absent. */
  readonly batchTextMax?: number;
  /** Characters of messages that are not known to be in the log. No bound when absent. */
  readonly mailboxTextMax?: number;
}

/** What a batch is, whose commands may be those of a session. */
export interface OutboxBatch<Item> {
  readonly edge: string;
  readonly incarnation: number;
  readonly number: number;
  readonly commands: readonly Item[];
}

export class EdgeOutbox<Item extends EdgeCommand = Command> {
  readonly edge: string;
  readonly incarnation: number;
  readonly #limits: OutboxLimits;
  readonly #wake: () => void;
  #queued: Item[] = [];
  #unacknowledged: OutboxBatch<Item>[] = [];
  #lastNumber = 0;
  /** Commands in `#unacknowledged`. */
  #sentCommands = 0;
  /** Commands that are known to be in the log. */
  #doneCommands = 0;
  /** Characters of messages, in `#queued` and in `#unacknowledged`. */
  #queuedText = 0;
  #sentText = 0;
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
  submit(command: Item): boolean {
    const { mailboxCommandsMax, mailboxTextMax = Number.POSITIVE_INFINITY } = this.#limits;
    const text = this.#queuedText + this.#sentText;
    const isTooMuch = text > 0 && text + textOf(command) > mailboxTextMax;
    if (this.depth >= mailboxCommandsMax || isTooMuch) {
      this.#full = true;
      return false;
    }
    this.submitAlways(command);
    return true;
  }

  /**
   * For what an edge's life depends on: a full mailbox must not keep it from ending or returning.
   */
  submitAlways(command: Item): void {
    this.#queued.push(command);
    this.#queuedText += textOf(command);
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
  take(): OutboxBatch<Item> | undefined {
    if (this.#queued.length === 0) return undefined;
    const max = this.#countThatFits();
    const commands = this.#queued.length <= max ? this.#queued : this.#queued.slice(0, max);
    this.#queued = this.#queued.length <= max ? [] : this.#queued.slice(max);
    this.#lastNumber += 1;
    const { edge, incarnation } = this;
    const batch = { edge, incarnation, number: this.#lastNumber, commands };
    this.#unacknowledged.push(batch);
    this.#sentCommands += commands.length;
    const text = this.#queuedText === 0 ? 0 : sumOfTexts(commands);
    this.#queuedText -= text;
    this.#sentText += text;
    return batch;
  }

  /** Of the queued commands, how many one batch takes. */
  #countThatFits(): number {
    const { entryCommandsMax, batchTextMax = Number.POSITIVE_INFINITY } = this.#limits;
    if (this.#queuedText <= batchTextMax) return entryCommandsMax;
    let text = 0;
    let count = 0;
    for (const command of this.#queued) {
      text += textOf(command);
      if (count === entryCommandsMax || (count > 0 && text > batchTextMax)) break;
      count += 1;
    }
    return count;
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
      if (this.#sentText > 0) this.#sentText -= sumOfTexts(batch.commands);
      done += 1;
    }
    if (done > 0) this.#unacknowledged = this.#unacknowledged.slice(done);
    if (!this.#full || this.depth * 2 > this.#limits.mailboxCommandsMax) return false;
    this.#full = false;
    return true;
  }

  /** What has to be sent again after a failure, in order. */
  unacknowledged(): readonly OutboxBatch<Item>[] {
    return this.#unacknowledged;
  }
}

function textOf(command: EdgeCommand): number {
  return command.kind === "topic-publish" ? command.message.length : 0;
}

function sumOfTexts(commands: readonly EdgeCommand[]): number {
  return commands.reduce((sum, command) => sum + textOf(command), 0);
}
