// SPDX-License-Identifier: MIT
// Makes an experiment out of a document. Everything wrong with it is found in one pass and each
// finding has the place of the value at fault; nothing is guessed and no key is passed over.

import { type Catalogue, defaultCatalogue } from "../catalogue.ts";
import type { Diagnostic, Experiment, LinktestLevel, SourcePosition } from "../model.ts";
import type { ParseResult } from "../parse.ts";
import { findCycles } from "../validate.ts";
import { assignAddresses } from "./assign-addresses.ts";
import { checkShape, misspeltFields } from "./check.ts";
import { integerIn, ReadContext, scalarsOf } from "./context.ts";
import { experimentType, routings } from "./fields.ts";
import { Findings } from "./findings.ts";
import { declareBarriers, readBarriers } from "./read-barriers.ts";
import { declareTargets, readEvents, readGroups } from "./read-events.ts";
import { readLinks } from "./read-links.ts";
import { readNodes } from "./read-nodes.ts";
import { readPrograms, readStarts } from "./read-programs.ts";
import { readRoutes } from "./read-routes.ts";
import { planOf, readTestground } from "./read-testground.ts";
import { child, type DocumentNode, type ScalarNode, textOf } from "./tree.ts";

/** How to read a document. */
export interface YamlParseOptions {
  /** Names used when the file does not say them. */
  readonly pid: string;
  readonly eid: string;
  /** Names used whatever the file says, as a command line asks for. */
  readonly override?: { readonly pid?: string | undefined; readonly eid?: string | undefined };
  /** Options set from outside, as `NAME` or `opt(NAME)`, and their values. */
  readonly presets?: readonly (readonly [name: string, value: string])[];
  readonly catalogue?: Catalogue;
  /** What the syntax of the file was found to be wrong with. */
  readonly syntax?: readonly Diagnostic[];
}

/**
 * Reads a document.
 * @param tree the document; undefined when its syntax gave none
 * @returns the experiment, or why there is none; never throws for any document
 * @example
 * const { experiment, diagnostics } = parseYamlExperiment(tree, { pid: "p", eid: "e" });
 */
export function parseYamlExperiment(
  tree: DocumentNode | undefined,
  options: YamlParseOptions,
): ParseResult {
  const findings = new Findings();
  for (const finding of options.syntax ?? []) findings.add(finding);
  const read = tree === undefined ? undefined : readDocument(tree, options, findings);
  const accepted = findings.errors === 0 ? read : undefined;
  return {
    experiment: accepted?.experiment,
    diagnostics: findings.finish(),
    output: "",
    rows: undefined,
    syncServerReason: accepted?.syncServerReason,
  };
}

interface Document {
  readonly experiment: Experiment;
  readonly syncServerReason: string;
}

function readDocument(
  tree: DocumentNode,
  options: YamlParseOptions,
  findings: Findings,
): Document | undefined {
  if (tree.kind !== "map") {
    const message = "an experiment file is a map that begins with nodes: or programs:";
    findings.error(tree.at, "YAML_KIND", message, "See docs/reference/experiment-yaml.md.");
    return undefined;
  }
  checkShape(tree, experimentType, "an experiment", findings);
  const context = new ReadContext(findings, options.catalogue ?? defaultCatalogue);
  context.misspelt = misspeltFields(tree, experimentType);
  const { starts, routes: routed } = readNodes(context, child(tree, "nodes"));
  const drafts = readLinks(context, child(tree, "links"));
  const routes = readRoutes(context, routed, drafts);
  const programs = readPrograms(context, child(tree, "programs"), starts);
  const testground = readTestground(context, child(tree, "testground"));
  programs.push(...testground.drafts);
  declareTargets(context, tree);
  declareBarriers(context, child(tree, "barriers"));
  const groups = readGroups(context, tree);
  readStarts(context, programs);
  const { sequences, timelines } = readEvents(context, tree, groups);
  const members = new Map(groups.list.map((group) => [group.name, group.members]));
  const barriers = readBarriers(context, child(tree, "barriers"), members);
  const server = readSyncServer(context, child(tree, "syncServer"));
  const linktest = integerIn(tree, "linktest");
  const routing = routings.find((one) => one === textOf(child(tree, "routing")));
  const eid = options.override?.eid ?? textOf(child(tree, "name")) ?? options.eid;
  const experiment: Experiment = {
    pid: options.override?.pid ?? textOf(child(tree, "project")) ?? options.pid,
    eid,
    nodes: context.nodes,
    links: assignAddresses(context.nodes, drafts, context.catalogue, findings),
    programs: context.programs,
    events: context.events,
    sequences,
    timelines,
    groups: groups.list,
    ...(barriers.length === 0 ? {} : { barriers }),
    ...planOf(testground, eid),
    ...(routing === undefined ? {} : { routing }),
    ...(routes.length === 0 ? {} : { routes }),
    syncServer: server.node,
    ...(linktest === undefined ? {} : { linktestLevel: linktest as LinktestLevel }),
    simulator: context.simulator,
    environment: readOptions(child(tree, "options"), options.presets ?? [], tree.at, findings),
  };
  for (const cycle of findCycles(experiment)) findings.add(cycle);
  return { experiment, syncServerReason: server.reason };
}

/** The node named, else the first by name that is no part of another. [EMULAB-NS 10] */
function readSyncServer(
  context: ReadContext,
  reference: DocumentNode | undefined,
): { readonly node: string | undefined; readonly reason: string } {
  if (reference?.kind === "text") {
    const only: ScalarNode = reference;
    const [node] = context.resolve(only, ["node"], "syncServer");
    return { node, reason: "set by syncServer" };
  }
  const node = defaultSyncServer(context.nodes, context.catalogue);
  if (node === undefined) return { node, reason: "there is no node for it" };
  return { node, reason: "the first node by name; syncServer chooses another" };
}

/** Where the sync server runs when nobody says. */
export function defaultSyncServer(
  nodes: readonly { readonly name: string; readonly hardwareType: string }[],
  catalogue: Catalogue,
): string | undefined {
  let first: string | undefined;
  for (const { name, hardwareType } of nodes) {
    if (catalogue.types.get(hardwareType)?.isSubnode === true) continue;
    if (first === undefined || name < first) first = name;
  }
  return first;
}

/** Options of the file, changed and added to by presets. */
function readOptions(
  tree: DocumentNode | undefined,
  presets: readonly (readonly [name: string, value: string])[],
  at: SourcePosition,
  findings: Findings,
): readonly (readonly [name: string, value: string])[] {
  const values = new Map(scalarsOf(tree));
  for (const [given, value] of presets) {
    const name = /^opt\((.*)\)$/s.exec(given)?.[1] ?? given;
    if (name === "") findings.error(at, "YAML_PRESET", `"${given}" names no option`);
    else values.set(name, value);
  }
  return [...values];
}
