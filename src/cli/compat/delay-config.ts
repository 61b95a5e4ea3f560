// SPDX-License-Identifier: MIT
// The program delay_config, on boss: changes what shapes a link. [EMULAB-EVENTS 5.1]
import { performExit } from "./exit.ts";
import { configureLink } from "./link-configuration.ts";

performExit(
  await configureLink({ name: "delay_config", takesEnable: false }, process.argv.slice(2)),
);
