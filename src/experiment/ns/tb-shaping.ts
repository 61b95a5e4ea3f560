// SPDX-License-Identifier: MIT
// tb-* commands about bandwidth, delay and loss of links and LANs. [EMULAB-NS 9, 11]

import { formatDouble } from "../tcl/number.ts";
import { NsFault } from "./context.ts";
import { halfDelay, linkBandwidth, linkBetween, linkDelay } from "./link.ts";
import { quantity, word } from "./method.ts";
import type { LinkObject, MemberObject, Shape } from "./objects.ts";
import {
  type CommandCall,
  command,
  needFlag,
  needLink,
  needLoss,
  needMember,
  needNode,
  needOneOf,
  type TestbedCommand,
} from "./tb-shared.ts";
import { parseBandwidth } from "./units.ts";

/** A loss over both halves of a path, for each half: 1 - sqrt(1 - p). */
function halfLoss(text: string): string {
  return formatDouble(1 - Math.sqrt(1 - Number(text)));
}

function eachShape(link: LinkObject, change: (shape: Shape) => void): void {
  for (const { toLink, fromLink } of link.members) {
    change(toLink);
    change(fromLink);
  }
}

function bothWays({ toLink, fromLink }: MemberObject, change: (shape: Shape) => void): void {
  change(toLink);
  change(fromLink);
}

function linkLoss(call: CommandCall): void {
  const { argv } = call;
  const isPair = argv.length > 3;
  const link = isPair ? linkBetween(needNode(call, 1), needNode(call, 2)) : needLink(call, 1);
  if (link === undefined) {
    const message = `[tb-set-link-loss] No link between ${argv[1]} and ${argv[2]}`;
    throw new NsFault("NS_NO_LINK", message, { word: 1 });
  }
  const loss = halfLoss(needLoss(call, isPair ? 3 : 2));
  eachShape(link, (shape) => {
    shape.loss = loss;
  });
}

function lanMember(call: CommandCall): MemberObject {
  const node = needNode(call, 1);
  return needMember(call, needLink(call, 2, "lan"), node, 1);
}

function delayText(call: CommandCall, index: number): string {
  return `${linkDelay(call.context, word(call.argv, index), index)}`;
}

function bandwidthText(call: CommandCall, index: number): string {
  return `${linkBandwidth(call.context, word(call.argv, index), index)}`;
}

function nodeLanParams(call: CommandCall): void {
  const member = lanMember(call);
  const delay = delayText(call, 3);
  const bandwidth = bandwidthText(call, 4);
  const loss = needLoss(call, 5);
  bothWays(member, (shape) => Object.assign(shape, { delay, bandwidth, loss }));
}

/** Towards the peer: half at the source's side, half at the peer's. */
function linkSimplex(call: CommandCall): void {
  const link = needLink(call, 1, "link");
  const source = needMember(call, link, needNode(call, 2), 2);
  const delay = halfDelay(linkDelay(call.context, word(call.argv, 3), 3));
  const bandwidth = bandwidthText(call, 4);
  const loss = halfLoss(needLoss(call, 5));
  Object.assign(source.toLink, { delay, bandwidth, loss });
  for (const member of link.members) {
    if (member !== source) Object.assign(member.fromLink, { delay, bandwidth, loss });
  }
}

function lanSimplex(call: CommandCall): void {
  const lan = needLink(call, 1, "lan");
  const member = needMember(call, lan, needNode(call, 2), 2);
  const to = {
    delay: delayText(call, 3),
    bandwidth: bandwidthText(call, 4),
    loss: needLoss(call, 5),
  };
  const from = {
    delay: delayText(call, 6),
    bandwidth: bandwidthText(call, 7),
    loss: needLoss(call, 8),
  };
  Object.assign(member.toLink, to);
  Object.assign(member.fromLink, from);
}

/** Backfill and estimates: kilobits a second, without the range of links. */
function plainBandwidth(call: CommandCall, index: number): string {
  const text = word(call.argv, index);
  const read = parseBandwidth(text, call.context.options.compat);
  return `${quantity(read, "NS_BANDWIDTH", index, text)}`;
}

function wholeLink(field: "backfill" | "estimate", kind: "link" | "lan") {
  return (call: CommandCall): string => {
    const value = plainBandwidth(call, 2);
    eachShape(needLink(call, 1, kind), (shape) => {
      shape[field] = value;
    });
    return "";
  };
}

function oneMember(field: "backfill" | "estimate") {
  return (call: CommandCall): string => {
    const value = plainBandwidth(call, 3);
    bothWays(lanMember(call), (shape) => {
      shape[field] = value;
    });
    return "";
  };
}

function simplexBackfill(call: CommandCall): string {
  const link = needLink(call, 1, "link");
  const source = needMember(call, link, needNode(call, 2), 2);
  const value = plainBandwidth(call, 3);
  source.toLink.backfill = value;
  for (const member of link.members) if (member !== source) member.fromLink.backfill = value;
  return "";
}

