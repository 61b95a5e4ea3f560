// SPDX-License-Identifier: MIT
// Whether the servers of a log have computed the same state (D11). Each appends its digest as of
// every `everyEntries`-th entry; who is not with most of them ends, because it would tell its
// clients what is not so. A server that reads a log again is compared with what was said then.
//
//   G1. Decided by what is in the log, so that all servers decide the same.
//   G2. Of two halves the one with the newer build ends; of equal builds that without the first
//       name.
import type { DigestTold } from "../core/command.ts";

/** Entries from one comparison to the next (D11). */
export const digestEveryEntries = 10_000;
/**
 * Comparisons that are remembered; a server that has not said its digest by then is not waited for.
 */
const comparisonsMax = 8;

interface Vote {
  readonly server: string;
  readonly digest: string;
  readonly build: string;
}

export interface DigestWatchOptions {
  /** This server's edge. */
  readonly server: string;
  readonly build: string;
  readonly everyEntries: number;
  /** Servers that live. */
  readonly servers: () => readonly string[];
}

export class DigestWatch {
  readonly #options: DigestWatchOptions;
  /** By entry: what this server has computed. */
  readonly #own = new Map<number, string>();
  readonly #votes = new Map<number, Map<string, Vote>>();

  constructor(options: DigestWatchOptions) {
    this.#options = options;
  }

  /** Whether the state behind this entry is compared. */
  isDue(sequence: number): boolean {
    return sequence % this.#options.everyEntries === 0;
  }

  /** @returns what is to be told to the others. */
  computed(sequence: number, digest: string): DigestTold {
    this.#own.set(sequence, digest);
    trim(this.#own);
    return { kind: "digest", sequence, digest, build: this.#options.build };
  }

  /** A server has said its digest. @returns why this one must end, if it must. */
  told(server: string, { sequence, digest, build }: DigestTold): string | undefined {
    const votes = this.#votes.get(sequence) ?? new Map<string, Vote>();
    this.#votes.set(sequence, votes);
    trim(this.#votes);
    votes.set(server, { server, digest, build });
    const own = this.#own.get(sequence);
    if (own === undefined) return undefined;
    const voters = this.#options.servers();
    if (voters.some((each) => !votes.has(each))) return undefined;
    const { server: self, build: ownBuild } = this.#options;
    // Who reads the log again has no vote in it and is judged by those who had.
    const all = [...votes.values()].filter((vote) => vote.server !== self);
    all.push({ server: self, digest: own, build: ownBuild });
    const right = winnerOf(all);
    if (right === own) return undefined;
    const others = all.filter((vote) => vote.digest === right).map((vote) => vote.server);
    const what = `another state than ${others.join(", ")} at entry ${sequence} of the log`;
    const advice = "start it again with the build that they have, and report it with the log";
    const digests = `digests ${own} and ${right}`;
    return `this server has computed ${what} (${digests}), and has ended; ${advice}`;
  }
}

function winnerOf(votes: readonly Vote[]): string | undefined {
  const groups = new Map<string, Vote[]>();
  for (const vote of votes) {
    const group = groups.get(vote.digest);
    if (group === undefined) groups.set(vote.digest, [vote]);
    else group.push(vote);
  }
  const key = (group: readonly Vote[]): string => {
    const [first] = group.map(({ build, server }) => `${build} ${server}`).sort();
    return first ?? "";
  };
  const ordered = [...groups.entries()].sort(([, a], [, b]) => {
    if (a.length !== b.length) return b.length - a.length;
    return key(a) < key(b) ? -1 : 1;
  });
  return ordered[0]?.[0];
}

function trim(map: Map<number, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= comparisonsMax) return;
    map.delete(key);
  }
}
