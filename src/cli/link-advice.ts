// SPDX-License-Identifier: MIT
// What `muster parse` notices about what links ask for: a run refuses what none of its back ends
// can shape, and by then a place in the file is not known any more. Warnings, because a run that
// leaves links alone takes all of it; a note where another back end, as on another machine, does.
import type { Diagnostic, Experiment } from "../experiment/index.ts";
import { capacities } from "../network/backends.ts";
import { LinkTable } from "../network/link-table.ts";
import { shapeLink } from "../network/model.ts";

/** Links that are shown. */
const shownMax = 20;

/** @returns one for each link that a run would or may refuse, in the order of the file */
export function adviseOnLinks({ links }: Experiment): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const link of links) {
    const shaped = shapeLink(link);
    const problems = Object.entries(capacities).flatMap(([kind, capacity]) => {
      const [problem] = new LinkTable(capacity).check([shaped], []);
      return problem === undefined ? [] : [{ kind, problem }];
    });
    const [first] = problems;
    if (first === undefined) continue;
    const isAll = problems.length === Object.keys(capacities).length;
    const who = isAll
      ? "muster run refuses it"
      : `muster run refuses it where ${first.kind} shapes`;
    const hint = `${who}; --links none leaves the links of a run alone.`;
    const severity = isAll ? "warning" : "note";
    found.push({ severity, code: "LINK_SHAPE", message: first.problem, at: link.at, hint });
    if (found.length >= shownMax) break;
  }
  return found;
}
