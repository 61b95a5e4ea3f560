// SPDX-License-Identifier: MIT
// `muster parse FILE`: reads an experiment file and shows what it means, as text for people, as
// JSON, or as the old system's table rows. Also the loader that other commands use. Only this file
// touches the file system; the reading itself is in experiment/.
// Exit status: 0 accepted, 1 refused, 66 unreadable.

import { readFileSync, realpathSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, relative, resolve } from "node:path";
import {
  type Catalogue,
  defaultCatalogue,
  type Experiment,
  fileBytesMax,
  formatDiagnostic,
  type Link,
  type LinkShape,
  type ParseResult,
  type PlannedEvent,
  parseCatalogue,
  parseNsFile,
  referenceCatalogue,
} from "../../experiment/index.ts";

/** Exit status of a file that cannot be read (EX_NOINPUT). */
export const exitUnreadable = 66;

/** Arguments of `muster parse`. */
export interface ParseArguments {
  readonly file: string;
  readonly format: "text" | "json" | "rows";
  /** Judge the file exactly as the old system did. */
  readonly compat: boolean;
  /** Say why as well as what. */
  readonly explain?: boolean;
  /** `opt(NAME)=V` or `name=V`. */
  readonly set: readonly string[];
  readonly pid?: string;
  readonly eid?: string;
  /** Order in which links get addresses. */
  readonly addresses?: "legacy" | "stable";
  /** JSON file that says what the site has. */
  readonly catalogue?: string;
}

/** Where a command prints. */
export interface CommandOutput {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** What `loadExperiment` needs besides the file. */
export interface LoadOptions {
  readonly compat?: boolean;
  readonly addresses?: "legacy" | "stable";
  readonly set?: readonly string[];
  readonly pid?: string;
  readonly eid?: string;
  /** JSON file that says what the site has. */
  readonly catalogue?: string;
  /** Leave the rows out of the result. */
  readonly omitRows?: boolean;
}

/** A file that cannot be read, or an argument that makes no sense; the message says what to do. */
export class LoadError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Reads an experiment file from disk.
 * @param file path of the file
 * @param options names (project `muster`, experiment named after the file), presets and modes
 * @returns the result and the text it came from
 * @throws LoadError when the file cannot be read or a preset has no value
 */
export async function loadExperiment(
  file: string,
  options: LoadOptions = {},
): Promise<ParseResult & { readonly source: string }> {
  const presets = (options.set ?? []).map(parsePreset);
  const source = await readSource(file);
  const catalogue = await loadCatalogue(options);
  const result = parseNsFile(source, {
    file,
    resolve: resolveBeside(file),
    omitRows: options.omitRows ?? false,
    ...(catalogue === undefined ? {} : { catalogue }),
    pid: options.pid ?? "muster",
    eid: options.eid ?? experimentName(file),
    presets,
    ...(options.compat === undefined ? {} : { compat: options.compat }),
    ...(options.addresses === undefined ? {} : { addresses: options.addresses }),
  });
  return { ...result, source };
}

/** The catalogue that is named; what it includes is found from where it lies. */
async function loadCatalogue(options: LoadOptions): Promise<Catalogue | undefined> {
  const { catalogue: file, compat } = options;
  if (file === undefined) return undefined;
  const text = await readSource(file);
  const read = resolveBeside(file);
  const base = compat === true ? referenceCatalogue : defaultCatalogue;
  const result = parseCatalogue(text, base, read);
  if (result.ok) return result.catalogue;
  const help = "see docs/reference/ns-language.md for what a catalogue may say";
  throw new LoadError(`--catalogue ${file}: ${result.message}; ${help}`, 64);
}

/**
 * Reads files for another one: only plain files in its directory and below, wherever symbolic links
 * lead, and none larger than an experiment file may be.
 */
export function resolveBeside(file: string): (name: string) => string | undefined {
  return (name) => {
    try {
      const root = realpathSync(dirname(file));
      const target = realpathSync(resolve(root, name));
      const way = relative(root, target);
      if (way === "" || way.startsWith("..") || isAbsolute(way)) return undefined;
      // Asked for before it is opened: opening a pipe would wait for somebody to write.
      const { size, isFile } = inspect(target);
      return isFile && size <= fileBytesMax ? decode(readFileSync(target)) : undefined;
    } catch {
      // Not there, not readable, a loop of links: the file that asked gets the error.
      return undefined;
    }
  };
}

function inspect(target: string): { readonly size: number; readonly isFile: boolean } {
  const status = statSync(target);
  return { size: status.size, isFile: status.isFile() };
}

function parsePreset(text: string): readonly [string, string] {
  const cut = text.indexOf("=");
  if (cut > 0) return [text.slice(0, cut), text.slice(cut + 1)];
  throw new LoadError(`--set ${text}: write --set 'opt(NAME)=VALUE' or --set NAME=VALUE`, 64);
}

/** An experiment name from a file name: letters, digits and dashes, 2 to 19 of them. */
export function experimentName(file: string): string {
  const stem = basename(file).replace(/\.(?:ns|tcl|txt)$/i, "");
  const name = stem
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, 19)
    .replace(/-+$/, "");
  return name.length >= 2 ? name : `exp${name}`;
}

