// SPDX-License-Identifier: MIT
// Packets that the kernel had no room for, as it counts them itself: at the sockets of a network,
// and on their way between devices. Where the kernel's tables cannot be read, none is known of.
import { readFileSync } from "node:fs";

export interface SocketAddress {
  /** IPv4. */
  readonly address: string;
  readonly port: number;
}

/** Of the UDP socket bound there, in the network of this process. [proc(5) /proc/net/udp] */
export function readSocketDrops(at: SocketAddress): number {
  return socketDrops(readTable("/proc/self/net/udp"), at);
}

/** Of all UDP sockets of the network of this process. */
export function readAllSocketDrops(): number {
  return socketDrops(readTable("/proc/self/net/udp"));
}

/** Of the whole machine, between any two devices: the queue of a processor was full. */
export function readDeviceDrops(): number {
  return deviceDrops(readTable("/proc/net/softnet_stat"));
}

/** @param table of `/proc/net/udp` @param at left out: all sockets */
export function socketDrops(table: string, at?: SocketAddress): number {
  const local = at === undefined ? undefined : formatLocal(at);
  const [, ...rows] = table.trim().split("\n");
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => local === undefined || columns[1] === local)
    .reduce((sum, columns) => sum + Number(columns.at(-1)), 0);
}

/** @param table one line for each processor, hexadecimal; the second column counts drops */
export function deviceDrops(table: string): number {
  return table
    .trim()
    .split("\n")
    .reduce((sum, line) => sum + Number.parseInt(line.split(" ")[1] ?? "0", 16), 0);
}

/** As the kernel writes it: the address as a number of this machine's byte order. */
function formatLocal({ address, port }: SocketAddress): string {
  const bytes = address.split(".").map((byte) => hex(Number(byte), 2));
  return `${bytes.reverse().join("")}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

function readTable(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The processes that are seen here need not be those of the network this one is in.
    return "";
  }
}
