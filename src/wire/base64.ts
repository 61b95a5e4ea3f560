// SPDX-License-Identifier: MIT
// Base64 without a platform, strict: the alphabet of RFC 4648 with padding, and no spare bits, so
// that bytes have one text.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const sextets: ReadonlyMap<string, number> = new Map(
  [...alphabet].map((char, index) => [char, index]),
);

export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const [a = 0, b, c] = bytes.subarray(index, index + 3);
    const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += charOf(group >> 18) + charOf(group >> 12);
    text += b === undefined ? "=" : charOf(group >> 6);
    text += c === undefined ? "=" : charOf(group);
  }
  return text;
}

/** @returns undefined for what `encodeBase64` does not write. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let index = 0, at = 0; index < text.length; index += 4) {
    const isLast = index + 4 === text.length;
    let group = 0;
    for (let offset = 0; offset < 4; offset += 1) {
      const isPadding = isLast && offset >= 4 - padding;
      const sextet = isPadding ? 0 : sextets.get(text[index + offset] ?? "");
      if (sextet === undefined) return undefined;
      group = (group << 6) | sextet;
    }
    const spare = isLast ? group & ((1 << (8 * padding)) - 1) : 0;
    if (spare !== 0) return undefined;
    for (let shift = 16; shift >= 0 && at < bytes.length; shift -= 8, at += 1) {
      bytes[at] = (group >> shift) & 0xff;
    }
  }
  return bytes;
}

function charOf(bits: number): string {
  return alphabet[bits & 63] ?? "";
}
