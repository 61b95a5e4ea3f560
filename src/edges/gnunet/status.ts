// SPDX-License-Identifier: MIT
// STATUS messages, encoded once per crossing and not once per waiter, and names in lines for
// people.
import {
  decodeName,
  encodeMessage,
  encodeName,
  messageBytesMax,
  nameBytesMaxOnWire,
} from "../../wire/gnunet/index.ts";

/** A stream wraps any other Uint8Array anew for every write. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function encodeCrossed(name: string): Buffer {
  return asBuffer(encodeMessage({ kind: "barrier-status", status: "crossed", name }));
}

/** An ERROR with its reason; what of it does not fit beside a long name is left out. */
export function encodeError(name: string, reason: string): Buffer {
  const raw = encodeName(name);
  // A name that fills the message leaves no room even for the NUL of the text.
  const shown = raw.length < nameBytesMaxOnWire ? raw : raw.subarray(0, nameBytesMaxOnWire - 1);
  const room = messageBytesMax - 8 - 1 - shown.length - 1;
  // Cut as bytes: the text is what a C program prints.
  const text = Buffer.from(reason.replaceAll("\0", ""), "utf8").subarray(0, room);
  return asBuffer(
    encodeMessage({
      kind: "barrier-status",
      status: "error",
      name: shown === raw ? name : decodeName(shown),
      text: text.toString("latin1"),
    }),
  );
}

/** Characters of a name that are shown to people. */
const quotedMax = 80;

/** A name in a line for people: what would end or fake a line is escaped, what is long is cut. */
export function quoteName(name: string): string {
  const escaped = name.slice(0, quotedMax).replace(/[^\x20-\x7e]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return name.length > quotedMax ? `'${escaped}'...` : `'${escaped}'`;
}
