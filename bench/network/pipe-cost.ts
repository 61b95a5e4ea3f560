// SPDX-License-Identifier: MIT
// What each property of a link costs a packet in the delay node's own arithmetic: a link of two as
// a machine, without sockets, threads or clocks, in turn with one that only delays. Prints a table.
//
// Blind spots: reading and sending a packet costs some 13 us, which shaper.ts measures.
import { type DirectionShape, unshaped, usualQueue } from "../../src/network/model.ts";
import { Segment } from "../../src/network/shaper/segment.ts";
import { formatMachine, median } from "../statistics.ts";

const packets = 200_000;
/**
 * Packets come a little faster than the link takes them in bursts, so that queues have a length.
 */
const gapUs = 12;
const rate = { bandwidthBps: 1_000_000_000, delayUs: 1_000 };
const shapes: readonly (readonly [string, Partial<DirectionShape>])[] = [
  ["delay alone", { delayUs: 1_000 }],
  ["bandwidth, drop-tail", rate],
  ["and loss 1 %", { ...rate, loss: 0.01 }],
  ["and duplicates 1 %", { ...rate, duplicate: 0.01 }],
  ["and RED", { ...rate, queue: { ...usualQueue, kind: "red" } }],
  ["and gentle RED", { ...rate, queue: { ...usualQueue, kind: "gentle-red" } }],
  ["and jitter", { ...rate, jitterUs: 500 }],
  ["and reordering 5 %", { ...rate, reorder: 0.05 }],
  [
    "all of them",
    {
      ...{ ...rate, loss: 0.01, duplicate: 0.01, jitterUs: 500, reorder: 0.05 },
      queue: { ...usualQueue, kind: "gentle-red" },
    },
  ],
];

/** `--rounds N` of the command line. */
export function run(args: ReadonlyMap<string, string>): void {
  const rounds = Number(args.get("rounds") ?? 5);
  const taken = shapes.map((): number[] => []);
  for (const [, shape] of shapes) nsPerPacket(shape); // Compiled.
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [, shape]] of shapes.entries()) taken[index]?.push(nsPerPacket(shape));
  }
  process.stdout.write(`${formatMachine()}, ${rounds} rounds, medians\n\n`);
  process.stdout.write("what a link does            ns of CPU a packet  more than delay alone\n");
  const floor = taken[0] ?? [];
  for (const [index, [name]] of shapes.entries()) {
    const own = taken[index] ?? [];
    const more = median(own.map((ns, round) => ns - (floor[round] ?? 0)));
    const figures = [median(own).toFixed(0).padStart(18), more.toFixed(0).padStart(22)];
    process.stdout.write(`${name.padEnd(26)}  ${figures.join(" ")}\n`);
  }
}

function nsPerPacket(shape: Partial<DirectionShape>): number {
  const members = ["a", "b"].map(() => ({ up: { shape: { ...unshaped, ...shape }, isUp: true } }));
  const segment = new Segment({ kind: "link", members, seed: 1, frameAt: 8 });
  const packet = new Uint8Array(1_508);
  let out = 0;
  const begin = process.cpuUsage();
  for (let sent = 0; sent < packets; sent += 1) {
    const atUs = sent * gapUs;
    segment.arrive(atUs, sent & 1, packet);
    segment.release(atUs, () => {
      out += 1;
    });
  }
  const { user, system } = process.cpuUsage(begin);
  const ns = ((user + system) * 1_000) / packets;
  if (out === 0) throw new Error("nothing came out");
  return ns;
}
