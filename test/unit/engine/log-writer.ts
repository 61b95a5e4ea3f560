// SPDX-License-Identifier: MIT
// Appends to an SQLite log for ever and prints the sequence of each acknowledged entry: the victim
// of the kill test.
import { writeSync } from "node:fs";
import { SqliteLog } from "../../../src/engine/sqlite-log.ts";
import { systemClock } from "../../../src/host/clock.ts";

const [, , file = ""] = process.argv;
const log = SqliteLog.open({ file, nowUs: systemClock.nowUs });
for (let number = 1; ; number += 1) {
  const commands = [{ kind: "leave", connection: number }] as const;
  const batch = { edge: "e", incarnation: 1, number, commands };
  const appends = [1, 2, 3].map(() => log.append({ format: 1, batches: [batch] }));
  for (const append of appends) writeSync(1, `${await append}\n`);
}
