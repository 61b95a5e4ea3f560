// SPDX-License-Identifier: MIT
// What reads the commands of programs that name no shell, where that is not the testbed's: in every
// language but NS, whose files were written for csh. Said in the experiment and not beside it, so
// that a run may hold programs of files in both languages. Pure.
import type { Experiment, Program } from "./model.ts";

/** @returns the experiment of a YAML file as it is run: its commands are for sh. */
export function withShells(experiment: Experiment): Experiment {
  const programs = experiment.programs.map(
    (program): Program => (program.shell === undefined ? { ...program, shell: "sh" } : program),
  );
  return { ...experiment, programs };
}
