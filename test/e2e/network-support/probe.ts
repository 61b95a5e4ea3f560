// SPDX-License-Identifier: MIT
// A probe of a link that shares nothing with the shaper: a receiver in one namespace stamps what
// comes, a sender in the other sends at a rate. Each is a process of its own (probe-party.ts).
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
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
  /** `packets` is then the most: it sends until this resolves. */
  readonly until?: Promise<void>;
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
  const { commands, from, to, address, packets, bytes, gapUs, until, prefix = [] } = options;
  // Namespaces are the test's own: no port is anybody else's.
  const at = String(port++);
  const program = [...prefix, process.execPath, party];
  const receiver = commands.spawn(to, [...program, "receive", address, at]);
  if (receiver.stdout === null || receiver.stdin === null) throw new Error("no pipes");
  const lines = createInterface({ input: receiver.stdout });
  const [ready] = await once(lines, "line");
  if (ready !== "ready") throw new Error(String(ready));
  const words = ["send", address, at, packets, bytes, gapUs].map(String);
  const sent = Number(
    until === undefined
      ? await commands.run(from, [...program, ...words])
      : await outputUntil(until, commands.spawn(from, [...program, ...words, "told"])),
  );
  receiver.stdin.end(String(sent));
  const [line] = await once(lines, "line");
  return { arrivals: JSON.parse(String(line)) as readonly Arrival[], sent };
}

/** What a program prints whose input ends when `until` resolves. */
async function outputUntil(until: Promise<void>, program: ChildProcess): Promise<string> {
  const { stdin, stdout } = program;
  if (stdin === null || stdout === null) throw new Error("no pipes");
  void until.then(() => stdin.end());
  return await text(stdout);
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
