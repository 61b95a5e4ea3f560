// SPDX-License-Identifier: MIT
// Evaluates scripts: substitution, command dispatch, frames, completion codes and the bounds.
// Commands live in commands/*.ts and register here; what NS adds comes in through `unknown` and
// further commands. Nothing in here can reach a file, a process, a clock or the network.
//   T1. Every command and expression costs a step; long arguments cost more.
//   T2. A value is asked for (`memory.reserve`) before it is built.
//   T3. An error carries the source offset of the innermost word at fault.

import {
  outputBytesMax,
  scanBytes,
  stepBytes,
  tclDepthMax,
  tclStepsMax,
  wordOverheadBytes,
} from "../limits.ts";
import { CodeCache } from "./code-cache.ts";
import { TclError, TclLimitError } from "./error.ts";
import { compileExpression, type Expression } from "./expression.ts";
import { formatList, parseList } from "./list.ts";
import { locateIn, type Origin, type SourceMap } from "./origin.ts";
import { parseScript } from "./parser.ts";
import { type Command, type Part, type Script, type Word, wordOrigin } from "./script.ts";
import { bytesOf, Frame, Memory, splitName, Variable, variableBytes } from "./variables.ts";

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
  readonly globals: Frame = new Frame("namespace", "", []);
  readonly namespaces: Map<string, Frame> = new Map();
  readonly commands: Map<string, CommandDefinition> = new Map();
  /** Procedures defined by the file; they are in `commands` too. */
  readonly procedures: Map<string, unknown> = new Map();
  frame: Frame;
  stack: Frame[];
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
  /** True when an unset variable is the consequence of an error reported before. */
  isExcused: (name: string) => boolean = () => false;
  /** A hint for an unset variable, such as a name that is spelt almost like it. */
  variableHint: (name: string) => string | undefined = () => undefined;
  #epoch = 0;
  #listText = "";
  #listElements: readonly string[] = [];
  readonly #cache: CodeCache;

  constructor(sources: SourceMap, limits: Partial<InterpreterLimits> = {}) {
    this.sources = sources;
    this.limits = {
      steps: tclStepsMax,
      memoryBytes: 64 * 1024 * 1024,
      depth: tclDepthMax,
      outputBytes: outputBytesMax,
      ...limits,
    };
    this.memory = new Memory(this.limits.memoryBytes);
    this.#cache = new CodeCache(this.memory, (characters) => this.scan(characters));
    this.frame = this.globals;
    this.stack = [this.globals];
    this.namespaces.set("", this.globals);
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
        return this.#reading(part.start, origin, () => this.getScalar(part.name));
      }
      case "element": {
        const index = this.substitute(part.index, origin);
        if (this.code !== completion.ok) return "";
        return this.#reading(part.start, origin, () => this.getElement(part.name, index));
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
    if (error.offset >= 0) return error;
    const word = command.words[error.details.word ?? 0] ?? command.words.at(-1);
    error.offset = this.offsetOf(command, word, error.details.within);
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
    return this.run(this.dynamicScript(text, origin));
  }

  /**
   * The elements of a list; the last one is kept, for loops over indexes. Not to be changed.
   * @throws TclError `TCL_LIST`
   */
  list(text: string): readonly string[] {
    if (text.length < 64) return parseList(text);
    if (this.#listText === text) return this.#listElements;
    this.scan(text.length);
    this.#listElements = parseList(text);
    this.#listText = text;
    return this.#listElements;
  }

  /** A list of these elements, charged by their number: quoting looks at each of them. */
  formatList(elements: readonly string[]): string {
    this.step(elements.length >> 1);
    return formatList(elements);
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

  /** A variable by name (no index part), or undefined. */
  find(name: string): Variable | undefined {
    const local = this.frame.variables.get(name);
    if (local !== undefined) return local;
    if (name.includes("::")) return this.#qualified(name, false);
    if (this.frame.kind === "namespace") return this.globals.variables.get(name);
    return undefined;
  }

  /** A variable by name, made when it is missing. */
  obtain(name: string): Variable {
    const local = this.frame.variables.get(name);
    if (local !== undefined) return local;
    if (name.includes("::")) {
      const found = this.#qualified(name, true);
      if (found !== undefined) return found;
    }
    if (this.frame.kind === "namespace") {
      const global = this.globals.variables.get(name);
      if (global?.isSet === true) return global;
    }
    return this.#create(this.frame, name);
  }

  #create(frame: Frame, name: string): Variable {
    this.memory.hold(variableBytes(name, undefined));
    const variable = new Variable();
    frame.variables.set(name, variable);
    return variable;
  }

  #qualified(name: string, create: boolean): Variable | undefined {
    const cut = name.lastIndexOf("::");
    const tail = name.slice(cut + 2);
    let space = name.slice(0, cut).replace(/^:+|:+$/g, "");
    if (!name.startsWith("::") && this.frame.namespace !== "") {
      const inner = `${this.frame.namespace}::${space}`;
      if (this.namespaces.has(inner)) space = inner;
    }
    const frame = this.namespaces.get(space);
    if (frame === undefined) {
      if (!create) return undefined;
      const hint = `Make the namespace first: namespace eval ${space} {}`;
      throw new TclError("TCL_NAMESPACE", `can't set "${name}": parent namespace doesn't exist`, {
        hint,
      });
    }
    const found = frame.variables.get(tail);
    return found === undefined && create ? this.#create(frame, tail) : found;
  }

  /** Value of a scalar. @throws TclError `TCL_NO_VARIABLE` */
  getScalar(name: string): string {
    const variable = this.find(name);
    if (variable?.value !== undefined) return variable.value;
    if (variable?.elements !== undefined) {
      const hint = `Give an index, as in $${name}(index).`;
      throw new TclError("TCL_NO_VARIABLE", `can't read "${name}": variable is array`, { hint });
    }
    throw this.#missing(name, name, "no such variable");
  }

  /** Value of an array element. @throws TclError `TCL_NO_VARIABLE` */
  getElement(name: string, index: string): string {
    const variable = this.find(name);
    const value = variable?.elements?.get(index)?.value;
    if (value !== undefined) return value;
    const full = `${name}(${index})`;
    if (variable?.elements !== undefined) {
      throw this.#missing(full, name, "no such element in array");
    }
    if (variable?.value !== undefined) {
      throw new TclError("TCL_NO_VARIABLE", `can't read "${full}": variable isn't array`);
    }
    throw this.#missing(full, name, "no such variable");
  }

  #missing(full: string, name: string, why: string): TclError {
    const suggest = (): string | undefined => this.variableHint(full) ?? this.variableHint(name);
    const details = { silent: this.isExcused(full) || this.isExcused(name) };
    return new TclError("TCL_NO_VARIABLE", `can't read "${full}": ${why}`, {
      ...details,
      suggest,
      within: name,
    });
  }

  /** Value of `name` or `name(index)`. */
  get(name: string): string {
    const local = this.frame.variables.get(name)?.value;
    if (local !== undefined) return local;
    const { base, index } = splitName(name);
    return index === undefined ? this.getScalar(base) : this.getElement(base, index);
  }

  /** The variable object behind `name` or `name(index)`, made when missing. */
  obtainAny(name: string): Variable {
    const { base, index } = splitName(name);
    const variable = this.obtain(base);
    if (index === undefined) return variable;
    return this.elementOf(base, variable, index);
  }

  /** An element of an array, made when missing. */
  elementOf(base: string, variable: Variable, index: string): Variable {
    if (variable.value !== undefined) {
      throw new TclError("TCL_NOT_ARRAY", `can't set "${base}(${index})": variable isn't array`, {
        hint: `${base} holds a plain value; use another name for the array.`,
      });
    }
    variable.elements ??= new Map();
    let element = variable.elements.get(index);
    if (element === undefined) {
      this.memory.hold(variableBytes(index, undefined));
      element = new Variable();
      variable.elements.set(index, element);
    }
    return element;
  }

  /** Assigns `name` or `name(index)`. */
  set(name: string, value: string): string {
    const known = this.frame.variables.get(name);
    if (known !== undefined && known.value !== undefined) return this.assign(known, name, value);
    return this.assign(this.obtainAny(name), name, value);
  }

  /** Assigns a variable object; `name` is for messages. */
  assign(variable: Variable, name: string, value: string): string {
    if (variable.elements !== undefined) {
      const hint = `Give an index, as in ${name}(index).`;
      throw new TclError("TCL_IS_ARRAY", `can't set "${name}": variable is array`, { hint });
    }
    this.memory.hold(value.length - (variable.value?.length ?? 0));
    variable.value = value;
    variable.isList = false;
    return value;
  }

  /** True when `name` or `name(index)` has a value. */
  exists(name: string): boolean {
    const { base, index } = splitName(name);
    const variable = this.find(base);
    if (variable === undefined) return false;
    if (index === undefined) return variable.isSet;
    return variable.elements?.get(index)?.value !== undefined;
  }

  /** Removes a value; false when there was none. */
  unset(name: string): boolean {
    const { base, index } = splitName(name);
    const variable = this.find(base);
    if (variable === undefined || !variable.isSet) return false;
    if (index !== undefined) {
      const element = variable.elements?.get(index);
      if (element === undefined) return false;
      this.memory.hold(-bytesOf(index, element));
      variable.elements?.delete(index);
      element.value = undefined;
      return true;
    }
    this.memory.hold(variableBytes(base, undefined) - bytesOf(base, variable));
    variable.value = undefined;
    variable.elements = undefined;
    return true;
  }

  /** Runs `body` with `frame` on top of the stack. */
  within<T>(frame: Frame, body: () => T): T {
    const before = this.frame;
    this.stack.push(frame);
    this.frame = frame;
    try {
      return body();
    } finally {
      this.stack.pop();
      this.frame = before;
    }
  }

  /** Runs `body` in the frame at `level` of the stack (0 is global). */
  atLevel<T>(level: number, body: () => T): T {
    const { stack, frame } = this;
    this.stack = stack.slice(0, level + 1);
    this.frame = this.stack[level] ?? this.globals;
    try {
      return body();
    } finally {
      this.stack = stack;
      this.frame = frame;
    }
  }

  /** Reads a level such as `1` or `#0`. @throws TclError `TCL_LEVEL` */
  levelOf(text: string): number {
    const absolute = text.startsWith("#");
    const digits = absolute ? text.slice(1) : text;
    const top = this.stack.length - 1;
    const number = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : -1;
    const level = absolute ? number : top - number;
    if (number < 0 || level < 0 || level > top) {
      throw new TclError("TCL_LEVEL", `bad level "${text}"`);
    }
    return level;
  }
}

/** The error for a wrong number of words. */
export function wrongArguments(definition: CommandDefinition): TclError {
  const usage = definition.usage === "" ? "" : ` ${definition.usage}`;
  return new TclError("TCL_ARGUMENTS", `wrong # args: should be "${definition.name}${usage}"`);
}
