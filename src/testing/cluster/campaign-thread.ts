// SPDX-License-Identifier: MIT
// A thread of a campaign: runs the seeds it is given (campaign.ts).
import { parentPort } from "node:worker_threads";
import { type SeedOrder, scriptOf } from "./campaign.ts";
import { runScript } from "./cluster-run.ts";

parentPort?.on("message", (order: SeedOrder) => {
  void runScript({ script: scriptOf(order) }).then((result) => parentPort?.postMessage(result));
});
