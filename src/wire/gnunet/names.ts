// SPDX-License-Identifier: MIT
// Names of barriers: any bytes but NUL on the wire, text everywhere else. [GNUNET-BARRIERS 2.4]
//
//   N1. Different bytes are different texts, and a text made from bytes gives these bytes back.
//
// What is UTF-8 becomes that text, so that a name is the same for a client of another dialect. In
// what is not, each byte above 7f becomes a lone surrogate (U+DC80 to U+DCFF), which no UTF-8 is.
import { decodeLatin1, decodeUtf8, encodeUtf8 } from "../bytes.ts";

const escapeBase = 0xdc00;

/** Bytes of a name, as text. Never fails (N1). */
export function decodeName(bytes: Uint8Array): string {
  if (isAscii(bytes)) return decodeLatin1(bytes);
  const text = decodeUtf8(bytes);
  // A byte order mark at the beginning is dropped by the decoder, and would make two names one.
  if (text !== undefined && encodeUtf8(text).length === bytes.length) return text;
  let escaped = "";
  for (const byte of bytes) {
    escaped += String.fromCharCode(byte < 0x80 ? byte : escapeBase + byte);
  }
  return escaped;
}

/** The bytes of a name. A surrogate that is no escape becomes U+FFFD: no wire could carry it. */
export function encodeName(name: string): Uint8Array {
  if (!/[\udc80-\udcff]/.test(name)) return encodeUtf8(name);
  const bytes: number[] = [];
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index);
    if (unit < 0x80) bytes.push(unit);
    else if (unit >= escapeBase + 0x80 && unit <= escapeBase + 0xff) bytes.push(unit - escapeBase);
    else return encodeUtf8(name); // An emoji, whose second half is in that range.
  }
  return Uint8Array.from(bytes);
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return false;
  return true;
}
