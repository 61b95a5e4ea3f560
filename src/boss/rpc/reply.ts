// SPDX-License-Identifier: MIT
// The reply that every method gives, whatever became of it: code, value, output. Pure.
// [EMULAB-EVENTS 2.3]
import { struct, text, whole, type XmlRpcValue } from "../../wire/xmlrpc/index.ts";
import type { BossError, BossErrorCode } from "../boss-error.ts";

/** What `code` says. The old system had these classes; its numbers are not recorded. */
export const replyCodes = {
  success: 0,
  /** The arguments cannot be understood. */
  badArguments: 1,
  /** It was not done, for the reason in `output`. */
  error: 2,
  /** The caller may not. */
  forbidden: 3,
  /** The client speaks other conventions. */
  badVersion: 4,
  /** A fault of the server, or of its disk: it may have been done in part. */
  serverError: 5,
  /** A limit. */
  tooBig: 6,
  /** Not now: boss is ending. */
  refused: 7,
  /** A wait has ended without what it was for. */
  timedOut: 8,
} as const;
export type ReplyCode = (typeof replyCodes)[keyof typeof replyCodes];

export interface Reply {
  readonly code: ReplyCode;
  readonly value: XmlRpcValue;
  /** For people. */
  readonly output: string;
}

export function success(value: XmlRpcValue, output = ""): Reply {
  return { code: replyCodes.success, value, output };
}

/** @param value what there is to say besides; the code when left out */
export function failure(code: ReplyCode, output: string, value: XmlRpcValue = whole(code)): Reply {
  return { code, value, output };
}

/** For what is not built: honest, and recognizable. */
export function notYet(what: string, instead: string): Reply {
  return failure(replyCodes.error, `NOT_YET: ${what}; ${instead}`);
}

const codeOf: Readonly<Partial<Record<BossErrorCode, ReplyCode>>> = {
  BAD_REQUEST: replyCodes.badArguments,
  NOT_ALLOWED: replyCodes.forbidden,
  DATABASE: replyCodes.serverError,
  INTERNAL: replyCodes.serverError,
  LIMIT: replyCodes.tooBig,
  CLOSING: replyCodes.refused,
};

/** The reply for what a method has thrown. */
export function replyOf(error: BossError): Reply {
  return failure(codeOf[error.code] ?? replyCodes.error, error.message);
}

export function valueOfReply({ code, value, output }: Reply): XmlRpcValue {
  return struct([
    ["code", whole(code)],
    ["value", value],
    ["output", text(output)],
  ]);
}
