// SPDX-License-Identifier: MIT
// Holds a transaction open for ever, half of it written: the victim of the kill test.
import { writeSync } from "node:fs";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import { resolveBossLimits } from "../../../src/boss/limits.ts";

const [, , file = ""] = process.argv;
const database = ExperimentsDatabase.open(file, resolveBossLimits());
database.transaction(() => {
  const deed = { user: "ann", atMs: 2, note: "half" };
  database.move("pp", "ee", "swap-in", deed);
  const rows = { virt_nodes: [{ vname: "half" }] };
  database.define("pp", "other", { file: "/b", source: "", presets: [], rows }, deed);
  writeSync(1, "half\n");
  // Blocks the thread: the transaction is open until the process is killed.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
