// SPDX-License-Identifier: MIT
// What requests are told that the core does not take, or whose outcome is not to be had while its
// log takes nothing (D10).
import { HttpError } from "./errors.ts";

const retryLater = { headers: { "retry-after": "1" } };

/** Nothing was submitted. */
export function mailboxIsFull(): HttpError {
  const message =
    "the server is closing, or has more to do than it takes up (limit mailboxCommandsMax); try again";
  return new HttpError("limit", message, retryLater);
}

/** @param what is open, and what to do about it */
export function logIsAway(what: string): HttpError {
  return new HttpError("unavailable", `the server's log takes nothing; ${what}`, retryLater);
}
