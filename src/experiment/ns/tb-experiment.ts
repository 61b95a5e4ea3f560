// SPDX-License-Identifier: MIT
// tb-* commands about the whole experiment. [EMULAB-NS 9]

import type { LinktestLevel } from "../model.ts";
import { NsFault } from "./context.ts";
import { word } from "./method.ts";
import {
  type CommandCall,
  command,
  needFlag,
  needInteger,
  needOneOf,
  type TestbedCommand,
} from "./tb-shared.ts";

const many = Number.POSITIVE_INFINITY;

/** A command that sets one column of the experiment to what `read` makes of its arguments. */
function setting(
  name: string,
  usage: string,
  column: string,
  read: (call: CommandCall) => string,
): TestbedCommand {
  return command(name, usage, 1, 1, (call) => {
    call.context.settings.set(column, read(call));
    return "";
  });
}

const flag = (call: CommandCall): string => needFlag(call, 1);
const text = (call: CommandCall): string => word(call.argv, 1);
const within =
  (min: number, max: number) =>
  (call: CommandCall): string =>
    needInteger(call, 1, min, max);

const levels = ["Green", "Blue", "Yellow", "Orange"] as const;

function weights(call: CommandCall): void {
  const columns = ["wa_delay_solverweight", "wa_bw_solverweight", "wa_plr_solverweight"];
  columns.forEach((column, at) => {
    call.context.settings.set(column, needInteger(call, at + 1, 0, many));
  });
}

/** Of Muster alone: in the old system it was an option of who swapped in. [LINKTEST 2] */
function linktestLevel(call: CommandCall): void {
  if (call.context.options.compat) {
    const message = "there is no command tb-set-linktest-level in the old parser";
    throw new NsFault("NS_UNKNOWN_COMMAND", message, { word: 0 });
  }
  call.context.settings.linktestLevel = Number(needInteger(call, 1, 0, 4)) as LinktestLevel;
}

/** A level above Green brings the site's firewall when the file runs. */
function securityLevel(call: CommandCall): void {
  const { interp, settings } = call.context;
  if (word(call.argv, 1) === "Red") {
    throw new NsFault("NS_SECURITY", "[tb-set-security-level] Red is not implemented", { word: 1 });
  }
  const level = `${levels.indexOf(needOneOf(call, 1, levels))}`;
  settings.set("security_level", level);
  interp.atLevel(0, () => interp.set("::GLOBALS::security_level", level));
}

/** [EMULAB-NS 9] The old message names another command. */
function emulationStyle(call: CommandCall): string {
  const known = ["vlan", "veth-ne", "vtun", "gre", "egre", "alias"];
  const style = word(call.argv, 1);
  if (known.includes(style)) return style;
  const message = `[tb-set-encapsulate] ${style} is not one of: 'veth-ne', 'vlan'`;
  throw new NsFault("NS_VALUE", message, { word: 1 });
}

/** Commands about the experiment. */
export const experimentCommands: readonly TestbedCommand[] = [
  setting("tb-set-colocate-factor", "1..100", "multiplex_factor", within(1, 100)),
  setting("tb-set-cpu-usage", "1..5", "cpu_usage", within(1, 5)),
  setting("tb-set-mem-usage", "1..5", "mem_usage", within(1, 5)),
  setting("tb-use-endnodeshaping", "0|1", "uselinkdelays", flag),
  setting("tb-force-endnodeshaping", "0|1", "forcelinkdelays", flag),
  setting("tb-fix-current-resources", "0|1", "allowfixnode", flag),
  setting("tb-set-uselatestwadata", "0|1", "uselatestwadata", flag),
  setting("tb-set-usewatunnels", "0|1", "usewatunnels", flag),
  setting("tb-set-dpdb", "0|1", "dpdb", text),
  setting("tb-set-vlink-emulation", "style", "encap_style", emulationStyle),
  setting("tb-set-encapsulate", "0|1", "encap_style", (call) =>
    needFlag(call, 1) === "0" ? "veth-ne" : "default",
  ),
  command("tb-set-delay-capacity", "n", 1, 1, (call) => {
    const { delayCapacity } = call.context.options.catalogue;
    call.context.settings.set("delay_capacity", needInteger(call, 1, 1, delayCapacity));
    return "";
  }),
  command("tb-set-wasolver-weights", "delay bandwidth loss", 3, 3, (call) => {
    weights(call);
    return "";
  }),
  command("tb-set-linktest-level", "0..4", 1, 1, (call) => {
    linktestLevel(call);
    return "";
  }),
  command("tb-set-security-level", levels.join("|"), 1, 1, (call) => {
    securityLevel(call);
    return "";
  }),
];
