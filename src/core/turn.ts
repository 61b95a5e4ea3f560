// SPDX-License-Identifier: MIT
// Turn: what the application of one entry has produced so far. Collects effects in order and groups
// the connections of one crossing into one effect per edge (D6).
import type { Waiter } from "./barriers/place.ts";
import type { AddressedEffect, Applied, EdgeEffect, ObservedEffect, Released } from "./effect.ts";

/** The living incarnation of an edge at the moment something is said to it. */
export interface Addressee {
  readonly name: string;
  readonly incarnation: number;
}

/** How a barrier ended, as its waiters are told; the kind is in it, so that it is only copied. */
export type Release = Omit<Released, "connections">;

type OnTold = (edge: Addressee, effect: EdgeEffect, nowUs: number) => void;

export class Turn {
  /** Log time. */
  readonly nowUs: number;
  /** The same instant on the clock of the log. */
  readonly stampUs: number;
  readonly #addressed: AddressedEffect[] = [];
  readonly #observed: ObservedEffect[] = [];
  readonly #keptPayloads: number[] = [];
  readonly #freedPayloads: number[] = [];

  /** Hears at once whatever an edge is told. */
  readonly #onTold: OnTold;

  constructor(nowUs: number, stampUs: number, onTold: OnTold) {
    this.nowUs = nowUs;
    this.stampUs = stampUs;
    this.#onTold = onTold;
  }

  tell(edge: Addressee, effect: EdgeEffect): void {
    this.#addressed.push({ edge: edge.name, incarnation: edge.incarnation, effect });
    this.#onTold(edge, effect, this.nowUs);
  }

  /** What is told to an edge that nobody is, while something is done. */
  listen(nobody: Addressee, act: () => void): readonly EdgeEffect[] {
    const before = this.#addressed.length;
    act();
    const told = this.#addressed.splice(before);
    const isForNobody = ({ edge }: AddressedEffect): boolean => edge === nobody.name;
    for (const one of told) if (!isForNobody(one)) this.#addressed.push(one);
    return told.filter(isForNobody).map(({ effect }) => effect);
  }

  observe(effect: ObservedEffect): void {
    this.#observed.push(effect);
  }

  keepPayload(id: number): void {
    this.#keptPayloads.push(id);
  }

  freePayload(id: number): void {
    this.#freedPayloads.push(id);
  }

  /** One `released` effect per edge, its connections in order of arrival. */
  release(waiters: Iterable<Pick<Waiter, "edge" | "connection">>, release: Release): void {
    const byEdge = new Map<Waiter["edge"], number[]>();
    for (const { edge, connection } of waiters) {
      const connections = byEdge.get(edge);
      if (connections === undefined) byEdge.set(edge, [connection]);
      else connections.push(connection);
    }
    for (const [edge, connections] of byEdge) this.tell(edge, { ...release, connections });
  }

  result(): Applied {
    return {
      nowUs: this.nowUs,
      addressed: this.#addressed,
      observed: this.#observed,
      keptPayloads: this.#keptPayloads,
      freedPayloads: this.#freedPayloads,
    };
  }
}
