// SPDX-License-Identifier: MIT
// What `muster run` was asked to do.
import { dirname, resolve } from "node:path";

export interface RunArguments {
  readonly file: string;
  readonly out?: string;
  readonly seed?: number;
  readonly duration: number;
  readonly stuckAfter: number;
  readonly repeat: number;
  readonly set: readonly string[];
  readonly junit?: string;
  readonly json?: boolean;
  readonly nodes: "process" | "netns";
  readonly limit: readonly string[];
  readonly pid?: string;
  readonly eid?: string;
  /** JSON file that says what the site has. */
  readonly catalogue?: string;
  /** Order in which links get addresses. */
  readonly addresses?: "legacy" | "stable";
}

/** Directory of the experiment file: what nodes see as the project's data. */
export function projectFilesOf(file: string): string {
  return dirname(resolve(file));
}
