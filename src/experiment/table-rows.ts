// SPDX-License-Identifier: MIT
// The table rows of an experiment that no NS file gave. They are taken from the NS file that says
// the same: the rows are what the old system's parser made of such a file, there is one writer of
// them, and a second one, from the model, would have to be held against it for ever.
import type { Diagnostic, Experiment } from "./model.ts";
import type { Tables } from "./ns/tables.ts";
import { parseNsFile } from "./parse.ts";
import { printNsLossy } from "./print-ns.ts";

export interface TableRows {
  /** Empty when not even the rest can be said in NS. */
  readonly rows: Tables;
  /** What the tables have no place for. */
  readonly lost: readonly Diagnostic[];
}

export function tableRows(experiment: Experiment): TableRows {
  const { pid, eid } = experiment;
  const { text, lost } = printNsLossy(experiment);
  const { rows, diagnostics } = parseNsFile(text, { file: "", pid, eid });
  if (rows !== undefined) return { rows, lost };
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  return { rows: {}, lost: [...lost, ...errors] };
}
