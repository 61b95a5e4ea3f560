// SPDX-License-Identifier: MIT
// Evaluates scripts: substitution, command dispatch, completion codes and the bounds; scopes.ts
// keeps the variables.
// Commands live in commands/*.ts and register here; what NS adds comes in through `unknown` and
// further commands. Nothing in here can reach a file, a process, a clock or the network.
//   T1. Every command and expression costs a step; long arguments cost more.
//   T2. A value is asked for (`memory.reserve`) before it is built.
//   T3. An error carries the source offset of the innermost word at fault.

import {
  elementOverheadBytes,
  outputBytesMax,
  scanBytes,
  stepBytes,
  tclDepthMax,
  tclMemoryBytesMax,
  tclStepsMax,
  wordOverheadBytes,
} from "../limits.ts";
import { CodeCache } from "./code-cache.ts";
import { TclError, TclLimitError } from "./error.ts";
import { compileExpression, type Expression } from "./expression.ts";
import { formatList, listReportElements, parseList } from "./list.ts";
import { locateIn, type Origin, type SourceMap } from "./origin.ts";
import { parseScript } from "./parser.ts";
import { Scopes } from "./scopes.ts";
import { type Command, type Part, type Script, type Word, wordOrigin } from "./script.ts";
import { type Frame, Memory, type Variable } from "./variables.ts";

export type CommandProcedure = (
  interp: Interpreter,
  argv: readonly string[],
  site: Command,
) => string;

/** A command and how many words it takes (the name included). */
export interface CommandDefinition {
  readonly name: string;
  /** Words after the name, for the message about a wrong number of them. */
  readonly usage: string;
  readonly min: number;
  readonly max: number;
  readonly run: CommandProcedure;
}

/** How a script ended, besides by an error. */
export const completion = { ok: 0, return: 2, break: 3, continue: 4 } as const;

/** Bounds of one run; tests use smaller ones. */
export interface InterpreterLimits {
  readonly steps: number;
  readonly memoryBytes: number;
  readonly depth: number;
  readonly outputBytes: number;
}

const viaMax = 8;

/** One Tcl interpreter. */
export class Interpreter {
  readonly sources: SourceMap;
  readonly limits: InterpreterLimits;
  readonly memory: Memory;
  readonly scopes: Scopes;
  readonly commands: Map<string, CommandDefinition> = new Map();
  /** Procedures defined by the file; they are in `commands` too. */
  readonly procedures: Map<string, unknown> = new Map();
  /** Completion code of the command that just ran. */
  code: number = completion.ok;
  /** Value and code of the last `return`. */
  returned = "";
  returnCode: number = completion.ok;
  steps = 0;
  depth = 0;
  output = "";
  /** Set by `exit`: nothing further runs. */
  exited: number | undefined = undefined;
  /** Runs words whose first one is no command. */
  unknown: CommandProcedure;
  /** A hint for an error from the command it passes through. */
  advise: (error: TclError, command: Command) => string | undefined = () => undefined;
  #epoch = 0;
  #listText = "";
  #listElements: readonly string[] = [];
  readonly #cache: CodeCache;

  constructor(sources: SourceMap, limits: Partial<InterpreterLimits> = {}) {
    this.sources = sources;
    this.limits = {
      steps: tclStepsMax,
      memoryBytes: tclMemoryBytesMax,
      depth: tclDepthMax,
      outputBytes: outputBytesMax,
      ...limits,
    };
    this.memory = new Memory(this.limits.memoryBytes);
    this.#cache = new CodeCache(this.memory, (characters) => this.scan(characters));
    this.scopes = new Scopes(this.memory);
    this.unknown = (_interp, argv) => {
      throw new TclError("TCL_UNKNOWN_COMMAND", `unknown command "${argv[0]}"`);
    };
  }

  /** Adds or replaces a command. */
  define(definition: CommandDefinition): void {
    this.commands.set(definition.name, definition);
    this.#epoch += 1;
  }

