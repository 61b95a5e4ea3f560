// SPDX-License-Identifier: MIT
// `source`: other files come from a resolver that the caller passes in, or not at all.

import { TclError } from "../tcl/error.ts";
import { parseScript } from "../tcl/parser.ts";
import type { NsContext } from "./context.ts";

/** Runs another file in the place of the command. @throws TclError `NS_SOURCE` */
export function sourceFile(context: NsContext, name: string): string {
  const { interp } = context;
  const text = context.options.resolve?.(name);
  if (text === undefined) {
    throw new TclError("NS_SOURCE", `cannot read "${name}": a file has no access to other files`, {
      word: 1,
      hint: "Copy what is needed into this file.",
    });
  }
  const source = interp.sources.add(name, text);
  interp.memory.hold(text.length);
  const script = parseScript(text, [{ text: 0, source, exact: true }], interp.noteLiteral);
  return interp.run(script);
}
