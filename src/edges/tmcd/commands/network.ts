// SPDX-License-Identifier: MIT
// The experiment's network as the caller has to set it up. [EMULAB-TMCD 9]
import {
  formatDelays,
  formatHosts,
  formatInterfaces,
  formatLinkDelays,
  formatRouting,
} from "../../../wire/tmcd/index.ts";
import { type Handler, silence } from "./handler.ts";

export const hostnames: Handler = async ({ node, source, request }) =>
  formatHosts(await source.hosts(node), request.version);

export const ifconfig: Handler = async ({ node, source, request }) =>
  formatInterfaces(await source.interfaces(node), {
    version: request.version,
    isVirtual: node.isVirtual,
  });

export const delay: Handler = async ({ node, source }) => formatDelays(await source.delays(node));

export const linkdelay: Handler = async ({ node, source }) =>
  formatLinkDelays(await source.linkDelays(node));

export const routing: Handler = async ({ node, source, request }) =>
  formatRouting(await source.routing(node), request.version);

export function map(name: "topomap" | "ltmap" | "ltpmap"): Handler {
  return async ({ node, source }) => (await source.map(node, name)) ?? silence;
}
