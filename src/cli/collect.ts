// SPDX-License-Identifier: MIT
// Options of the command line that may be given again.

/** Their values so far; they have no default, which the help would print as `[]`. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
