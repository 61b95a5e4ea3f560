// SPDX-License-Identifier: MIT
// The text of an experiment report: what was found out, in the order that readers of the old one
// know. Pure; who finds it out is in make-report.ts. [EMULAB-EVENTS 2.10]

/** What there is to say of one error record. */
export interface ErrorDetails {
  /** `program a, token 7: error 3`, and why where it is known. */
  readonly title: string;
  /** `KEY=value` lines of its status. */
  readonly status: readonly string[];
  /** Ends of files, and warnings about those that are missing. */
  readonly parts: readonly DetailPart[];
}

export type DetailPart =
  | { readonly kind: "tail"; readonly path: string; readonly text: string }
  | { readonly kind: "missing"; readonly path: string };

export interface ReportFacts {
  /** How many errors there were, also those whose records are lost. */
  readonly errorCount: number;
  /** Sentences: copies of logs that are not as on the nodes, and what else went wrong. */
  readonly problems: readonly string[];
  /** Texts of MESSAGE. */
  readonly messages: readonly string[];
  /** What the digester printed; undefined when there was none. */
  readonly digest: string | undefined;
  /** Values of the file, in order. */
  readonly configuration: readonly (readonly [name: string, value: string])[];
  /** Texts of LOG, with their stamps. */
  readonly log: readonly string[];
  readonly errors: readonly ErrorDetails[];
}

export function formatReport(facts: ReportFacts): string {
  const { errorCount, problems, messages, digest, configuration, log, errors } = facts;
  const banner = errorCount === 0 ? "" : `*** ${errorCount} error(s) were detected!\n`;
  const sections = [
    banner,
    lines(problems),
    lines(messages),
    digest === undefined ? "" : withNewline(digest),
    titled(
      "Configuration:",
      configuration.map(([name, value]) => `${name}=${value}`),
    ),
    titled("Log:", log),
    ...errors.map(formatError),
  ];
  return sections.filter((section) => section !== "").join("\n");
}

/** The selected keys of a status file, in its order. */
export function selectStatus(text: string): readonly string[] {
  const keys = ["DIR", "COMMAND", "START_TIME", "EXIT_CODE", "TIMEOUT_FIRED"];
  return text.split("\n").filter((line) => keys.includes(line.slice(0, line.indexOf("="))));
}

/** The last lines of a text that may begin in the middle of one. */
export function lastLines(text: string, linesMax: number): string {
  const all = text.replace(/\n$/, "").split("\n");
  return all.slice(-linesMax).join("\n");
}

function formatError({ title, status, parts }: ErrorDetails): string {
  return lines([`*** ${title}`, ...status.map((line) => `  ${line}`), ...parts.map(formatPart)]);
}

function formatPart(part: DetailPart): string {
  if (part.kind === "missing") return `warning: missing ${part.path}`;
  return `==> ${part.path} <==${part.text === "" ? "" : `\n${part.text}`}`;
}

function titled(title: string, rows: readonly string[]): string {
  return lines([title, ...rows.map((row) => `  ${row}`)]);
}

function lines(rows: readonly string[]): string {
  return rows.map((row) => `${row}\n`).join("");
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
