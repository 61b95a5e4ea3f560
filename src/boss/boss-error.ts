// SPDX-License-Identifier: MIT
// What can go wrong between a user and the experiments database. The message says what to do next.

/**
 * | code | definite | |
 * |---|---|---|
 * | `NO_SUCH_EXPERIMENT` | yes | nothing has that name, or more than one experiment has |
 * | `NO_SUCH_PROJECT`, `NO_SUCH_USER` | yes | nothing has that name |
 * | `LAST_LEADER` | yes | a project would be left without a leader |
 * | `WRONG_STATE` | yes | the state machine does not allow it now |
 * | `NOT_ALLOWED` | yes | rights.ts says no |
 * | `LIMIT` | yes | a bound of limits.ts |
 * | `REFUSED_FILE` | yes | the experiment file has errors |
 * | `NOT_YET` | yes | what the file asks for cannot be done to an experiment that is up |
 * | `NOT_MODIFIED` | yes | a modification failed, and was undone |
 * | `BAD_REQUEST` | yes | the request cannot be understood |
 * | `DATABASE` | no | the file is locked, damaged, read-only, full or newer |
 * | `STATE_DIRECTORY` | yes | the directory is not the user's own, or cannot be used |
 * | `NO_OUTPUT` | yes | the run or node has left nothing to show |
 * | `NO_DAEMON` | yes | no daemon answers |
 * | `LOST` | no | the daemon went away before it had answered |
 * | `OPS` | no | the machine of the schedulers cannot be reached, or refuses |
 * | `LISTEN` | yes | an address or port cannot be had |
 * | `CLOSING` | yes | the daemon is ending |
 * | `INTERNAL` | no | a fault of Muster |
 */
export type BossErrorCode =
  | "NO_SUCH_EXPERIMENT"
  | "NO_SUCH_PROJECT"
  | "NO_SUCH_USER"
  | "LAST_LEADER"
  | "WRONG_STATE"
  | "NOT_ALLOWED"
  | "LIMIT"
  | "REFUSED_FILE"
  | "NOT_YET"
  | "NOT_MODIFIED"
  | "BAD_REQUEST"
  | "DATABASE"
  | "STATE_DIRECTORY"
  | "NO_OUTPUT"
  | "NO_DAEMON"
  | "LOST"
  | "OPS"
  | "LISTEN"
  | "CLOSING"
  | "INTERNAL";

const indefinite: readonly BossErrorCode[] = ["DATABASE", "LOST", "OPS", "INTERNAL"];

export class BossError extends Error {
  override readonly name = "BossError";
  readonly code: BossErrorCode;
  constructor(code: BossErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** It did not happen and will not: it may be asked for again. */
  get definite(): boolean {
    return !indefinite.includes(this.code);
  }
}
