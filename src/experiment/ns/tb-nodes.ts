// SPDX-License-Identifier: MIT
// tb-* commands about nodes: start commands, images, software, hardware, placement.

import { closest } from "../suggest.ts";
import { parseList } from "../tcl/list.ts";
import { NsFault } from "./context.ts";
import { word } from "./method.ts";
import type { NodeObject } from "./objects.ts";
import { setStartCommand } from "./program.ts";
import {
  type CommandCall,
  command,
  needLink,
  needMember,
  needNode,
  needOneOf,
  type TestbedCommand,
} from "./tb-shared.ts";

const many = Number.POSITIVE_INFINITY;

function needOs(call: CommandCall, index: number): string {
  const os = word(call.argv, index);
  const known = call.context.options.catalogue.osNames;
  if (known.size === 0 || known.has(os)) return os;
  throw new NsFault("NS_OS", `[${call.argv[0]}] Invalid osid ${os}.`, {
    word: index,
    hint: `Known: ${[...known].join(", ")}.`,
  });
}

/** A hardware type of the site, or a virtual type made before. */
export function needType(call: CommandCall, index: number): string {
  const { catalogue } = call.context.options;
  const type = word(call.argv, index);
  const isVirtual = call.context.settings.vtypes.some(({ name }) => name === type);
  if (isVirtual || catalogue.types.has(type) || !catalogue.strictTypes) {
    if (!isVirtual && !catalogue.types.has(type)) warnNearType(call, type, index);
    return type;
  }
  throw new NsFault("NS_TYPE", `[${call.argv[0]}] Invalid hardware type ${type}.`, { word: index });
}

function warnNearType({ context, site }: CommandCall, type: string, index: number): void {
  const near = closest(type, context.options.catalogue.types.keys());
  if (near === undefined || /^pc[0-9]/.test(type)) return;
  const message = `the hardware type ${type} is not in the catalogue`;
  context.warn(site, "NS_TYPE", message, { word: index, hint: `Did you mean "${near}"?` });
}

/** Pairs of directory and archive, as words or as one string of them. */
function archivePairs(call: CommandCall, from: number): readonly (readonly [string, string])[] {
  const { argv } = call;
  const words = argv.length === from + 1 ? parseList(word(argv, from)) : argv.slice(from);
  if (words.length === 0 || words.length % 2 !== 0) {
    throw new NsFault("NS_TARFILES", `[${argv[0]}] needs pairs of a directory and a tar file`, {
      word: from,
      hint: `Write: ${argv[0]} ... /directory /path/file.tar.gz`,
    });
  }
  const pairs: [string, string][] = [];
  for (let i = 0; i < words.length; i += 2) {
    const pair: [string, string] = [word(words, i), word(words, i + 1)];
    if (checkArchive(call, pair, argv.length === from + 1 ? from : from + i)) pairs.push(pair);
  }
  return pairs;
}

function checkArchive(
  call: CommandCall,
  [directory, file]: [string, string],
  index: number,
): boolean {
  const { context, argv, site } = call;
  const refuse = (message: string, hint: string): boolean => {
    const place = { word: index, within: directory, hint };
    context.report(site, "NS_TARFILES", `[${argv[0]}] ${message}`, place);
    return false;
  };
  if (!directory.startsWith("/")) {
    return refuse(`'${directory}' is not an absolute path.`, "Give the directory from / on.");
  }
  const shared = context.options.catalogue.sharedDirectories.find(
    (root) => directory === root || directory.startsWith(`${root}/`),
  );
  if (shared !== undefined) {
    const hint = "Unpack into a directory that each node has for itself.";
    return refuse(`'${directory}' is below ${shared}, which all nodes share.`, hint);
  }
  const isArchive = /\.(?:tar|tar\.Z|tar\.gz|tgz|tar\.bz2)$/.test(file);
  if (isArchive || context.options.compat) return true;
  return refuse(`'${file}' is no archive.`, "Use .tar, .tar.Z, .tar.gz, .tgz or .tar.bz2.");
}

function rpms(call: CommandCall): void {
  const node = needNode(call, 1);
  const { argv } = call;
  const words = argv.length === 3 ? parseList(word(argv, 2)) : argv.slice(2);
  if (words.length === 0) throw new NsFault("NS_RPMS", `[${argv[0]}] No rpms given.`, { word: 0 });
  node.rpms = words.join(";");
}

function fixNode(call: CommandCall): void {
  const node = needNode(call, 1);
  const target = call.context.find(word(call.argv, 2), ["node"]);
  node.fixed = word(call.argv, 2);
  const isSubnode = call.context.options.catalogue.types.get(node.type)?.isSubnode === true;
  // A part of a node is fixed to the node that hosts it, which must be able to.
  if (target !== undefined && isSubnode) target.desires.set(`hosts-${node.type}`, "1.0");
}

