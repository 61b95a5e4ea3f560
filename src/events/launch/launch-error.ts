// SPDX-License-Identifier: MIT
// What can go wrong when schedulers are started, watched and stopped.

export type LaunchErrorCode =
  /** Who asks, or for whom, is not as it must be. Nothing was done. */
  | "REFUSED"
  /** A directory or file on the way is missing, or not safe to use. Nothing was done. */
  | "UNSAFE"
  /** Somebody else is starting or stopping the same scheduler, for too long. Nothing was done. */
  | "BUSY"
  /** The scheduler ended at once. None runs. */
  | "DIED"
  /** Indefinite: it is not known whether one runs. */
  | "LOST"
  /** What was asked for does not exist in this version. Nothing was done. */
  | "NOT_YET";

export class LaunchError extends Error {
  override readonly name = "LaunchError";
  readonly code: LaunchErrorCode;

  constructor(code: LaunchErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The code of a system call that failed. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
