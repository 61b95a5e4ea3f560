// SPDX-License-Identifier: MIT
// tb-* commands about the whole experiment. [EMULAB-NS 9]

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

/** Hints for the mapper of the old testbed: accepted, without an effect here. */
function ignored(name: string): TestbedCommand {
  return command(name, "?argument ...?", 0, many, ({ context, site }) => {
    context.warn(site, "NS_UNSUPPORTED", `${name} is not supported and is ignored`);
    return "";
  });
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
  setting("tb-set-jail-os", "os", "jail_osname", text),
  setting("tb-set-delay-os", "os", "delay_osname", text),
  setting("tb-set-dpdb", "0|1", "dpdb", text),
  setting("tb-set-vlink-emulation", "style", "encap_style", (call) =>
    needOneOf(call, 1, ["vlan", "veth-ne", "vtun", "gre", "egre", "alias"]),
  ),
  setting("tb-set-encapsulate", "0|1", "encap_style", (call) =>
    needFlag(call, 1) === "0" ? "veth-ne" : "default",
  ),
  setting("tb-set-inner-elab-eid", "eid", "elabinelab_eid", text),
  setting("tb-set-elabinelab-cvstag", "tag", "elabinelab_cvstag", text),
  command("tb-set-delay-capacity", "n", 1, 1, (call) => {
    const { delayCapacity } = call.context.options.catalogue;
    call.context.settings.set("delay_capacity", needInteger(call, 1, 1, delayCapacity));
    return "";
  }),
  command("tb-set-wasolver-weights", "delay bandwidth loss", 3, 3, (call) => {
    weights(call);
    return "";
  }),
  command("tb-elab-in-elab", "0|1", 1, 1, (call) => {
    if (needInteger(call, 1, 0, 1) === "1") call.context.settings.set("elab_in_elab", "1");
    return "";
  }),
  command("tb-elab-in-elab-topology", "name", 1, 1, (call) => {
    call.context.settings.innerTopology = word(call.argv, 1);
    return "";
  }),
  command("tb-elabinelab-singlenet", "?0|1?", 0, 1, (call) => {
    const on = call.argv.length === 1 ? "1" : needFlag(call, 1);
    call.context.interp.atLevel(0, () =>
      call.context.interp.set("::GLOBALS::elabinelab_singlenet", on),
    );
    if (on === "1") call.context.settings.set("elabinelab_singlenet", on);
    return "";
  }),
  command("tb-set-security-level", "Green|Blue|Yellow|Orange", 1, 1, (call) => {
    const level = levels.indexOf(needOneOf(call, 1, levels));
    if (level > 0) {
      throw new NsFault("NS_SECURITY", "[tb-set-security-level] firewalls are not supported", {
        word: 1,
        hint: "Use Green, which has none.",
      });
    }
    call.context.settings.set("security_level", `${level}`);
    return "";
  }),
  ...["tb-use-physnaming", "tb-feedback-vnode", "tb-feedback-vlan", "tb-feedback-vlink"].map(
    ignored,
  ),
  ...["tb-use-modelnet", "tb-set-modelnet-physnodes", "tb-set-sim-os"].map(ignored),
  ...["tb-set-elabinelab-attribute", "tb-unset-elabinelab-attribute"].map(ignored),
  ...["tb-set-elabinelab-role-attribute", "tb-unset-elabinelab-role-attribute"].map(ignored),
  ...["tb-set-use-oml", "tb-set-oml-server", "tb-set-oml-mp", "tb-set-oml-use-control"].map(
    ignored,
  ),
  ...["tb-set-node-lan-setting"].map(ignored),
];
