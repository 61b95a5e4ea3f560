// SPDX-License-Identifier: MIT
// The doors of `muster serve` in this process, as the command opens them.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { ServeSettings } from "../../../src/cli/commands/serve-config.ts";
import { openDoors } from "../../../src/cli/commands/serve-doors.ts";
import { openBuses } from "../../../src/cli/commands/serve-events.ts";
import { planServe } from "../../../src/cli/commands/serve-plan.ts";
import { JoinedHosts } from "../../../src/edges/hosts/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { Lines } from "../syncd/harness.ts";

const closers: (() => Promise<void> | void)[] = [];

/** Called by `closeAll`, the last one first. */
export function whenOver(close: () => Promise<void> | void): void {
  closers.push(close);
}

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** @param folder for its files */
export async function openServer(folder: string, settings: ServeSettings) {
  const plan = planServe(settings);
  const [logger, said] = [new Lines(), new Lines()];
  const buses = await openBuses(plan, { logger, say: (line) => said.log("", line) });
  const directory = mkdtempSync(join(folder, "state-"));
  const doors = await openDoors({
    ...{ plan, buses, logger, directory, tokens: join(directory, "tokens.json") },
    hosts: new JoinedHosts(systemClock),
    linkHealth: () => [],
    say: (line) => said.log("", line),
    onFailed: () => said.log("", "the log has failed"),
  });
  whenOver(async () => {
    await doors.close();
    await buses.close();
  });
  const text = doors.lines.join("\n");
  /** @param door as the lines call it */
  const portOf = (door: string): number => {
    return Number(new RegExp(`${door} at \\S*?:(\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
  };
  return { portOf, logger, said, directory };
}
