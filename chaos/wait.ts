// SPDX-License-Identifier: MIT
// Waiting, and the clock of histories.

export const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Asks until it is so. @throws Error when it is not after `limitMs` */
export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  limitMs = 120_000,
): Promise<void> {
  const endUs = nowUs() + limitMs * 1000;
  let why = "";
  while (nowUs() < endUs) {
    try {
      if (await isSo()) return;
      why = "";
    } catch (error) {
      why = `: ${error instanceof Error ? error.message : error}`;
    }
    await pause(100);
  }
  throw new Error(`in ${limitMs / 1000} s it has not come to this: ${what}${why}`);
}
