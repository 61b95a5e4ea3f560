// SPDX-License-Identifier: MIT
// Verifier: what a receiver asks of each notification before it believes it. Owns the nonces that
// were seen and the time before which nothing is taken any more. Time is an argument.
//
//   V1. What is taken has the MAC of this key, names this experiment, and is taken once.
//   V2. A forgotten nonce raises the floor: nothing sent up to then is taken any more. So nothing
//       is taken twice, whatever the clock of this machine does.
//   V3. With more nonces than there is room for, the oldest go: the window narrows, and replays
//       are refused as ever.
//   V4. The MAC is checked before anything is remembered: strangers fill no memory.
import { decodeLatin1 } from "../bytes.ts";
import type { Authentication, KeyedHash } from "./authentication.ts";
import { canonicalMac, readAuthentication } from "./authentication.ts";
import type { Notification } from "./notification.ts";
import { attributeNames, getText } from "./notification.ts";

export interface VerifierOptions {
  /** `pid/eid` whose key it is. */
  readonly experiment: string;
  readonly key: Uint8Array;
  readonly hash: KeyedHash;
  readonly windowUs: number;
  readonly noncesMax: number;
}

export type Verdict =
  | { readonly kind: "authentic" }
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly message: string };

export type RefusalReason =
  | "missing"
  | "unreadable"
  | "other-experiment"
  | "mismatch"
  | "expired"
  | "early"
  | "replayed";

export class Verifier {
  readonly #options: VerifierOptions;
  /** Nonce to the time it was sent at, in the order in which they were taken. */
  readonly #nonces = new Map<string, Remembered>();
  /** Nothing sent up to this time is taken. */
  #floorUs = -1n;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** @param nowUs the receiver's wall clock, microseconds since 1970. */
  verify(notification: Notification, nowUs: bigint): Verdict {
    const { experiment, key, hash } = this.#options;
    const read = readAuthentication(notification);
    if (read.kind !== "read") return refused(read.kind, experiment);
    if (getText(notification, attributeNames.expt) !== experiment) {
      return refused("other-experiment", experiment);
    }
    const mac = canonicalMac(notification, read.head, { key, hash });
    if (!hash.equal(mac, read.mac)) return refused("mismatch", experiment);
    return this.#takeOnce(read.timeUs, decodeLatin1(read.nonce), nowUs);
  }

  /** A life of this receiver before this one has taken it (V1). */
  recall({ timeUs, nonce }: Authentication, nowUs: bigint): void {
    this.#remember(decodeLatin1(nonce), { timeUs, takenUs: nowUs });
  }

  #takeOnce(timeUs: bigint, nonce: string, nowUs: bigint): Verdict {
    const { experiment } = this.#options;
    const windowUs = BigInt(this.#options.windowUs);
    this.#forget(nowUs - 2n * windowUs);
    if (timeUs > nowUs + windowUs) return refused("early", experiment);
    if (this.#nonces.has(nonce)) return refused("replayed", experiment);
    if (timeUs < nowUs - windowUs || timeUs <= this.#floorUs) return refused("expired", experiment);
    this.#remember(nonce, { timeUs, takenUs: nowUs });
    return { kind: "authentic" };
  }

  /** V3. */
  #remember(nonce: string, remembered: Remembered): void {
    this.#nonces.set(nonce, remembered);
    for (const [oldest, dropped] of this.#nonces) {
      if (this.#nonces.size <= this.#options.noncesMax) break;
      this.#drop(oldest, dropped);
    }
  }

  /** What was taken two windows ago was sent one ago or earlier: the floor hinders nobody. */
  #forget(takenBeforeUs: bigint): void {
    for (const [nonce, remembered] of this.#nonces) {
      if (remembered.takenUs >= takenBeforeUs) break;
      this.#drop(nonce, remembered);
    }
  }

  /** V2. */
  #drop(nonce: string, { timeUs }: Remembered): void {
    this.#nonces.delete(nonce);
    if (timeUs > this.#floorUs) this.#floorUs = timeUs;
  }
}

interface Remembered {
  readonly timeUs: bigint;
  readonly takenUs: bigint;
}

function refused(reason: RefusalReason, experiment: string): Verdict {
  return { kind: "refused", reason, message: describeReason(reason, experiment) };
}

/** What happened and what to do next. */
function describeReason(reason: RefusalReason, experiment: string): string {
  switch (reason) {
    case "missing":
      return `it is not authenticated; send it with the key of ${experiment}`;
    case "unreadable":
      return "its authentication has a form that is not known here; use the same version of Muster";
    case "other-experiment":
      return `it is not for ${experiment}; set EXPT to that, or use the other experiment's key`;
    case "mismatch":
      return `it was not made with the key of ${experiment}, or was changed; fetch the key anew`;
    case "expired":
      return "it was sent too long ago; compare the clocks of the two machines, or send it again";
    case "early":
      return "it was sent in the future; compare the clocks of the two machines";
    case "replayed":
      return "it has been taken before; make a new one to say the same again";
  }
}
