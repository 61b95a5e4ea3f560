// SPDX-License-Identifier: MIT
// tb-* commands about addresses and netmasks. [EMULAB-NS 9, 11]

import { addressToNumber } from "./addresses.ts";
import { NsFault } from "./context.ts";
import { linkBetween } from "./link.ts";
import { word } from "./method.ts";
import { setAddress } from "./node.ts";
import {
  type CommandCall,
  command,
  needInteger,
  needLink,
  needMember,
  needNode,
  needOneOf,
  type TestbedCommand,
} from "./tb-shared.ts";
import { isAddress } from "./units.ts";

function setIp(call: CommandCall): void {
  const node = needNode(call, 1);
  if (node.ports.length !== 1) {
    const how = node.ports.length === 0 ? "no connection yet" : "more than one connection";
    throw new NsFault("NS_NO_LINK", `[tb-set-ip] ${node.name} has ${how}`, {
      word: 1,
      hint: "Make the link before; with several links use tb-set-ip-link or tb-set-ip-lan.",
    });
  }
  setAddress(call.context, node, 0, word(call.argv, 2), 2);
}

function setIpOn(kind: "link" | "lan") {
  return (call: CommandCall): string => {
    const node = needNode(call, 1);
    const member = needMember(call, needLink(call, 2, kind), node, 1);
    setAddress(call.context, node, member.port, word(call.argv, 3), 3);
    return "";
  };
}

function setIpInterface(call: CommandCall): void {
  const source = needNode(call, 1);
  const target = needNode(call, 2);
  const link = linkBetween(source, target);
  if (link === undefined) {
    const message = `[tb-set-ip-interface] No connection between ${source.name} and ${target.name}`;
    throw new NsFault("NS_NO_LINK", message, {
      word: 1,
      hint: "Make the link before its address.",
    });
  }
  const member = needMember(call, link, source, 1);
  setAddress(call.context, source, member.port, word(call.argv, 3), 3);
}

function setNetmask(call: CommandCall): void {
  const link = needLink(call, 1);
  const text = word(call.argv, 2);
  const mask = addressToNumber(text);
  const host = ~mask >>> 0;
  // A mask is ones followed by zeros: its complement plus one is a power of two.
  const isMask = isAddress(text, false) && (host & (host + 1)) === 0;
  if (!isMask || host === 0) {
    throw new NsFault("NS_NETMASK", `[tb-set-netmask] ${text} is not a valid IP mask`, {
      word: 2,
      hint: "Write it as four numbers, such as 255.255.255.0.",
    });
  }
  if (mask >>> 16 !== 0xffff) {
    throw new NsFault("NS_NETMASK", `[tb-set-netmask] ${text} is too big`, {
      word: 2,
      hint: "The first two numbers must be 255.255.",
    });
  }
  link.netmask = text;
}

/** Commands about addresses. */
export const addressCommands: readonly TestbedCommand[] = [
  command("tb-set-ip", "node address", 2, 2, (call) => {
    setIp(call);
    return "";
  }),
  command("tb-set-ip-link", "node link address", 3, 3, setIpOn("link")),
  command("tb-set-ip-lan", "node lan address", 3, 3, setIpOn("lan")),
  command("tb-set-ip-interface", "source destination address", 3, 3, (call) => {
    setIpInterface(call);
    return "";
  }),
  command("tb-set-netmask", "lanOrLink mask", 2, 2, (call) => {
    setNetmask(call);
    return "";
  }),
  command("tb-use-ipassign", "0|1", 1, 1, (call) => {
    call.context.settings.set("use_ipassign", needInteger(call, 1, 0, 1));
    return "";
  }),
  command("tb-set-ipassign-args", "text", 1, 1, (call) => {
    call.context.settings.set("ipassign_args", word(call.argv, 1));
    return "";
  }),
  command("tb-set-ip-routing", "none|ospf", 1, 1, (call) => {
    const wanted = needOneOf(call, 1, ["none", "ospf"]);
    call.context.settings.routing = wanted === "ospf" ? "session" : undefined;
    return "";
  }),
];