async function readSource(file: string): Promise<string> {
  try {
    // The size is asked for first: a huge file must not be read to be refused.
    const { size } = await stat(file);
    if (size > fileBytesMax) {
      const limit = fileBytesMax / 1024 / 1024;
      throw new LoadError(
        `${file}: ${size} bytes are more than the ${limit} MiB an experiment file may have; ` +
          "make it shorter with loops and procedures",
        1,
      );
    }
    return decode(await readFile(file));
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw new LoadError(`${file}: ${reasonOf(error)}`, exitUnreadable);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; check the path",
  EACCES: "no permission to read it; check its mode with ls -l",
  EISDIR: "it is a directory; name the experiment file inside it",
  ENOTDIR: "a part of the path is not a directory; check the path",
  ELOOP: "too many symbolic links; check the path",
  ENAMETOOLONG: "the name is too long; check the path",
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return reasons[code] ?? `it cannot be read: ${error instanceof Error ? error.message : error}`;
}

/** UTF-8, or one character per byte for older files. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

/**
 * Runs `muster parse`.
 * @returns the exit status
 */
export async function runParse(argv: ParseArguments, io: CommandOutput): Promise<number> {
  let loaded: ParseResult & { readonly source: string };
  // Rows are the old system's own form, so they are numbered by its rules.
  const addresses = argv.addresses ?? (argv.format === "rows" ? "legacy" : undefined);
  try {
    loaded = await loadExperiment(argv.file, {
      ...argv,
      omitRows: argv.format !== "rows",
      ...(addresses === undefined ? {} : { addresses }),
    });
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    io.stderr(`muster parse: ${error.message}\n`);
    return error.exitCode;
  }
  for (const diagnostic of loaded.diagnostics) {
    io.stderr(`${formatDiagnostic(diagnostic, loaded.source)}\n`);
  }
  const exit = loaded.experiment === undefined ? 1 : 0;
  switch (argv.format) {
    case "rows":
      io.stdout(`${JSON.stringify({ exit, tables: loaded.rows ?? {} }, undefined, 1)}\n`);
      break;
    case "json": {
      const { experiment, diagnostics } = loaded;
      io.stdout(
        `${JSON.stringify({ experiment: experiment ?? null, diagnostics }, undefined, 2)}\n`,
      );
      break;
    }
    case "text":
      if (loaded.output !== "") io.stderr(loaded.output);
      io.stdout(describeResult(loaded, argv));
      break;
  }
  return exit;
}

function describeResult(result: ParseResult, { file, explain }: ParseArguments): string {
  const { experiment } = result;
  if (experiment !== undefined) {
    return describeExperiment(experiment, result.syncServerReason ?? "", explain === true);
  }
  const errors = result.diagnostics.filter(({ severity }) => severity === "error").length;
  return `${file}: refused, ${errors} ${errors === 1 ? "error" : "errors"}\n`;
}

/** A summary for people. */
export function describeExperiment(
  experiment: Experiment,
  syncServerReason: string,
  explain: boolean,
): string {
  const { nodes, links, programs } = experiment;
  const lines = [`${experiment.pid}/${experiment.eid}`];
  const where = (line: number): string => (explain ? `  (line ${line})` : "");
  lines.push(`nodes: ${nodes.length}`);
  for (const node of nodes) {
    const os = node.osName === "" ? "" : ` ${node.osName}`;
    lines.push(`  ${node.name}  ${node.hardwareType}${os}${where(node.at.line)}`);
  }
  if (links.length > 0) lines.push(`links: ${links.length}`);
  for (const link of links) lines.push(...describeLink(link));
  if (programs.length > 0) lines.push(`programs: ${programs.length}`);
  for (const program of programs) {
    const kind = program.isStartCommand ? "  [start command]" : "";
    const place = where(program.at.line);
    lines.push(`  ${program.name} on ${program.node}: ${program.command}${kind}${place}`);
  }
  lines.push(...describeEvents(experiment, explain));
  const server = experiment.syncServer ?? "none";
  lines.push(`sync server: ${server} (${syncServerReason})`);
  return `${lines.join("\n")}\n`;
}

function describeLink(link: Link): string[] {
  const lines = [`  ${link.name}  ${link.kind}  netmask ${link.netmask}`];
  for (const { node, port, address, toLink, fromLink } of link.members) {
    const to = describeShape(toLink);
    const from = describeShape(fromLink);
    const shape = to === from ? to : `to ${to}; from ${from}`;
    lines.push(`    ${node}:${port}  ${address === "" ? "no address" : address}  ${shape}`);
  }
  return lines;
}

/** One direction of one member: a path over the link has two of them. */
function describeShape({ bandwidthBps, delayUs, loss }: LinkShape): string {
  const rate = bandwidthBps === 0 ? "any bandwidth" : `${bandwidthBps / 1e6} Mb/s`;
  const delay = `${delayUs / 1000} ms`;
  return loss === 0 ? `${rate}, ${delay}` : `${rate}, ${delay}, loss ${Number(loss.toFixed(6))}`;
}

function describeEvents(experiment: Experiment, explain: boolean): string[] {
  const { events, sequences, timelines } = experiment;
  const lines: string[] = [];
  if (events.length > 0) lines.push(`events: ${events.length}`);
  lines.push(...inOrder(events).map((event) => `  ${describeEvent(event, explain)}`));
  for (const { name, steps } of sequences) {
    lines.push(`sequence ${name}: ${steps.length}`);
    lines.push(...steps.map((step) => `  ${describeAction(step)}`));
  }
  for (const timeline of timelines) {
    lines.push(`timeline ${timeline.name}: ${timeline.events.length}`);
    lines.push(...inOrder(timeline.events).map((event) => `  ${describeEvent(event, explain)}`));
  }
  return lines;
}

function inOrder(events: readonly PlannedEvent[]): PlannedEvent[] {
  const time = ({ atUs }: PlannedEvent): number =>
    atUs === "swapout" ? Number.MAX_SAFE_INTEGER : atUs;
  return events.toSorted((a, b) => time(a) - time(b) || a.index - b.index);
}

function describeEvent(event: PlannedEvent, explain: boolean): string {
  const time = event.atUs === "swapout" ? "swapout" : `${event.atUs / 1_000_000} s`;
  const place = explain ? `  (line ${event.at.line})` : "";
  return `${time.padStart(9)}  ${describeAction(event)}${place}`;
}

function describeAction({ object, event, args }: PlannedEvent): string {
  return `${object} ${event}${args === "" ? "" : ` ${args}`}`;
}
