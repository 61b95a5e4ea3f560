// SPDX-License-Identifier: MIT
// The process in which a TypeScript experiment file is run: `typescript-main FILE`. It imports the
// file, takes what it exports and writes it as YAML to descriptor 3. A fault is one message on
// standard error, and status 1.
import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { type Experiment, printYaml } from "../experiment/index.ts";

/** The library is that of the Muster that runs, also where none is installed beside the file. */
const libraryName = "musterd/experiment";
const isSource = import.meta.url.endsWith(".ts");
const library = new URL(
  `../experiment/typescript/define.${isSource ? "ts" : "js"}`,
  import.meta.url,
);

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === libraryName
      ? { url: library.href, shortCircuit: true }
      : nextResolve(specifier, context),
});

try {
  const [, , file = ""] = process.argv;
  const loaded = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  writeFileSync(3, printYaml(experimentOf(loaded)));
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exitCode = 1;
}

function experimentOf(exports: Readonly<Record<string, unknown>>): Experiment {
  const value = exports["default"] ?? exports["experiment"];
  if (isExperiment(value)) return value;
  const what = "export default defineExperiment({ ... })";
  throw new Error(`it exports no experiment; write: ${what}, from "${libraryName}"`);
}

function isExperiment(value: unknown): value is Experiment {
  return (
    typeof value === "object" && value !== null && "nodes" in value && Array.isArray(value.nodes)
  );
}

/** Findings of `defineExperiment` say where they are; other errors have a stack that does. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `it throws ${String(error)}`;
  if (error.name === "ExperimentError") return `this is no experiment:\n${error.message}`;
  // Where this program has found the fault is nothing that the user can mend.
  const isTheirs = (line: string): boolean =>
    /\.[cm]?[jt]s:\d+/.test(line) && !line.includes(import.meta.url);
  const place = error.stack?.split("\n").find(isTheirs) ?? "";
  return `${error.message}${place === "" ? "" : ` (${place.trim()})`}`;
}
