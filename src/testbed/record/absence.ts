// SPDX-License-Identifier: MIT
// Why somebody who is missing at a barrier could not come, as far as the record of a run knows:
// the programs of the node had ended, it has none, or the node waited at another barrier. Pure.
import type { ResultBarrier, ResultProgram, RunResult } from "./result-model.ts";
import { formatInstant, nodesNamed } from "./words.ts";

/** What there is to know it from. */
export type Known = Pick<RunResult, "programs" | "barriers"> & Partial<Planned>;

/** Where there are nodes and programs besides those that were seen. */
type Planned = Pick<RunResult, "nodes" | "programsNotStarted">;

/** Nodes explained per barrier; a hundred reasons help nobody. */
const explainedMax = 3;

/**
 * `its program pg ended with 0 at +1.307s`; several nodes, or one of several entries, are named.
 */
export function describeAbsence(barrier: ResultBarrier, known: Known): string {
  if (barrier.outcome === "crossed" || barrier.missing.length === 0) return "";
  const nodes = new Set([
    ...known.programs.map(({ node }) => node),
    ...known.barriers.flatMap(({ participants }) => participants.map(({ node }) => node)),
    ...(known.nodes ?? []).map(({ name }) => name),
  ]);
  const missing = new Set(
    barrier.missing.flatMap((sentence) => nodesNamed(sentence, (name) => nodes.has(name))),
  );
  const found: string[] = [];
  for (const node of missing) {
    if (found.length === explainedMax) break;
    const elsewhere = waitsElsewhere(node, barrier, known.barriers);
    const why = elsewhere ?? hasEnded(node, barrier, known.programs);
    // Behind several entries it is of none of them without its name.
    const isAlone = missing.size === 1 && barrier.missing.length === 1;
    const subject = isAlone ? "" : elsewhere === undefined ? `${node}: ` : `${node} `;
    if (why !== undefined) found.push(subject + why);
    else if (hasNoProgram(node, known)) found.push(noProgramOn(node));
  }
  return found.join("; ");
}

/** That the experiment has none there, not only that none was started. */
export function hasNoProgram(node: string, known: Known): boolean {
  const { nodes = [], programs, programsNotStarted = [] } = known;
  const isThere = (one: { readonly node: string }): boolean => one.node === node;
  if (programs.some(isThere) || programsNotStarted.some(isThere)) return false;
  return nodes.some(({ name }) => name === node);
}

export function noProgramOn(node: string): string {
  return `no program of the experiment is on ${node}`;
}

function waitsElsewhere(
  node: string,
  barrier: ResultBarrier,
  barriers: readonly ResultBarrier[],
): string | undefined {
  const firstUs = barrier.participants.reduce(
    (least, { arrivedUs }) => Math.min(least, arrivedUs),
    barrier.endedUs,
  );
  const other = barriers.find(
    (one) =>
      one !== barrier &&
      one.name !== barrier.name &&
      one.outcome !== "crossed" &&
      one.endedUs >= firstUs &&
      one.participants.some((party) => party.node === node && party.arrivedUs <= barrier.endedUs),
  );
  return other && `waits at '${other.name}' instead: is one of the names misspelt?`;
}

function hasEnded(
  node: string,
  barrier: ResultBarrier,
  programs: readonly ResultProgram[],
): string | undefined {
  const mine = programs.filter((program) => program.node === node);
  let last: ResultProgram | undefined;
  for (const program of mine) {
    if (program.endedUs === null || program.endedUs > barrier.endedUs) return undefined;
    if (program.endedUs >= (last?.endedUs ?? program.endedUs)) last = program;
  }
  if (last === undefined) return undefined;
  const which = mine.length === 1 ? `its program ${last.name}` : `its last program, ${last.name},`;
  const at = `at ${formatInstant(last.endedUs ?? 0)}`;
  if (last.startError !== null) return `${which} could not be started ${at}`;
  if (last.exitCode === null) return `${which} was ended by ${last.signal ?? "a signal"} ${at}`;
  return `${which} ended with ${last.exitCode} ${at}`;
}
