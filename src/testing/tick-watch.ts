// SPDX-License-Identifier: MIT
// Says whether anybody but the virtual clock has asked the process for a tick (`nextTick`): streams
// do. Where nobody has, the clock need not turn four times to see that nothing is left to do.
//
//   W1. What asks for a tick by another way than `process.nextTick` is not seen. It runs all the
//       same, and as early; only what it leaves behind may come an instant of virtual time later.

const { nextTick } = process;
let asked = 0;
let watchers = 0;

/** Asks for a tick that does not count. */
export function ownTick(then: () => void): void {
  nextTick(then);
}

/** Counts until `stop` is called. */
export function watchTicks(): { readonly stop: () => void } {
  watchers += 1;
  if (watchers === 1) {
    process.nextTick = (callback: Parameters<typeof nextTick>[0], ...args: unknown[]) => {
      asked += 1;
      nextTick(callback, ...args);
    };
  }
  let isStopped = false;
  return {
    stop: () => {
      if (isStopped) return;
      isStopped = true;
      watchers -= 1;
      if (watchers === 0) process.nextTick = nextTick;
    },
  };
}

/** Ticks that others have asked for so far; undefined while nobody counts. */
export function ticksAsked(): number | undefined {
  return watchers === 0 ? undefined : asked;
}
