// SPDX-License-Identifier: MIT
// What holds for the whole experiment: the columns of the `experiments` row and a few lists.

import type { LinktestLevel, Routing } from "../model.ts";
import type { NodeObject } from "./objects.ts";

/** Columns in their order; undefined ones are absent until a command sets them. */
const columns: readonly (readonly [name: string, preset: string | undefined])[] = [
  ["mem_usage", "0"],
  ["cpu_usage", "3"],
  ["forcelinkdelays", "0"],
  ["uselinkdelays", "0"],
  ["usewatunnels", "0"],
  ["uselatestwadata", "1"],
  ["wa_delay_solverweight", "1"],
  ["wa_bw_solverweight", "7"],
  ["wa_plr_solverweight", "500"],
  ["encap_style", "default"],
  ["allowfixnode", "1"],
  ["multiplex_factor", undefined],
  ["sync_server", undefined],
  ["use_ipassign", "0"],
  ["ipassign_args", undefined],
  ["jail_osname", undefined],
  ["delay_osname", undefined],
  ["delay_capacity", undefined],
  ["modelnet_cores", undefined],
  ["modelnet_edges", undefined],
  ["elab_in_elab", undefined],
  ["elabinelab_eid", undefined],
  ["elabinelab_cvstag", undefined],
  ["elabinelab_singlenet", undefined],
  ["security_level", undefined],
  ["dpdb", undefined],
];

/** A setting of an inner testbed; `role` is "" for all of it. */
export interface InnerAttribute {
  readonly role: string;
  readonly key: string;
  readonly value: string;
  readonly order: string;
}

/** Settings of one run. */
export class ExperimentSettings {
  readonly #values = new Map<string, string>();
  /** Name given to tb-set-sync-server; the last call wins. */
  syncServer: NodeObject | undefined = undefined;
  /** tb-set-linktest-level, which the old parser has not. */
  linktestLevel: LinktestLevel | undefined = undefined;
  /** Name of a standard inner testbed. */
  innerTopology = "";
  /** `$ns rtproto`; undefined for none. */
  routing: Routing | undefined = undefined;
  /** tb-use-physnaming. */
  usesMachineNames = false;
  /** Soft and hard virtual types. */
  readonly vtypes: { readonly name: string; readonly weight: string; readonly members: string }[] =
    [];
  /** Files to unpack on all nodes. */
  readonly blobs: { readonly path: string; readonly action: string }[] = [];
  /** Attributes of an inner testbed, by role and key. */
  readonly innerAttributes: Map<string, InnerAttribute> = new Map();
  /** Boot services that are controlled already. */
  readonly services: Set<string> = new Set();
  readonly sourcedFiles: string[] = [];
  readonly parameters: { readonly name: string; readonly value: string; description: string }[] =
    [];
  readonly tunnels: { readonly node: string; readonly console: string }[] = [];

  set(column: string, value: string): void {
    this.#values.set(column, value);
  }

  get(column: string): string {
    return this.#values.get(column) ?? columns.find(([name]) => name === column)?.[1] ?? "";
  }

  /** The `experiments` row. */
  row(syncServer: string | undefined): Readonly<Record<string, string>> {
    const row: Record<string, string> = {};
    for (const [name, preset] of columns) {
      const value = name === "sync_server" ? syncServer : (this.#values.get(name) ?? preset);
      if (value !== undefined) row[name] = value;
    }
    return row;
  }
}
