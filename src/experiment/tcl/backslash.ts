// SPDX-License-Identifier: MIT
// Backslash sequences of Tcl 8.6: one function, used by the script reader and by lists.

const simple: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/**
 * Reads the sequence whose backslash is at `at`.
 * @returns the text it stands for and the offset after it.
 */
export function readBackslash(
  text: string,
  at: number,
): { readonly value: string; readonly end: number } {
  const ch = text[at + 1];
  if (ch === undefined) return { value: "\\", end: at + 1 };
  const known = simple[ch];
  if (known !== undefined) return { value: known, end: at + 2 };
  if (ch === "\n") {
    let end = at + 2;
    while (text[end] === " " || text[end] === "\t") end += 1;
    return { value: " ", end };
  }
  if (ch === "x") return readHex(text, at, 2);
  if (ch === "u") return readHex(text, at, 4);
  if (ch === "U") return readHex(text, at, 8);
  if (ch >= "0" && ch <= "7") return readOctal(text, at);
  const value = String.fromCodePoint(text.codePointAt(at + 1) ?? 0);
  return { value, end: at + 1 + value.length };
}

function readHex(text: string, at: number, digitsMax: number): { value: string; end: number } {
  let end = at + 2;
  let code = 0;
  while (end < at + 2 + digitsMax) {
    const digit = Number.parseInt(text[end] ?? "", 16);
    if (Number.isNaN(digit)) break;
    if (code * 16 + digit > 0x10ffff) break;
    code = code * 16 + digit;
    end += 1;
  }
  if (end === at + 2) return { value: text[at + 1] ?? "", end };
  return { value: String.fromCodePoint(code), end };
}

function readOctal(text: string, at: number): { value: string; end: number } {
  let end = at + 1;
  let code = 0;
  while (end < at + 4) {
    const ch = text[end] ?? "";
    if (ch < "0" || ch > "7" || ch === "") break;
    if (code * 8 + Number(ch) > 0xff) break;
    code = code * 8 + Number(ch);
    end += 1;
  }
  return { value: String.fromCharCode(code), end };
}
