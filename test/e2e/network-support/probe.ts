// SPDX-License-Identifier: MIT
// A probe of a link that shares nothing with the shaper: a receiver in one namespace stamps what
// comes, a sender in the other sends at a rate. Each is a process of its own (probe-party.ts).
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { NamespaceCommands, NetNamespace } from "../../../src/network/link-backend.ts";

export interface ProbeOptions {
  readonly commands: NamespaceCommands;
  readonly from: NetNamespace;
  readonly to: NetNamespace;
  readonly address: string;
  readonly packets: number;
  /** Of UDP payload; layer 2 counts 42 more. */
  readonly bytes: number;
  /** Between two packets; 0 is as fast as it can. */
  readonly gapUs: number;
  /** Words before the programs of the probe: a priority. */
  readonly prefix?: readonly string[];
}

export interface Arrival {
  readonly id: number;
  readonly sentUs: number;
  readonly receivedUs: number;
}

export interface ProbeResult {
  readonly arrivals: readonly Arrival[];
  readonly sent: number;
}

const party = `${import.meta.dirname}/probe-party.ts`;
let port = 20_000;

/** Sends, and resolves when nothing more comes. */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const { commands, from, to, address, packets, bytes, gapUs, prefix = [] } = options;
  // Namespaces are the test's own: no port is anybody else's.
  const at = String(port++);
  const program = [...prefix, process.execPath, party];
  const receiver = commands.spawn(to, [...program, "receive", address, at, String(packets)]);
  if (receiver.stdout === null || receiver.stdin === null) throw new Error("no pipes");
  const lines = createInterface({ input: receiver.stdout });
  const [ready] = await once(lines, "line");
  if (ready !== "ready") throw new Error(String(ready));
  const words = ["send", address, at, packets, bytes, gapUs].map(String);
  const sent = Number(await commands.run(from, [...program, ...words]));
  receiver.stdin.end();
  const [text] = await once(lines, "line");
  return { arrivals: JSON.parse(String(text)) as readonly Arrival[], sent };
}

/**
 * Layer-2 bits per second by the stamps of the receiver: the median over pairs that are half of
 * all apart, so that a receiver that was late now and then changes nothing.
 */
export function rateOf({ arrivals }: ProbeResult, bytes: number): number {
  const apart = arrivals.length >> 1;
  const spans = arrivals.slice(apart).map((later, index) => {
    const earlier = arrivals[index];
    return later.receivedUs - (earlier?.receivedUs ?? NaN);
  });
  const span = spans.sort((a, b) => a - b)[spans.length >> 1] ?? NaN;
  return (apart * (bytes + 42) * 8e6) / span;
}

export function delaysUs({ arrivals }: ProbeResult): readonly number[] {
  return arrivals.map(({ sentUs, receivedUs }) => receivedUs - sentUs);
}
