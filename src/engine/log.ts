// SPDX-License-Identifier: MIT
// The log: the one ordered sequence of entries that all state is computed from. Asynchronous even
// where the backing is a list in memory, because the one that matters (NATS) is.
//
//   L1. Entries are delivered to every reader in sequence order, each once, without gaps.
//   L2. `append` resolves only when the entry is as durable as the backing promises.
//   L3. Entries appended by one writer keep the order of the calls; completions may not.
//   L4. A rejected append is either definite (the entry is not and will not be in the log) or
//       indefinite (it may be); the batch numbers make repeating it harmless.
import type { Entry, LogEntry } from "../core/command.ts";

export class LogError extends Error {
  override readonly name = "LogError";
  readonly definite: boolean;
  constructor(message: string, options: { definite: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.definite = options.definite;
  }
}

export interface LogReader {
  /** Stops delivery; no call of `deliver` happens afterwards. */
  stop(): void;
}

export interface Log {
  /** What happens to an acknowledged entry, in words for the user. */
  readonly durability: string;
  /** @returns the sequence of the entry. @throws LogError */
  append(entry: Entry): Promise<number>;
  /**
   * Delivers all entries from sequence `from` (1 is the first), stored ones first, then new ones as
   * they come. `deliver` is never called from inside `read` or `append`.
   */
  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader;
  /** Sequence of the last entry, 0 for an empty log. */
  head(): Promise<number>;
  close(): Promise<void>;
}
