// SPDX-License-Identifier: MIT
// The digest of all that decides what later entries lead to: a sum over rows, so that it does not
// matter in which order they came to be (D11). The part of each scope is also told by itself, so
// that replicas that differ can be compared scope by scope.
import { digestBarriers } from "./barriers/capture.ts";
import { Digest } from "./digest.ts";
import type { Scope } from "./scope.ts";
import type { Tables } from "./snapshot.ts";
import type { ToldLimit } from "./told-limits.ts";
import { digestTopics } from "./topics.ts";

export interface StateDigests {
  /** 32 hex digits. */
  readonly all: string;
  /** The same of each scope, by its name. */
  readonly scopes: ReadonlyMap<string, string>;
}

/** Where the log stands. */
export interface LogPlace {
  readonly sequence: number;
  readonly nowUs: number;
  readonly lastStampUs: number | undefined;
  readonly version: number;
  readonly limits: readonly ToldLimit[];
  /** 0 for none. */
  readonly origin: number;
}

export function digestState(place: LogPlace, { edges, scopes, timers }: Tables): StateDigests {
  const { sequence, nowUs, lastStampUs, version, limits, origin } = place;
  const digest = new Digest();
  digest.addRow(`${sequence} ${nowUs} ${lastStampUs}`, 1);
  if (version > 1) digest.addRow(`version ${version}`, 1);
  if (origin !== 0) digest.addRow(`origin ${origin}`, 1);
  for (const { name, value, server } of limits) {
    digest.addRow(`limit ${name} ${value} ${server}`, 1);
  }
  for (const edge of edges.edges.values()) digest.addDigest(edges.digests.of(edge));
  const ofScopes = new Map<string, string>();
  for (const scope of scopes.values()) {
    const part = digestScope(scope);
    digest.addDigest(part);
    ofScopes.set(scope.name, part.toString());
  }
  digest.addRow(`timers ${timers.lastId}`, 1);
  digest.addDigest(timers.digest());
  return { all: digest.toString(), scopes: ofScopes };
}

function digestScope(scope: Scope): Digest {
  const digest = new Digest();
  digestBarriers(scope, digest);
  digest.addRow(`scope ${scope.name} ${scope.generationFloor} ${scope.nodes.join(" ")}`, 1);
  for (const [key, { generation, outcome, error, reason }] of scope.closed) {
    const why = reason === undefined ? "" : ` ${JSON.stringify(reason)}`;
    digest.addRow(`closed ${scope.name} ${key} ${generation} ${outcome} ${error}${why}`, 1);
  }
  digestTopics(scope, digest);
  digest.addDigest(scope.keyed.digest());
  for (const row of scope.agenda.rows()) digest.addRow(row, 1);
  return digest;
}
