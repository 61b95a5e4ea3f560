// SPDX-License-Identifier: MIT
// Files of lines that scripts read while a program runs: a line stays one whatever others have put
// into it, and a disk that is full costs lines and not the program.

/**
 * @param write of a line with its end; may throw
 * @param onFault told once, until a line could be written again
 */
export function lineOutput(
  write: (line: string) => void,
  onFault: (why: string) => void = () => undefined,
): (line: string) => void {
  let isFailing = false;
  return (line) => {
    try {
      write(`${line.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?")}\n`);
      isFailing = false;
    } catch (error) {
      if (!isFailing) onFault(error instanceof Error ? error.message : String(error));
      isFailing = true;
    }
  };
}
