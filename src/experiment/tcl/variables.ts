// SPDX-License-Identifier: MIT
// Variables, arrays and the frames that hold them. Knows names and memory, no commands.

import { tclMemoryBytesMax, variableOverheadBytes } from "../limits.ts";
import { TclLimitError } from "./error.ts";
import { hashOrder } from "./hash-order.ts";

/** One variable: unset, a scalar, or an array of variables. Links share the object. */
export class Variable {
  value: string | undefined = undefined;
  elements: Map<string, Variable> | undefined = undefined;
  /** The value is known to be a well-formed list, so appending to it needs no check. */
  isList = false;

  get isSet(): boolean {
    return this.value !== undefined || this.elements !== undefined;
  }

  /** Names of the elements in the order of Tcl's hash table. */
  names(): string[] {
    if (this.elements === undefined) return [];
    const set: string[] = [];
    for (const [name, element] of this.elements) if (element.value !== undefined) set.push(name);
    return hashOrder(set);
  }
}

/** Where variables live: the globals, a namespace, or the locals of a procedure call. */
export class Frame {
  readonly variables: Map<string, Variable> = new Map();
  readonly kind: "namespace" | "procedure";
  /** Names that stand for variables of other frames. */
  links: Set<string> | undefined = undefined;
  /** Full name of the namespace that commands and qualified names resolve in; "" is global. */
  readonly namespace: string;
  /** Words of the call that made the frame, for `info level`. */
  readonly call: readonly string[];
  constructor(kind: "namespace" | "procedure", namespace: string, call: readonly string[]) {
    this.kind = kind;
    this.namespace = namespace;
    this.call = call;
  }
}

/**
 * Counts the bytes of value memory: what variables hold (`live`) and what is under construction
 * (`transient`).
 */
export class Memory {
  live = 0;
  transient = 0;
  readonly limit: number;
  constructor(limit: number = tclMemoryBytesMax) {
    this.limit = limit;
  }

  /** Asks for room for `bytes` more. @throws TclLimitError `TCL_MEMORY` when there is none. */
  reserve(bytes: number): void {
    if (this.live + this.transient + bytes <= this.limit) return;
    throw new TclLimitError(
      "TCL_MEMORY",
      `the file needs more than ${this.limit / 1024 / 1024} MiB of value memory`,
      { hint: "Look for a string or list that grows in a loop." },
    );
  }

  /** Adds `bytes` (may be negative) to what variables hold. */
  hold(bytes: number): void {
    if (bytes > 0) this.reserve(bytes);
    this.live += bytes;
  }
}

/** Bytes a variable takes: its name, its text and a constant. */
export function variableBytes(name: string, value: string | undefined): number {
  return variableOverheadBytes + name.length + (value?.length ?? 0);
}

/** Bytes given back when a variable goes away. */
export function bytesOf(name: string, variable: Variable): number {
  let bytes = variableBytes(name, variable.value);
  if (variable.elements !== undefined) {
    for (const [key, element] of variable.elements) bytes += bytesOf(key, element);
  }
  return bytes;
}

/** Splits `name(index)`. */
export function splitName(name: string): { readonly base: string; readonly index?: string } {
  if (name.charCodeAt(name.length - 1) !== 41) return { base: name };
  const open = name.indexOf("(");
  if (open < 0) return { base: name };
  return { base: name.slice(0, open), index: name.slice(open + 1, -1) };
}