/** A command that sets one table column of a link or LAN. */
function column(
  name: string,
  columnName: string,
  read: (call: CommandCall) => string,
  kind: "link" | "lan" | "any" = "any",
): TestbedCommand {
  return command(name, kind === "any" ? "lanOrLink value" : `${kind} value`, 2, 2, (call) => {
    needLink(call, 1, kind).columns.set(columnName, read(call));
    return "";
  });
}

const value = (call: CommandCall): string => word(call.argv, 2);
const encapsulations = ["gre", "egre", "vtun", "veth-ne", "vlan"] as const;

/** Commands about shaping. */
export const shapingCommands: readonly TestbedCommand[] = [
  command("tb-set-link-loss", "link loss | node1 node2 loss", 2, 3, (call) => {
    linkLoss(call);
    return "";
  }),
  command("tb-set-lan-loss", "lan loss", 2, 2, (call) => {
    const loss = halfLoss(needLoss(call, 2));
    eachShape(needLink(call, 1, "lan"), (shape) => {
      shape.loss = loss;
    });
    return "";
  }),
  command("tb-set-node-lan-delay", "node lan delay", 3, 3, (call) => {
    const delay = delayText(call, 3);
    bothWays(lanMember(call), (shape) => {
      shape.delay = delay;
    });
    return "";
  }),
  command("tb-set-node-lan-bandwidth", "node lan bandwidth", 3, 3, (call) => {
    const bandwidth = bandwidthText(call, 3);
    bothWays(lanMember(call), (shape) => {
      shape.bandwidth = bandwidth;
    });
    return "";
  }),
  command("tb-set-node-lan-loss", "node lan loss", 3, 3, (call) => {
    const loss = needLoss(call, 3);
    bothWays(lanMember(call), (shape) => {
      shape.loss = loss;
    });
    return "";
  }),
  command("tb-set-node-lan-params", "node lan delay bandwidth loss", 5, 5, (call) => {
    nodeLanParams(call);
    return "";
  }),
  command("tb-set-link-simplex-params", "link source delay bandwidth loss", 5, 5, (call) => {
    linkSimplex(call);
    return "";
  }),
  command(
    "tb-set-lan-simplex-params",
    "lan node toDelay toBw toLoss fromDelay fromBw fromLoss",
    8,
    8,
    (call) => {
      lanSimplex(call);
      return "";
    },
  ),
  command("tb-set-link-est-bandwidth", "link bandwidth", 2, 2, wholeLink("estimate", "link")),
  command("tb-set-lan-est-bandwidth", "lan bandwidth", 2, 2, wholeLink("estimate", "lan")),
  command("tb-set-node-lan-est-bandwidth", "node lan bandwidth", 3, 3, oneMember("estimate")),
  command("tb-set-link-backfill", "link bandwidth", 2, 2, wholeLink("backfill", "link")),
  command("tb-set-lan-backfill", "lan bandwidth", 2, 2, wholeLink("backfill", "lan")),
  command("tb-set-node-lan-backfill", "node lan bandwidth", 3, 3, oneMember("backfill")),
  command("tb-set-link-simplex-backfill", "link source bandwidth", 3, 3, simplexBackfill),
  command("tb-set-lan-simplex-backfill", "lan node to from", 4, 4, (call) => {
    const member = needMember(call, needLink(call, 1, "lan"), needNode(call, 2), 2);
    member.toLink.backfill = plainBandwidth(call, 3);
    member.fromLink.backfill = plainBandwidth(call, 4);
    return "";
  }),
  column("tb-set-endnodeshaping", "uselinkdelay", value),
  column("tb-set-noshaping", "nobwshaping", value),
  column("tb-set-multiplexed", "emulated", value),
  column("tb-set-allowcolocate", "trivial_ok", value),
  column("tb-set-lan-protocol", "protocol", value, "lan"),
  column("tb-set-link-protocol", "protocol", value, "link"),
  column("tb-set-link-layer", "layer", value, "link"),
  column("tb-set-link-encap", "encap_style", (call) => needOneOf(call, 2, encapsulations)),
  column("tb-set-useveth", "encap_style", (call) =>
    needFlag(call, 2) === "1" ? "veth-ne" : "default",
  ),
  command("tb-set-link-failure-action", "lanOrLink fatal|nonfatal", 2, 2, (call) => {
    needLink(call, 1).failureAction = needOneOf(call, 2, ["fatal", "nonfatal"]);
    return "";
  }),
  command("tb-set-lan-accesspoint", "lan node", 2, 2, (call) => {
    const member = needMember(call, needLink(call, 1, "lan"), needNode(call, 2), 2);
    member.extra.set("is_accesspoint", "1");
    return "";
  }),
  command("tb-set-node-lan-setting", "node lan key value", 4, 4, (call) => {
    const member = lanMember(call);
    member.settings ??= new Map();
    member.settings.set(word(call.argv, 3), word(call.argv, 4));
    return "";
  }),
  command("tb-set-lan-setting", "lan key value", 3, 3, (call) => {
    needLink(call, 1, "lan").settings.set(word(call.argv, 2), word(call.argv, 3));
    return "";
  }),
];
