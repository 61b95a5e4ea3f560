// SPDX-License-Identifier: MIT
// The option parser of the C library as the old tools used it: letters may be clustered, a value
// follows its letter directly or as the next argument, `--` ends the options, and so does the first
// argument that is none. Long options are Muster's own and never abbreviated.
import { closest } from "../../experiment/suggest.ts";

export interface OptionNames {
  /** Letters; those that take a value. */
  readonly flags: string;
  readonly valued: string;
  /** Names without the dashes. */
  readonly longFlags: readonly string[];
  readonly longValued: readonly string[];
}

export type Option =
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "valued"; readonly name: string; readonly value: string }
  | OptionFault;

/** The text is what the C library prints, without the program's name; the hint is ours. */
export interface OptionFault {
  readonly kind: "error";
  readonly message: string;
  readonly hint?: string;
}

/** Who takes options; what one of them returns ends the command. */
export interface OptionTakers<Ending> {
  flag(name: string): Ending | undefined;
  valued(name: string, value: string): Ending | undefined;
  error(fault: OptionFault): Ending;
}

/** Walks over a command line, one option at a time, as a program's `while (getopt(...))` does. */
export class Getopt {
  readonly #args: readonly string[];
  readonly #names: OptionNames;
  #index = 0;
  /** Letters of the present cluster that are not taken yet. */
  #cluster = "";

  constructor(args: readonly string[], names: OptionNames) {
    this.#args = args;
    this.#names = names;
  }

  /** The next option; undefined after the last one. */
  next(): Option | undefined {
    if (this.#cluster !== "") return this.#nextLetter();
    const argument = this.#args[this.#index];
    if (argument === undefined || argument === "-" || !argument.startsWith("-")) return undefined;
    this.#index += 1;
    if (argument === "--") return undefined;
    if (argument.startsWith("--")) return this.#long(argument.slice(2));
    this.#cluster = argument.slice(1);
    return this.#nextLetter();
  }

  /** Each option in turn, until one ends the command. @returns its end; undefined: it goes on */
  takeAll<Ending>(takers: OptionTakers<Ending>): Ending | undefined {
    for (let option = this.next(); option !== undefined; option = this.next()) {
      const ending = take(option, takers);
      if (ending !== undefined) return ending;
    }
    return undefined;
  }

  /**
   * All options, for who does not ask in which order they were given; of several the last counts.
   * @returns their values by name, "" for those without one, or what is wrong as `formatFault` says
   */
  readAll(program: string): ReadonlyMap<string, string> | string {
    const given = new Map<string, string>();
    for (let option = this.next(); option !== undefined; option = this.next()) {
      if (option.kind === "error") return formatFault(program, option);
      given.set(option.name, option.kind === "valued" ? option.value : "");
    }
    return given;
  }

  /** What follows the options. Complete when `next` has returned undefined. */
  get rest(): readonly string[] {
    return this.#args.slice(this.#index);
  }

  #nextLetter(): Option {
    const letter = this.#cluster.slice(0, 1);
    this.#cluster = this.#cluster.slice(1);
    if (this.#names.flags.includes(letter)) return { kind: "flag", name: letter };
    if (!this.#names.valued.includes(letter)) {
      return { kind: "error", message: `invalid option -- '${letter}'` };
    }
    const attached = this.#cluster;
    this.#cluster = "";
    const value = attached === "" ? this.#takeArgument() : attached;
    if (value !== undefined) return { kind: "valued", name: letter, value };
    return { kind: "error", message: `option requires an argument -- '${letter}'` };
  }

  #long(text: string): Option {
    const equals = text.indexOf("=");
    const name = equals === -1 ? text : text.slice(0, equals);
    const attached = equals === -1 ? undefined : text.slice(equals + 1);
    if (this.#names.longFlags.includes(name)) {
      if (attached === undefined) return { kind: "flag", name };
      return { kind: "error", message: `option '--${name}' doesn't allow an argument` };
    }
    if (!this.#names.longValued.includes(name)) {
      const message = `unrecognized option '--${name}'`;
      return { kind: "error", message, hint: this.#hint(name) };
    }
    const value = attached ?? this.#takeArgument();
    if (value !== undefined) return { kind: "valued", name, value };
    return { kind: "error", message: `option '--${name}' requires an argument` };
  }

  #hint(name: string): string {
    const list = "--help-all lists the options of Muster";
    const near = closest(name, [...this.#names.longFlags, ...this.#names.longValued]);
    return near === undefined ? list : `did you mean --${near}? ${list}`;
  }

  #takeArgument(): string | undefined {
    const value = this.#args[this.#index];
    if (value !== undefined) this.#index += 1;
    return value;
  }
}

function take<Ending>(option: Option, takers: OptionTakers<Ending>): Ending | undefined {
  switch (option.kind) {
    case "error":
      return takers.error(option);
    case "flag":
      return takers.flag(option.name);
    case "valued":
      return takers.valued(option.name, option.value);
  }
}

/** The line of the C library, and a line of ours where there is more to say. */
export function formatFault(program: string, { message, hint }: OptionFault): string {
  return `${program}: ${message}${hint === undefined ? "" : `\n${program}: ${hint}`}`;
}

/**
 * A number as C's scanf reads `%d`: white space, a sign, then as many digits as there are. An
 * argument with nothing but white space counts as 0. [EMULAB-SYNC 4]
 *
 * @returns undefined for what is not a number.
 */
export function scanInteger(text: string): number | undefined {
  const trimmed = text.replace(/^[ \t\n\v\f\r]+/, "");
  if (trimmed === "") return 0;
  const digits = /^[+-]?[0-9]+/.exec(trimmed)?.[0];
  // `-0` is 0 to C.
  return digits === undefined ? undefined : Number(digits) + 0;
}
