// SPDX-License-Identifier: MIT
// One line for everything that is done to others: who, with which token, from where, what.
import { controlCharacters } from "../../core/text.ts";
import type { Logger } from "../../host/logger.ts";
import type { EdgeCommand } from "../../wire/link/frames.ts";
import type { Caller } from "./access.ts";

/** @returns what to call with each command of somebody; it logs those that concern others. */
export function auditCommand(logger: Logger, caller: Caller, command: EdgeCommand): void {
  const what = describe(command);
  if (what !== undefined) logger.log("info", formatAudit(caller, what));
}

export function formatAudit({ token, role, address }: Caller, what: string): string {
  return `audit: ${what}, by token ${token} (${role}) from ${address}`;
}

function describe(command: EdgeCommand): string | undefined {
  switch (command.kind) {
    case "fail":
    case "cancel":
      return `${command.kind} barrier ${quote(command.barrier)} of scope ${quote(command.scope)}`;
    case "cancel-all":
      return `cancel all barriers of scope ${quote(command.scope)}`;
    case "roster-dead":
      return `declare ${quote(command.participant)} dead in scope ${quote(command.scope)}`;
    case "open-scope":
      return `open scope ${quote(command.scope)}`;
    case "close-scope":
      return `close scope ${quote(command.scope)}`;
    default:
      return undefined;
  }
}

/** A name in one line of a log, whatever is in it: JSON lets some pass that steer a terminal. */
function quote(name: string): string {
  const escaped = (mark: string): string =>
    `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(name).replace(controlCharacters, escaped);
}
