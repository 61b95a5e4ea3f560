// SPDX-License-Identifier: MIT
// A subscription as the text that the old library gave its broker, and back. Reads only what the
// library writes, not the broker's whole language. [EMULAB-EVENTS 1.4]
import { utf8Length } from "../../core/text.ts";
import { expressionBytesMax } from "./limits.ts";
import type { Address, AddressField } from "./notification.ts";
import { addressFields, attributeNames } from "./notification.ts";
import type { Refused } from "./subscription.ts";
import { splitNames } from "./subscription.ts";

export type FormattedExpression = { readonly kind: "expression"; readonly text: string } | Refused;

/**
 * `(EXPT == "p/e") && (OBJNAME == "a" || OBJNAME == "b") && SCHEDULER == 0`; the empty text asks
 * for everything.
 */
export function formatExpression(address: Address | undefined): FormattedExpression {
  if (address === undefined) return { kind: "expression", text: "" };
  if (address.exceptEventtypes !== undefined) {
    return refused("the old broker has no word for types that are left out; ask for those wanted");
  }
  const clauses: string[] = [];
  for (const field of addressFields) {
    const list = address[field];
    if (list === undefined) continue;
    const names = splitNames(list);
    if (names.length === 0) return refused(`${attributeNames[field]} is empty; leave it out`);
    // The language has quotes and no way to write one: a name could end the text it stands in.
    const wrong = names.find((name) => /["\\\0]/.test(name));
    if (wrong !== undefined) return refused(`${wrong} has a quote; give the object another name`);
    clauses.push(`(${names.map((name) => `${attributeNames[field]} == "${name}"`).join(" || ")})`);
  }
  const text = [...clauses, `${attributeNames.scheduler} == ${address.scheduler}`].join(" && ");
  const bytes = utf8Length(text);
  if (bytes <= expressionBytesMax) return { kind: "expression", text };
  const message = `an expression of ${bytes} bytes: at most ${expressionBytesMax}; subscribe twice`;
  return { kind: "refused", code: "too-large", message };
}

export type ParsedExpression =
  /** Undefined: everything. */
  { readonly kind: "address"; readonly address: Address | undefined } | Refused;

/** The inverse of `formatExpression`; clauses may come in any order and with any blanks. */
export function parseExpression(text: string): ParsedExpression {
  if (utf8Length(text) > expressionBytesMax) {
    return { kind: "refused", code: "too-large", message: "the expression is too long; split it" };
  }
  if (text.trim() === "") return { kind: "address", address: undefined };
  const fields = new Map<AddressField, string>();
  let scheduler: 0 | 1 | undefined;
  let rest = text;
  for (;;) {
    const clause = takeClause(rest);
    if (clause === undefined) return refused(`cannot read ${JSON.stringify(rest.slice(0, 64))}`);
    if (clause.field === "scheduler") {
      if (scheduler !== undefined) return refused("SCHEDULER is there twice; write it once");
      scheduler = clause.flag;
    } else {
      if (fields.has(clause.field)) return refused("a field is there twice; write one group of it");
      fields.set(clause.field, clause.list);
    }
    if (clause.rest === "") break;
    const and = /^&&\s*(?=\S)/.exec(clause.rest);
    if (and === null) return refused(`expected && before ${clause.rest.slice(0, 64)}`);
    rest = clause.rest.slice(and[0].length);
  }
  if (scheduler === undefined) return refused("no SCHEDULER clause; end it with SCHEDULER == 0");
  return { kind: "address", address: { ...Object.fromEntries(fields), scheduler } };
}

type TakenClause =
  | { readonly field: AddressField; readonly list: string; readonly rest: string }
  | { readonly field: "scheduler"; readonly flag: 0 | 1; readonly rest: string };

/** One clause and the blanks around it. */
function takeClause(text: string): TakenClause | undefined {
  const flag = /^\s*SCHEDULER\s*==\s*([01])(?!\w)\s*/.exec(text);
  if (flag !== null) {
    const rest = text.slice(flag[0].length);
    return { field: "scheduler", flag: flag[1] === "1" ? 1 : 0, rest };
  }
  const open = /^\s*\(\s*/.exec(text);
  if (open === null) return undefined;
  let rest = text.slice(open[0].length);
  const names: string[] = [];
  let field: AddressField | undefined;
  for (;;) {
    // No commas and blanks in names: as a list they would mean something else.
    const term = /^([A-Z]+)\s*==\s*"([^"\\, ]+)"\s*(\|\||\))\s*/.exec(rest);
    if (term === null) return undefined;
    const [whole, attribute, name = "", next] = term;
    const named = addressFields.find((candidate) => attributeNames[candidate] === attribute);
    if (named === undefined || (field !== undefined && named !== field)) return undefined;
    field = named;
    names.push(name);
    rest = rest.slice(whole.length);
    if (next === ")") return { field, list: names.join(","), rest };
  }
}

function refused(message: string): Refused {
  return { kind: "refused", code: "invalid", message: `subscription: ${message}` };
}
