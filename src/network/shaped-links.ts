// SPDX-License-Identifier: MIT
// A back end whose links can be changed while a run goes on: what link events and `muster link`
// use.
import type { LinkBackend } from "./link-backend.ts";
import type { LinkTable } from "./link-table.ts";
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
   * Packets that this machine has lost so far on their way through links, and that no link was
   * asked to lose; told within `networkTimes.reportMs`.
   */
  lostByMachine(): number;
  /** What the user must know of how links were so far, a sentence each; nothing: as asked. */
  trouble(): readonly string[];
}
