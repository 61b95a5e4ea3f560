// SPDX-License-Identifier: MIT
// From an address and the option words to who calls. [EMULAB-TMCD 4]
import type { TmcdRequest } from "../../wire/tmcd/index.ts";
import type { Identity } from "./source.ts";

/** How a request came. */
export interface Route {
  readonly transport: "tcp" | "udp";
  readonly isTls: boolean;
  readonly peerAddress: string;
  /** The address of ours that was called. */
  readonly localAddress: string;
}

/**
 * The address that tells who calls. On loopback every source is 127.0.0.1, so there it is the
 * address that was called: each node has one of its own.
 */
export function callerAddress({ peerAddress, localAddress }: Route): string {
  const peer = plain(peerAddress);
  return peer.startsWith("127.") || peer === "::1" ? plain(localAddress) : peer;
}

/** IPv4 addresses as a listener of both families sees them. */
function plain(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

/** Keys go before names, names before addresses. */
export function identityOf(request: TmcdRequest, address: string): Identity {
  const { privateKey, idKey, vnodeId } = request;
  if (privateKey !== undefined) return { kind: "private-key", key: privateKey };
  if (idKey !== undefined) return { kind: "id-key", key: idKey, vnodeId };
  if (vnodeId !== undefined) return { kind: "virtual", vnodeId, address };
  return { kind: "address", address };
}
