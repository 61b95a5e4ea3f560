// SPDX-License-Identifier: MIT
// All tb-* commands by name. [EMULAB-NS 9]

import type { MethodTable } from "./method.ts";
import { addressCommands } from "./tb-addresses.ts";
import { experimentCommands } from "./tb-experiment.ts";
import { nodeCommands } from "./tb-nodes.ts";
import { shapingCommands } from "./tb-shaping.ts";

export const testbedCommands: MethodTable<undefined> = new Map([
  ...nodeCommands,
  ...addressCommands,
  ...shapingCommands,
  ...experimentCommands,
]);
