// SPDX-License-Identifier: MIT
// The network of a run: how long it takes to be there and to go.
import { run as runTopology } from "./topology.ts";

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  await runTopology(args);
}
