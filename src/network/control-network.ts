// SPDX-License-Identifier: MIT
// The control network of a run: where nodes reach each other and the servers of the run beside the
// links of the experiment. Pure arithmetic. It mirrors the run's block of loopback addresses: node
// 127.B.0.7 is 172.X.0.7 there, so that servers go on telling nodes apart as they do without it.
//
//   C1. It overlaps no subnet of the file.
//   C2. A node is known by the address it calls from, which the run has given it.
import { formatIpv4, overlap, type Subnet } from "./ipv4.ts";

/** Candidates, the likeliest to be free first. */
const secondOctets: readonly number[] = Array.from({ length: 16 }, (_, index) => 31 - index);
const firstOctet = 172;
/** Addresses of servers that several addresses of the block stand for: 60 to 99. */
const ownLocal: readonly string[] = ["60.0/22", "64.0/19", "96.0/22"];

export interface ControlNetwork {
  /** `172.31` */
  readonly prefix: string;
  /** Where nodes call the servers of the run. */
  readonly server: string;
  /** `172.31.0.0/16` */
  readonly subnet: string;
  /** Subnets of which every address is the run's own. */
  readonly local: readonly string[];
}

/** @returns undefined when the file has all of 172.16.0.0/12 in use. */
export function planControlNetwork(used: readonly Subnet[]): ControlNetwork | undefined {
  for (const second of secondOctets) {
    const base = (firstOctet * 256 + second) * 65_536;
    if (used.some((subnet) => overlap(subnet, { base, length: 16 }))) continue;
    const prefix = `${firstOctet}.${second}`;
    return {
      prefix,
      server: `${prefix}.255.1`,
      subnet: `${formatIpv4(base)}/16`,
      local: ownLocal.map((rest) => `${prefix}.${rest}`),
    };
  }
  return undefined;
}

/**
 * An address of the run's block as nodes have it. Where each node calls the servers (the third
 * octet from 200) is one address there, and so is this machine itself.
 */
export function seenByNodes(network: ControlNetwork, loopback: string): string {
  const [first, second, third, fourth] = loopback.split(".").map(Number);
  if (first !== 127 || second === undefined || third === undefined) return loopback;
  return second === 0 || third >= 200 ? network.server : `${network.prefix}.${third}.${fourth}`;
}

/**
 * Where on this machine a call from a node goes: to what stands for the address that it called, and
 * for the server's address to the one that stands for the caller (C2).
 * @returns undefined for a call that nobody of the run can have made
 */
export function targetOf(
  network: ControlNetwork,
  block: number,
  call: { readonly from: string; readonly to: string },
): string | undefined {
  const from = withinPrefix(network, call.from);
  const to = withinPrefix(network, call.to);
  if (from === undefined || to === undefined || from[0] >= 55) return undefined;
  if (call.to === network.server) return `127.${block}.${200 + from[0]}.${from[1]}`;
  return to[0] >= 60 && to[0] < 100 ? `127.${block}.${to[0]}.${to[1]}` : undefined;
}

function withinPrefix({ prefix }: ControlNetwork, address: string): [number, number] | undefined {
  if (!address.startsWith(`${prefix}.`)) return undefined;
  const [, , third, fourth] = address.split(".").map(Number);
  return third === undefined || fourth === undefined ? undefined : [third, fourth];
}
