// SPDX-License-Identifier: MIT
// Addresses and networks of IPv4 and IPv6 as text, and whether one lies in the other. Pure, because
// every door that lets in by network asks it, and so do command lines.
//
//   N1. An IPv6 address that carries an IPv4 one (`::ffff:192.0.2.1`) is that IPv4 address, in
//       networks too: a socket for both families shows the same client in the first form.
//   N2. A text that can be read in two ways (`010.0.0.1`, `10.0.0`) is no address.

/** A network; a single address is one of all its bits. */
export interface Network {
  /** 4 or 16. */
  readonly bytes: readonly number[];
  /** Leading bits that an address must share. */
  readonly bits: number;
}

/** `ADDRESS` or `ADDRESS/BITS`. @returns undefined for what is neither. */
export function parseNetwork(text: string): Network | undefined {
  const [address = "", bitsText, ...rest] = text.split("/");
  const whole = parseAddressBytes(address);
  if (whole === undefined || rest.length > 0) return undefined;
  if (bitsText !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(bitsText)) return undefined;
  const bitsMax = whole.length * 8;
  const bits = bitsText === undefined ? bitsMax : Number(bitsText);
  if (bits > bitsMax) return undefined;
  // N1. A shorter prefix is of IPv6 alone.
  if (isMapped(whole) && bits >= mappedBits) {
    return { bytes: whole.slice(mappedBits / 8), bits: bits - mappedBits };
  }
  return { bytes: whole, bits };
}

/** Whether an address lies in one of the networks; a text that is no address lies in none. */
export function isInNetworks(address: string, networks: readonly Network[]): boolean {
  const bytes = parseAddress(address);
  return bytes !== undefined && networks.some((network) => isInside(bytes, network));
}

/** Whether an address is reached from the same machine only: 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: string): boolean {
  return isInNetworks(address, loopback);
}

/**
 * @returns 4 or 16 bytes (N1), or undefined for what is no address; a zone (`%eth0`) is left out.
 */
export function parseAddress(text: string): readonly number[] | undefined {
  const bytes = parseAddressBytes(text.split("%", 1)[0] ?? "");
  return bytes !== undefined && isMapped(bytes) ? bytes.slice(mappedBits / 8) : bytes;
}

function isInside(address: readonly number[], { bytes, bits }: Network): boolean {
  if (address.length !== bytes.length) return false;
  return bytes.every((byte, at) => {
    const shared = Math.min(8, Math.max(0, bits - at * 8));
    return (byte ^ (address[at] ?? 0)) >> (8 - shared) === 0;
  });
}

/** Bits of the prefix of an IPv4 address in IPv6. */
const mappedBits = 96;

function isMapped(bytes: readonly number[]): boolean {
  return (
    bytes.length === 16 &&
    bytes.slice(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 255 &&
    bytes[11] === 255
  );
}

function parseAddressBytes(text: string): readonly number[] | undefined {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

const v4Part = /^(?:0|[1-9]\d{0,2})$/;

function parseV4(text: string): readonly number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => v4Part.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/**
 * RFC 4291, 2.2: groups of hexadecimal digits, one run of zeros left out, perhaps IPv4 at the end.
 */
function parseV6(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? head : undefined;
  const missing = 16 - head.length - tail.length;
  // The run that is left out has one group at least.
  if (missing < 2 || endsInV4(halves[0] ?? "")) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function parseGroups(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [at, group] of groups.entries()) {
    const isLast = at === groups.length - 1;
    const v4 = isLast && group.includes(".") ? parseV4(group) : undefined;
    if (v4 !== undefined) bytes.push(...v4);
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    } else return undefined;
  }
  return bytes.length <= 16 ? bytes : undefined;
}

function endsInV4(text: string): boolean {
  return text.includes(".");
}

const loopback: readonly Network[] = [
  { bytes: [127, 0, 0, 0], bits: 8 },
  { bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], bits: 128 },
];
