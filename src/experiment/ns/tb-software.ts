// SPDX-License-Identifier: MIT
// tb-* commands about what is put on nodes: archives, packages, boot services. [EMULAB-NS 9]
// Whether a file is there is the site's knowledge: it is asked only when the catalogue lists files.

import { parseList } from "../tcl/list.ts";
import { NsFault } from "./context.ts";
import { options, word } from "./method.ts";
import { type CommandCall, command, needNode, type TestbedCommand } from "./tb-shared.ts";

const many = Number.POSITIVE_INFINITY;

interface Archive {
  readonly directory: string;
  readonly file: string;
}

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
    const fault = directoryFault(call, archive, index) ?? fileFault(call, archive, index);
    if (fault === undefined) found.push(archive);
    else call.context.report(call.site, fault.code, fault.message, fault.details);
  }
  return found;
}

function directoryFault(
  { context, argv }: CommandCall,
  { directory }: Archive,
  index: number,
): NsFault | undefined {
  const place = { word: index, within: directory };
  if (!directory.startsWith("/")) {
    const message = `[${argv[0]}] '${directory}' is not an absolute path.`;
    return new NsFault("NS_TARFILES", message, { ...place, hint: "Give it from / on." });
  }
  const shared = context.options.catalogue.sharedDirectories.find(
    (root) => directory === root || directory.startsWith(`${root}/`),
  );
  if (shared === undefined) return undefined;
  const message = `[${argv[0]}] '${directory}' is below ${shared}, which all nodes share.`;
  const hint = "Unpack into a directory that each node has for itself.";
  return new NsFault("NS_TARFILES", message, { ...place, hint });
}

/** The recorded results come from a run that leaves archives out after looking at directories. */
function fileFault(
  { context, argv }: CommandCall,
  { file }: Archive,
  index: number,
): NsFault | undefined {
  if (context.options.compat) return undefined;
  const refuse = (why: string, hint: string): NsFault =>
    new NsFault("NS_TARFILES", `[${argv[0]}] '${file}' ${why}`, {
      word: index,
      within: file,
      hint,
    });
  if (!/\.(?:tar|tar\.Z|tar\.gz|tgz|tar\.bz2)$/.test(file)) {
    return refuse("is no archive.", "Use .tar, .tar.Z, .tar.gz, .tgz or .tar.bz2.");
  }
  const scheme = /^([A-Za-z]+):\/\//.exec(file)?.[1];
  if (scheme !== undefined) {
    if (["http", "https", "ftp", "xxx"].includes(scheme)) return undefined;
    return refuse(`has the unknown scheme ${scheme}.`, "Use http, https or ftp.");
  }
  const { files } = context.options.catalogue;
  if (files === undefined) return undefined;
  if (!/^\/(?:proj|groups|users)\//.test(file)) {
    return refuse("is not in an allowed directory.", "Put it below /proj, /groups or /users.");
  }
  return files.has(file) ? undefined : refuse("does not exist.", "The site has no such file.");
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
