// SPDX-License-Identifier: MIT
// Who the caller is and whose. [EMULAB-TMCD 9]
import {
  formatCreator,
  formatEventKey,
  formatKeyHash,
  formatStatus,
  formatVirtualNodes,
  formatWord,
} from "../../../wire/tmcd/index.ts";
import { type Handler, reservationOf, silence } from "./handler.ts";

export const nodeid: Handler = ({ node }) => formatWord(node.id);

export const status: Handler = ({ node }) => formatStatus(node.reservation, node.vname);

export const role: Handler = ({ node }) => formatWord(node.role);

export const creator: Handler = (asked) => {
  const owner = reservationOf(asked);
  if (owner === undefined) return silence;
  return formatCreator(owner.creator, owner.swapper, asked.request.version);
};

export const keyhash: Handler = (asked) => formatKeyHash(reservationOf(asked)?.keyHash);

export const eventkey: Handler = (asked) => formatEventKey(reservationOf(asked)?.eventKey);

export const vnodelist: Handler = async ({ node, source }) =>
  formatVirtualNodes(await source.virtualNodes(node));
