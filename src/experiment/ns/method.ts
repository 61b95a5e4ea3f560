// SPDX-License-Identifier: MIT
// The shape of a method of an object and of a tb-* command, and what they share.

import { closest } from "../suggest.ts";
import { TclError } from "../tcl/error.ts";
import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import type { NsObject } from "./objects.ts";
import type { Read } from "./units.ts";

/** One call: `argv[0]` is the object or the command, `argv[1]` the method of an object. */
export interface Call<O> {
  readonly context: NsContext;
  readonly self: O;
  readonly argv: readonly string[];
  readonly site: Command;
}

export interface Method<O> {
  readonly usage: string;
  /** Words after the method's name. */
  readonly min: number;
  readonly max: number;
  readonly run: (call: Call<O>) => string;
}

export type MethodTable<O> = ReadonlyMap<string, Method<O>>;

/** One row of a method table. */
export function method<O extends NsObject>(
  name: string,
  usage: string,
  min: number,
  max: number,
  run: (call: Call<O>) => string,
): readonly [string, Method<O>] {
  return [name, { usage, min, max, run }];
}

/** Word `index`, or "" when it was left out. */
export function word(argv: readonly string[], index: number): string {
  return argv[index] ?? "";
}

/** The value of a quantity. @throws NsFault with its reason */
export function quantity<T>(read: Read<T>, code: string, index: number, text: string): T {
  if (read.ok) return read.value;
  throw new NsFault(code, read.message, { word: index, hint: read.hint, within: text });
}

/** Reads `-name value` options. @throws TclError `NS_OPTION` */
export function options<K extends string>(
  argv: readonly string[],
  from: number,
  names: readonly K[],
): ReadonlyMap<K, { readonly value: string; readonly word: number }> {
  const found = new Map<K, { readonly value: string; readonly word: number }>();
  for (let i = from; i < argv.length; i += 2) {
    const name = names.find((known) => known === argv[i]);
    if (name === undefined) {
      const list = names.join(", ");
      const message = `bad option '${argv[i]}', should be one of: ${list}`;
      const near = closest(word(argv, i), names);
      const hint = near === undefined ? {} : { hint: `Did you mean ${near}?` };
      throw new TclError("NS_OPTION", message, { word: i, within: word(argv, i), ...hint });
    }
    if (i + 1 >= argv.length) {
      throw new TclError("NS_OPTION", `the option ${name} has no value`, { word: i, within: name });
    }
    found.set(name, { value: word(argv, i + 1), word: i + 1 });
  }
  return found;
}
