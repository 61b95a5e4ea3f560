// SPDX-License-Identifier: MIT
// What the old sync programs print for `-V`, byte for byte, and what `--version` adds to it.
import { readFileSync } from "node:fs";

/** [EMULAB-SYNC 1] [EMULAB-SYNC 4] */
export const standaloneText = "Built in standalone mode\n";

/** The text of `--version`, which is ours: the old text and Muster's own version. */
export function describeVersion(): string {
  return standaloneText + describeMuster();
}

/** The text of `--version` where the old command had none. */
export function describeMuster(): string {
  return `Muster ${musterVersion()}\n`;
}

export function musterVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
