// SPDX-License-Identifier: MIT
// Bounds on a YAML document, with their units. Aliases make a short text into a large tree, so the
// tree is bounded as it is after they have been followed.

import { eventsMax, linkMembersMax } from "../limits.ts";

/** Values of a document, each alias counted with all that it stands for. */
export const yamlNodesMax: number = 500_000;

/** Lists and maps inside each other. */
export const yamlDepthMax: number = 64;

/** Signs that mean something to YAML, wherever they stand: each costs the syntax reader time. */
export const yamlMarksMax: number = 600_000;

/** Brackets and indicators inside each other that the syntax reader is given at all. */
export const yamlOpenMax: number = 1_000;

/** Nodes that one `repeat` or `{a..b}` may stand for. */
export const repeatMax: number = 10_000;

/** Programs of one experiment, after groups of nodes have been expanded. */
export const programsMax: number = 20_000;

/** Instances of a Testground plan, all groups together: each has an address of its own. */
export const instancesMax: number = 10_000;

/** What a route over one link costs. */
export const linkCostMax: number = 1_000_000;

/** Barriers of one experiment. */
export const barriersMax: number = 10_000;

/** Members of one barrier. */
export const barrierMembersMax: number = 100_000;

/** Members of all barriers, and programs that others wait for, together. */
export const waitsMax: number = 200_000;

const relations: readonly (readonly [holds: boolean, rule: string])[] = [
  [eventsMax * 10 < yamlNodesMax, "every event may be written with ten values"],
  [linkMembersMax * 8 < yamlNodesMax, "every end of a link may be written with eight values"],
  [barrierMembersMax < waitsMax, "the largest barrier leaves room for another"],
  [yamlDepthMax < yamlOpenMax, "the depth is judged by the reader that knows quotes"],
  [yamlNodesMax < yamlMarksMax, "every value takes a sign"],
  [repeatMax <= programsMax, "a program may run on each node of a group"],
  [instancesMax <= programsMax, "every instance is a program"],
];
for (const [holds, rule] of relations) {
  if (!holds) throw new Error(`yaml/limits.ts: ${rule}`);
}
