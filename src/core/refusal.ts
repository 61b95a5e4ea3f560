// SPDX-License-Identifier: MIT
// Refusals: how the core says no. A refusal has no effect on the state, so it may be repeated.
import type { ErrorCode } from "./code.ts";
import type { Limits } from "./limits.ts";
import { limitMessage } from "./limits.ts";

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** The limit that was reached, for code `limit`. */
  readonly limit?: keyof Limits;
}

export function invalid(message: string): Refusal {
  return { code: "invalid", message };
}

/** @param what happened, in words; the limit, its value and how to raise it are added. */
export function overLimit(limits: Limits, name: keyof Limits, what: string): Refusal {
  return { code: "limit", limit: name, message: `${what}: ${limitMessage(limits, name)}` };
}
