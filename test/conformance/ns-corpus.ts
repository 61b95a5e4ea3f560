// SPDX-License-Identifier: MIT
// The recorded results of the reference parser, and reading a text as it would. The catalogue is
// the site that the recording describes; the file that inner testbeds include is part of it.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type ParseResult, parseNsFile, type Tables } from "../../src/experiment/index.ts";

export interface Golden {
  readonly file: string;
  readonly exit: 0 | 1;
  readonly prepended?: string;
  readonly messages?: readonly string[];
  readonly tclError?: string;
  readonly tables?: Tables;
}

const corpus: string = path.resolve(import.meta.dirname, "../../../shared/corpus/ns");
export const isPresent: boolean = existsSync(path.join(corpus, "golden.json"));

function load(): Golden[] {
  if (!isPresent) return [];
  const all = JSON.parse(readFileSync(path.join(corpus, "golden.json"), "utf8"));
  return Object.entries(all).flatMap(([key, value]) => (key === "_about" ? [] : [value as Golden]));
}

export const golden: readonly Golden[] = load();

const source = (file: string): string => readFileSync(path.join(corpus, file), "latin1");

export function textOf(entry: Golden): string {
  return (entry.prepended ?? "") + source(entry.file);
}

/** A file of the site lies in the corpus under a longer name. */
function resolveSiteFile(name: string): string | undefined {
  const entry = golden.find(({ file }) => file.endsWith(`_${name}`));
  return entry === undefined ? undefined : source(entry.file);
}

/** Reads a text as the reference would. */
export function readCompat(text: string): ParseResult {
  const options = { file: "t.ns", pid: "PID", eid: "EID", compat: true, resolve: resolveSiteFile };
  return parseNsFile(text, options);
}
