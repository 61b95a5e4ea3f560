// SPDX-License-Identifier: MIT
// What the configuration server speaks TLS with, from a directory that `muster cert` made.
import type { TlsIdentity } from "../edges/tmcd/index.ts";
import { systemClock } from "../host/clock.ts";
import { loadTlsMaterial } from "../pki/tls-material.ts";

/** @throws PkiError */
export function loadTlsIdentity(directory: string, isLegacy: boolean): TlsIdentity {
  const { key, certificate, authority, name } = loadTlsMaterial(directory, {
    nowMs: systemClock.wallMs(),
  });
  return { key, certificate, authority, name, versions: isLegacy ? "legacy" : "modern" };
}
