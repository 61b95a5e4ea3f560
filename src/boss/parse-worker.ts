// SPDX-License-Identifier: MIT
// Reads one experiment file in a thread of its own: a file may compute for seconds, and the daemon
// keeps the barriers and events of other experiments meanwhile.
import { parentPort, workerData } from "node:worker_threads";
import {
  formatDiagnostic,
  type ParseResult,
  parseNsFile,
  tableRows,
  withShells,
} from "../experiment/index.ts";
import { isYamlFile } from "./file-language.ts";
import type { ParsedDefinition, ParseRequest } from "./parse-definition.ts";
import { readBeside } from "./read-beside.ts";

/** NS, or YAML by its name; the rows of a YAML file are those of the NS file that says the same. */
async function read({ text, insisted, ...options }: ParseRequest): Promise<ParseResult> {
  const { file, pid, eid, presets } = options;
  if (!isYamlFile(file)) return parseNsFile(text, { ...options, resolve: readBeside(file) });
  // The package for the syntax is loaded for a file that needs it.
  const { readYamlExperiment } = await import("./read-yaml.ts");
  const names = {
    pid: insisted.includes("pid") ? pid : undefined,
    eid: insisted.includes("eid") ? eid : undefined,
  };
  const result = readYamlExperiment(text, { file, defaultEid: eid, ...names, presets });
  const { experiment } = result;
  if (experiment === undefined) return result;
  const { rows } = tableRows(experiment);
  return { ...result, experiment: withShells(experiment), rows };
}

const request = workerData as ParseRequest;
const { experiment, rows, output, ...found } = await read(request);
const { diagnostics } = found;
const answer: ParsedDefinition = {
  experiment,
  rows,
  diagnostics: diagnostics.map((one) => formatDiagnostic(one, request.text)),
  errors: diagnostics.filter(({ severity }) => severity === "error").length,
  output,
};
parentPort?.postMessage(answer);
