// SPDX-License-Identifier: MIT
// `muster parse FILE`: reads an experiment file and shows what it means, as text for people, as
// JSON, as a drawing, or as the old system's table rows. Also the loader that other commands use;
// the reading itself is in experiment/ and boss/read-yaml.ts.
// Exit status: 0 accepted, 1 refused, 64 wrong options, 66 unreadable.

import { basename } from "node:path";
import { describeMisnamed, isYamlFile } from "../../boss/file-language.ts";
import { readBeside } from "../../boss/read-beside.ts";
import { readYamlExperiment } from "../../boss/read-yaml.ts";
import {
  type Catalogue,
  defaultCatalogue,
  describeCondition,
  describeDeclaredBarrier,
  describeExtras,
  describeFlow,
  describePaths,
  describeQueue,
  describeRoute,
  describeTrace,
  drawDot,
  drawSvg,
  type Experiment,
  explain,
  formatDiagnostic,
  type Link,
  type LinkShape,
  type ParseResult,
  type PlannedEvent,
  parseCatalogue,
  parseNsFile,
  referenceCatalogue,
  withShells,
} from "../../experiment/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { adviseOnPrograms, findAddressClashes } from "../parse-advice.ts";
import { LoadError, readSource } from "../source-file.ts";

export { LoadError } from "../source-file.ts";

/** Exit status of a file that cannot be read (EX_NOINPUT). */
export const exitUnreadable: number = exitCodes.noInput;

/** Arguments of `muster parse`. */
export interface ParseArguments {
  readonly file: string;
  readonly format: "text" | "json" | "rows";
  /** Judge the file exactly as the old system did. */
  readonly compat: boolean;
  /** Say why as well as what, instead of `format`. */
  readonly explain?: boolean;
  /** Draw the topology instead of `format`. */
  readonly graph?: "svg" | "dot";
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
  /** The experiment is to be run, and its rows are told to its nodes, whatever they cannot say. */
  readonly forRun?: boolean;
}

/** What `loadExperiment` gives. */
export type Loaded = ParseResult & { readonly source: string };

/**
 * Reads an experiment file from disk.
 * @param file path of the file
 * @param options names (project `muster`, experiment named after the file), presets and modes
 * @returns the result and the text it came from
 * @throws LoadError when the file cannot be read or a preset has no value
 */
export async function loadExperiment(file: string, options: LoadOptions = {}): Promise<Loaded> {
  const presets = (options.set ?? []).map(parsePreset);
  return isYamlFile(file) ? loadYaml(file, options, presets) : loadNs(file, options, presets);
}

type Presets = readonly (readonly [string, string])[];

async function loadYaml(file: string, options: LoadOptions, presets: Presets): Promise<Loaded> {
  const { compat, addresses, catalogue, pid, eid } = options;
  const only = [
    ...(compat === true ? ["--compat"] : []),
    ...(addresses === undefined ? [] : ["--addresses"]),
    ...(catalogue === undefined ? [] : ["--catalogue"]),
  ];
  if (only.length > 0) {
    const message = `${file}: ${only.join(" and ")} is for NS files; leave it out for YAML`;
    throw new LoadError(message, exitCodes.usage);
  }
  const source = await readSource(file);
  const defaultEid = experimentName(file);
  const result = readYamlExperiment(source, { file, defaultEid, pid, eid, presets });
  const { experiment } = result;
  if (experiment === undefined || options.forRun !== true) return { ...result, source };
  return { ...result, source, experiment: withShells(experiment) };
}

