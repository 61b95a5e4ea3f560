// SPDX-License-Identifier: MIT
// Addresses and masks of IPv4 as numbers. Pure.

/** @returns 0 to 2^32 - 1, or undefined for a text that is no dotted quad. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

/** Leading ones of a mask, or undefined for one with holes. */
export function prefixLength(mask: string): number | undefined {
  const value = parseIpv4(mask);
  if (value === undefined) return undefined;
  for (let length = 0; length <= 32; length += 1) if (maskOf(length) === value) return length;
  return undefined;
}

export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

export interface Subnet {
  /** Host part 0. */
  readonly base: number;
  readonly length: number;
}

/** @returns undefined for an address or mask that is none. */
export function subnetOf(address: string, mask: string): Subnet | undefined {
  const value = parseIpv4(address);
  const length = prefixLength(mask);
  if (value === undefined || length === undefined) return undefined;
  return { base: (value & maskOf(length)) >>> 0, length };
}

export function formatSubnet({ base, length }: Subnet): string {
  return `${formatIpv4(base)}/${length}`;
}

export function overlap(one: Subnet, other: Subnet): boolean {
  const mask = maskOf(Math.min(one.length, other.length));
  return (one.base & mask) >>> 0 === (other.base & mask) >>> 0;
}
