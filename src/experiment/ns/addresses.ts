// SPDX-License-Identifier: MIT
// Addresses of link members. [EMULAB-NS 11] Two orders: `legacy` takes links in the order of the
// old system's hash table and reserves a subnet set by hand only when its link is reached; `stable`
// takes them in order of creation and reserves every subnet and address set by hand first.
//   A1. An address set by hand is never changed.
//   A2. Automatic subnets do not overlap any subnet reserved before.
//   A3. Host parts start at 2 and only move forward within a link.

import { type Catalogue, findType } from "../catalogue.ts";
import type { LinkObject, MemberObject, NodeObject } from "./objects.ts";

export type AddressMode = "legacy" | "stable";

/** Something that is wrong with the addresses of a link. */
export interface AddressFault {
  readonly link: LinkObject;
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export interface AddressPlan {
  /** Address of a member, "" when it has none. */
  readonly of: (member: MemberObject) => string;
  readonly maskOf: (link: LinkObject) => string;
  readonly faults: readonly AddressFault[];
}

/** What a member has for which its subnet had no room. */
const ranOut = "255.255.255.255";

/** Reads a dotted quad into 32 bits; octets above 255 wrap as in the old system. */
export function addressToNumber(text: string): number {
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) >>> 0;
}

/** Dotted quad of 32 bits. */
export function numberToAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

interface Subnet {
  readonly base: number;
  readonly mask: number;
}

/**
 * Subnets that are taken. Two overlap when one, cut to the mask of the other, is the other: both
 * questions are asked of sets, because ten thousand links would ask each other.
 */
class UsedSubnets {
  /** Bases by mask. */
  readonly #bases = new Map<number, Set<number>>();
  /** All bases cut to a mask that was asked for. */
  readonly #cut = new Map<number, Set<number>>();

