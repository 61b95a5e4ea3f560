// SPDX-License-Identifier: MIT
// The program link_config, on boss: takes a link down and up again, and changes what shapes it.
// [EMULAB-EVENTS 5.2] What is said of radios is refused: there are none here.
import { performExit } from "./exit.ts";
import { configureLink } from "./link-configuration.ts";

performExit(await configureLink({ name: "link_config", takesEnable: true }, process.argv.slice(2)));
