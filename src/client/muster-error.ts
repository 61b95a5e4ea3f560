// SPDX-License-Identifier: MIT
// How the client library says no. One class with a closed code; `definite` says that nothing has
// happened and nothing will, so that the request may be made again without a second thought.
import type { ErrorCode } from "../core/code.ts";
import { isDefinite } from "../core/code.ts";

/** The codes of the core, and those of the door. */
export type MusterErrorCode =
  | ErrorCode
  /** No token, one that is not known, or one that has expired. */
  | "unauthorized"
  /** The role or the scope of the token does not allow it. */
  | "forbidden";

/** One of those who had come, had not, or were dead. */
export interface PartyFacts {
  readonly name: string;
  readonly group?: string;
  /** For how long that had been so, milliseconds of the server's time. */
  readonly forMs: number;
  /** Why it is dead. */
  readonly reason?: string;
}

/** At most `namesInReportMax` in each list. */
export interface PartyLists {
  readonly arrived: readonly PartyFacts[];
  readonly missing: readonly PartyFacts[];
  readonly dead: readonly PartyFacts[];
}

export interface MusterErrorDetails {
  readonly missing?: readonly string[];
  readonly parties?: PartyLists;
  readonly reason?: string | undefined;
  readonly resume?: (signal?: AbortSignal) => Promise<unknown>;
}

export class MusterError extends Error {
  override readonly name = "MusterError";
  readonly code: MusterErrorCode;
  readonly definite: boolean;
  /** Who had not come, for code `timeout`; as far as known. */
  readonly missing: readonly string[];
  /**
   * Of a barrier that timed out or failed: who had come, who had not, who was dead. Of other kinds
   * than a roster who had not is told as far as it is known: `anonymous, from NODE`.
   */
  readonly parties: PartyLists | undefined;
  /** What somebody said who ended the barrier for all. */
  readonly reason: string | undefined;
  /**
   * Waits on for the same request, for code `unavailable` of one whose session goes on: it stays,
   * and counts once. A signal that is aborted takes it back.
   */
  readonly resume: ((signal?: AbortSignal) => Promise<unknown>) | undefined;

  constructor(code: MusterErrorCode, message: string, details: MusterErrorDetails = {}) {
    super(message);
    this.code = code;
    this.definite = code === "unauthorized" || code === "forbidden" || isDefinite(code);
    this.missing = details.missing ?? [];
    this.parties = details.parties;
    this.reason = details.reason;
    this.resume = details.resume;
  }
}
