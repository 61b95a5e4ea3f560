// SPDX-License-Identifier: MIT
// Facts of text that need no platform: its length in bytes, what of it is not for people to read.

/**
 * Controls, and the marks that turn the direction of writing or end a line: they steer a terminal.
 * Marks that are not seen, too, by which two names look alike; what joins letters of some
 * languages, and faces, stays.
 */
export const controlCharacters: RegExp =
  /[\p{Cc}\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{feff}]/gu;

/** A text of several lines that steers no terminal it is shown on; tabs and ends of lines stay. */
export function printable(text: string): string {
  return text.replace(controlCharacters, (one) => (one === "\n" || one === "\t" ? one : "?"));
}

/** Bytes of `text` in UTF-8; a lone surrogate counts as the three bytes of its replacement. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text, index + 1)) {
      bytes += 4;
      index += 1;
    } else bytes += 3;
  }
  return bytes;
}

function isLowSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xdc00 && unit < 0xe000;
}

/**
 * The beginning of `text` in at most `bytesMax` bytes, whole characters, with … if more followed.
 */
export function cutText(text: string, bytesMax: number): string {
  if (utf8Length(text) <= bytesMax) return text;
  const kept: string[] = [];
  let bytes = utf8Length("…");
  for (const character of text) {
    bytes += utf8Length(character);
    if (bytes > bytesMax) break;
    kept.push(character);
  }
  return `${kept.join("")}…`;
}

/** What anything that was thrown says. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
