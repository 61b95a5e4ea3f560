// SPDX-License-Identifier: MIT
// Variables: frames, name spaces, and finding, setting and removing a name in them. Owns the stack
// of frames; does not know commands or scripts.
//   V1. A frame's variable hides others of its name; a name space falls back to the globals.
//   V2. What is stored is charged to the memory before, and given back when it is removed.

import { TclError } from "./error.ts";
import { bytesOf, Frame, type Memory, splitName, Variable, variableBytes } from "./variables.ts";

/** The variables of one interpreter. */
export class Scopes {
  readonly memory: Memory;
  readonly globals: Frame = new Frame("namespace", "", []);
  readonly namespaces: Map<string, Frame> = new Map();
  frame: Frame;
  stack: Frame[];
  /** True when an unset variable is the consequence of an error reported before. */
  isExcused: (name: string) => boolean = () => false;
  /** A hint for an unset variable, such as a name that is spelt almost like it. */
  variableHint: (name: string) => string | undefined = () => undefined;

  constructor(memory: Memory) {
    this.memory = memory;
    this.frame = this.globals;
    this.stack = [this.globals];
    this.namespaces.set("", this.globals);
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
