// SPDX-License-Identifier: MIT
// What bounds a log that outlives its servers (D11), with units.
import { assert } from "../core/assert.ts";

export interface SnapshotLimits {
  /** Entries behind the newest snapshot at which another one is made. */
  readonly snapshotEntriesMax: number;
  /** Bytes (of their texts) of entries behind the newest snapshot at which another one is made. */
  readonly snapshotBytesMax: number;
}

export const defaultSnapshotLimits: SnapshotLimits = {
  snapshotEntriesMax: 10_000,
  snapshotBytesMax: 64 * 1024 * 1024,
};

/** Snapshots that are kept; the log is cut behind the oldest of them. */
export const snapshotsKept = 2;
/** Bytes (of its text) of one scope, or of all that is in none, in a snapshot: what is a string. */
export const snapshotPartBytesMax: number = 512 * 1024 * 1024;
/** Entries that one append deletes at least, and for each that it adds, of what may be cut away. */
export const cutRows = { least: 64, perAppend: 4 } as const;
/** How often a follower looks for new entries in a file, milliseconds. */
export const followPollMs = 200;

/** Fills in defaults. @throws AssertionError for what is no positive whole number. */
export function resolveSnapshotLimits(partial: Partial<SnapshotLimits> = {}): SnapshotLimits {
  const limits = { ...defaultSnapshotLimits, ...partial };
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  return limits;
}
