// SPDX-License-Identifier: MIT
// tb-* commands about nodes: start commands, roles, failure. Software and hardware have files of
// their own. [EMULAB-NS 9]

import { word } from "./method.ts";
import type { NodeObject } from "./objects.ts";
import { setStartCommand } from "./program.ts";
import {
  type CommandCall,
  command,
  needNode,
  needOneOf,
  type TestbedCommand,
} from "./tb-shared.ts";

/** A command that sets one property of a node to its last argument. */
function property(set: (node: NodeObject, value: string) => void) {
  return (call: CommandCall): void => set(needNode(call, 1), word(call.argv, 2));
}

/** Commands about nodes. */
export const nodeCommands: readonly TestbedCommand[] = [
  command("tb-set-sync-server", "node", 1, 1, (call) => {
    const node = needNode(call, 1);
    if (node.isBridge) throw call.context.notA("tb-set-sync-server", node.name, 1, "a usable node");
    call.context.settings.syncServer = node;
    return "";
  }),
  command("tb-set-node-startcmd", "node command", 2, 2, (call) =>
    setStartCommand(call.context, call.site, needNode(call, 1), word(call.argv, 2)),
  ),
  command("tb-set-node-startup", "node command", 2, 2, (call) => {
    needNode(call, 1).startup = word(call.argv, 2);
    return "";
  }),
  command("tb-set-node-cmdline", "node text", 2, 2, (call) => {
    needNode(call, 1).commandLine = word(call.argv, 2);
    return "";
  }),
  command("tb-set-node-failure-action", "node fatal|nonfatal|ignore", 2, 2, (call) => {
    needNode(call, 1).failureAction = needOneOf(call, 2, ["fatal", "nonfatal", "ignore"]);
    return "";
  }),
  ...(
    [
      ["tb-set-node-inner-elab-role", "inner_elab_role"],
      ["tb-set-node-sharingmode", "sharing_mode"],
      ["tb-set-node-id", "numeric_id"],
    ] as const
  ).map(([name, column]) =>
    command(name, "node value", 2, 2, (call) => {
      property((node, value) => node.extra.set(column, value))(call);
      return "";
    }),
  ),
  command("tb-set-node-plab-role", "node plc|node|none", 2, 2, (call) => {
    needNode(call, 1).extra.set("plab_role", needOneOf(call, 2, ["plc", "node", "none"]));
    return "";
  }),
  command("tb-set-node-plab-plcnet", "node control|exp|lan", 2, 2, (call) => {
    const net = word(call.argv, 2);
    const isLink = call.context.find(net, ["link"]) !== undefined;
    const value = isLink ? net : needOneOf(call, 2, ["control", "exp", "none"]);
    needNode(call, 1).extra.set("plab_plcnet", value);
    return "";
  }),
  command("tb-set-node-usesharednode", "node weight", 2, 2, (call) => {
    needNode(call, 1).desires.set("pcshared", word(call.argv, 2));
    return "";
  }),
];
