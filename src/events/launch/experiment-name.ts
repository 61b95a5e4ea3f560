// SPDX-License-Identifier: MIT
// `pid/eid` on command lines, where it becomes part of file names and of other command lines.

export interface ExperimentName {
  readonly pid: string;
  readonly eid: string;
}

/** @returns undefined when it is none: no name begins with a dash or a dot, or leads elsewhere. */
export function parseExperiment(text: string): ExperimentName | undefined {
  const [, pid, eid] = /^(\w[\w-]{0,62})[/,](\w[\w-]{0,62})$/.exec(text) ?? [];
  return pid === undefined || eid === undefined ? undefined : { pid, eid };
}

export function formatExperiment({ pid, eid }: ExperimentName): string {
  return `${pid}/${eid}`;
}
