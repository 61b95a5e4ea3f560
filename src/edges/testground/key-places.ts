// SPDX-License-Identifier: MIT
// Where keys lead: the scope and the name in it. The parties of a run ask for the same few keys
// over and over, so what is found of a key is kept: their requests then share its texts, which are
// taken apart, measured and hashed once, and hold on to no message that they came in.
//
//   P1. Keys are kept up to `keptMax`, none longer than a name may be in scope and name; then all
//       are forgotten, and found anew.
import { type Limits, limitMessage } from "../../core/limits.ts";
import { parseKey } from "../../wire/testground/index.ts";
import type { Objection } from "./bounds.ts";

export interface KeyPlace {
  readonly scope: string;
  readonly name: string;
}

export interface KeyPlacesOptions {
  /** Scope of every key that names no run. */
  readonly scope: string;
  /** The run whose keys are those of `scope`, and the only one; any, each a scope, when absent. */
  readonly run?: string | undefined;
  readonly limits: Limits;
}

const keptMax = 1_000;

export class KeyPlaces {
  readonly #options: KeyPlacesOptions;
  readonly #known = new Map<string, KeyPlace>();

  constructor(options: KeyPlacesOptions) {
    this.#options = options;
  }

  /** @returns why not, before anything keeps the names: they are as long as a client makes them. */
  find(key: string): KeyPlace | Objection {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // A text of its own: that of a part of a message keeps all of the message.
    const own = Buffer.from(key).toString();
    const place = this.#placeOf(own);
    const { limits } = this.#options;
    const longest = Math.max(Buffer.byteLength(place.scope), Buffer.byteLength(place.name));
    if (longest > limits.nameBytesMax) {
      const text = `the key is too long: ${limitMessage(limits, "nameBytesMax")}`;
      return { limit: "nameBytesMax", text };
    }
    if (this.#known.size >= keptMax) this.#known.clear(); // P1
    this.#known.set(own, place);
    return place;
  }

  /** The `run:` part of a key is its scope, else the listener's is (D18). */
  #placeOf(key: string): KeyPlace {
    const { scope, run: only } = this.#options;
    const { run, name } = parseKey(key);
    if (run === undefined) return { scope, name };
    if (only === undefined) return { scope: `run:${run}`, name };
    return run === only ? { scope, name } : { scope, name: key };
  }
}
