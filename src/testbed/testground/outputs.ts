// SPDX-License-Identifier: MIT
// Where what an instance leaves is kept.
import { join } from "node:path";
import type { GroupInstance } from "../../experiment/model.ts";

/** The directory that TEST_OUTPUTS_PATH names, below that of the results. */
export function outputsOf({ group, number }: GroupInstance): string {
  return join("proj", "outputs", group, String(number));
}
