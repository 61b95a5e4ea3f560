// SPDX-License-Identifier: MIT
// The key of an experiment at work: what a client sends is authenticated by it, and what it is to
// believe is verified. Clock, randomness and hashes are handed in.
import {
  authenticate,
  findKeyFault,
  type KeyedHash,
  nonceBytes,
} from "../wire/event/authentication.ts";
import { authenticationWindowUs, noncesMax } from "../wire/event/limits.ts";
import type { Notification } from "../wire/event/notification.ts";
import { Verifier } from "../wire/event/verifier.ts";

export interface EventCredentials {
  /** The notification as it is to be published, now. */
  sign(notification: Notification): Notification;
  /** Whether somebody with the key has sent it, lately and for the first time. */
  verify(notification: Notification): boolean;
}

export interface CredentialsOptions {
  /** `pid/eid` */
  readonly experiment: string;
  readonly key: Uint8Array;
  readonly hash: KeyedHash;
  /** Microseconds since 1970. */
  readonly wallUs: () => bigint;
  readonly randomBytes: (byteCount: number) => Uint8Array;
}

/** @returns why the key cannot be used, where it cannot. */
export function createCredentials(options: CredentialsOptions): EventCredentials | string {
  const { experiment, key, hash, wallUs, randomBytes } = options;
  const fault = findKeyFault(key);
  if (fault !== undefined) return fault;
  const verifier = new Verifier({
    ...{ experiment, key, hash, noncesMax },
    windowUs: authenticationWindowUs,
  });
  return {
    sign: (notification) =>
      authenticate(
        notification,
        { timeUs: wallUs(), nonce: randomBytes(nonceBytes) },
        { key, hash },
      ),
    verify: (notification) => verifier.verify(notification, wallUs()).kind === "authentic",
  };
}
