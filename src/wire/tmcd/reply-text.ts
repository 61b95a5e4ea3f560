// SPDX-License-Identifier: MIT
// What all replies share: lines, fields, numbers. [EMULAB-TMCD 2]
//
//   F1. A value never ends its line: characters that would are sent as blanks.

/** Lines as they are sent; nothing for no lines. */
export function lines(texts: readonly string[]): string {
  return texts.map((text) => `${clean(text)}\n`).join("");
}

/** F1. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, " ");
}

/** `KEY=value` pairs, one blank between them. */
export function fields(pairs: readonly (readonly [key: string, value: string | number])[]): string {
  return pairs
    .map(([key, value]) => `${key}=${typeof value === "number" ? decimal(value) : value}`)
    .join(" ");
}

/** A number without an exponent: clients match digits and a dot. */
function decimal(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(6).replace(/0+$/, "").replace(/\.$/, "");
}
