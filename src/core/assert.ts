// SPDX-License-Identifier: MIT
// Assertions for programmer errors. They stay on in production: a server that knows its own state
// is wrong must stop before it releases somebody early.

/** Thrown when the program, not its input, is wrong. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** @throws AssertionError when `condition` is false. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Makes a `switch` over a closed union fail to compile when a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
