// SPDX-License-Identifier: MIT
// The log: the one ordered sequence of entries that all state is computed from. Asynchronous even
// where the backing is a list in memory, because the one that matters (NATS) is.
//
//   L1. Entries are delivered to every reader in sequence order, each once, without gaps.
//   L2. `append` resolves only when the entry is as durable as the backing promises.
//   L3. Entries appended by one writer keep the order of the calls; completions may not.
//   L4. A rejected append is either definite (the entry is not and will not be in the log) or
//       indefinite (it may be); the batch numbers make repeating it harmless.
//   L5. A log whose messages are small may store an entry as several, one behind the other
//       (nats-entry.ts); `append` then resolves to the sequence of the last.
//   L6. What was cut away is gone for every reader; who asks for it is told so and gets nothing.
import type { Entry, LogEntry } from "../core/command.ts";

export interface LogErrorOptions {
  readonly definite: boolean;
  readonly cause?: unknown;
  readonly isCut?: boolean | undefined;
  readonly isReplaced?: boolean;
  /** As everything that is not definite, when absent. */
  readonly isAway?: boolean;
  readonly isFull?: boolean;
}

export class LogError extends Error {
  override readonly name = "LogError";
  readonly definite: boolean;
  /** The entries that were asked for have been cut away (L6). */
  readonly isCut: boolean;
  /** An entry is another one than was delivered before: a backing broke its promise (L1). */
  readonly isReplaced: boolean;
  /** Nobody has answered, or nobody was there to: the same may go well later. */
  readonly isAway: boolean;
  /** There is no room for it. */
  readonly isFull: boolean;
  constructor(message: string, options: LogErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.definite = options.definite;
    this.isCut = options.isCut ?? false;
    this.isReplaced = options.isReplaced ?? false;
    this.isAway = options.isAway ?? !options.definite;
    this.isFull = options.isFull ?? false;
  }

  /** Within sentences for people, who know of no class of ours. */
  override toString(): string {
    return this.message;
  }
}

/** What a log needs of the world. */
export interface LogClock {
  /** Monotonic, microseconds: stamps the entries of a log on this machine. */
  nowUs(): number;
  /** Calls back once, so many milliseconds from now. @returns what cancels it */
  after(delayMs: number, callback: () => void): () => void;
}

export interface LogReader {
  /** Stops delivery; no call of `deliver` happens afterwards. */
  stop(): void;
}

/** Which messages of topics are there; ids before `first` are not. */
export interface MessagesExamined {
  readonly first: number;
  readonly count: number;
  /** Those that are gone from between others. */
  readonly deleted: number;
}

/** How a log is kept, and what lies beside it. */
export interface LogExamined {
  /** The first entry that is there. */
  readonly first: number;
  /** Why what is acknowledged may not stay. */
  readonly objection?: string | undefined;
  /** Why a server would not start with it, though nothing is lost. */
  readonly remark?: string | undefined;
  /** Of topics, where that is known. */
  readonly messages?: MessagesExamined | undefined;
  /** Another text whenever snapshots were made or deleted. */
  readonly snapshots?: string | undefined;
}

export interface Log {
  /** What happens to an acknowledged entry, in words for the user. */
  readonly durability: string;
  /** @returns the sequence of the entry. @throws LogError */
  append(entry: Entry): Promise<number>;
  /**
   * Delivers all entries from sequence `from` (1 is the first), stored ones first, then new ones as
   * they come. `deliver` is never called from inside `read` or `append`.
   * @param onLost what comes next cannot be had or understood, now or ever: nothing is delivered
   * from here on, and who computes state from the log must stop
   */
  read(
    from: number,
    deliver: (entries: readonly LogEntry[]) => void,
    onLost?: (error: LogError) => void,
  ): LogReader;
  /** Sequence of the last entry, 0 for an empty log. */
  head(): Promise<number>;
  /**
   * Allows the entries up to this one to be deleted, now or little by little; a snapshot stands for
   * them (D11). Absent where nothing outlives the process.
   */
  trim?(through: number): Promise<void>;
  /** How the log is kept now, where others can change that. @throws LogError while nobody says */
  examine?(): Promise<LogExamined>;
  /**
   * A sequence behind all entries that anybody has been told of when this is called: who has read
   * up to it has missed nothing. Where it is absent `head` says it. @throws LogError
   */
  fence?(): Promise<number>;
  /**
   * What the clock shows that stamps entries, microseconds, where that is not the clock of this
   * machine; undefined while nothing is known of it.
   */
  readonly clockUs?: () => number | undefined;
  close(): Promise<void>;
}

/** See `Log.fence`. */
export function fenceOf(log: Log): Promise<number> {
  return log.fence?.() ?? log.head();
}
