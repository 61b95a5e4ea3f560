// SPDX-License-Identifier: MIT
// `source`: other files come from a resolver that the caller passes in, or not at all.

import { sourcedFilesMax } from "../limits.ts";
import { TclError, TclLimitError } from "../tcl/error.ts";
import { parseScript } from "../tcl/parser.ts";
import type { NsContext } from "./context.ts";

/** Runs another file in the place of the command. @throws TclError `NS_SOURCE` */
export function sourceFile(context: NsContext, name: string): string {
  const { interp } = context;
  const { resolve, catalogue } = context.options;
  const text = resolve?.(name) ?? catalogue.includes.get(name);
  if (text === undefined) {
    throw new TclError("NS_SOURCE", `cannot read "${name}"`, {
      word: 1,
      hint: "Only files in the directory of the experiment file and below it can be sourced.",
    });
  }
  context.sourcedFiles += 1;
  if (context.sourcedFiles > sourcedFilesMax) {
    throw new TclLimitError("NS_SOURCES", `more than ${sourcedFilesMax} files are sourced`);
  }
  const source = interp.sources.add(name, text);
  interp.memory.hold(text.length);
  const script = parseScript(text, [{ text: 0, source, exact: true }], interp.noteLiteral);
  return interp.run(script);
}

/** A file that the site adds by itself. @throws TclError `NS_SITE_FILE` */
export function includeSiteFile(context: NsContext, name: string): string {
  try {
    return context.interp.atLevel(0, () => sourceFile(context, name));
  } catch (error) {
    if (!(error instanceof TclError) || error.code !== "NS_SOURCE") throw error;
    throw new TclError("NS_SITE_FILE", `the site's file ${name} is needed and not there`, {
      hint: `Name it in the catalogue: "includes": {"${name}": "path"}, or put it beside this file.`,
    });
  }
}
