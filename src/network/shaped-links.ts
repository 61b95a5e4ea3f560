// SPDX-License-Identifier: MIT
// A back end whose links can be changed while a run goes on: what link events and `muster link`
// use.
import { type LinkBackend, type LinkEnds, NetworkError } from "./link-backend.ts";
import type { CountedWay, ShaperHealth } from "./link-report.ts";
import type { LinkTable } from "./link-table.ts";
import type { LinkTracer } from "./link-tracer.ts";
import type { LinkChange, ShapedLink } from "./model.ts";

export interface ShapedLinks extends LinkBackend<ShapedLink, LinkChange> {
  /** What is asked of every direction now, also of what is to be so at an instant to come. */
  readonly table: LinkTable;
  /**
   * As `set`, at an instant of the monotonic clock; at once when that is past.
   * @returns when it took effect. @throws NetworkError when it is refused: then nothing changed
   */
  setAt(changes: readonly LinkChange[], atUs: number): Promise<number>;
  /**
   * Told that such changes may come within half a second, gets ready to do them sooner; they need
   * not come. Left out, there is nothing to get ready.
   */
  prepare?(changes: readonly LinkChange[]): void;
  /**
   * Packets that this machine has lost on their way through links and that no link was asked to
   * lose: only differences mean anything. @throws NetworkError when it cannot be known
   */
  lostByMachine(): Promise<number>;
  /**
   * @param on what is asked of links before; left out: `table`
   * @returns why `set` would refuse these changes; nothing is changed
   */
  refusal(changes: readonly LinkChange[], on?: LinkTable): string | undefined;
  /**
   * Left out, nobody knows what who shapes carries. @param on as for `refusal`
   * @returns sentences about links that ask for more
   */
  overload?(on?: LinkTable): readonly string[];
  /** @returns why `attach` would refuse these links, with those in `gone` away */
  refusalToMake(links: readonly ShapedLink[], gone: readonly string[]): string | undefined;
  /** What became of the packets of a link, each way of it. @throws NetworkError */
  counts(link: string): Promise<readonly CountedWay[]>;
  /** Left out, who shapes does not see the packets. */
  readonly tracer?: LinkTracer;
  /** So long before its instant a change is told at the latest; left out: a few milliseconds. */
  readonly aheadUs?: number;
  /** What `health` and `trouble` say is of now when this resolves; left out, it always is. */
  refresh?(): Promise<void>;
  /** How who shapes is; undefined where nobody can tell. */
  readonly health: ShaperHealth | undefined;
  /** What the user must know of how links were so far, a sentence each; nothing: as asked. */
  trouble(): readonly string[];
}

/** @returns what is asked of these links, in their order. @throws NetworkError when it cannot be */
export function addToTable(
  table: LinkTable,
  links: readonly LinkEnds[],
  plans: ReadonlyMap<string, ShapedLink>,
): readonly ShapedLink[] {
  const asked = links.map(({ name }) => {
    const plan = plans.get(name);
    if (plan === undefined) throw new NetworkError(`link ${name} has no shape`);
    return plan;
  });
  const [problem] = table.add(asked);
  if (problem !== undefined) throw new NetworkError(problem);
  return asked;
}
