// SPDX-License-Identifier: MIT
// The test plan of a document: groups of instances, each instance a program that starts at time 0.
import type { SourcePosition, TestgroundGroup, TestgroundPlan } from "../model.ts";
import { integerIn, type ReadContext, scalarsOf } from "./context.ts";
import { instancesMax } from "./limits.ts";
import { addProgram, type DraftProgram, placesOf, readProcess } from "./read-programs.ts";
import { child, type DocumentNode, type MapEntry, textOf, textsOf } from "./tree.ts";

export interface ReadPlan {
  readonly drafts: readonly DraftProgram[];
  /** Undefined when the document has no plan; the name of the plan is empty when it has none. */
  readonly plan: TestgroundPlan | undefined;
}

/** Declares the instances. */
export function readTestground(context: ReadContext, tree: DocumentNode | undefined): ReadPlan {
  if (tree?.kind !== "map") return { drafts: [], plan: undefined };
  const groups: TestgroundGroup[] = [];
  const drafts: DraftProgram[] = [];
  const tables = child(tree, "groups");
  for (const entry of tables?.kind === "map" ? tables.entries : []) {
    const before = groups.reduce((sum, { instances }) => sum + instances, 0);
    const group = readGroup(entry);
    if (before + group.instances > instancesMax) {
      const message = `one plan has at most ${instancesMax} instances`;
      context.findings.error(entry.keyAt, "YAML_LIMIT", message, "Run fewer, or several plans.");
      break;
    }
    groups.push(group);
    drafts.push(declareInstances(context, entry, group));
  }
  const plan = textOf(child(tree, "plan")) ?? "";
  return { drafts, plan: { plan, testCase: textOf(child(tree, "case")) ?? "", groups } };
}

/** The plan of the experiment; its name is that of the experiment when it has none of its own. */
export function planOf({ plan }: ReadPlan, eid: string): { readonly testground?: TestgroundPlan } {
  if (plan === undefined) return {};
  return { testground: { ...plan, plan: plan.plan === "" ? eid : plan.plan } };
}

function readGroup({ key, value }: MapEntry): TestgroundGroup {
  return {
    name: key,
    instances: integerIn(value, "instances") ?? 0,
    role: textOf(child(value, "role")) ?? "",
    params: scalarsOf(child(value, "params")),
  };
}

/** One program for each copy, dealt out to the nodes in turn. */
function declareInstances(
  context: ReadContext,
  entry: MapEntry,
  { name: group, instances }: TestgroundGroup,
): DraftProgram {
  const { keyAt: at, value } = entry;
  const draft = (names: readonly string[]): DraftProgram => ({ names, start: undefined, at });
  const nodes = nodesOf(context, child(value, "node"), at);
  const names = Array.from({ length: instances }, (_, number) => `${group}-${number}`);
  if (nodes.length === 0 || !context.declare(group, "program", at, names)) return draft([]);
  const common = readProcess(entry);
  const added = names.filter((name, number) => {
    const node = nodes[number % nodes.length] ?? "";
    return addProgram(context, { name, node, ...common, instance: { group, number } });
  });
  return draft(added);
}

function nodesOf(
  context: ReadContext,
  where: DocumentNode | undefined,
  at: SourcePosition,
): readonly string[] {
  if (where !== undefined) {
    return textsOf(where).flatMap((reference) => placesOf(context, reference));
  }
  if (context.nodes.length === 0) {
    const message = "there is no node that the instances could run on";
    context.findings.error(at, "YAML_UNKNOWN_NAME", message, "Add one: nodes: { node0: }");
  }
  return context.nodes.map(({ name }) => name);
}
