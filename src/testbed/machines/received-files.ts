// SPDX-License-Identifier: MIT
// Files that come over a link, written below a directory of this side. Whoever sends may have been
// anybody: no link is followed, and no name leads elsewhere.
import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import type { FileMessage } from "../../wire/node-link/index.ts";
import type { NodeLink } from "./node-link.ts";

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * Opens a file for writing, with the directories on its way. @param parts proper names
 * @returns a descriptor, or why there is none, as a clause
 */
export function openBelow(
  directory: string,
  parts: readonly string[],
  mode: number,
): number | string {
  try {
    let at = directory;
    for (const part of parts.slice(0, -1)) {
      at = join(at, part);
      mkdirSync(at, { recursive: true });
      if (!lstatSync(at).isDirectory()) return `${at} is no directory`;
    }
    const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
    const descriptor = openSync(join(at, parts.at(-1) ?? ""), flags, mode & 0o777);
    fchmodSync(descriptor, mode & 0o777);
    return descriptor;
  } catch (error) {
    return errorText(error);
  }
}

/**
 * Writes what comes. @param opened a descriptor, or why there is none
 * @param lose is told what was not kept, a sentence
 * @param count is told of bytes before they are written, and says why they may not be, as a clause
 */
export function receiveFile(
  link: NodeLink,
  { stream, path }: FileMessage,
  opened: number | string,
  lose: (text: string) => void,
  count: (bytes: number) => string | undefined = () => undefined,
): void {
  if (typeof opened === "string") {
    lose(`${path} was not kept: ${opened}`);
    return;
  }
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(opened);
    isOpen = false;
  };
  const isKept = link.openStream(stream, {
    data: (bytes) => {
      if (!isOpen) return;
      const fault = count(bytes.length);
      if (fault !== undefined) {
        lose(`${path} was not kept whole: ${fault}`);
        close();
        return;
      }
      try {
        writeSync(opened, bytes);
      } catch (error) {
        lose(`${path} was not kept whole: ${errorText(error)}`);
        close();
      }
    },
    finish: () => {
      close();
      link.closeStream(stream);
    },
    close,
  });
  if (!isKept) close();
}