async function loadNs(file: string, options: LoadOptions, presets: Presets): Promise<Loaded> {
  const source = await readSource(file);
  const catalogue = await loadCatalogue(options);
  const result = parseNsFile(source, {
    file,
    resolve: readBeside(file),
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
  const read = readBeside(file);
  const base = compat === true ? referenceCatalogue : defaultCatalogue;
  const result = parseCatalogue(text, base, read);
  if (result.ok) return result.catalogue;
  const help = "see docs/reference/ns-language.md for what a catalogue may say";
  throw new LoadError(`--catalogue ${file}: ${result.message}; ${help}`, exitCodes.usage);
}

function parsePreset(text: string): readonly [string, string] {
  const cut = text.indexOf("=");
  if (cut > 0) return [text.slice(0, cut), text.slice(cut + 1)];
  throw new LoadError(
    `--set ${text}: write --set 'opt(NAME)=VALUE' or --set NAME=VALUE`,
    exitCodes.usage,
  );
}

/** An experiment name from a file name: letters, digits and dashes, 2 to 19 of them. */
export function experimentName(file: string): string {
  const name = wholeName(file).slice(0, nameLettersMax).replace(/-+$/, "");
  return name.length >= 2 ? name : `exp${name}`;
}

/** Whether files that differ behind those letters have the same experiment name. */
export function isNameCut(file: string): boolean {
  return wholeName(file).length > nameLettersMax;
}

const nameLettersMax = 19;

function wholeName(file: string): string {
  const stem = basename(file).replace(/\.(?:ns|tcl|txt|ya?ml)$/i, "");
  return stem.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
}

/**
 * Runs `muster parse`.
 * @returns the exit status
 */
export async function runParse(argv: ParseArguments, io: CommandOutput): Promise<number> {
  let loaded: Loaded;
  try {
    loaded = await loadFor(argv);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    io.stderr(`muster parse: ${error.message}\n`);
    return error.exitCode;
  }
  for (const diagnostic of loaded.diagnostics) {
    io.stderr(`${formatDiagnostic(diagnostic, loaded.source)}\n`);
  }
  print(loaded, argv, io);
  return loaded.experiment === undefined ? exitCodes.failed : exitCodes.ok;
}

/** @throws LoadError also for forms that do not go together */
async function loadFor(argv: ParseArguments): Promise<Loaded> {
  const { file, format, graph } = argv;
  const isOther = argv.explain === true || graph !== undefined;
  if ((isOther && format !== "text") || (argv.explain === true && graph !== undefined)) {
    throw new LoadError("give one of --format, --explain and --graph", exitCodes.usage);
  }
  if (format === "rows" && isYamlFile(file)) {
    const ns = `${experimentName(file)}.ns`;
    const help = `convert it first: muster convert ${file} ${ns}`;
    throw new LoadError(`${file}: a YAML file has no table rows; ${help}`, exitCodes.usage);
  }
  // Rows are the old system's own form, so they are numbered by its rules.
  const addresses = argv.addresses ?? (format === "rows" ? "legacy" : undefined);
  const loaded = await loadExperiment(file, {
    ...argv,
    omitRows: format !== "rows",
    ...(addresses === undefined ? {} : { addresses }),
  });
  // The old system's rows are those of a network that is not ours.
  if (loaded.experiment === undefined || argv.compat || format === "rows") return loaded;
  // Who shapes links is loaded for a file that has some.
  const { links } = loaded.experiment;
  const shapes =
    links.length === 0 ? [] : (await import("../link-advice.ts")).adviseOnLinks(loaded.experiment);
  const clashes = findAddressClashes(loaded.experiment, file);
  if (clashes.length > 0) {
    const diagnostics = [...loaded.diagnostics, ...clashes, ...shapes];
    return { ...loaded, experiment: undefined, diagnostics };
  }
  const advice = adviseOnPrograms(loaded.experiment, file);
  return { ...loaded, diagnostics: [...loaded.diagnostics, ...shapes, ...advice] };
}

function print(loaded: Loaded, argv: ParseArguments, io: CommandOutput): void {
  const { experiment, diagnostics } = loaded;
  switch (argv.format) {
    case "rows": {
      const exit = experiment === undefined ? exitCodes.failed : exitCodes.ok;
      io.stdout(`${JSON.stringify({ exit, tables: loaded.rows ?? {} }, undefined, 1)}\n`);
      break;
    }
    case "json":
      io.stdout(
        `${JSON.stringify({ experiment: experiment ?? null, diagnostics }, undefined, 2)}\n`,
      );
      break;
    case "text":
      if (loaded.output !== "") io.stderr(loaded.output);
      if (experiment !== undefined) io.stdout(describeAs(experiment, loaded, argv));
      else if (argv.graph === undefined) io.stdout(describeRefusal(loaded, argv.file));
      break;
  }
}

function describeAs(experiment: Experiment, loaded: Loaded, argv: ParseArguments): string {
  const { syncServerReason } = loaded;
  if (argv.graph === "svg") return drawSvg(experiment);
  if (argv.graph === "dot") return drawDot(experiment);
  if (argv.explain === true) return explain(experiment, syncServerReason);
  return describeExperiment(experiment, syncServerReason ?? "");
}

function describeRefusal(result: Loaded, file: string): string {
  const errors = result.diagnostics.filter(({ severity }) => severity === "error").length;
  const hint = describeMisnamed(file, result.source);
  return `${file}: refused, ${errors} ${errors === 1 ? "error" : "errors"}${hint}\n`;
}

/** A summary for people. */
function describeExperiment(experiment: Experiment, syncServerReason: string): string {
  const { nodes, links, programs } = experiment;
  const lines = [`${experiment.pid}/${experiment.eid}`];
  lines.push(`nodes: ${nodes.length}`);
  for (const node of nodes) {
    const os = node.osName === "" ? "" : ` ${node.osName}`;
    lines.push(`  ${node.name}  ${node.hardwareType}${os}`);
  }
  if (links.length > 0) lines.push(`links: ${links.length}`);
  for (const link of links) lines.push(...describeLink(link));
  const { routing, routes = [], traffic = [] } = experiment;
  if (routing !== undefined) lines.push(`routing: ${routing}`);
  if (routes.length > 0) lines.push(`routes: ${routes.length}`);
  lines.push(...routes.map((route) => `  ${describeRoute(route)}`));
  if (traffic.length > 0) lines.push(`generated traffic: ${traffic.length}`);
  lines.push(...traffic.map((flow) => `  ${describeFlow(flow)}`));
  if (programs.length > 0) lines.push(`programs: ${programs.length}`);
  for (const program of programs) {
    const kind = program.isStartCommand ? "  [start command]" : "";
    lines.push(`  ${program.name} on ${program.node}: ${program.command}${kind}`);
    const { startWhen } = program;
    if (startWhen !== undefined) lines.push(`    starts ${describeCondition(startWhen)}`);
  }
  const { barriers = [] } = experiment;
  if (barriers.length > 0) lines.push(`barriers: ${barriers.length}`);
  for (const barrier of barriers) lines.push(`  ${describeDeclaredBarrier(barrier)}`);
  lines.push(...describeEvents(experiment));
  const server = experiment.syncServer ?? "none";
  lines.push(`sync server: ${server} (${syncServerReason})`);
  return `${lines.join("\n")}\n`;
}

function describeLink(link: Link): string[] {
  const cost = link.cost === undefined ? "" : `  cost ${link.cost}`;
  const lines = [`  ${link.name}  ${link.kind}  netmask ${link.netmask}${cost}`];
  for (const { node, port, address, toLink, fromLink, queue, trace } of link.members) {
    const to = describeShape(toLink);
    const from = describeShape(fromLink);
    const ways = to === from ? to : `to ${to}; from ${from}`;
    const queued = queue === undefined ? ways : `${ways}; ${describeQueue(queue)}`;
    const shape = trace === undefined ? queued : `${queued}; traced: ${describeTrace(trace)}`;
    lines.push(`    ${node}:${port}  ${address === "" ? "no address" : address}  ${shape}`);
  }
  // What the file asks for is the sum of two ends, which nobody recognises in its parts.
  const shapes = link.members.flatMap(({ toLink, fromLink }) => [toLink, fromLink]);
  const isShared = shapes.some(({ delayUs, loss }) => delayUs > 0 || loss > 0);
  if (isShared) lines.push(...describePaths(link.members).map((path) => `    ${path}`));
  return lines;
}

/** One direction of one end: a path over the link has two of them. */
function describeShape(shape: LinkShape): string {
  const { bandwidthBps, delayUs, loss } = shape;
  const rate = bandwidthBps === 0 ? "any bandwidth" : `${bandwidthBps / 1e6} Mb/s`;
  const lost = loss === 0 ? [] : [`loss ${Number(loss.toFixed(6))}`];
  return [rate, `${delayUs / 1000} ms`, ...lost, ...describeExtras(shape)].join(", ");
}

function describeEvents(experiment: Experiment): string[] {
  const { events, sequences, timelines } = experiment;
  const lines: string[] = [];
  if (events.length > 0) lines.push(`events: ${events.length}`);
  lines.push(...inOrder(events).map((event) => `  ${describeEvent(event)}`));
  for (const { name, steps } of sequences) {
    lines.push(`sequence ${name}: ${steps.length}`);
    lines.push(...steps.map((step) => `  ${describeAction(step)}`));
  }
  for (const timeline of timelines) {
    lines.push(`timeline ${timeline.name}: ${timeline.events.length}`);
    lines.push(...inOrder(timeline.events).map((event) => `  ${describeEvent(event)}`));
  }
  return lines;
}

function inOrder(events: readonly PlannedEvent[]): PlannedEvent[] {
  const time = ({ atUs }: PlannedEvent): number =>
    atUs === "swapout" ? Number.MAX_SAFE_INTEGER : atUs;
  return events.toSorted((a, b) => time(a) - time(b) || a.index - b.index);
}

function describeEvent(event: PlannedEvent): string {
  return `${describeTime(event).padStart(9)}  ${describeAction(event)}`;
}

function describeTime({ atUs, on }: PlannedEvent): string {
  if (atUs === "swapout") return "swapout";
  const time = `${atUs / 1_000_000} s`;
  if (on === undefined) return time;
  return `${atUs === 0 ? "" : `${time} after `}${on.barrier} ${on.outcome}`;
}

function describeAction({ object, event, args }: PlannedEvent): string {
  return `${object} ${event}${args === "" ? "" : ` ${args}`}`;
}
