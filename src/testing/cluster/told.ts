// SPDX-License-Identifier: MIT
// What the log says to a client, and what the client says it was told: the two are compared.
import type { EdgeEffect } from "../../core/effect.ts";
import type { NaiveRefused } from "../naive-said.ts";

/** Something that the log says to a connection. */
export interface Told {
  readonly entry: number;
  readonly what: "released" | "acknowledged" | "refused" | "signalled" | "published" | "status";
  /** Of a release its outcome, of a refusal its code, of a quorum its status. */
  readonly word: string;
  /** The error number of a release, the value of a signal, the number of a message. */
  readonly number: number;
  readonly generation: number;
  readonly missing: string;
}

/** How it ended for a client. */
export interface Answer {
  /** For people. */
  readonly text: string;
  /** Whether this is what was said. */
  readonly fits: (told: Told) => boolean;
  /** The same, of something else that was said before. */
  readonly alsoFits?: (told: Told) => boolean;
  /** The log need not have said anything. */
  readonly isUntold?: true;
}

type Effect = Exclude<EdgeEffect, { kind: "refused" }> | NaiveRefused;

export function toldBy(entry: number, effect: Effect): Told | undefined {
  const plain = { entry, word: "", number: 0, generation: 0, missing: "" };
  switch (effect.kind) {
    case "released": {
      const { outcome: word, error: number, generation, missing = [] } = effect;
      return { ...plain, what: "released", word, number, generation, missing: missing.join("; ") };
    }
    case "acknowledged":
      return { ...plain, what: "acknowledged" };
    case "refused":
      return { ...plain, what: "refused", word: effect.code };
    case "signalled":
      return { ...plain, what: "signalled", number: effect.value };
    case "published":
      return { ...plain, what: "published", number: effect.number };
    case "quorum-status": {
      const { status: word, error: number, generation } = effect;
      return { ...plain, what: "status", word, number, generation };
    }
    default:
      return undefined;
  }
}

/** The connections that an effect is about. */
export function connectionsOf(effect: Effect): readonly number[] {
  if (effect.kind === "released") return effect.connections;
  return "connection" in effect ? [effect.connection] : [];
}
