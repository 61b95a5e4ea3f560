// SPDX-License-Identifier: MIT
// tb-* commands about what is put on nodes: archives, packages, boot services. [EMULAB-NS 9]

import { archiveFileFault, directoryFault } from "../archive-fault.ts";
import type { Archive } from "../model.ts";
import { parseList } from "../tcl/list.ts";
import { NsFault } from "./context.ts";
import { options, word } from "./method.ts";
import { type CommandCall, command, needNode, type TestbedCommand } from "./tb-shared.ts";

const many = Number.POSITIVE_INFINITY;

/** Pairs of directory and archive, as words or as one string of them. */
function archives(call: CommandCall, from: number): readonly Archive[] {
  const { argv } = call;
  const isOneWord = argv.length === from + 1;
  const words = isOneWord ? parseList(word(argv, from)) : argv.slice(from);
  if (words.length === 0 || words.length % 2 !== 0) {
    throw new NsFault("NS_TARFILES", `[${argv[0]}] needs pairs of a directory and a tar file`, {
      word: from,
      hint: `Write: ${argv[0]} ... /directory /path/file.tar.gz`,
    });
  }
  const found: Archive[] = [];
  for (let i = 0; i < words.length; i += 2) {
    const archive = { directory: word(words, i), file: word(words, i + 1) };
    const index = isOneWord ? from : from + i;
    const fault = faultOf(call, archive, index);
    if (fault === undefined) found.push(archive);
    else call.context.report(call.site, fault.code, fault.message, fault.details);
  }
  return found;
}

/** The recorded results come from a run that leaves archives out after looking at directories. */
function faultOf(call: CommandCall, archive: Archive, index: number): NsFault | undefined {
  const { catalogue, compat } = call.context.options;
  const fault =
    directoryFault(archive, catalogue) ??
    (compat ? undefined : archiveFileFault(archive, catalogue));
  if (fault === undefined) return undefined;
  const { part, message, hint } = fault;
  const place = { word: index, within: archive[part] };
  return new NsFault("NS_TARFILES", `[${call.argv[0]}] ${message}.`, { ...place, hint });
}

function rpms(call: CommandCall): void {
  const node = needNode(call, 1);
  const { argv } = call;
  const words = argv.length === 3 ? parseList(word(argv, 2)) : argv.slice(2);
  if (words.length === 0) throw new NsFault("NS_RPMS", `[${argv[0]}] No rpms given.`, { word: 0 });
  node.rpms = words.join(";");
}

const controlOptions = [
  "-node",
  "-env",
  "-whence",
  "-script",
  "-scriptblob",
  "-enable",
  "-enablehooks",
  "-fatal",
] as const;
const hookOptions = [
  "-node",
  "-env",
  "-whence",
  "-script",
  "-scriptblob",
  "-op",
  "-point",
  "-argv",
  "-fatal",
] as const;

/** Boot services: checked as far as the file goes; no service runs on a node here. */
function service(call: CommandCall, names: readonly string[], needsScript: boolean): void {
  const { argv, context, site } = call;
  const given = options(argv, 2, names);
  const refuse = (message: string, index: number): NsFault =>
    new NsFault("NS_SERVICE", `[${argv[0]}] ${message}`, { word: index });
  const node = given.get("-node");
  if (node !== undefined && context.find(node.value, ["node"]) === undefined) {
    throw context.notA(word(argv, 0), node.value, node.word, "a node");
  }
  const [script, blob] = [given.get("-script"), given.get("-scriptblob")];
  if (script !== undefined && blob !== undefined) {
    throw refuse("takes -script or -scriptblob, not both", blob.word);
  }
  if (needsScript && script === undefined && blob === undefined) {
    throw refuse("needs -script or -scriptblob", 0);
  }
  const { services, files } = context.options.catalogue;
  if (services.size > 0 && !services.has(word(argv, 1))) {
    throw refuse(`there is no service ${word(argv, 1)}`, 1);
  }
  if (script !== undefined && files !== undefined && !files.has(script.value)) {
    throw refuse(`'${script.value}' does not exist.`, script.word);
  }
  const id = [argv[0], argv[1], node?.value ?? "", given.get("-env")?.value ?? "boot"].join("\n");
  if (!needsScript && context.settings.services.has(id)) {
    throw refuse(`${word(argv, 1)} is controlled already`, 1);
  }
  context.settings.services.add(id);
  if (context.options.compat) {
    throw new NsFault("NS_NO_ROWS", `[${argv[0]}] the rows of boot services are not known`, {
      word: 0,
      hint: "Without --compat the command is ignored.",
    });
  }
  const message = "nodes run no boot services here: the command is ignored";
  const hint = "Run a script as a program of the node: tb-set-node-startcmd.";
  context.warn(site, "NS_UNSUPPORTED", message, { hint });
}

/** Commands about software on nodes. */
export const softwareCommands: readonly TestbedCommand[] = [
  command("tb-set-node-tarfiles", "node directory tarfile ...", 2, many, (call) => {
    const node = needNode(call, 1);
    node.archives = archives(call, 2);
    return "";
  }),
  command("tb-set-tarfiles", "directory tarfile ?directory tarfile ...?", 1, many, (call) => {
    for (const { directory, file } of archives(call, 1)) {
      call.context.settings.blobs.push({ path: file, action: `unpack:${directory}` });
    }
    return "";
  }),
  command("tb-set-node-rpms", "node rpm ?rpm ...?", 1, many, (call) => {
    rpms(call);
    return "";
  }),
  command("tb-set-node-service", "service ?-option value ...?", 1, many, (call) => {
    service(call, controlOptions, false);
    return "";
  }),
  command("tb-add-node-service-hook", "service ?-option value ...?", 1, many, (call) => {
    service(call, hookOptions, true);
    return "";
  }),
];
