// SPDX-License-Identifier: MIT
// A message of a server's log as lines for a terminal, whoever chose the words in it.
import { controlCharacters } from "../core/text.ts";

/**
 * What follows its first line is indented, so that it is never taken for one of the server's; what
 * else steers a terminal is written as JSON would.
 */
export function plainLines(message: string): string {
  return message.replace(/[\r\n]+/g, "\n  ").replace(controlCharacters, (found) => {
    if (found === "\n" || found === "\t") return found;
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
