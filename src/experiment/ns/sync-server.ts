// SPDX-License-Identifier: MIT
// Which node runs the sync server. [EMULAB-NS 10]

import { type Catalogue, findType } from "../catalogue.ts";
import type { NodeObject } from "./objects.ts";

/** The choice and the reason for it, for people. */
export interface SyncServerChoice {
  readonly node: string | undefined;
  readonly reason: string;
}

/** Names in byte order, as the old system sorts them. */
export function byName<T extends { readonly name: string }>(objects: readonly T[]): T[] {
  return objects.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * The node named by `tb-set-sync-server`, else the first node by name that is neither part of
 * another node nor a bridge.
 */
export function chooseSyncServer(
  explicit: string | undefined,
  nodes: readonly NodeObject[],
  catalogue: Catalogue,
): SyncServerChoice {
  if (explicit !== undefined) return { node: explicit, reason: "set by tb-set-sync-server" };
  const able = nodes.filter((node) => {
    return !node.isBridge && findType(catalogue, node.type)?.isSubnode !== true;
  });
  const first = byName(able)[0];
  if (first === undefined) return { node: undefined, reason: "there is no node for it" };
  return { node: first.name, reason: "the first node by name; tb-set-sync-server chooses another" };
}
