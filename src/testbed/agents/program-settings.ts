// SPDX-License-Identifier: MIT
// How a program is to be run: as configured, until an event says otherwise. Pure.
// [EMULAB-EVENTS 4.2, 4.4]
import type { Program } from "../../experiment/model.ts";
import type { ProgramArgs } from "../../wire/event/program-args.ts";
import { programLimits } from "./program-limits.ts";

export interface ProgramSettings {
  readonly command: string;
  /** `""` for the default, /tmp. */
  readonly directory: string;
  /** 0 for none. */
  readonly timeoutSeconds: number;
  readonly expectedExitCode: number;
  /** Names a second set of links to the output; `""` for none. */
  readonly tag: string;
}

/** A program as its agent is told of it; files of experiments give it no tag. */
export type AgentProgram = Program & { readonly tag?: string };

export function configuredSettings(program: AgentProgram): ProgramSettings {
  const { command, directory, timeoutSeconds, expectedExitCode, tag = "" } = program;
  return { command, directory, timeoutSeconds, expectedExitCode, tag };
}

/**
 * What an event brings replaces what was. A tag that cannot be part of a file name, or is too long,
 * is not taken.
 *
 * @returns the settings, and a sentence for a person when something was not taken.
 */
export function applyArgs(
  settings: ProgramSettings,
  args: ProgramArgs,
): { readonly settings: ProgramSettings; readonly warning?: string } {
  const { tag, ...rest } = args;
  const applied = { ...settings, ...rest };
  if (tag === undefined) return { settings: applied };
  const fault = tagFault(tag);
  if (fault === undefined) return { settings: { ...applied, tag } };
  return { settings: applied, warning: `the tag ${JSON.stringify(tag)} is not used: ${fault}` };
}

function tagFault(tag: string): string | undefined {
  const { tagCharactersMax } = programLimits;
  if (tag.length > tagCharactersMax) return `it has more than ${tagCharactersMax} characters`;
  if (/[^\w.+:@=,-]/.test(tag)) return "it is part of file names; use letters, digits, - and _";
  return undefined;
}
