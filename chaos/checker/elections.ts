// SPDX-License-Identifier: MIT
// Whether elections kept their promise: one leads at a time, each with a larger term. Who leads
// does so from when it has heard that it won, at the latest, until it asks to resign, at the
// earliest.
import type { Operation } from "./operations.ts";
import { type Violation, violation } from "./violation.ts";

export function checkElections(operations: readonly Operation[]): readonly Violation[] {
  const elections = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { asked, scope, name } = operation;
    if (asked.kind !== "campaign" && asked.kind !== "resign") continue;
    const key = `${scope} ${name}`;
    elections.set(key, [...(elections.get(key) ?? []), operation]);
  }
  return [...elections].flatMap(([where, steps]) => checkElection(where, steps));
}

interface Reign {
  readonly party: string;
  readonly term: number;
  readonly fromUs: number;
  readonly untilUs: number;
}

function checkElection(where: string, steps: readonly Operation[]): readonly Violation[] {
  const found: Violation[] = [];
  for (const { code, party, answer } of steps) {
    if (code === "ok" || code === "") continue;
    const text = `${party} was answered ${code}: ${answer.message ?? ""}`;
    found.push(violation("refused", where, text));
  }
  const reigns = reignsOf(steps).toSorted((a, b) => a.fromUs - b.fromUs);
  let longest: Reign | undefined;
  for (const reign of reigns) {
    if (longest !== undefined) {
      if (reign.fromUs < longest.untilUs) {
        const text = `${reign.party} led while ${longest.party} did`;
        found.push(violation("two-leaders", where, text, [longest, reign]));
      }
      if (reign.term <= longest.term) {
        const text = `term ${reign.term} came after term ${longest.term}`;
        found.push(violation("two-leaders", where, text, [longest, reign]));
      }
    }
    if (longest === undefined || reign.untilUs > longest.untilUs) longest = reign;
  }
  return found;
}

function reignsOf(steps: readonly Operation[]): readonly Reign[] {
  const byParty = Map.groupBy(steps, ({ party }) => party);
  return [...byParty.values()].flatMap((own) =>
    own.flatMap((step, index): readonly Reign[] => {
      const { asked, party, endUs, answer } = step;
      if (asked.kind !== "campaign" || endUs === undefined || answer.term === undefined) return [];
      const resigned = own[index + 1];
      const untilUs = resigned?.askUs ?? Number.POSITIVE_INFINITY;
      return [{ party, term: answer.term, fromUs: endUs, untilUs }];
    }),
  );
}
