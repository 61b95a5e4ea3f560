// SPDX-License-Identifier: MIT
// All tb-* commands by name. [EMULAB-NS 9]

import type { MethodTable } from "./method.ts";
import { addressCommands } from "./tb-addresses.ts";
import { experimentCommands } from "./tb-experiment.ts";
import { innerCommands } from "./tb-inner.ts";
import { nodeCommands } from "./tb-nodes.ts";
import { shapingCommands } from "./tb-shaping.ts";
import { softwareCommands } from "./tb-software.ts";
import { typeCommands } from "./tb-types.ts";

export const testbedCommands: MethodTable<undefined> = new Map([
  ...nodeCommands,
  ...typeCommands,
  ...softwareCommands,
  ...innerCommands,
  ...addressCommands,
  ...shapingCommands,
  ...experimentCommands,
]);
