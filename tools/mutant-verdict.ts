// SPDX-License-Identifier: MIT
// What the end of a run with a planted mistake says of it. Only a rule that is broken or a test
// that fails has found it; a text that is no program fails, too, and proves nothing.
import { stripTypeScriptTypes } from "node:module";

/**
 * Status of a simulation that has found something; any other but 0 is a run that did not come off.
 */
export const foundStatus = 10;

export type Verdict =
  | { readonly kind: "found"; readonly reason: string }
  | { readonly kind: "missed" }
  | { readonly kind: "no-program"; readonly reason: string };

/** How a child process has ended. */
export interface MutantRun {
  readonly code: number | null;
  /** It was ended because it took too long. */
  readonly isEndless: boolean;
  readonly output: string;
  /** Of a test: what the JSON reporter has written. */
  readonly report?: string | undefined;
}

interface TestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Names that are nowhere, files and exports that are not there: the text means nothing. */
const meaningless =
  /^(?:SyntaxError|ReferenceError)|Cannot find (?:module|package)|does not provide an export/;

/** @returns what is wrong with the text of a file; undefined when it can be read as a program */
export function syntaxOf(text: string): string | undefined {
  try {
    stripTypeScriptTypes(text);
    return undefined;
  } catch (error) {
    return firstLine(error instanceof Error ? error.message : String(error));
  }
}

/** @param rule that has to be the one that is broken; any when absent */
export function judgeSimulation({ code, isEndless, output }: MutantRun, rule = ""): Verdict {
  if (isEndless) return endless;
  if (code === 0) return { kind: "missed" };
  const reason = output.split("\n").find((line) => /^seed \d+: /.test(line));
  if (code !== foundStatus || reason === undefined) return noProgram(output);
  const problem = reason.replace(/^seed \d+: /, "");
  if (meaningless.test(problem)) return noProgram(problem);
  return problem.startsWith(rule) ? found(reason) : { kind: "missed" };
}

export function judgeTests({ code, isEndless, output, report }: MutantRun): Verdict {
  if (isEndless) return endless;
  if (code === 0) return { kind: "missed" };
  if (report === undefined) return noProgram(output);
  const { testResults } = JSON.parse(report) as TestReport;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.filter(({ status }) => status === "failed");
  const reasons = failed.flatMap(({ failureMessages }) => failureMessages);
  const meant = reasons.find((reason) => !meaningless.test(reason));
  if (meant !== undefined) return found(meant);
  // What surrounds tests failed, or something that none of them waited for.
  const around = testResults.map(({ message }) => message).find((message) => message !== "");
  const unhandled = /^.*Unhandled.*$/m.exec(output)?.[0];
  const other = around ?? unhandled;
  if (reasons.length > 0 || tests.length === 0 || other === undefined || meaningless.test(other)) {
    return noProgram(reasons[0] ?? other ?? output);
  }
  return found(other);
}

const endless: Verdict = { kind: "found", reason: "it ran for ever" };

function found(reason: string): Verdict {
  return { kind: "found", reason: firstLine(reason) };
}

function noProgram(output: string): Verdict {
  const said = output.split("\n").find((line) => /Error\b/.test(line)) ?? output.trim();
  return { kind: "no-program", reason: firstLine(said) };
}

function firstLine(text: string): string {
  return (text.trim().split("\n")[0] ?? "").slice(0, 160);
}
