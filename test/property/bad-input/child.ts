// SPDX-License-Identifier: MIT
// The process of bad-input.test.ts: opens every door, attacks each, and says as JSON what was wrong
// and what memory and handles were before and after.
//
//   node --expose-gc --no-flush-bytecode child.ts FOLDER SEED
import { Random } from "../../../src/core/random.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { closeAll } from "../../unit/edges/open-server.ts";
import { attack, beServed } from "./attack.ts";
import { type DoorUnderTest, openAllDoors } from "./doors.ts";

/** What a child finds. */
export interface Findings {
  readonly faults: readonly string[];
  readonly rows: number;
  readonly before: Measured;
  readonly after: Measured;
}

interface Measured {
  readonly bytes: number;
  readonly handles: readonly string[];
}

const [, , folder = "", seed = "1"] = process.argv;
const collect = globalThis.gc;
if (collect === undefined) throw new Error("start it with --expose-gc");

/** What is still there when nothing more goes: what lingers has a second. */
async function measure(): Promise<Measured> {
  await new Promise((resolve) => systemClock.after(1_100, () => resolve(undefined)));
  let least = Number.POSITIVE_INFINITY;
  for (let steady = 0; steady < 8; steady += 1) {
    await new Promise((resolve) => systemClock.after(60, () => resolve(undefined)));
    collect?.();
    const { heapUsed, external } = process.memoryUsage();
    if (heapUsed + external < least * 0.999) steady = 0;
    least = Math.min(least, heapUsed + external);
  }
  const handles = process.getActiveResourcesInfo().filter((name) => name !== "Timeout");
  return { bytes: least, handles: handles.sort() };
}

async function assault(doors: readonly DoorUnderTest[], random: Random): Promise<void> {
  for (const door of doors) {
    try {
      await attack(door, random);
      for (const other of doors) await beServed(other, `after the attack on ${door.name}`);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
}

const faults: string[] = [];
const doors = await openAllDoors(folder);
const random = new Random(Number(seed));
// Once until code is compiled and tables have their size.
await assault(doors, random);
const before = await measure();
for (let round = 0; round < 2; round += 1) await assault(doors, random);
const after = await measure();
await closeAll();
const rows = doors.reduce((sum, { wrong }) => sum + wrong.length, 0);
const findings: Findings = { faults: [...new Set(faults)], rows, before, after };
process.stdout.write(JSON.stringify(findings));
process.exit(0);
