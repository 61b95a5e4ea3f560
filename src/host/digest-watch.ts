// SPDX-License-Identifier: MIT
// Whether the servers of a log have computed the same state (D11). Each appends its digest as of
// every `everyEntries`-th entry; who is not with most of them ends, because it would tell its
// clients what is not so. A server that reads a log again is compared with what was said then.
//
//   G1. Decided by what is in the log, so that all servers decide the same.
//   G2. Of two halves the one with the newer build ends; of equal builds that without the first
//       name.
//   G3. Both sides say what they have computed of each scope, so that it is known where they part.
import type { DigestTold } from "../core/command.ts";
import type { StateDigests } from "../core/state-digest.ts";

/** Entries from one comparison to the next (D11). */
export const digestEveryEntries = 10_000;
/**
 * Comparisons that are remembered; a server that has not said its digest by then is not waited for.
 */
const comparisonsMax = 8;
/** Scopes in one report; of the others it says how many there are. */
export const scopesInReportMax = 100;

interface Vote {
  readonly server: string;
  readonly digest: string;
  readonly build: string;
}

/** What there is to say of servers that differ. */
export interface DigestVerdict {
  /** This server is not with most of them. */
  readonly isWrong: boolean;
  readonly message: string;
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
  readonly #own = new Map<number, StateDigests>();
  readonly #votes = new Map<number, Map<string, Vote>>();

  constructor(options: DigestWatchOptions) {
    this.#options = options;
  }

  /** Whether the state behind this entry is compared. */
  isDue(sequence: number): boolean {
    return sequence % this.#options.everyEntries === 0;
  }

  /** @returns what is to be told to the others. */
  computed(sequence: number, digests: StateDigests): DigestTold {
    this.#own.set(sequence, digests);
    trim(this.#own);
    return { kind: "digest", sequence, digest: digests.all, build: this.#options.build };
  }

  /**
   * A server has said its digest. @returns what is wrong when all that live have, if something is.
   */
  told(server: string, { sequence, digest, build }: DigestTold): DigestVerdict | undefined {
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
    all.push({ server: self, digest: own.all, build: ownBuild });
    if (all.every((vote) => vote.digest === own.all)) return undefined;
    const right = winnerOf(all);
    const at = `at entry ${sequence} of the log`;
    const scopes = describeScopes(own);
    const those = all.filter((vote) => (vote.digest === right) === (right !== own.all));
    const names = those.map((vote) => vote.server).join(", ");
    if (right === own.all) {
      const message = `${names} computed another state than this server ${at}; here it was ${own.all}, ${scopes}`;
      return { isWrong: false, message };
    }
    const what = `another state than ${names} ${at}`;
    const advice = "start it again with the build that they have, and report it with the log";
    const digests = `digests ${own.all} and ${right}, ${scopes}`;
    const message = `this server has computed ${what} (${digests}), and has ended; ${advice}`;
    return { isWrong: true, message };
  }
}

/** G3. */
function describeScopes({ scopes }: StateDigests): string {
  const shown = [...scopes].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, scopesInReportMax);
  const rest = scopes.size - shown.length;
  const list = shown.map(([name, digest]) => `${name} ${digest.slice(0, 16)}`);
  return `scopes: ${[...list, ...(rest > 0 ? [`${rest} more`] : [])].join(", ") || "none"}`;
}

function winnerOf(votes: readonly Vote[]): string | undefined {
  const groups = new Map<string, Vote[]>();
  for (const vote of votes) {
    const group = groups.get(vote.digest);
    if (group === undefined) groups.set(vote.digest, [vote]);
    else group.push(vote);
  }
  // G2: of each group who has the oldest build, and of those the first name.
  const ordered = [...groups]
    .map(([digest, group]) => ({ digest, votes: group.length, first: group.sort(byBuild)[0] }))
    .sort((a, b) => {
      if (a.votes !== b.votes) return b.votes - a.votes;
      return a.first === undefined || b.first === undefined ? 0 : byBuild(a.first, b.first);
    });
  return ordered[0]?.digest;
}

function byBuild(one: Vote, other: Vote): number {
  const order = compareBuilds(one.build, other.build);
  if (order !== 0) return order;
  return one.server < other.server ? -1 : 1;
}

/** Numbers in them by value: `muster 0.10.0` is newer than `muster 0.9.0`. */
function compareBuilds(one: string, other: string): number {
  const [ours, theirs] = [partsOf(one), partsOf(other)];
  for (const [at, part] of ours.entries()) {
    const against = theirs[at];
    if (against === undefined) return 1;
    const difference = Number(part) - Number(against);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
    if (part !== against) return part < against ? -1 : 1;
  }
  return ours.length - theirs.length;
}

const partsOf = (build: string): readonly string[] => build.match(/\d+|\D+/g) ?? [];

function trim(map: Map<number, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= comparisonsMax) return;
    map.delete(key);
  }
}
