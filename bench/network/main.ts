// SPDX-License-Identifier: MIT
// The network of a run: how long it takes to be there and to go, how near shaped links come to what
// is asked, and what they carry. `--part topology|shaper` does one of the two.
import { run as runShaper } from "./shaper.ts";
import { run as runTopology } from "./topology.ts";

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const part = args.get("part");
  if (part !== "shaper") await runTopology(args);
  if (part !== "topology") await runShaper(args);
}
