// SPDX-License-Identifier: MIT
// Programs of a document: on one node or on each node of a group, and what starts them.

import type {
  BarrierWait,
  PlannedEvent,
  Program,
  ProgramDependency,
  SourcePosition,
  StartCondition,
} from "../model.ts";
import { durationIn, durationOf, integerIn, type ReadContext, scalarsOf } from "./context.ts";
import { programsMax } from "./limits.ts";
import type { NodeStart } from "./read-nodes.ts";
import {
  child,
  type DocumentNode,
  type MapEntry,
  type ScalarNode,
  textOf,
  textsOf,
} from "./tree.ts";

/** A program whose references wait until every name is known. */
export interface DraftProgram {
  readonly names: readonly string[];
  readonly start: DocumentNode | undefined;
  readonly at: SourcePosition;
}

/** Declares the programs; `readStarts` follows when barriers and all programs are known. */
export function readPrograms(
  context: ReadContext,
  tree: DocumentNode | undefined,
  starts: readonly NodeStart[],
): DraftProgram[] {
  const drafts: DraftProgram[] = [];
  for (const { node, command } of starts) {
    const name = `${node}_startcmd`;
    const program = { ...plainProgram(name, node, command.text, command.at), isStartCommand: true };
    if (addProgram(context, program)) {
      drafts.push({ names: [name], start: undefined, at: command.at });
    }
  }
  for (const entry of tree?.kind === "map" ? tree.entries : []) {
    const names = readProgram(context, entry);
    drafts.push({ names, start: child(entry.value, "start"), at: entry.keyAt });
  }
  return drafts;
}

function plainProgram(name: string, node: string, command: string, at: SourcePosition): Program {
  const rest = { isStartCommand: false, directory: "", timeoutSeconds: 0, expectedExitCode: 0 };
  return { name, node, command, ...rest, at };
}

/** The fields that every kind of program has. */
export function readProcess({ keyAt, value }: MapEntry): Omit<Program, "name" | "node"> {
  const environment = scalarsOf(child(value, "environment"));
  const flag = child(value, "startCommand");
  const shell = textOf(child(value, "shell"));
  return {
    command: textOf(child(value, "command")) ?? "",
    isStartCommand: flag?.kind === "boolean" && flag.text === "true",
    directory: textOf(child(value, "directory")) ?? "",
    timeoutSeconds: (durationIn(value, "timeout") ?? 0) / 1_000_000,
    expectedExitCode: integerIn(value, "expect") ?? 0,
    ...(shell === "csh" ? { shell } : {}),
    ...(environment.length === 0 ? {} : { environment }),
    at: keyAt,
  };
}

function readProgram(context: ReadContext, entry: MapEntry): readonly string[] {
  const { key, keyAt, value } = entry;
  const common = readProcess(entry);
  const where = child(value, "node");
  const nodes = textsOf(where).flatMap((reference) => placesOf(context, reference));
  // One name on one node is one program; a list or a group is one on each.
  const isOne = where?.kind === "text" && nodes.length === 1 && nodes[0] === where.text;
  const names = isOne ? [key] : nodes.map((node) => `${key}-${node}`);
  // Y2: a program whose node is wrong still has its name.
  if (!isOne && !context.declare(key, "program", keyAt, names)) return [];
  return names.filter((name, index) => {
    return addProgram(context, { name, node: nodes[index] ?? "", ...common });
  });
}

/** Nodes, or the server of the testbed. */
export function placesOf(context: ReadContext, reference: ScalarNode): readonly string[] {
  if (reference.text === "ops") return ["ops"];
  return context.resolve(reference, ["node"], "node");
}

export function addProgram(context: ReadContext, program: Program): boolean {
  const { findings, programs, programNames } = context;
  if (programs.length >= programsMax) {
    const message = `one experiment has at most ${programsMax} programs`;
    findings.error(program.at, "YAML_LIMIT", message, "Run fewer, or several experiments.");
    return false;
  }
  if (!context.declare(program.name, "program", program.at)) return false;
  programs.push(program);
  programNames.set(program.name, program);
  return true;
}

/** Start events and conditions, in the order of the programs. */
export function readStarts(context: ReadContext, drafts: readonly DraftProgram[]): void {
  const conditions = new Map<string, StartCondition>();
  for (const draft of drafts) {
    const start = startOf(context, draft);
    for (const name of draft.names) {
      if (start === "manual") continue;
      if (typeof start !== "number") conditions.set(name, start);
      else {
        const program = context.programNames.get(name);
        if (program !== undefined && !context.isFull) {
          context.events.push(startEvent(context, program, start));
        }
      }
    }
  }
  if (conditions.size === 0) return;
  context.programs.forEach((program, index) => {
    const startWhen = conditions.get(program.name);
    if (startWhen === undefined) return;
    const changed: Program = { ...program, startWhen };
    context.programs[index] = changed;
    context.programNames.set(program.name, changed);
  });
}

function startEvent(context: ReadContext, program: Program, atUs: number): PlannedEvent {
  return {
    index: context.nextEvent(program.at),
    atUs,
    object: program.name,
    type: "PROGRAM",
    event: "START",
    args: defaultArgs(program),
    at: program.at,
  };
}

/** What a start event carries when nothing else is said. */
export function defaultArgs(program: Pick<Program, "command">): string {
  return program.command === "" ? "" : `COMMAND=${program.command}`;
}

/** A time, `manual`, or a condition. */
function startOf(
  context: ReadContext,
  { start, at, names }: DraftProgram,
): number | "manual" | StartCondition {
  if (start === undefined) return 0;
  if (start.kind !== "map") return textOf(start) === "manual" ? "manual" : (durationOf(start) ?? 0);
  const delayUs = durationIn(start, "at") ?? 0;
  const after = textsOf(child(start, "after")).flatMap((reference) => {
    const programs = context.resolve(reference, ["program"], "after");
    // Each program of the group waits for each of these.
    if (!context.countWaits(programs.length * Math.max(1, names.length), reference.at)) return [];
    return programs.map((program): ProgramDependency => ({ program, at: reference.at }));
  });
  const on = readWait(context, child(start, "when"));
  if (after.length === 0 && on === undefined) return delayUs;
  return { after, ...(on === undefined ? {} : { on }), delayUs, at: start.at ?? at };
}

/** `barrier NAME OUTCOME`, where the first and the last word may be left out. */
export function readWait(
  context: ReadContext,
  node: DocumentNode | undefined,
): BarrierWait | undefined {
  if (node?.kind !== "text") return undefined;
  const words = node.text.split(" ");
  const isLong = words[0] === "barrier" && words.length > 1 && !isOutcome(words[1]);
  const [name = "", outcome = "crossed"] = isLong ? words.slice(1) : words;
  if (!isOutcome(outcome)) return undefined;
  const [barrier] = context.resolve({ ...node, text: name }, ["barrier"], "when");
  return barrier === undefined ? undefined : { barrier, outcome, at: node.at };
}

function isOutcome(word: string | undefined): word is BarrierWait["outcome"] {
  return word === "crossed" || word === "failed" || word === "timeout" || word === "cancelled";
}