function virtualType(call: CommandCall, weight: string, membersAt: number): void {
  const members = parseList(word(call.argv, membersAt));
  call.context.settings.vtypes.push({
    name: word(call.argv, 1),
    weight,
    members: members.join(" "),
  });
}

function weightedType(call: CommandCall): void {
  const weight = Number(word(call.argv, 2));
  if (!(weight > 0 && weight < 1)) {
    const message = `[${call.argv[0]}] weight ${word(call.argv, 2)} is not between 0 and 1`;
    throw new NsFault("NS_RANGE", message, { word: 2 });
  }
  virtualType(call, word(call.argv, 2), 3);
}

/** A command that sets one property of a node to its last argument. */
function property(set: (node: NodeObject, value: string) => void) {
  return (call: CommandCall): void => set(needNode(call, 1), word(call.argv, 2));
}

function serviceHook({ argv }: CommandCall): never {
  throw new NsFault("NS_SERVICE", `[${argv[0]}] boot services of nodes cannot be changed`, {
    word: 0,
    hint: "Run the script as a program of the node: tb-set-node-startcmd.",
  });
}

/** Commands about nodes. */
export const nodeCommands: readonly TestbedCommand[] = [
  command("tb-set-sync-server", "node", 1, 1, (call) => {
    const node = needNode(call, 1);
    if (node.isBridge) throw call.context.notA("tb-set-sync-server", node.name, 1, "a usable node");
    call.context.settings.syncServer = node;
    return "";
  }),
  command("tb-set-node-startcmd", "node command", 2, 2, (call) =>
    setStartCommand(call.context, call.site, needNode(call, 1), word(call.argv, 2)),
  ),
  command("tb-set-node-startup", "node command", 2, 2, (call) => {
    needNode(call, 1).startup = word(call.argv, 2);
    return "";
  }),
  command(
    "tb-set-node-tarfiles",
    "node directory tarfile ?directory tarfile ...?",
    2,
    many,
    (call) => {
      needNode(call, 1);
      archivePairs(call, 2);
      return "";
    },
  ),
  command("tb-set-tarfiles", "directory tarfile ?directory tarfile ...?", 1, many, (call) => {
    for (const [directory, path] of archivePairs(call, 1)) {
      call.context.settings.blobs.push({ path, action: `unpack:${directory}` });
    }
    return "";
  }),
  command("tb-set-node-rpms", "node rpm ?rpm ...?", 1, many, (call) => {
    rpms(call);
    return "";
  }),
  command("tb-set-node-os", "node os ?parent?", 2, 3, (call) => {
    const node = needNode(call, 1);
    node.osName = needOs(call, 2);
    if (call.argv.length > 3) node.extra.set("parent_osname", needOs(call, 3));
    return "";
  }),
  command("tb-set-node-loadlist", "node os,os", 2, 2, (call) => {
    needNode(call, 1).extra.set("loadlist", word(call.argv, 2));
    return "";
  }),
  command("tb-set-node-cmdline", "node text", 2, 2, (call) => {
    needNode(call, 1).commandLine = word(call.argv, 2);
    return "";
  }),
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
  command("tb-fix-node", "node physicalNode", 2, 2, (call) => {
    fixNode(call);
    return "";
  }),
  command("tb-bind-parent", "node physicalNode", 2, 2, (call) => {
    fixNode(call);
    return "";
  }),
  command("tb-fix-interface", "node link interface", 3, 3, (call) => {
    const node = needNode(call, 1);
    needMember(call, needLink(call, 2), node, 1).extra.set("fixed_iface", word(call.argv, 3));
    return "";
  }),
  command("tb-set-node-failure-action", "node fatal|nonfatal|ignore", 2, 2, (call) => {
    needNode(call, 1).failureAction = needOneOf(call, 2, ["fatal", "nonfatal", "ignore"]);
    return "";
  }),
  ...(
    [
      ["tb-set-node-inner-elab-role", "inner_elab_role"],
      ["tb-set-node-plab-role", "plab_role"],
      ["tb-set-node-plab-plcnet", "plab_plcnet"],
      ["tb-set-node-sharingmode", "sharing_mode"],
      ["tb-set-node-id", "numeric_id"],
    ] as const
  ).map(([name, column]) =>
    command(name, "node value", 2, 2, (call) => {
      property((node, value) => node.extra.set(column, value))(call);
      return "";
    }),
  ),
  command("tb-set-node-usesharednode", "node weight", 2, 2, (call) => {
    needNode(call, 1).desires.set("pcshared", word(call.argv, 2));
    return "";
  }),
  command("tb-set-node-service", "service ?-option value ...?", 1, many, serviceHook),
  command("tb-add-node-service-hook", "service ?-option value ...?", 1, many, serviceHook),
];
