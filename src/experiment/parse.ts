// SPDX-License-Identifier: MIT
// Reads an experiment file: runs it command by command, so that one fault does not hide the next,
// and returns the experiment, its table rows and everything there is to say about the file.
// Pure and deterministic: the same text and options give the same result, byte for byte.

import { type Catalogue, defaultCatalogue, referenceCatalogue } from "./catalogue.ts";
import { Diagnostics } from "./diagnostics.ts";
import { fileBytesMax } from "./limits.ts";
import type { Diagnostic, Experiment } from "./model.ts";
import { NsContext } from "./ns/context.ts";
import { capture, installLanguage } from "./ns/language.ts";
import { adviseOnShellWord } from "./ns/shell-words.ts";
import type { Tables } from "./ns/tables.ts";
import { collectAssigned, Poison } from "./poison.ts";
import { presetGlobals } from "./presets.ts";
import { closest } from "./suggest.ts";
import { tclCommands } from "./tcl/commands/index.ts";
import { hintOf, TclError, TclLimitError } from "./tcl/error.ts";
import { completion, Interpreter } from "./tcl/interpreter.ts";
import { locateIn, type Origin, SourceMap } from "./tcl/origin.ts";
import { parseNextCommand } from "./tcl/parser.ts";
import type { Script } from "./tcl/script.ts";
import { findCycles } from "./validate.ts";

/** How to read a file. */
export interface ParseOptions {
  /** Name of the file for diagnostics. */
  readonly file: string;
  readonly pid: string;
  readonly eid: string;
  /** Refuse and accept exactly what the old system did, where Muster would do better. */
  readonly compat?: boolean;
  /**
   * Order in which the experiment's links get addresses: `legacy` is the old system's hash order,
   * `stable` the order of creation. Legacy under `compat`, else stable. Rows are always legacy.
   */
  readonly addresses?: "legacy" | "stable";
  /** Variables assigned before the file runs, as `opt(NAME)` or `name`, and their values. */
  readonly presets?: readonly (readonly [string, string])[];
  /** What the site has; see catalogue.ts. */
  readonly catalogue?: Catalogue;
  /** Leave the table rows out: they are most of the work, and only `--format rows` shows them. */
  readonly omitRows?: boolean;
  /** Text of a file named by `source`, or undefined when there is none. */
  readonly resolve?: (name: string) => string | undefined;
}

/** What came out of a file. */
export interface ParseResult {
  /** Undefined when any error was found. */
  readonly experiment: Experiment | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** What the file printed. */
  readonly output: string;
  /**
   * Table rows of the old system; undefined when an error was found. Under `compat` they are there
   * as soon as `run` began to write them: what was wrong only then did not keep them back.
   */
  readonly rows: Tables | undefined;
  /** Why the sync server runs where it does. */
  readonly syncServerReason: string | undefined;
}

type Resolved = Required<Omit<ParseOptions, "resolve">> & Pick<ParseOptions, "resolve">;

function resolveParseOptions(options: ParseOptions): Resolved {
  const compat = options.compat ?? false;
  return {
    compat,
    addresses: compat ? "legacy" : "stable",
    presets: [],
    omitRows: false,
    catalogue: compat ? referenceCatalogue : defaultCatalogue,
    ...options,
  };
}

/**
 * Reads the text of an experiment file.
 * @param source the text; at most 4 MiB
 * @param given names and modes
 * @returns the experiment, or why there is none; never throws for any text
 * @example
 * const { experiment, diagnostics } = parseNsFile(text, { file: "a.ns", pid: "p", eid: "e" });
 */
export function parseNsFile(source: string, given: ParseOptions): ParseResult {
  const options = resolveParseOptions(given);
  const sources = new SourceMap();
  const base = sources.add(options.file, source.length > fileBytesMax ? "" : source);
  const diagnostics = new Diagnostics(sources);
  if (source.length > fileBytesMax) {
    diagnostics.add(base, {
      severity: "error",
      code: "FILE_TOO_LARGE",
      message: `the file is larger than ${fileBytesMax} bytes`,
      hint: "Make it shorter with loops and procedures.",
    });
    return resultOf(diagnostics, undefined, "");
  }
  const binary = source.indexOf("\0");
  if (binary >= 0) {
    const message = "this is not a text file";
    const hint = "Name the experiment file; it may be UTF-8 or Latin-1.";
    diagnostics.add(base + binary, { severity: "error", code: "NOT_TEXT", message, hint });
    return resultOf(diagnostics, undefined, "");
  }
  const interp = new Interpreter(sources);
  for (const definition of tclCommands) interp.define(definition);
  const context = new NsContext(interp, diagnostics, { ...options, resolve: options.resolve });
  installLanguage(context);
  presetGlobals(interp, options);
  new FileRun(context, source, base).run(options.presets);
  return resultOf(diagnostics, context, interp.output);
}

