// SPDX-License-Identifier: MIT
// The key of an experiment at work: what a client sends is authenticated by it, and what it is to
// believe is verified. Clock, randomness and hashes are handed in.
import { decodeBase64, encodeBase64 } from "../wire/base64.ts";
import {
  type Authentication,
  authenticate,
  findKeyFault,
  type KeyedHash,
  nonceBytes,
  readAuthentication,
} from "../wire/event/authentication.ts";
import { authenticationWindowUs, noncesMax } from "../wire/event/limits.ts";
import type { Notification } from "../wire/event/notification.ts";
import { Verifier } from "../wire/event/verifier.ts";
import type { OwnNotifications } from "./own-notifications.ts";

export interface EventCredentials {
  /** The notification as it is to be published, now. */
  sign(notification: Notification): Notification;
  /** Whether somebody with the key has sent it, lately and for the first time. */
  verify(notification: Notification): boolean;
}

/**
 * Of a receiver that keeps what it has taken in a log, and takes it no second time in its next
 * life.
 */
export interface LastingCredentials extends EventCredentials {
  /** As `verify`, and tells what somebody with the key has sent too long ago to be believed. */
  judge(notification: Notification): "authentic" | "expired" | "refused";
  /** Makes an authentic notification another than any other, as text. */
  stampOf(notification: Notification): string;
  /** Those with these stamps were taken before. */
  recall(stamps: readonly string[]): void;
}

export interface CredentialsOptions {
  /** `pid/eid` */
  readonly experiment: string;
  readonly key: Uint8Array;
  readonly hash: KeyedHash;
  /** Microseconds since 1970. */
  readonly wallUs: () => bigint;
  readonly randomBytes: (byteCount: number) => Uint8Array;
  /**
   * Of parties in one process that share it: what one of them has signed is believed when it comes
   * back as the very same object, which nobody else can make. It is authenticated when it leaves.
   */
  readonly own?: OwnNotifications;
}

/** @returns why the key cannot be used, where it cannot. */
export function createCredentials(options: CredentialsOptions): LastingCredentials | string {
  const { experiment, key, hash, wallUs, randomBytes, own } = options;
  const fault = findKeyFault(key);
  if (fault !== undefined) return fault;
  const judge: LastingCredentials["judge"] = (notification) => {
    if (own?.has(notification) === true) return "authentic";
    const verdict = verifier.verify(notification, wallUs());
    if (verdict.kind === "authentic") return "authentic";
    return verdict.reason === "expired" ? "expired" : "refused";
  };
  const verifier = new Verifier({
    ...{ experiment, key, hash, noncesMax },
    windowUs: authenticationWindowUs,
  });
  return {
    sign: (notification) => {
      const timeUs = wallUs();
      const seal = (): Notification =>
        authenticate(notification, { timeUs, nonce: randomBytes(nonceBytes) }, { key, hash });
      return own?.add(notification, seal) ?? seal();
    },
    judge,
    verify: (notification) => judge(notification) === "authentic",
    stampOf: formatStamp,
    recall: (stamps) => {
      for (const stamp of stamps) {
        const parsed = parseStamp(stamp);
        if (parsed !== undefined) verifier.recall(parsed, wallUs());
      }
    },
  };
}

function formatStamp(notification: Notification): string {
  const read = readAuthentication(notification);
  return read.kind === "read" ? `${read.timeUs} ${encodeBase64(read.nonce)}` : "";
}

function parseStamp(stamp: string): Authentication | undefined {
  const [, timeUs, text = ""] = /^(-?\d{1,19}) (\S+)$/.exec(stamp) ?? [];
  const nonce = decodeBase64(text);
  return timeUs === undefined || nonce === undefined
    ? undefined
    : { timeUs: BigInt(timeUs), nonce };
}
