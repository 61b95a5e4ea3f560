// SPDX-License-Identifier: MIT
// Nodes of a document: a map or a list, `repeat` and ranges of names, start commands, archives.

import { archiveFileFault, directoryFault } from "../archive-fault.ts";
import type { Catalogue } from "../catalogue.ts";
import { objectsMax } from "../limits.ts";
import type { Archive, ExperimentNode, SourcePosition } from "../model.ts";
import { integerIn, type ReadContext } from "./context.ts";
import { hostNamePattern } from "./fields.ts";
import { repeatMax } from "./limits.ts";
import type { NodeRoutes } from "./read-routes.ts";
import { child, type DocumentNode, type ScalarNode, textOf, textsOf } from "./tree.ts";

/** One entry of `nodes`, in either form. */
interface NodeEntry {
  readonly key: string;
  readonly at: SourcePosition;
  readonly body: DocumentNode | undefined;
}

/** Start commands, in the order of their nodes. */
export interface NodeStart {
  readonly node: string;
  readonly command: ScalarNode;
}

/** What is read of nodes when links and programs are known. */
export interface NodeWishes {
  readonly starts: readonly NodeStart[];
  readonly routes: readonly NodeRoutes[];
}

/** Declares the nodes. */
export function readNodes(context: ReadContext, tree: DocumentNode | undefined): NodeWishes {
  const starts: NodeStart[] = [];
  const routes: NodeRoutes[] = [];
  for (const entry of entriesOf(tree)) {
    const names = namesOf(context, entry);
    const command = child(entry.body, "startCommand");
    const list = child(entry.body, "routes");
    const archives = archivesIn(context, child(entry.body, "archives"));
    for (const name of names) {
      if (!addNode(context, name, entry, archives)) continue;
      if (command?.kind === "text") starts.push({ node: name, command });
      if (list !== undefined) routes.push({ node: name, list });
    }
  }
  return { starts, routes };
}

function archivesIn(context: ReadContext, tree: DocumentNode | undefined): readonly Archive[] {
  return (tree?.kind === "list" ? tree.items : []).flatMap((item): Archive[] => {
    const [directory, file] = [textOf(child(item, "directory")), textOf(child(item, "file"))];
    if (directory === undefined || file === undefined) return [];
    const archive = { directory, file };
    for (const find of [directoryFault, archiveFileFault]) {
      const fault = find(archive, context.catalogue);
      if (fault === undefined) continue;
      const { at } = child(item, fault.part) ?? item;
      context.findings.error(at, "YAML_ARCHIVE", fault.message, fault.hint);
    }
    return [archive];
  });
}

function entriesOf(tree: DocumentNode | undefined): NodeEntry[] {
  if (tree?.kind === "map") {
    return tree.entries.map(({ key, keyAt, value }) => ({ key, at: keyAt, body: value }));
  }
  if (tree?.kind !== "list") return [];
  return tree.items.flatMap((item): NodeEntry[] => {
    if (item.kind === "text") return [{ key: item.text, at: item.at, body: undefined }];
    const name = child(item, "name");
    return name?.kind === "text" ? [{ key: name.text, at: name.at, body: item }] : [];
  });
}

/** The nodes of an entry; the name of several stands for all of them. */
function namesOf(context: ReadContext, { key, at, body }: NodeEntry): readonly string[] {
  const repeat = integerIn(body, "repeat");
  if (repeat === undefined) return context.names(key, at) ?? [];
  if (key.includes("{")) {
    const message = `"${key}" is a range already`;
    context.findings.error(at, "YAML_RANGE", message, "Write a range or repeat, not both.");
    return [];
  }
  if (repeat < 1 || repeat > repeatMax) return [];
  const names = Array.from({ length: repeat }, (_, index) => `${key}${index}`);
  return context.declare(key, "node", at, names) ? names : [];
}

function addNode(
  context: ReadContext,
  name: string,
  { at, body }: NodeEntry,
  archives: readonly Archive[],
): boolean {
  const { findings, nodes } = context;
  if (!new RegExp(hostNamePattern).test(name)) {
    const hint = "A node is named with letters, digits and dashes, at most 32 of them.";
    if (!findings.hasErrorAt(at)) {
      findings.error(at, "YAML_NAME", `"${name}" is no name for a node`, hint);
    }
    context.refuseName(name);
    return false;
  }
  if (name === "ops") {
    findings.error(at, "YAML_NAME", "ops is the name of the testbed's own server", "Rename it.");
    return false;
  }
  if (nodes.length >= objectsMax) {
    findings.error(at, "YAML_LIMIT", `one experiment has at most ${objectsMax} nodes`);
    return false;
  }
  if (!context.declare(name, "node", at)) return false;
  const failure = textOf(child(body, "onFailure"));
  const packages = textsOf(child(body, "packages")).map(({ text }) => text);
  const machine = textOf(child(body, "machine"));
  const node: ExperimentNode = {
    name,
    osName: textOf(child(body, "os")) ?? "",
    hardwareType: textOf(child(body, "hardware")) ?? typeOf(machine, context.catalogue),
    failureAction: failure === "nonfatal" || failure === "ignore" ? failure : "fatal",
    ...(archives.length === 0 ? {} : { archives }),
    ...(packages.length === 0 ? {} : { packages }),
    ...(machine === undefined ? {} : { machine }),
    at,
  };
  nodes.push(node);
  return true;
}

/** Of a node that says none: that of its machine. [EMULAB-NS 9] */
function typeOf(machine: string | undefined, catalogue: Catalogue): string {
  return catalogue.machines.get(machine ?? "") ?? catalogue.defaultType;
}