function resultOf(
  diagnostics: Diagnostics,
  context: NsContext | undefined,
  output: string,
): ParseResult {
  const written = context?.outcome;
  const outcome = diagnostics.errors === 0 ? written : undefined;
  const isCompat = context?.options.compat === true;
  const circles = outcome === undefined || isCompat ? [] : findCycles(outcome.experiment);
  return {
    experiment: outcome?.experiment,
    diagnostics: [...diagnostics.finish(), ...circles],
    output,
    rows: isCompat ? written?.rows : outcome?.rows,
    syncServerReason: outcome?.syncServer.reason,
  };
}

/** One pass over the top-level commands of a file. */
class FileRun {
  readonly #context: NsContext;
  readonly #source: string;
  readonly #origin: Origin;
  readonly #poison: Poison = new Poison();
  /** A command that would have run the simulator failed: its absence is no further news. */
  #runFailed = false;
  #stopped = false;

  constructor(context: NsContext, source: string, base: number) {
    this.#context = context;
    this.#source = source;
    this.#origin = [{ text: 0, source: base, exact: true }];
    context.interp.advise = adviseOnShellWord;
    context.interp.scopes.isExcused = (name) =>
      this.#poison.covers(name) || context.failedVariables.has(name.replace(/^::/, ""));
    context.interp.scopes.variableHint = (name) => nearVariable(context.interp, name);
  }

  /** Runs the whole file; nesting that the bounds let through ends at the stack's own. */
  run(presets: readonly (readonly [string, string])[]): void {
    try {
      this.#runAll(presets);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#addError(stackError());
    }
  }

