// SPDX-License-Identifier: MIT
// What the edges add to the digest of the state (D11). Most are dead, or have said nothing since
// the last digest: the rows of one that is as it was then are not made again.
import type { Attach } from "./command.ts";
import { Digest } from "./digest.ts";

/** What an edge is by itself. */
interface EdgeLife {
  readonly incarnation: number;
  readonly lastBatch: number;
  readonly takenCommands: number;
  readonly attached: boolean;
  readonly leaseUs: number;
  readonly role: Attach["as"];
  readonly server: string;
  readonly heardUs: number;
  readonly offers: number;
}

/** What decides of an edge (edge-table.ts). */
export interface HashedEdge extends EdgeLife {
  readonly name: string;
  readonly ended: readonly number[];
  readonly creators: ReadonlyMap<number, unknown>;
  readonly rosters: ReadonlyMap<string, unknown>;
}

/** What the rows of an edge were made of, and what they add. */
interface Hashed extends EdgeLife {
  readonly endedCount: number;
  /** No incarnation ends twice (E3): with the number of them it says which they are. */
  readonly lastEnded: number | undefined;
  readonly digest: Digest;
}

export class EdgeDigests {
  readonly #hashed = new Map<HashedEdge, Hashed>();

  of(edge: HashedEdge): Digest {
    const { creators, rosters } = edge;
    // What one drives changes in many ways, and few drive something.
    if (creators.size > 0 || rosters.size > 0) return digestEdge(edge);
    const known = this.#hashed.get(edge);
    if (known !== undefined && isAsHashed(edge, known)) return known.digest;
    const hashed = hash(edge);
    this.#hashed.set(edge, hashed);
    return hashed.digest;
  }

  forget(edge: HashedEdge): void {
    this.#hashed.delete(edge);
  }

  clear(): void {
    this.#hashed.clear();
  }
}

function hash(edge: HashedEdge): Hashed {
  const { incarnation, lastBatch, takenCommands, attached, leaseUs, ended } = edge;
  const { role, server, heardUs, offers } = edge;
  return {
    incarnation,
    lastBatch,
    takenCommands,
    attached,
    leaseUs,
    role,
    server,
    heardUs,
    offers,
    endedCount: ended.length,
    lastEnded: ended.at(-1),
    digest: digestEdge(edge),
  };
}

function isAsHashed(edge: HashedEdge, known: Hashed): boolean {
  return (
    edge.incarnation === known.incarnation &&
    edge.lastBatch === known.lastBatch &&
    edge.takenCommands === known.takenCommands &&
    edge.attached === known.attached &&
    edge.leaseUs === known.leaseUs &&
    edge.role === known.role &&
    edge.server === known.server &&
    edge.heardUs === known.heardUs &&
    edge.offers === known.offers &&
    edge.ended.length === known.endedCount &&
    edge.ended.at(-1) === known.lastEnded
  );
}

function digestEdge(edge: HashedEdge): Digest {
  const digest = new Digest();
  const { name, incarnation, lastBatch, attached, leaseUs, ended, creators, rosters } = edge;
  const taken = edge.takenCommands === 0 ? "" : `+${edge.takenCommands}`;
  const life = `${incarnation} ${lastBatch}${taken} ${attached} ${leaseUs}`;
  const { role = "", server, heardUs, offers } = edge;
  if (role !== "" || server !== "") {
    digest.addRow(`server ${name} ${role} ${server} ${heardUs} ${offers}`, 1);
  }
  const isDriver = creators.size > 0 || rosters.size > 0;
  const drives = isDriver ? JSON.stringify([...creators, ...rosters]) : "[]";
  digest.addRow(`edge ${name} ${life} ${ended.join(" ")} ${drives}`, 1);
  return digest;
}