  /** Remembers where a braced text stands in the file, for when it is run from a variable. */
  readonly noteLiteral = (text: string, source: number): void => {
    this.#cache.noteLiteral(text, source);
  };

  /** Runs a script in the current frame and returns its last result. */
  run(script: Script): string {
    this.enter();
    try {
      let result = "";
      for (const command of script.commands) {
        result = this.execute(command);
        if (this.code !== completion.ok) return result;
      }
      if (script.fault !== undefined) throw this.faultOf(script);
      return result;
    } finally {
      this.depth -= 1;
    }
  }

  /** One level deeper. @throws TclError `TCL_DEPTH` */
  enter(): void {
    if (this.depth >= this.limits.depth) {
      const message = `more than ${this.limits.depth} scripts and procedures inside one another`;
      const hint = "Look for a procedure that calls itself without end.";
      throw new TclError("TCL_DEPTH", message, { hint });
    }
    this.depth += 1;
  }

  /** The error for a script that could not be read to its end. */
  faultOf(script: Script): TclError {
    const { code, message, hint, start } = script.fault ?? {
      code: "TCL_SYNTAX",
      message: "",
      hint: "",
      start: 0,
    };
    return new TclError(code, message, { hint, offset: locateIn(script.origin, start) });
  }

  /** T1. @throws TclLimitError `TCL_STEPS` */
  step(count: number): void {
    this.steps += count;
    if (this.steps > this.limits.steps) {
      throw new TclLimitError(
        "TCL_STEPS",
        `the file ran ${this.limits.steps} steps without coming to an end`,
        { hint: "Look for a loop that never ends." },
      );
    }
  }

  /** Runs one command. */
  execute(command: Command): string {
    const held = this.memory.transient;
    try {
      const argv = this.#words(command);
      if (this.code !== completion.ok || argv.length === 0) return "";
      let definition = command.procedure as CommandDefinition | undefined;
      if (command.epoch !== this.#epoch || definition === undefined) {
        definition = this.resolveCommand(argv[0] ?? "");
        if (command.words[0]?.literal !== undefined && this.frame.namespace === "") {
          command.procedure = definition;
          command.epoch = this.#epoch;
        }
      }
      if (definition === undefined) return this.unknown(this, argv, command);
      if (argv.length < definition.min || argv.length > definition.max) {
        throw wrongArguments(definition);
      }
      return definition.run(this, argv, command);
    } catch (error) {
      throw this.#located(error, command);
    } finally {
      this.memory.transient = held;
    }
  }

  /** The command a name stands for in the current namespace. */
  resolveCommand(name: string): CommandDefinition | undefined {
    if (this.frame.namespace !== "" && !name.startsWith("::")) {
      const inner = this.commands.get(`${this.frame.namespace}::${name}`);
      if (inner !== undefined) return inner;
    }
    return this.commands.get(name.startsWith("::") ? name.slice(2) : name);
  }

  #words(command: Command): string[] {
    const argv: string[] = [];
    let bytes = 0;
    for (const word of command.words) {
      const value = word.literal ?? this.substitute(word.parts, command.script.origin);
      if (this.code !== completion.ok) return argv;
      if (word.expand) argv.push(...this.#expanded(value));
      else argv.push(value);
      bytes += value.length;
    }
    this.step(bytes >= stepBytes ? 1 + Math.floor(bytes / stepBytes) : 1);
    return argv;
  }

