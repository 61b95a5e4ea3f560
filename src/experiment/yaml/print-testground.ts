// SPDX-License-Identifier: MIT
// Prints the test plan of an experiment. Its instances are programs that are said with their group.
import type { Experiment, Program, TestgroundGroup } from "../model.ts";
import type { PlainMap, PlainValue } from "./emit.ts";
import { defaultArgs } from "./read-programs.ts";

type Pair = readonly [key: string, value: PlainValue];

/** The experiment without its instances and their starts, which their groups say. */
export function withoutInstances(whole: Experiment): Experiment {
  if (whole.testground === undefined) return whole;
  const instances = whole.programs.filter(({ instance }) => instance !== undefined);
  const starts = new Map(instances.map((program) => [program.name, defaultArgs(program)]));
  const events = whole.events.filter(({ object, event, atUs, args }) => {
    if (event !== "START" || atUs !== 0 || starts.get(object) !== args) return true;
    starts.delete(object);
    return false;
  });
  const programs = whole.programs.filter(({ instance }) => instance === undefined);
  return { ...whole, programs, events };
}

/** @param printProcess what every kind of program may say. */
export function printTestground(
  { testground, programs, nodes }: Experiment,
  printProcess: (program: Program) => readonly Pair[],
): PlainMap {
  const { plan = "", testCase = "", groups = [] } = testground ?? {};
  const all = nodes.map(({ name }) => name);
  return {
    map: [
      ["plan", plan],
      ["case", testCase],
      ["groups", { map: groups.map((group) => printGroup(group, programs, all, printProcess)) }],
    ],
  };
}

function printGroup(
  { name, instances, role, params }: TestgroundGroup,
  programs: readonly Program[],
  all: readonly string[],
  printProcess: (program: Program) => readonly Pair[],
): Pair {
  const own = programs.filter(({ instance }) => instance?.group === name);
  const [first] = own;
  const pairs: Pair[] = [["instances", instances]];
  if (first !== undefined) pairs.push(["command", first.command]);
  const dealt = own.map(({ node }) => node);
  const isInTurn = dealt.every((node, number) => node === all[number % all.length]);
  if (!isInTurn) pairs.push(["node", { list: dealt }]);
  if (params.length > 0) pairs.push(["params", { map: params }]);
  if (role !== "") pairs.push(["role", role]);
  if (first !== undefined) pairs.push(...printProcess(first));
  return [name, { map: pairs }];
}
