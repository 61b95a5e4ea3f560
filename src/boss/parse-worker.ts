// SPDX-License-Identifier: MIT
// Reads one experiment file in a thread of its own: a file may compute for seconds, and the daemon
// keeps the barriers and events of other experiments meanwhile.
import { parentPort, workerData } from "node:worker_threads";
import { formatDiagnostic, parseNsFile } from "../experiment/index.ts";
import type { ParsedDefinition, ParseRequest } from "./parse-definition.ts";
import { readBeside } from "./read-beside.ts";

const { text, ...options } = workerData as ParseRequest;
const result = parseNsFile(text, { ...options, resolve: readBeside(options.file) });
const answer: ParsedDefinition = {
  experiment: result.experiment,
  rows: result.rows,
  diagnostics: result.diagnostics.map((one) => formatDiagnostic(one, text)),
  errors: result.diagnostics.filter(({ severity }) => severity === "error").length,
  output: result.output,
};
parentPort?.postMessage(answer);
