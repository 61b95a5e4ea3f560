// SPDX-License-Identifier: MIT
// Commands on their way to the core. Keeps their order, and keeps them when the core's mailbox is
// full; the owner stops reading meanwhile, so that what is kept stays bounded by what is open.
import type { Command } from "../core/command.ts";

export interface OutboxOptions {
  /** False when the mailbox is full and nothing was queued. */
  readonly submit: (command: Command) => boolean;
  /** Called at the first command kept, and when the last one kept is submitted. */
  readonly onRoomChange: (hasRoom: boolean) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #kept: Command[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#kept.length === 0;
  }

  get keptCount(): number {
    return this.#kept.length;
  }

  send(command: Command): void {
    if (this.#kept.length === 0 && this.#options.submit(command)) return;
    this.#kept.push(command);
    if (this.#kept.length === 1) this.#options.onRoomChange(false);
  }

  /** The mailbox has room again. */
  drain(): void {
    if (this.#kept.length === 0) return;
    let sent = 0;
    for (const command of this.#kept) {
      if (!this.#options.submit(command)) break;
      sent += 1;
    }
    this.#kept = this.#kept.slice(sent);
    if (this.#kept.length === 0) this.#options.onRoomChange(true);
  }

  /** Forgets what is kept. @returns it; the core has heard nothing of it. */
  clear(): readonly Command[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }
}
