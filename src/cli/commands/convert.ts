// SPDX-License-Identifier: MIT
// `muster convert A B`: writes an experiment file in the other language, by the ends of the names
// (.ns or .tcl, .yaml or .yml). What is written has been read back and is the same experiment;
// whatever would be lost is an error with its line, unless --lossy says that it may be.
// Exit status: 0 written, 1 refused, 64 wrong names, 66 unreadable, 73 cannot be written.

import { writeFile } from "node:fs/promises";
import { isProgramFile, isYamlFile } from "../../boss/file-language.ts";
import { readYamlExperiment } from "../../boss/read-yaml.ts";
import { errorText } from "../../core/text.ts";
import {
  type Diagnostic,
  type Experiment,
  formatDiagnostic,
  type ParseResult,
  printNs,
  printYaml,
  type SayablePart,
  sayableInYaml,
} from "../../experiment/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { findLostColumns } from "../lost-columns.ts";
import { LoadError, type Loaded, loadExperiment } from "./parse.ts";

/** Arguments of `muster convert`. */
export interface ConvertArguments {
  readonly from: string;
  /** A path, or `-` for standard output in the language that `from` is not in. */
  readonly to: string;
  /** Write over a file that is there. */
  readonly force?: boolean;
  /** Write what can be said, with a warning for what cannot. */
  readonly lossy?: boolean;
  readonly set?: readonly string[];
  readonly pid?: string;
  readonly eid?: string;
}

type Language = "ns" | "yaml";

/**
 * Runs `muster convert`. @returns the exit status @throws CommandError for wrong names and files
 */
export async function runConvert(argv: ConvertArguments, io: CommandIo): Promise<number> {
  const from = languageOf(argv.from);
  if (isProgramFile(argv.to)) {
    const message = `${argv.to}: muster convert writes .ns and .yaml, no programs`;
    throw new CommandError(exitCodes.usage, message);
  }
  const to = argv.to === "-" ? (from === "ns" ? "yaml" : "ns") : languageOf(argv.to);
  const result = await load(argv);
  const report = (diagnostics: readonly Diagnostic[]): void => {
    for (const one of diagnostics) io.stderr(`${formatDiagnostic(one, result.source)}\n`);
  };
  report(result.diagnostics);
  if (result.experiment === undefined) return exitCodes.failed;
  const part = from === "ns" ? inYaml(result, result.experiment, argv.from) : undefined;
  const { experiment, lost } = part ?? { experiment: result.experiment, lost: [] };
  report(argv.lossy === true ? lost.map(asLeftOut) : lost);
  if (lost.length > 0 && argv.lossy !== true) return exitCodes.failed;
  const saysSyncServer = result.syncServerReason?.startsWith("set by") === true;
  const written = write(experiment, to, { file: argv.to, saysSyncServer });
  report(written.diagnostics);
  if (written.text === undefined) return exitCodes.failed;
  await save(argv, written.text, io);
  return exitCodes.ok;
}

function languageOf(file: string): Language {
  if (isYamlFile(file)) return "yaml";
  if (/\.(?:ns|tcl)$/i.test(file)) return "ns";
  const message = `${file}: the language is told by the end of the name: .ns or .yaml`;
  throw new CommandError(exitCodes.usage, message);
}

async function load({ from, pid, eid, set = [] }: ConvertArguments): Promise<Loaded> {
  const names = {
    ...(pid === undefined ? {} : { pid }),
    ...(eid === undefined ? {} : { eid }),
  };
  try {
    return await loadExperiment(from, { set, ...names });
  } catch (error) {
    if (error instanceof LoadError) throw new CommandError(error.exitCode, error.message);
    throw error;
  }
}

/** Tables of the old system that hold what the experiment as data has no place for. */
const tablesNotInModel: Readonly<Record<string, string>> = {
  virt_node_desires: "desires of nodes",
  virt_node_startloc: "places of nodes",
  virt_lan_settings: "settings of LANs",
  virt_lan_member_settings: "settings of ends of LANs",
  virt_firewalls: "firewalls",
  virt_paths: "paths",
  virt_tiptunnels: "consoles",
  virt_vtypes: "virtual types",
  virt_parameters: "template parameters",
  elabinelab_attributes: "settings of an inner testbed",
};

/** What YAML has words for, and what would not be in the other file. */
function inYaml(result: ParseResult, experiment: Experiment, file: string): SayablePart {
  const part = sayableInYaml(experiment);
  const columns = findLostColumns(experiment, result.rows ?? {}, file);
  return { ...part, lost: [...part.lost, ...columns, ...notInModel(result, file)] };
}

function asLeftOut(lost: Diagnostic): Diagnostic {
  return { ...lost, severity: "warning", hint: "It is left out." };
}

function notInModel(result: ParseResult, file: string): Diagnostic[] {
  const at = { file, line: 1, column: 1 };
  const hint = "Add --lossy to convert the rest.";
  return Object.entries(tablesNotInModel)
    .filter(([table]) => (result.rows?.[table]?.length ?? 0) > 0)
    .map(([, what]) => {
      const message = `this file has ${what}, which YAML files cannot say`;
      return { severity: "error", code: "YAML_CANNOT_SAY", message, at, hint };
    });
}

interface Written {
  readonly text: string | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** The text, which reads back as the same experiment. */
function write(
  experiment: Experiment,
  to: Language,
  { file, saysSyncServer }: { readonly file: string; readonly saysSyncServer: boolean },
): Written {
  if (to === "ns") return printNs(experiment, { saysSyncServer });
  const text = printYaml(experiment, undefined, { saysSyncServer });
  const back = readYamlExperiment(text, { file, defaultEid: experiment.eid });
  if (back.experiment !== undefined && isSame(back.experiment, experiment)) {
    return { text, diagnostics: [] };
  }
  const at = experiment.nodes[0]?.at ?? { file, line: 1, column: 1 };
  const why =
    back.diagnostics.find(({ severity }) => severity === "error")?.message ??
    `it reads back with other ${differentParts(back.experiment, experiment).join(", ")}`;
  const message = `a YAML file cannot say all of this: ${why}`;
  const hint = "This is a gap of muster convert: please report it. Keep the NS file.";
  return {
    text: undefined,
    diagnostics: [{ severity: "error", code: "YAML_CANNOT_SAY", message, at, hint }],
  };
}

/** Equal but for places and the numbers of events, which only order them. */
function isSame(a: unknown, b: unknown): boolean {
  const text = (part: unknown): string | undefined =>
    JSON.stringify(part, (key, value) =>
      key === "at" || key === "index" ? undefined : (value as unknown),
    );
  return text(a) === text(b);
}

function differentParts(read: Experiment | undefined, experiment: Experiment): readonly string[] {
  const was = new Map<string, unknown>(Object.entries(read ?? {}));
  return Object.entries(experiment)
    .filter(([name, part]) => !isSame(part, was.get(name)))
    .map(([name]) => name);
}

async function save({ to, force }: ConvertArguments, text: string, io: CommandIo): Promise<void> {
  if (to === "-") {
    io.stdout(text);
    return;
  }
  try {
    await writeFile(to, text, { flag: force === true ? "w" : "wx" });
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    const reason = errorText(error);
    const why = isThere ? "it is there already; --force writes over it" : reason;
    throw new CommandError(exitCodes.cannotCreate, `${to} cannot be written: ${why}`);
  }
}
