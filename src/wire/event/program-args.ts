// SPDX-License-Identifier: MIT
// The ARGS of a PROGRAM event: those of every event, and COMMAND, which is all the rest.
// [EMULAB-EVENTS 4.4]
import { getArg } from "./args.ts";

/** Arguments of a PROGRAM event; undefined means "as configured". */
export interface ProgramArgs {
  readonly command?: string;
  readonly directory?: string;
  readonly timeoutSeconds?: number;
  readonly expectedExitCode?: number;
  readonly tag?: string;
}

/** COMMAND is everything to the end, with its quotes: the shell reads it. */
export function parseProgramArgs(args: string): ProgramArgs {
  const at = args.search(/(^|[ \t])COMMAND=/i);
  const head = at < 0 ? args : args.slice(0, at);
  const command = at < 0 ? undefined : args.slice(args.indexOf("=", at) + 1);
  const directory = getArg(head, "DIR");
  const timeout = getArg(head, "TIMEOUT");
  const expected = getArg(head, "EXPECTED_EXIT_CODE");
  const tag = getArg(head, "TAG");
  return {
    ...(command === undefined ? {} : { command }),
    ...(directory === undefined ? {} : { directory }),
    ...(timeout === undefined ? {} : { timeoutSeconds: Number(timeout) || 0 }),
    ...(expected === undefined ? {} : { expectedExitCode: Number(expected) || 0 }),
    ...(tag === undefined ? {} : { tag }),
  };
}
