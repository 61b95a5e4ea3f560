// SPDX-License-Identifier: MIT
// The closed set of error codes. A *definite* error says that the request did not and will not take
// effect, so a client may repeat it blindly; an *indefinite* one leaves that open.

export const errorCodes = {
  /** The request breaks the protocol or a rule of the barrier kind. */
  invalid: { definite: true },
  /** A limit of limits.ts was reached; the message names it and how to raise it. */
  limit: { definite: true },
  /** The wait ended at its deadline; the arrival was taken back. */
  timeout: { definite: true },
  /** Somebody cancelled the barrier (HUP, a driver). */
  cancelled: { definite: true },
  /** The barrier has failed: somebody said so, or a participant died that must not. */
  failed: { definite: true },
  /** The barrier, scope or connection named does not exist. */
  unknown: { definite: true },
  /** The edge's incarnation has ended; it must attach anew. */
  ended: { definite: true },
  /** The log cannot be reached; whether the request took effect is not known. */
  unavailable: { definite: false },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** Whether an error with this code means that nothing happened. */
export function isDefinite(code: ErrorCode): boolean {
  return errorCodes[code].definite;
}
