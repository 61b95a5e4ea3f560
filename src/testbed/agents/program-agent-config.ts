// SPDX-License-Identifier: MIT
// The configuration file of the program agent, as the configuration server tells it. Pure.
// [EMULAB-EVENTS 4.2]
import { programLimits } from "./program-limits.ts";
import type { AgentProgram } from "./program-settings.ts";

export interface ProgramAgentConfig {
  /** Who programs run as; undefined on the machine that serves users. */
  readonly user: string | undefined;
  readonly programs: readonly AgentProgram[];
  /** `ENV NAME=VALUE`, in order; values may refer to earlier ones. */
  readonly environment: readonly (readonly [name: string, value: string])[];
}

export type ParsedConfig =
  | { readonly kind: "config"; readonly config: ProgramAgentConfig }
  /** What is wrong, with the number of the line. */
  | { readonly kind: "malformed"; readonly message: string };

/**
 * Lines `UID=login`, `AGENT=name [DIR=..] [TIMEOUT=n] [EXPECTED_EXIT_CODE=n] [TAG=..] COMMAND='..'`
 * and `ENV NAME=VALUE`; empty ones are passed over.
 *
 * @param file for the places of programs.
 */
export function parseProgramAgentConfig(
  text: string,
  { file, node }: { readonly file: string; readonly node: string },
): ParsedConfig {
  let user: string | undefined;
  const programs: AgentProgram[] = [];
  const environment: (readonly [string, string])[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const malformed = (why: string): ParsedConfig => {
      return { kind: "malformed", message: `${file}:${index + 1}: malformed: ${why}` };
    };
    const [keyword = ""] = /^(?:UID=|AGENT=|ENV )/.exec(line) ?? [];
    const rest = line.slice(keyword.length);
    if (line.trim() === "") continue;
    if (keyword === "UID=") user = rest.trim();
    else if (keyword === "ENV ") {
      const equals = rest.indexOf("=");
      if (equals < 1) return malformed("ENV needs NAME=VALUE");
      environment.push([rest.slice(0, equals), rest.slice(equals + 1)]);
    } else if (keyword === "AGENT=") {
      const program = parseAgent(rest, { file, node, line: index + 1 });
      if (typeof program === "string") return malformed(program);
      if (programs.some(({ name }) => name === program.name)) {
        return malformed(`there are two agents ${program.name}`);
      }
      programs.push(program);
    } else return malformed("a line begins with UID=, AGENT= or ENV");
    if (programs.length > programLimits.configuredProgramsMax) {
      return malformed(`there are more than ${programLimits.configuredProgramsMax} agents`);
    }
  }
  return { kind: "config", config: { user, programs, environment } };
}

/** @returns what is wrong. */
function parseAgent(
  text: string,
  { file, node, line }: { readonly file: string; readonly node: string; readonly line: number },
): AgentProgram | string {
  const at = text.search(/[ \t]COMMAND=/);
  if (at < 0) return "AGENT needs COMMAND='...' at the end";
  const command = unquote(text.slice(at + " COMMAND=".length));
  const [name = "", ...items] = text
    .slice(0, at)
    .trim()
    .split(/[ \t]+/);
  if (!/^[\w.+:@-]+$/.test(name)) return "AGENT needs a name that can be part of file names";
  const given = new Map<string, string>();
  for (const item of items) {
    const [, key, value] = /^(DIR|TIMEOUT|EXPECTED_EXIT_CODE|TAG)=(.*)$/.exec(item) ?? [];
    if (key === undefined || value === undefined) {
      return `AGENT takes DIR, TIMEOUT, EXPECTED_EXIT_CODE and TAG, not ${item}`;
    }
    given.set(key, unquote(value));
  }
  const timeoutSeconds = Number(given.get("TIMEOUT") ?? 0);
  const expectedExitCode = Number(given.get("EXPECTED_EXIT_CODE") ?? 0);
  if (!(timeoutSeconds >= 0)) return "TIMEOUT is a number of seconds";
  if (!Number.isInteger(expectedExitCode)) return "EXPECTED_EXIT_CODE is a number";
  return {
    ...{ name, node, command, isStartCommand: false, directory: given.get("DIR") ?? "" },
    ...{ timeoutSeconds, expectedExitCode, at: { file, line, column: 1 } },
    tag: given.get("TAG") ?? "",
  };
}

/** The server puts a value in single quotes and does not look at those that are in it. */
function unquote(text: string): string {
  return text.startsWith("'") ? text.slice(1, text.endsWith("'") ? -1 : undefined) : text;
}

/**
 * A file of variables alone: `NAME="VALUE"`, or `ENV NAME=VALUE` as in the configuration; empty
 * lines are passed over. [EMULAB-EVENTS 4.2]
 *
 * @returns what is wrong.
 */
export function parseEnvironmentFile(
  text: string,
  file: string,
): ProgramAgentConfig["environment"] | string {
  const environment: (readonly [string, string])[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, name, value] = /^(?:ENV )?([^=\s]+)=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      return `${file}:${index + 1}: malformed: a line is NAME="VALUE"`;
    }
    environment.push([name, /^"(.*)"$/.exec(value)?.[1] ?? value]);
  }
  return environment;
}
