// SPDX-License-Identifier: MIT
// Argument readers of the tb-* commands: each returns a value or throws the command's fault.

import { NsFault } from "./context.ts";
import { memberOf } from "./link.ts";
import { type Call, type Method, quantity, word } from "./method.ts";
import type { LinkObject, MemberObject, NodeObject } from "./objects.ts";
import { parseLoss } from "./units.ts";

export type CommandCall = Call<undefined>;

/** A tb-* command with its name. */
export type TestbedCommand = readonly [name: string, definition: Method<undefined>];

/** One row of the table of tb-* commands; `min` and `max` count the words after the name. */
export function command(
  name: string,
  usage: string,
  min: number,
  max: number,
  run: (call: CommandCall) => string | undefined,
): TestbedCommand {
  return [name, { usage, min, max, run: (call) => run(call) ?? "" }];
}

export function needNode(call: CommandCall, index: number): NodeObject {
  const node = call.context.find(word(call.argv, index), ["node"]);
  if (node !== undefined) return node;
  throw call.context.notA(word(call.argv, 0), word(call.argv, index), index, "a node");
}

/** A link, a LAN, or either. */
export function needLink(
  call: CommandCall,
  index: number,
  kind: "link" | "lan" | "any" = "any",
): LinkObject {
  const link = call.context.find(word(call.argv, index), ["link"]);
  const what = kind === "any" ? "a link or lan" : `a ${kind}`;
  if (link !== undefined && (kind === "any" || link.isLan === (kind === "lan"))) return link;
  throw call.context.notA(word(call.argv, 0), word(call.argv, index), index, what);
}

export function needMember(
  call: CommandCall,
  link: LinkObject,
  node: NodeObject,
  index: number,
): MemberObject {
  const member = memberOf(link, node);
  if (member !== undefined) return member;
  const message = `[${call.argv[0]}] ${node.name} is not connected to ${link.name}`;
  const members = link.members.map((one) => one.node.name).join(", ");
  throw new NsFault("NS_NOT_MEMBER", message, {
    word: index,
    hint: `${link.name} connects ${members}.`,
  });
}

export function needLoss(call: CommandCall, index: number): string {
  const text = word(call.argv, index);
  if (quantity(parseLoss(text), "NS_LOSS", index, text) === 1) {
    const hint = "Write 0.01 for 1 %; for no packets at all take the link down by an event.";
    call.context.warn(call.site, "NS_LOSS_ALL", "a loss of 1 is all packets", {
      word: index,
      hint,
    });
  }
  return text;
}

export function needFlag(call: CommandCall, index: number): string {
  const text = word(call.argv, index);
  if (text === "0" || text === "1") return text;
  throw new NsFault("NS_FLAG", `[${call.argv[0]}] ${text} must be 0/1`, { word: index });
}

/** An integer within bounds. */
export function needInteger(call: CommandCall, index: number, min: number, max: number): string {
  const text = word(call.argv, index);
  const value = /^-?[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return text;
  const range = max === Number.POSITIVE_INFINITY ? `${min} or more` : `${min} to ${max}`;
  const message = `[${call.argv[0]}] ${text} is not a number in range`;
  throw new NsFault("NS_RANGE", message, { word: index, hint: `Use a whole number, ${range}.` });
}

export function needOneOf<T extends string>(
  call: CommandCall,
  index: number,
  values: readonly T[],
): T {
  const text = word(call.argv, index);
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  const list = values.map((value) => `'${value}'`).join(", ");
  throw new NsFault("NS_VALUE", `[${call.argv[0]}] ${text} is not one of: ${list}`, {
    word: index,
  });
}
