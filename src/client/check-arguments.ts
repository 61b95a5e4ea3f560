// SPDX-License-Identifier: MIT
// Checks what a program hands to the library, before anything of it is sent: a frame of a wrong
// shape ends the whole session at the server, with every other wait in it. Bounds that a server
// sets (the length of a name, how many wait) are the server's to check; it refuses that call alone.
import { barrierCountMax, waitTimeoutUsMax } from "../core/limits.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { MusterError } from "./muster-error.ts";
import type { WaitOptions } from "./request-options.ts";

const timeoutMsMax = waitTimeoutUsMax / 1000;

/** What can be offered as a protocol of a WebSocket. */
const tokenPattern = /^[A-Za-z0-9._~!#$%&'*+^`|-]+$/;

/** @throws MusterError (invalid) that names the option. */
export function checkConnect({ token, scope, name, leaseMs }: ConnectOptions): void {
  if (scope !== undefined) checkText("scope", scope);
  if (name !== undefined) checkText("name", name);
  if (leaseMs !== undefined && !(leaseMs >= 1 && leaseMs <= timeoutMsMax)) {
    throw wrong("leaseMs", "milliseconds, 1 or more", leaseMs);
  }
  if (token !== undefined && !tokenPattern.test(token)) {
    // It is not repeated: it may be a secret with a stray character.
    throw new MusterError("invalid", "token: give what muster token create printed, and no more");
  }
}

/** @throws MusterError (invalid) that names the option. */
export function checkArrival({ name, error, timeoutMs, together }: WaitOptions): void {
  if (name !== undefined) checkText("name", name);
  if (error !== undefined) checkErrorNumber(error);
  if (timeoutMs !== undefined) checkTimeoutMs(timeoutMs);
  if (typeof together === "object") checkTimeoutMs(together.leadMs, "together.leadMs");
}

/** @throws MusterError (invalid) */
export function checkCount(count: number, field = "count"): void {
  checkWhole(field, count, barrierCountMax);
}

/** @throws MusterError (invalid) */
export function checkPhase(field: string, phase: number): void {
  checkWhole(field, phase, Number.MAX_SAFE_INTEGER);
}

/** @throws MusterError (invalid) */
export function checkErrorNumber(error: number): void {
  checkWhole("error", error, Number.MAX_SAFE_INTEGER);
}

/** @throws MusterError (invalid) */
export function checkText(field: string, value: unknown): void {
  if (typeof value !== "string") throw wrong(field, "a string", value);
  if (!value.isWellFormed()) throw wrong(field, "text without half a surrogate pair", value);
}

/** @throws MusterError (invalid) */
export function checkTimeoutMs(value: unknown, field = "timeoutMs"): void {
  if (typeof value === "number" && value >= 0 && value <= timeoutMsMax) return;
  throw wrong(field, `milliseconds from 0 to ${timeoutMsMax}`, value);
}

/** @throws MusterError (invalid) */
export function checkWhole(field: string, value: unknown, max: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max) return;
  throw wrong(field, `a whole number from 0 to ${max}`, value);
}

export function wrong(field: string, what: string, value: unknown): MusterError {
  return new MusterError("invalid", `${field}: give ${what}, not ${String(value)}`);
}
