// SPDX-License-Identifier: MIT
// A snapshot of a host as texts, and back: one for each scope, and one for all else, which also has
// the effects that edges have not been seen to have (H3). Taken from and given to a core and a
// store of effects, which are then where a host would be that had read the whole log.
import type { Service } from "../core/service.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { errorText } from "../core/text.ts";
import { CannotFollow } from "../core/version.ts";
import { LogError } from "../engine/log.ts";
import {
  hashText,
  type Manifest,
  manifestFormat,
  type SnapshotStore,
  sequenceOf,
} from "../engine/snapshots.ts";
import type { EffectStore, KeptDump } from "./effect-store.ts";

type Rest = Omit<Snapshot, "scopes"> & { readonly kept: KeptDump };

export interface TakenSnapshot {
  readonly manifest: Manifest;
  /** By their hashes. */
  readonly texts: ReadonlyMap<string, string>;
}

export function takeSnapshot(core: Service, store: EffectStore): TakenSnapshot {
  const { scopes, ...rest } = core.snapshot();
  const first: Rest = { ...rest, kept: store.dump() };
  const texts = new Map<string, string>();
  const parts = [first, ...scopes].map((part) => {
    const text = JSON.stringify(part);
    const hash = hashText(text);
    texts.set(hash, text);
    return hash;
  });
  const { sequence } = rest;
  const digest = core.digest();
  return { manifest: { format: manifestFormat, sequence, digest, parts }, texts };
}

/**
 * Brings both to the newest snapshot that is good, or to the beginning of the log.
 * @param onRefused is told why a snapshot that is there was not taken
 * @returns whether there is one
 * @throws LogError when the store does not answer, or (definite) when this build cannot follow
 */
export async function loadNewest(
  snapshots: SnapshotStore,
  { core, store }: { readonly core: Service; readonly store: EffectStore },
  onRefused: (message: string) => void,
): Promise<boolean> {
  const all = await snapshots.list();
  for (const [index, listed] of all.entries()) {
    const wrong =
      "manifest" in listed ? await tryOne(snapshots, listed.manifest, core, store) : listed.wrong;
    if (wrong === undefined) return true;
    const at = sequenceOf(listed);
    const isLast = index === all.length - 1;
    const next = isLast ? whenNone : "trying the one before it";
    onRefused(`the snapshot at entry ${at} is not taken: ${wrong}; ${next}`);
  }
  core.clear();
  store.load({ living: [], ended: [] });
  return false;
}

const whenNone =
  "there is none before it: the log is read from its beginning, where that was not cut away";

/** @returns what is wrong with it */
async function tryOne(
  snapshots: SnapshotStore,
  { parts, digest }: Manifest,
  core: Service,
  store: EffectStore,
): Promise<string | undefined> {
  try {
    const texts: string[] = [];
    for (const part of parts) texts.push(await snapshots.read(part));
    const [rest, ...scopes] = texts.map((text) => JSON.parse(text));
    const { kept, ...tables } = rest as Rest;
    core.load({ ...tables, scopes });
    store.load(kept);
  } catch (error) {
    if (error instanceof CannotFollow) throw new LogError(error.message, { definite: true });
    // A store that does not answer says nothing of the snapshot. Whatever else goes wrong does: no
    // text that somebody wrote may keep a server from starting with the one before it.
    if (error instanceof LogError && !error.definite) throw error;
    return errorText(error);
  }
  const found = core.digest();
  return found === digest ? undefined : `its digest is ${found}, and should be ${digest}`;
}