  #runAll(presets: readonly (readonly [string, string])[]): void {
    const { interp } = this.#context;
    for (const [name, value] of presets) {
      interp.set(name, value);
      if (name.startsWith("opt(")) capture(this.#context, name, value);
    }
    let at = 0;
    while (!this.#stopped && at < this.#source.length) {
      // More than anybody reads: going on would only cost time.
      if (this.#context.diagnostics.isFull) break;
      const script = parseNextCommand(this.#source, at, this.#origin, interp.noteLiteral);
      this.#runOne(script);
      if (script.fault !== undefined) {
        this.#addError(interp.faultOf(script));
        // An open brace swallows the rest: what follows it would be noise.
        if (script.fault.code === "TCL_BRACE") this.#stopped = true;
        at = Math.max(script.fault.resume, at + 1);
      } else at = Math.max(script.end, at + 1);
      if (interp.exited !== undefined) this.#stopped = true;
    }
    this.#finish();
    if (!this.#stopped) this.#checkPresets(presets);
  }

  /** Options reach programs without the file; other variables only do what the file does. */
  #checkPresets(presets: readonly (readonly [string, string])[]): void {
    if (this.#context.sourcedFiles > 0) return;
    const words = new Set(this.#source.match(/\w+/g) ?? []);
    for (const [name] of presets) {
      if (!/^\w+$/.test(name) || words.has(name)) continue;
      const near = closest(name, words);
      const hint =
        near === undefined
          ? `For the programs write --set 'opt(${name})=VALUE'.`
          : `Did you mean ${near}?`;
      const message = `--set ${name}: the file never reads this variable`;
      const at = this.#origin[0]?.source ?? 0;
      const finding = { severity: "warning", code: "PRESET_UNUSED", message, hint } as const;
      this.#context.diagnostics.add(at, finding);
    }
  }

  #runOne(script: Script): void {
    const command = script.commands[0];
    if (command === undefined) return;
    const { interp } = this.#context;
    try {
      interp.depth = 0;
      interp.execute(command);
      if (interp.code === completion.break || interp.code === completion.continue) {
        const word = interp.code === completion.break ? "break" : "continue";
        throw new TclError("TCL_LOOP", `invoked "${word}" outside of a loop`, {
          offset: locateIn(script.origin, command.start),
        });
      }
      if (interp.code === completion.return && interp.exited === undefined) this.#stopped = true;
      interp.code = completion.ok;
    } catch (error) {
      const known = error instanceof RangeError ? stackError() : error;
      if (!(known instanceof TclError)) throw error;
      if (known.offset < 0) known.offset = locateIn(script.origin, command.start);
      interp.code = completion.ok;
      this.#fail(script, known);
    }
  }

  #fail(script: Script, error: TclError): void {
    const { interp } = this.#context;
    if (error instanceof TclLimitError) this.#stopped = true;
    // [EMULAB-NS 1] Nothing runs after an error of the language.
    if (this.#context.options.compat) this.#stopped = true;
    if (error.details.silent !== true) this.#addError(error);
    else this.#findMisspelt(script);
    const assigned = collectAssigned(script, interp);
    this.#poison.add(assigned.names);
    if (assigned.mayRun) this.#runFailed = true;
    if (error.code === "TCL_NO_VARIABLE") this.#poison.add([missingName(error.message)]);
  }

  /**
   * A command that an earlier error kept from running may be none. Only what is nearly the name of
   * one is said to be: others may be what the earlier error would have made.
   */
  #findMisspelt(script: Script): void {
    const { interp, objects } = this.#context;
    const name = script.commands[0]?.words[0]?.literal;
    if (name === undefined || interp.commands.has(name) || objects.has(name)) return;
    if (this.#poison.covers(name) || this.#source.includes(`proc ${name}`)) return;
    const near = closest(name, interp.commands.keys());
    if (near === undefined) return;
    const details = { hint: `Did you mean "${near}"?` };
    const error = new TclError("NS_UNKNOWN_COMMAND", `Unknown: ${name}`, details);
    error.offset = locateIn(script.origin, script.commands[0]?.start ?? 0);
    this.#addError(error);
  }

  #addError(error: TclError): void {
    const { code, message, details, via } = error;
    const offset = error.offset < 0 ? (this.#origin[0]?.source ?? 0) : error.offset;
    const finding = {
      severity: "error",
      code,
      message,
      hint: error.advice ?? hintOf(details),
      via,
    } as const;
    this.#context.diagnostics.add(offset, finding);
  }

  #finish(): void {
    const context = this.#context;
    const { exited } = context.interp;
    const end = locateIn(this.#origin, Math.max(0, this.#source.trimEnd().length));
    if (exited !== undefined && exited !== 0) {
      const message = `the file ended itself with exit ${exited}`;
      context.diagnostics.add(end, { severity: "error", code: "TCL_EXIT", message });
      return;
    }
    const isCut = this.#stopped || context.diagnostics.isFull;
    const stoppedEarly = isCut && exited === undefined && context.diagnostics.errors > 0;
    if (context.hasRun || this.#runFailed || stoppedEarly) return;
    const name = context.simulator?.name ?? "ns";
    const hint =
      context.simulator === undefined
        ? "A file starts with: set ns [new Simulator], and ends with: $ns run"
        : `Add as the last line: $${name} run`;
    const message = "No 'Simulator run' statement found.";
    context.diagnostics.add(end, { severity: "error", code: "NS_NO_RUN", message, hint });
  }
}

function stackError(): TclLimitError {
  const message = "scripts, expressions and brackets are nested too deeply to be read";
  return new TclLimitError("TCL_DEPTH", message, { hint: "Split the line into several." });
}

function missingName(message: string): string {
  return /^can't read "(.*?)(?:\(.*)?": /s.exec(message)?.[1] ?? "";
}

/** The variable that an unset name most likely meant. */
function nearVariable(interp: Interpreter, name: string): string | undefined {
  const known = [...interp.frame.variables, ...interp.globals.variables]
    .filter(([, variable]) => variable.isSet)
    .map(([key]) => key);
  const near = closest(name, known);
  return near === undefined ? undefined : `Did you mean $${near}?`;
}
