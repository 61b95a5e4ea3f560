// SPDX-License-Identifier: MIT
// The arguments of a method: a struct of names and values, read with the types that callers of
// several languages send. What is missing or of the wrong type is BAD_REQUEST and names it.
import type { XmlRpcValue } from "../../wire/xmlrpc/index.ts";
import { BossError } from "../boss-error.ts";
import { namesMax, waitSecondsMax } from "../limits.ts";

export class Arguments {
  readonly #members: ReadonlyMap<string, XmlRpcValue>;

  constructor(members: ReadonlyMap<string, XmlRpcValue>) {
    this.#members = members;
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** @throws BossError (BAD_REQUEST) */
  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw bad(`\`${name}\` is missing`);
    return value;
  }

  /** @throws BossError (BAD_REQUEST) for what is there and no text */
  optionalText(name: string): string | undefined {
    const value = this.#members.get(name);
    if (value === undefined || value.kind === "nil") return undefined;
    // Some clients send a name that is all digits as a number.
    if (value.kind === "int" || value.kind === "i8") return String(value.value);
    if (value.kind !== "string") throw bad(`\`${name}\` must be a text`);
    return value.value;
  }

  /** The project and experiment; `pid` and `eid` are other names for them. */
  experiment(): { readonly pid: string; readonly eid: string } {
    const pid = this.optionalText("proj") ?? this.optionalText("pid");
    const eid = this.optionalText("exp") ?? this.optionalText("eid");
    if (pid === undefined) throw bad("`proj` is missing");
    if (eid === undefined) throw bad("`exp` is missing");
    return { pid, eid };
  }

  /**
   * A list, or one text parted by commas or blanks; each name once, however often it is said.
   * @throws BossError (BAD_REQUEST, LIMIT)
   */
  names(name: string): readonly string[] {
    const value = this.#members.get(name);
    const texts =
      value?.kind === "array"
        ? value.value.map((one) => (one.kind === "string" ? one.value : ""))
        : this.text(name).split(/[, ]+/);
    const names = new Set(texts);
    names.delete("");
    if (names.size === 0) throw bad(`\`${name}\` names nothing`);
    if (names.size <= namesMax) return [...names];
    const message = `\`${name}\` has ${names.size} names; at most ${namesMax} (limit namesMax)`;
    throw new BossError("LIMIT", message);
  }

  /** @throws BossError (BAD_REQUEST) */
  optionalNumber(name: string): number | undefined {
    const value = this.#members.get(name);
    if (value === undefined || value.kind === "nil") return undefined;
    const isText = value.kind === "string" && /^-?\d+(?:\.\d+)?$/.test(value.value.trim());
    if (value.kind === "int" || value.kind === "double" || value.kind === "i8" || isText) {
      return Number(value.value);
    }
    throw bad(`\`${name}\` must be a number`);
  }

  /** Booleans, and what older clients send in their place. @throws BossError (BAD_REQUEST) */
  flag(name: string, otherwise: boolean): boolean {
    const value = this.#members.get(name);
    if (value === undefined || value.kind === "nil") return otherwise;
    if (value.kind === "boolean") return value.value;
    if (value.kind === "int") return value.value !== 0;
    if (value.kind === "string") {
      if (["1", "true", "yes"].includes(value.value.toLowerCase())) return true;
      if (["", "0", "false", "no"].includes(value.value.toLowerCase())) return false;
    }
    throw bad(`\`${name}\` must be true or false`);
  }

  /** Seconds to wait; undefined for as long as it takes. @throws BossError (BAD_REQUEST) */
  waitMs(name: string): number | undefined {
    const seconds = this.optionalNumber(name);
    if (seconds === undefined) return undefined;
    if (seconds >= 0 && seconds <= waitSecondsMax) return seconds * 1000;
    throw bad(`\`${name}\` must be seconds from 0 to ${waitSecondsMax}`);
  }
}

export function bad(what: string): BossError {
  return new BossError("BAD_REQUEST", `${what}; docs/reference/xmlrpc.md lists the arguments`);
}
