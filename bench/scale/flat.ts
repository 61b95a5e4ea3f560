// SPDX-License-Identifier: MIT
// Everybody at one core: a count barrier, counted and measured while all but one wait.
import { heapBytes } from "../heap.ts";
import { Controller, scope } from "./controller.ts";

export interface Flat {
  readonly entries: number;
  readonly bytes: number;
  readonly answers: number;
  readonly heap: number;
  readonly cpuUs: number;
}

/** A count barrier of one core: one inits, everybody waits, all go on. */
export function playFlat(parties: number): Flat {
  const controller = new Controller("flat");
  const place = { scope, barrier: "b" } as const;
  const before = heapBytes();
  const start = process.cpuUsage();
  const first = { address: "10.0.0.1:9" } as const;
  controller.send("door", [
    {
      ...{ kind: "count-init", ...place, connection: 1, who: first, error: 0 },
      ...{ count: parties, waits: false },
    },
  ]);
  const wait = (index: number) => {
    const who = { address: `10.0.${index % 250}.1:${10_000 + (index % 50_000)}` };
    return { kind: "count-wait", ...place, connection: 2 + index, who, error: 0 } as const;
  };
  controller.sendMany("door", parties - 1, wait);
  const arrived = process.cpuUsage(start);
  const heap = heapBytes() - before;
  const last = process.cpuUsage();
  controller.send("door", [wait(parties - 1)]);
  const release = process.cpuUsage(last);
  const cpuUs = arrived.user + arrived.system + release.user + release.system;
  const { entries, bytes, released: answers } = controller;
  return { entries, bytes, answers, heap, cpuUs };
}