  #expanded(value: string): readonly string[] {
    const elements = this.list(value);
    if (elements.length > 50_000) {
      throw new TclError("TCL_WORDS", "{*} of more than 50000 elements into one command");
    }
    return elements;
  }

  /** Evaluates parts and joins them; stops early when a bracket ends by break or return. */
  substitute(parts: readonly Part[], origin: Origin): string {
    const only = parts[0];
    if (parts.length === 1 && only !== undefined) return this.#part(only, origin);
    let text = "";
    for (const part of parts) {
      const value = this.#part(part, origin);
      if (this.code !== completion.ok) return "";
      if (text.length + value.length > 1024) this.memory.reserve(text.length + value.length);
      text += value;
    }
    if (text.length > 1024) this.memory.transient += text.length;
    return text;
  }

  #part(part: Part, origin: Origin): string {
    switch (part.kind) {
      case "text":
        return part.value;
      case "variable": {
        const value = this.frame.variables.get(part.name)?.value;
        if (value !== undefined) return value;
        return this.#reading(part.start, origin, () => this.scopes.getScalar(part.name));
      }
      case "element": {
        const index = this.substitute(part.index, origin);
        if (this.code !== completion.ok) return "";
        return this.#reading(part.start, origin, () => this.scopes.getElement(part.name, index));
      }
      case "script": {
        const value = this.run(part.script);
        if (value.length > 1024) {
          this.memory.reserve(value.length);
          this.memory.transient += value.length;
        }
        return value;
      }
    }
  }

  #reading(start: number, origin: Origin, read: () => string): string {
    try {
      return read();
    } catch (error) {
      if (error instanceof TclError && error.offset < 0) error.offset = locateIn(origin, start);
      throw error;
    }
  }

  /** T3: gives an error its place, unless it has one from further inside. */
  #located(error: unknown, command: Command): unknown {
    if (!(error instanceof TclError)) return error;
    if (error.offset < 0) {
      const word = command.words[error.details.word ?? 0] ?? command.words.at(-1);
      error.offset = this.offsetOf(command, word, error.details.within);
    }
    error.advice ??= this.advise(error, command);
    return error;
  }

  /** Source offset of a word, or of `within` inside its text when that occurs there. */
  offsetOf(command: Command, word: Word | undefined, within?: string): number {
    const { script } = command;
    if (word === undefined) return locateIn(script.origin, command.start);
    let start = word.start;
    if (within !== undefined && within !== "") {
      const found = script.text.indexOf(within, word.start);
      if (found >= 0 && found + within.length <= word.end) start = found;
    }
    return locateIn(script.origin, start);
  }

  /** Notes on an error that it came through a call at this command. */
  addVia(error: unknown, site: Command): void {
    if (!(error instanceof TclError) || error.via.length >= viaMax) return;
    const offset = locateIn(site.script.origin, site.start);
    if (offset >= 0) error.via.push(offset);
  }

  /** The script that argument `index` holds; read once per place or text. */
  scriptOf(site: Command, index: number, text: string): Script {
    const word = site.plain ? site.words[index] : undefined;
    if (word !== undefined && word.literal === text) {
      if (word.script === undefined) {
        word.script = parseScript(text, wordOrigin(word, site.script), this.noteLiteral);
        this.memory.hold(word.script.words * wordOverheadBytes);
      }
      return word.script;
    }
    return this.dynamicScript(text, this.originOf(site, index));
  }

  /** Where the text of an argument came from: the word that gave it. */
  originOf(site: Command, index: number): Origin {
    const word = site.plain ? site.words[index] : site.words[0];
    if (word === undefined) return [];
    if (word.literal !== undefined) return wordOrigin(word, site.script);
    const source = locateIn(site.script.origin, word.start);
    return source < 0 ? [] : [{ text: 0, source, exact: false }];
  }

  /** Reads a text that was put together at run time; recent ones are remembered. */
  dynamicScript(text: string, fallback: Origin): Script {
    return this.#cache.script(text, fallback, this.noteLiteral);
  }

  /** The compiled expression of argument `index`. */
  expressionOf(site: Command, index: number, text: string): Expression {
    const word = site.plain ? site.words[index] : undefined;
    if (word !== undefined && word.literal === text) {
      word.expression ??= compileExpression(text, wordOrigin(word, site.script));
      return word.expression as Expression;
    }
    return this.dynamicExpression(text, this.originOf(site, index));
  }

  /** Compiles an expression that was put together at run time; recent ones are remembered. */
  dynamicExpression(text: string, origin: Origin): Expression {
    return this.#cache.expression(text, origin);
  }

  /** Runs a text; the completion code is left for the caller. */
  evalText(text: string, origin: Origin): string {
    const script = this.dynamicScript(text, origin);
    // T2: it is there for as long as it runs, beside those that it runs in its turn.
    const held = this.memory.transient;
    this.memory.transient += text.length + script.words * wordOverheadBytes;
    try {
      return this.run(script);
    } finally {
      this.memory.transient = held;
    }
  }

  /**
   * The elements of a list; the last one is kept, for loops over indexes. Not to be changed.
   * @throws TclError `TCL_LIST`
   */
  list(text: string): readonly string[] {
    if (text.length < 64) return parseList(text);
    if (this.#listText === text) return this.#listElements;
    this.scan(text.length);
    this.#listElements = parseList(text, this.#chargeElements);
    this.#listText = text;
    return this.#listElements;
  }

  /** T1, T2: taking a list apart makes a value of each element. */
  readonly #chargeElements = (count: number): void => {
    this.step(listReportElements);
    this.memory.reserve(count * elementOverheadBytes);
  };

  /** A list of these elements: quoting looks at each of their characters. */
  formatList(elements: readonly string[]): string {
    let characters = 0;
    for (const element of elements) characters += element.length;
    // At worst each character is escaped, which takes it apart from the others.
    this.step((elements.length >> 1) + (characters >> (characters > stepBytes ? 2 : 4)));
    if (elements.length > listReportElements) this.reserveElements(elements.length, characters);
    if (characters > stepBytes) this.memory.reserve(characters * 4);
    return formatList(elements);
  }

  /** T2: room for a list of so many elements. @throws TclLimitError `TCL_MEMORY` */
  reserveElements(count: number, characters: number): void {
    this.memory.reserve(count * elementOverheadBytes + characters);
  }

  /** T1: charges for a command that looks at each of so many characters. */
  scan(characters: number): void {
    this.step(Math.floor(characters / scanBytes));
  }

  /** Prints for the user. @throws TclLimitError `TCL_OUTPUT` */
  print(text: string): void {
    if (this.output.length + text.length > this.limits.outputBytes) {
      const message = `the file printed more than ${this.limits.outputBytes} bytes`;
      throw new TclLimitError("TCL_OUTPUT", message, { hint: "Print less, or not in a loop." });
    }
    this.output += text;
  }

  // The variables, under the interpreter's own name for the many commands that use them.

  get globals(): Frame {
    return this.scopes.globals;
  }
  get namespaces(): Map<string, Frame> {
    return this.scopes.namespaces;
  }
  get frame(): Frame {
    return this.scopes.frame;
  }
  get stack(): readonly Frame[] {
    return this.scopes.stack;
  }
  find(name: string): Variable | undefined {
    return this.scopes.find(name);
  }
  obtain(name: string): Variable {
    return this.scopes.obtain(name);
  }
  obtainAny(name: string): Variable {
    return this.scopes.obtainAny(name);
  }
  get(name: string): string {
    return this.scopes.get(name);
  }
  set(name: string, value: string): string {
    return this.scopes.set(name, value);
  }
  assign(variable: Variable, name: string, value: string): string {
    return this.scopes.assign(variable, name, value);
  }
  exists(name: string): boolean {
    return this.scopes.exists(name);
  }
  unset(name: string): boolean {
    return this.scopes.unset(name);
  }
  within<T>(frame: Frame, body: () => T): T {
    return this.scopes.within(frame, body);
  }
  atLevel<T>(level: number, body: () => T): T {
    return this.scopes.atLevel(level, body);
  }
  levelOf(text: string): number {
    return this.scopes.levelOf(text);
  }
}

/** The error for a wrong number of words. */
export function wrongArguments(definition: CommandDefinition): TclError {
  const usage = definition.usage === "" ? "" : ` ${definition.usage}`;
  return new TclError("TCL_ARGUMENTS", `wrong # args: should be "${definition.name}${usage}"`);
}
