// SPDX-License-Identifier: MIT
// What `muster parse` notices about what links, and events of links, ask for: a run refuses what
// none of its back ends can shape, and by then a place in the file is not known any more. Warnings,
// because a run that leaves links alone takes all of it; a note where another back end, as on
// another machine, does.
import type { Diagnostic, Experiment, SourcePosition } from "../experiment/index.ts";
import { capacities } from "../network/backends.ts";
import { LinkTable } from "../network/link-table.ts";
import { type Capacity, shapeLink } from "../network/model.ts";
import { foresee } from "../testbed/foresee-links.ts";

/** Links that are shown, and events. */
const shownMax = 20;

const kinds = Object.entries(capacities);

/** What one back end says of one thing of the file. */
interface Problem {
  readonly kind: string;
  readonly problem: string;
}

/** @returns one for each link that a run would or may refuse, in the order of the file */
export function adviseOnLinks(experiment: Experiment): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const link of experiment.links) {
    const shaped = shapeLink(link);
    const problems = kinds.flatMap(([kind, capacity]) => {
      const [problem] = new LinkTable(capacity).check([shaped], []);
      return problem === undefined ? [] : [{ kind, problem }];
    });
    found.push(...adviceOn(problems, link.at, "LINK_SHAPE", "muster run refuses it"));
    if (found.length >= shownMax) break;
  }
  return [...found, ...adviseOnEvents(experiment)];
}

/** The same of the events that change links; those of one event for several links say it once. */
function adviseOnEvents(experiment: Experiment): readonly Diagnostic[] {
  const byEvent = new Map<number, { readonly at: SourcePosition; readonly problems: Problem[] }>();
  for (const [kind, capacity] of kinds) {
    for (const { event, problem } of refusedEvents(experiment, capacity)) {
      const known = byEvent.get(event.index) ?? { at: event.at, problems: [] };
      byEvent.set(event.index, known);
      if (known.problems.every((one) => one.kind !== kind)) known.problems.push({ kind, problem });
    }
  }
  return [...byEvent.values()]
    .slice(0, shownMax)
    .flatMap(({ at, problems }) =>
      adviceOn(problems, at, "LINK_EVENT", "the event will be refused"),
    );
}

/** None where the links themselves are refused: that is said of them. */
function refusedEvents(experiment: Experiment, capacity: Capacity) {
  const table = new LinkTable(capacity);
  if (table.add(experiment.links.map((link) => shapeLink(link))).length > 0) return [];
  const refusal: Parameters<typeof foresee>[1]["refusal"] = (changes, on = table) => {
    const planned = on.plan(changes);
    return "problem" in planned ? planned.problem : undefined;
  };
  return [...foresee(experiment, { table, refusal })].map(({ event, text }) => {
    return { event, problem: text };
  });
}

function adviceOn(
  problems: readonly Problem[],
  at: SourcePosition,
  code: "LINK_SHAPE" | "LINK_EVENT",
  what: string,
): readonly Diagnostic[] {
  const [first] = problems;
  if (first === undefined) return [];
  const isAll = problems.length === kinds.length;
  const who = isAll ? what : `${what} where ${first.kind} shapes`;
  const hint = `${who}; --links none leaves the links of a run alone.`;
  const severity = isAll ? "warning" : "note";
  return [{ severity, code, message: first.problem, at, hint }];
}
