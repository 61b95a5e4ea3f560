// SPDX-License-Identifier: MIT
// Hardware types and operating systems as files name them, against the site's catalogue; and the
// tb-* commands about machines. [EMULAB-NS 9]

import { findType } from "../catalogue.ts";
import { closest } from "../suggest.ts";
import { parseList } from "../tcl/list.ts";
import { NsFault } from "./context.ts";
import { word } from "./method.ts";
import {
  type CommandCall,
  command,
  needInteger,
  needLink,
  needMember,
  needNode,
  type TestbedCommand,
} from "./tb-shared.ts";

const many = Number.POSITIVE_INFINITY;

/** An operating system of the site. @throws NsFault `NS_OS` */
export function needOs(
  call: CommandCall,
  index: number,
  os: string = word(call.argv, index),
): string {
  const known = call.context.options.catalogue.osNames;
  if (known.size === 0 || known.has(os)) return os;
  const near = closest(os, known);
  throw new NsFault("NS_OS", `[${call.argv[0]}] Invalid osid ${os}.`, {
    word: index,
    within: os,
    hint: near === undefined ? `Known: ${[...known].join(", ")}.` : `Did you mean "${near}"?`,
  });
}

/** A hardware type of the site, or a virtual type made before. @throws NsFault `NS_TYPE` */
export function needType(
  call: CommandCall,
  index: number,
  type: string = word(call.argv, index),
): string {
  const { catalogue } = call.context.options;
  const isVirtual = call.context.settings.vtypes.some(({ name }) => name === type);
  if (isVirtual || findType(catalogue, type) !== undefined) return type;
  if (!catalogue.strictTypes) {
    warnNearType(call, type, index);
    return type;
  }
  const near = closest(type, catalogue.types.keys());
  throw new NsFault("NS_TYPE", `[${call.argv[0]}] Invalid hardware type ${type}.`, {
    word: index,
    within: type,
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
  });
}

function warnNearType({ context, site }: CommandCall, type: string, index: number): void {
  const near = closest(type, context.options.catalogue.types.keys());
  if (near === undefined || /^pc[0-9]/.test(type)) return;
  const message = `the hardware type ${type} is not in the catalogue`;
  context.warn(site, "NS_TYPE", message, { word: index, hint: `Did you mean "${near}"?` });
}

/** Fixing a node to a machine of the site makes it one of that machine's type. */
function fixNode(call: CommandCall): void {
  const { catalogue } = call.context.options;
  const node = needNode(call, 1);
  const target = call.context.find(word(call.argv, 2), ["node"]);
  node.fixed = word(call.argv, 2);
  const isSubnode = findType(catalogue, node.type)?.isSubnode === true;
  // A part of a node is fixed to the node that hosts it, which must be able to.
  if (target !== undefined && isSubnode) target.desires.set(`hosts-${node.type}`, "1.0");
  const type = catalogue.machines.get(node.fixed);
  if (type !== undefined && !isSubnode) node.type = type;
}

function virtualType(call: CommandCall, weight: string, membersAt: number): void {
  const { context } = call;
  const members = parseList(word(call.argv, membersAt));
  for (const member of members) {
    const type = needType(call, membersAt, member);
    if (weight !== "0.5" && weight !== "1.0") refuseRemote(call, type, membersAt);
  }
  const name = word(call.argv, 1);
  context.settings.vtypes.push({ name, weight, members: members.join(" ") });
}

function refuseRemote(call: CommandCall, type: string, index: number): void {
  if (findType(call.context.options.catalogue, type)?.isRemote !== true) return;
  const message = `[${call.argv[0]}] ${type} is outside of the testbed`;
  throw new NsFault("NS_TYPE", message, { word: index, within: type });
}

function weightedType(call: CommandCall): void {
  const weight = Number(word(call.argv, 2));
  if (!(weight > 0 && weight < 1)) {
    const message = `[${call.argv[0]}] weight ${word(call.argv, 2)} is not between 0 and 1`;
    throw new NsFault("NS_RANGE", message, { word: 2 });
  }
  virtualType(call, word(call.argv, 2), 3);
}

/** Commands about hardware, images and placement. */
export const typeCommands: readonly TestbedCommand[] = [
  command("tb-set-hardware", "node type ?argument ...?", 2, many, (call) => {
    needNode(call, 1).type = needType(call, 2);
    return "";
  }),
  command("tb-make-soft-vtype", "name {types}", 2, 2, (call) => {
    virtualType(call, "0.5", 2);
    return "";
  }),
  command("tb-make-hard-vtype", "name {types}", 2, 2, (call) => {
    virtualType(call, "1.0", 2);
    return "";
  }),
  command("tb-make-weighted-vtype", "name weight {types}", 3, 3, (call) => {
    weightedType(call);
    return "";
  }),
  ...["tb-fix-node", "tb-bind-parent"].map((name) =>
    command(name, "node machine", 2, 2, (call) => {
      fixNode(call);
      return "";
    }),
  ),
  command("tb-fix-interface", "node link interface", 3, 3, (call) => {
    const node = needNode(call, 1);
    needMember(call, needLink(call, 2), node, 1).extra.set("fixed_iface", word(call.argv, 3));
    return "";
  }),
  command("tb-use-physnaming", "0|1", 1, 1, (call) => {
    call.context.settings.usesMachineNames = needInteger(call, 1, 0, 1) === "1";
    return "";
  }),
  command("tb-set-node-os", "node os ?parent?", 2, 3, (call) => {
    const node = needNode(call, 1);
    node.osName = needOs(call, 2);
    if (call.argv.length > 3) node.extra.set("parent_osname", needOs(call, 3));
    return "";
  }),
  command("tb-set-node-loadlist", "node os,os", 2, 2, (call) => {
    const node = needNode(call, 1);
    for (const os of word(call.argv, 2).split(",")) needOs(call, 2, os.trim());
    node.extra.set("loadlist", word(call.argv, 2));
    return "";
  }),
  ...(
    [
      ["tb-set-jail-os", "jail_osname"],
      ["tb-set-delay-os", "delay_osname"],
    ] as const
  ).map(([name, column]) =>
    command(name, "os", 1, 1, (call) => {
      call.context.settings.set(column, needOs(call, 1));
      return "";
    }),
  ),
];
