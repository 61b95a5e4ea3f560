// SPDX-License-Identifier: MIT
// The ARGS of an event: `KEY=value KEY={value} COMMAND=rest`. Pure. [EMULAB-EVENTS 1.6, 4.4]

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
  const directory = findArg(head, "DIR");
  const timeout = findArg(head, "TIMEOUT");
  const expected = findArg(head, "EXPECTED_EXIT_CODE");
  const tag = findArg(head, "TAG");
  return {
    ...(command === undefined ? {} : { command }),
    ...(directory === undefined ? {} : { directory }),
    ...(timeout === undefined ? {} : { timeoutSeconds: Number(timeout) || 0 }),
    ...(expected === undefined ? {} : { expectedExitCode: Number(expected) || 0 }),
    ...(tag === undefined ? {} : { tag }),
  };
}

/** The value of `key`, without its braces or quotes; undefined when absent or malformed. */
export function findArg(args: string, key: string): string | undefined {
  let rest = args;
  for (;;) {
    const item = /^[ \t]*([^ \t=]+)=/.exec(rest);
    if (item === null) return undefined;
    const value = takeValue(rest.slice(item[0].length));
    if (value === undefined) return undefined;
    if (item[1]?.toUpperCase() === key) return value.text;
    rest = value.rest;
  }
}

function takeValue(text: string): { text: string; rest: string } | undefined {
  if (text.startsWith("'")) {
    const end = text.indexOf("'", 1);
    return end < 0 ? undefined : { text: text.slice(1, end), rest: text.slice(end + 1) };
  }
  if (!text.startsWith("{")) {
    const end = text.search(/[ \t]/);
    return end < 0 ? { text, rest: "" } : { text: text.slice(0, end), rest: text.slice(end) };
  }
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === "{") depth += 1;
    if (text[index] === "}") depth -= 1;
    if (depth === 0) return { text: text.slice(1, index), rest: text.slice(index + 1) };
  }
  return undefined;
}
