// SPDX-License-Identifier: MIT
// Text and bytes without Node: what several codecs share. Owns the two mappings (a byte per
// character, and UTF-8) and nothing of any protocol.
import { assert } from "../core/assert.ts";

// Every JavaScript runtime has these; the pure layers see no ambient types, so they are named here.
declare const TextEncoder: { new (): { encode(text: string): Uint8Array } };
declare const TextDecoder: {
  new (label: string, options: { fatal: boolean }): { decode(bytes: Uint8Array): string };
};

/**
 * One character per byte, U+0000 to U+00FF. Reversible for any bytes, unlike
 * `TextDecoder("latin1")`, which is windows-1252.
 */
export function decodeLatin1(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  let text = "";
  for (let index = start; index < end; index += 1) {
    text += String.fromCharCode(bytes[index] ?? 0);
  }
  return text;
}

/** The inverse of `decodeLatin1`. @throws AssertionError for a character above U+00FF. */
export function encodeLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    assert(code <= 0xff, "a byte string holds characters up to U+00FF");
    bytes[index] = code;
  }
  return bytes;
}

/** UTF-8 bytes of a text. */
export function encodeUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** @returns the text, or undefined when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