  add({ base, mask }: Subnet): void {
    const known = this.#bases.get(mask) ?? new Set();
    this.#bases.set(mask, known.add(base));
    for (const [shorter, bases] of this.#cut) bases.add((base & shorter) >>> 0);
  }

  overlaps({ base, mask }: Subnet): boolean {
    for (const [other, bases] of this.#bases) if (bases.has((base & other) >>> 0)) return true;
    let cut = this.#cut.get(mask);
    if (cut === undefined) {
      cut = new Set();
      for (const bases of this.#bases.values())
        for (const one of bases) cut.add((one & mask) >>> 0);
      this.#cut.set(mask, cut);
    }
    return cut.has(base);
  }
}

/** Candidate subnets 10.B.C.D of a mask, in order. */
function* candidates(base: number, mask: number): Generator<number> {
  const stepC = 256 - ((mask >>> 8) & 255);
  const stepD = 256 - (mask & 255);
  const fixedC = ((mask >>> 8) & 255) === 0;
  const fixedD = (mask & 255) === 0;
  for (let b = 1; b < 254; b += 1) {
    for (let c = fixedC ? 0 : stepC; c < 255; c += fixedC ? 256 : stepC) {
      for (let d = fixedD ? 0 : stepD; d < 255; d += fixedD ? 256 : stepD) {
        yield ((base << 24) | (b << 16) | (c << 8) | d) >>> 0;
      }
    }
  }
}

/** The plan of an experiment whose addresses an outside tool gives: those set by hand only. */
export function planNothing(): AddressPlan {
  const of = ({ node, port }: MemberObject): string => node.ports[port]?.address ?? "";
  return { of, maskOf: ({ netmask }) => netmask, faults: [] };
}

class Allocator {
  readonly assigned = new Map<MemberObject, string>();
  readonly faults: AddressFault[] = [];
  readonly #masks = new Map<LinkObject, string>();
  #remoteLinks = 0;
  readonly #used = new UsedSubnets();
  /** Where the search for each mask goes on: what was refused once stays refused. */
  readonly #searches = new Map<number, Generator<number>>();
  readonly #base: number;
  constructor(base: number) {
    this.#base = base;
  }

  of = (member: MemberObject): string =>
    this.assigned.get(member) ?? member.node.ports[member.port]?.address ?? "";

  maskOf = (link: LinkObject): string => this.#masks.get(link) ?? link.netmask;

  reserve(subnet: Subnet): void {
    this.#used.add(subnet);
  }

  free(mask: number): Subnet | undefined {
    const search = this.#searches.get(mask) ?? candidates(this.#base, mask);
    this.#searches.set(mask, search);
    for (let next = search.next(); next.done !== true; next = search.next()) {
      const subnet = { base: next.value, mask };
      if (!this.#used.overlaps(subnet)) return subnet;
    }
    return undefined;
  }

  fault(link: LinkObject, code: string, message: string, hint: string): void {
    this.faults.push({ link, severity: "error", code, message, hint });
  }

  /** [EMULAB-NS 11.5] Subnets of links to the outside are numbered apart. */
  allocateRemote(link: LinkObject): void {
    const given = link.members.find((member) => this.of(member) !== "");
    if (given !== undefined) {
      const message = `address ${this.of(given)} on the remote link ${link.name}`;
      this.fault(link, "NS_ADDRESS", message, "Remote links get addresses of their own.");
      return;
    }
    this.#masks.set(link, remoteMask);
    link.columns.set("widearea", "1");
    this.#remoteLinks += 1;
    if (this.#remoteLinks > 255) {
      this.fault(link, "NS_SUBNETS", "Ran out of subnets.", "Use fewer remote links.");
      return;
    }
    link.members.forEach((member, at) => {
      this.assigned.set(member, `69.69.${this.#remoteLinks}.${2 + at}`);
    });
  }

  allocate(link: LinkObject): void {
    const mask = addressToNumber(link.netmask);
    const taken = new Set<number>();
    let subnet: Subnet | undefined;
    for (const member of bridgedLinks(link).flatMap(({ members }) => members)) {
      const address = this.of(member);
      if (address === "") continue;
      const value = addressToNumber(address);
      taken.add(value);
      subnet = { base: (value & mask) >>> 0, mask };
    }
    subnet ??= this.free(mask);
    if (subnet === undefined) {
      this.fault(
        link,
        "NS_SUBNETS",
        "Ran out of subnets.",
        "Give links less room each: tb-set-netmask $LINK 255.255.255.248.",
      );
      return;
    }
    this.reserve(subnet);
    const last = ~mask >>> 0;
    let host = 2;
    for (const member of link.members) {
      if (this.of(member) !== "") continue;
      while (host < last && taken.has((subnet.base | host) >>> 0)) host += 1;
      if (host >= last) {
        const message = `Ran out of IP addresses in subnet ${numberToAddress(subnet.base)}.`;
        this.fault(
          link,
          "NS_HOSTS",
          message,
          "Give the LAN more room: tb-set-netmask $LAN 255.255.0.0.",
        );
        this.assigned.set(member, ranOut);
        continue;
      }
      this.assigned.set(member, numberToAddress((subnet.base | host) >>> 0));
      host += 1;
    }
  }
}

const remoteMask = "255.255.255.248";

/** The link itself, then all that bridges join to it. */
function bridgedLinks(link: LinkObject): LinkObject[] {
  const found = new Set([link]);
  for (const { members } of found) {
    for (const { node } of members) {
      if (node.isBridge) for (const port of node.ports) found.add(port.link);
    }
  }
  return [...found];
}

/** Whether a node sits outside of the testbed. */
function isRemote(node: NodeObject, catalogue: Catalogue): boolean {
  return findType(catalogue, node.type)?.isRemote === true;
}

/**
 * Gives every member an address.
 * @param links in the order that `mode` asks for
 */
export function planAddresses(
  links: readonly LinkObject[],
  mode: AddressMode,
  catalogue: Catalogue,
  compat: boolean,
): AddressPlan {
  const allocator = new Allocator(catalogue.addressBase);
  if (mode === "stable") reserveAll(allocator, links);
  for (const link of links) {
    const leavesSite = link.members.some(({ node }) => isRemote(node, catalogue));
    if (leavesSite && !link.isLan && mode === "legacy") allocator.allocateRemote(link);
    else if (leavesSite && link.isLan) {
      allocator.faults.push({
        link,
        severity: "warning",
        code: "NS_REMOTE_LAN",
        message: `Remote nodes used in LAN ${link.name} - no IPs assigned`,
        hint: "Set addresses with tb-set-ip-lan if the nodes have some on this LAN.",
      });
      if (!compat) continue;
    } else allocator.allocate(link);
    check(allocator, link, compat);
    if (!compat) checkSubnet(allocator, link);
  }
  return { of: allocator.of, maskOf: allocator.maskOf, faults: allocator.faults };
}

function reserveAll(allocator: Allocator, links: readonly LinkObject[]): void {
  for (const link of links) {
    const mask = addressToNumber(link.netmask);
    for (const member of link.members) {
      const address = allocator.of(member);
      if (address === "") continue;
      allocator.reserve({ base: (addressToNumber(address) & mask) >>> 0, mask });
    }
  }
}

/** Whether the kernel of a node sends from and to it over a link. An absent one is as good. */
function isOfHost(address: string): boolean {
  const [first = ""] = address.split(".");
  return first !== "127" && !(Number(first) >= 224);
}

/**
 * The host part of every address must be neither all zeros nor all ones, and its own: the old
 * system does not look for the last. [EMULAB-NS 11.6]
 */
function check(allocator: Allocator, link: LinkObject, compat: boolean): void {
  const host = ~addressToNumber(allocator.maskOf(link)) >>> 0;
  const seen = new Map<string, string>();
  for (const member of link.members) {
    const address = allocator.of(member);
    const part = (addressToNumber(address === "" ? "0" : address) & host) >>> 0;
    if (address === "" && compat) {
      const message = "[inet_atohl] Invalid ip ; cannot be converted!";
      allocator.fault(link, "NS_ADDRESS", message, `${link.name} has members without an address.`);
    }
    if (part === 0 || part === host) {
      const message =
        `[check-ip-mask] IP address ${address} with netmask ${link.netmask} has either all '0's ` +
        "(reserved) or all '1's (broadcast) in the host portion of the address.";
      allocator.fault(link, "NS_HOST_PART", message, `Choose another address on ${link.name}.`);
    }
    if (!compat && address !== ranOut && !isOfHost(address)) {
      const message = `${address} of ${member.node.name} is an address that no host has on a link`;
      const hint =
        "Choose one that is neither loopback (127) nor multicast or beyond (224 to 255).";
      allocator.fault(link, "NS_NO_HOST", message, hint);
    }
    const other = compat ? undefined : seen.get(address);
    if (other !== undefined && address !== "" && address !== ranOut) {
      const message = `${other} and ${member.node.name} have the same address ${address}`;
      allocator.fault(link, "NS_SAME_ADDRESS", message, "Give one of them another address.");
    }
    seen.set(address, member.node.name);
  }
}

/** Two ends in two subnets cannot reach each other, unless programs set routes by hand. */
function checkSubnet(allocator: Allocator, link: LinkObject): void {
  const mask = addressToNumber(allocator.maskOf(link));
  const subnetOf = (address: string): number => (addressToNumber(address) & mask) >>> 0;
  const ends = link.members
    .map((member) => ({ node: member.node.name, address: allocator.of(member) }))
    .filter(({ address }) => address !== "" && address !== ranOut);
  const [first] = ends;
  const other = ends.find(({ address }) => subnetOf(address) !== subnetOf(first?.address ?? ""));
  if (first === undefined || other === undefined) return;
  allocator.faults.push({
    link,
    severity: "warning",
    code: "NS_TWO_SUBNETS",
    message:
      `${first.node} has ${first.address} on ${link.name}, and ${other.node} ${other.address}: ` +
      `with the netmask ${allocator.maskOf(link)} neither reaches the other`,
    hint: "Give all ends of a link addresses of one subnet.",
  });
}
