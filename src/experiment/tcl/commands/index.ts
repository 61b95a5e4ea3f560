// SPDX-License-Identifier: MIT
// All commands of the language itself.

import type { CommandDefinition } from "../interpreter.ts";
import { arrayCommands } from "./arrays.ts";
import { controlCommands } from "./control.ts";
import { dictCommands } from "./dicts.ts";
import { formatCommands } from "./format.ts";
import { listCommands } from "./lists.ts";
import { procedureCommands } from "./procedures.ts";
import { regexpCommands } from "./regexps.ts";
import { scanCommands } from "./scan.ts";
import { stringCommands } from "./strings.ts";
import { systemCommands } from "./system.ts";
import { variableCommands } from "./variables.ts";

export const tclCommands: readonly CommandDefinition[] = [
  ...variableCommands,
  ...controlCommands,
  ...procedureCommands,
  ...listCommands,
  ...stringCommands,
  ...formatCommands,
  ...arrayCommands,
  ...regexpCommands,
  ...dictCommands,
  ...scanCommands,
  ...systemCommands,
];
