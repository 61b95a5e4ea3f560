// SPDX-License-Identifier: MIT
// The network of a run: how long it takes to be there and to go, how near shaped links come to what
// is asked, and what they carry. `--part topology|shaper|pipe` does one.
import { run as runPipe } from "./pipe-cost.ts";
import { run as runShaper } from "./shaper.ts";
import { run as runTopology } from "./topology.ts";

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const part = args.get("part");
  const has = (one: string): boolean => part === undefined || part === one;
  if (has("topology")) await runTopology(args);
  if (has("shaper")) await runShaper(args);
  if (has("pipe")) runPipe(args);
}
