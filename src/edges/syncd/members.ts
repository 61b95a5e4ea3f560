// SPDX-License-Identifier: MIT
// Barriers that are for members, who have names, reached by clients that have none. A name that an
// experiment declares as a roster or a quorum is one on this wire too: the node that calls is the
// member, or else one of its programs that are. Which of them calls, the wire does not say: they
// are taken in the order of the file, first those that nobody speaks for yet.
//
//   M1. Nobody speaks here for a member that somebody else speaks for, as far as there is another.
import type {
  ConnectionId,
  CountInit,
  CountWait,
  QuorumWait,
  RosterArrive,
} from "../../core/command.ts";

/** A declared barrier: node -> its members, itself or programs on it. */
export interface MemberBarrier {
  readonly kind: "roster" | "quorum";
  readonly members: ReadonlyMap<string, readonly string[]>;
}

export type MemberBarriers = ReadonlyMap<string, MemberBarrier>;

type Arrival = CountInit | CountWait | RosterArrive | QuorumWait;

interface Claim {
  readonly arrival: RosterArrive | QuorumWait;
  readonly barrier: MemberBarrier;
  member: string;
  /** Those that may still be tried. */
  readonly others: string[];
}

export class Members {
  readonly #barriers: MemberBarriers;
  readonly #claims = new Map<ConnectionId, Claim>();
  /** Barrier -> members that somebody here speaks for. */
  readonly #taken = new Map<string, Set<string>>();

  constructor(barriers: MemberBarriers) {
    this.#barriers = barriers;
  }

  /** @returns the arrival as the core is to be told of it, or why there is none. */
  translate(count: CountInit | CountWait): Arrival | { readonly refused: string } {
    const { barrier: name, connection, who, scope, error } = count;
    const barrier = this.#barriers.get(name);
    if (barrier === undefined) return count;
    if (count.kind === "count-init" && !count.waits) {
      return { refused: "the experiment file opens this barrier; wait at it" };
    }
    const { node = "" } = who;
    const candidates = barrier.members.get(node) ?? [];
    const taken = this.#taken.get(name);
    const free = candidates.filter((member) => taken?.has(member) !== true);
    const [member = candidates[0], ...others] = free;
    if (member === undefined) return { refused: `nobody of ${node} is expected at this barrier` };
    const kind = barrier.kind === "roster" ? "roster-arrive" : "quorum-wait";
    const arrival = { kind, scope, barrier: name, connection, who, error } as const;
    const claim: Claim = { arrival, barrier, member, others };
    this.#claims.set(connection, claim);
    return this.#take(claim);
  }

  /** The arrival was refused: perhaps that member has come by another door. */
  another(connection: ConnectionId): Arrival | undefined {
    const claim = this.#claims.get(connection);
    const next = claim?.others.shift();
    if (claim === undefined || next === undefined) return undefined;
    this.#give(claim);
    claim.member = next;
    return this.#take(claim);
  }

  /** It was answered, or is gone. */
  forget(connection: ConnectionId): void {
    const claim = this.#claims.get(connection);
    if (claim === undefined) return;
    this.#claims.delete(connection);
    this.#give(claim);
  }

  clear(): void {
    this.#claims.clear();
    this.#taken.clear();
  }

  #take({ arrival, member }: Claim): RosterArrive | QuorumWait {
    const taken = this.#taken.get(arrival.barrier);
    if (taken === undefined) this.#taken.set(arrival.barrier, new Set([member]));
    else taken.add(member);
    return { ...arrival, who: { ...arrival.who, name: member } };
  }

  #give({ arrival, member }: Claim): void {
    const taken = this.#taken.get(arrival.barrier);
    taken?.delete(member);
    if (taken?.size === 0) this.#taken.delete(arrival.barrier);
  }
}

type Plain = readonly (readonly [
  barrier: string,
  kind: MemberBarrier["kind"],
  members: readonly (readonly [node: string, members: readonly string[]])[],
])[];

/** What a run tells its sync server, as text. */
export function formatMemberBarriers(barriers: MemberBarriers): string {
  const plain: Plain = [...barriers].map(([name, { kind, members }]) => [name, kind, [...members]]);
  return JSON.stringify(plain);
}

/** Reads what `formatMemberBarriers` has written. */
export function parseMemberBarriers(text: string): MemberBarriers {
  const plain = JSON.parse(text) as Plain;
  return new Map(plain.map(([name, kind, members]) => [name, { kind, members: new Map(members) }]));
}
