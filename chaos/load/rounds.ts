// SPDX-License-Identifier: MIT
// Which kind of meeting a round of a lane is. All parties compute the same, so nobody has to tell
// them: what keeps them together are the barriers that are tried.
import { hashOf } from "../random.ts";

const shares = {
  count: 22,
  "count-init-wait": 12,
  state: 18,
  publish: 16,
  quorum: 8,
  roster: 6,
  phase: 10,
  counter: 6,
  election: 2,
} as const;
export type RoundKind = keyof typeof shares;

/** Of lanes of the HTTP door. */
const httpShares = {
  count: 20,
  counts: 18,
  "count-init-wait": 8,
  state: 12,
  quorum: 8,
  counter: 8,
  publish: 8,
  "publish-wait": 8,
  roster: 5,
  phase: 5,
} as const;
export type HttpRoundKind = keyof typeof httpShares;

const kinds = kindsOf<RoundKind>(shares);
const httpKinds = kindsOf<HttpRoundKind>(httpShares);

function kindsOf<Kind extends string>(of: Readonly<Record<Kind, number>>): readonly Kind[] {
  return Object.entries<number>(of).flatMap(([kind, share]) =>
    Array.from({ length: share }, () => kind as Kind),
  );
}

export function roundKind(seed: number, lane: number, round: number): RoundKind {
  return kinds[hashOf(seed, lane, round) % kinds.length] ?? "count";
}

export function httpRoundKind(seed: number, lane: number, round: number): HttpRoundKind {
  return httpKinds[hashOf(seed, lane, round) % httpKinds.length] ?? "count";
}

/** The error number that a party brings to a round: mostly none. */
export function errorOf(seed: number, lane: number, round: number, party: number): number {
  const chance = hashOf(seed, lane, round, party + 1) % 40;
  return chance < 6 ? chance : 0;
}
