// SPDX-License-Identifier: MIT
// Where a request ends on a connection. The old server took what one read gave, so that the network
// decided what was asked. [EMULAB-TMCD 18.1] Here a request ends at a newline or at the end of the
// text, and a command that takes free text takes all of it.
//
//   L1. Split anywhere and joined again, a text gives the same requests.
import { parseRequest } from "./request.ts";

export interface SplitText {
  /** Whole requests in order. */
  readonly requests: readonly string[];
  /** The beginning of one that is not whole. */
  readonly rest: string;
}

/** @param isWhole nothing more comes, so that what is there is a request, too. */
export function splitRequests(text: string, isWhole: boolean): SplitText {
  const requests: string[] = [];
  let rest = text.replace(/^[ \t\r\n]+/, "");
  while (rest !== "") {
    const newline = rest.indexOf("\n");
    const isLine = newline !== -1 && !takesRest(rest.slice(0, newline));
    if (!isLine && !isWhole) break;
    requests.push(isLine ? rest.slice(0, newline) : rest);
    rest = isLine ? rest.slice(newline + 1).replace(/^[ \t\r\n]+/, "") : "";
  }
  return { requests, rest };
}

function takesRest(line: string): boolean {
  const parsed = parseRequest(line);
  if (parsed.kind === "request") return parsed.command.body === "rest";
  // Option words alone: the command comes on a later line, blanks and newlines being alike there.
  return parsed.code === "empty";
}
