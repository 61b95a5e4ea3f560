// SPDX-License-Identifier: MIT
// What of the users' bus a node has to do with: its experiment's events, for every node or for this
// one, on the way down; requests and reports to the scheduler on the way up. Decides, and says why
// not; a bus that is so narrowed is made in node-proxy.ts. [EMULAB-EVENTS 7.4]
import { BusError } from "../wire/event/bus.ts";
import type { Address, Notification } from "../wire/event/notification.ts";
import { addressOf, unsetField } from "../wire/event/notification.ts";
import { splitNames } from "../wire/event/subscription.ts";

export interface NodeView {
  /** `pid/eid` */
  readonly experiment: string;
  /** Control addresses of the node, as schedulers write them into HOST. */
  readonly addresses: readonly string[];
}

/**
 * The address a client of the node gets when it asks for this one. What it leaves open is narrowed.
 * @throws BusError (refused) for what never comes to this node.
 */
export function narrowSubscription(view: NodeView, asked: Address = { scheduler: 0 }): Address {
  const { experiment, addresses } = view;
  if (asked.scheduler === 1) {
    const advice = "listen where the scheduler does, at the event server";
    throw new BusError("refused", `requests to a scheduler do not come to nodes; ${advice}`);
  }
  return {
    ...asked,
    expt: narrowNames(asked.expt, [experiment], `this node is in ${experiment}`),
    host: narrowNames(asked.host, [unsetField, ...addresses], `this node is ${addresses.join()}`),
  };
}

/** @throws BusError (refused) for what a node does not send. */
export function checkNodePublication({ experiment }: NodeView, notification: Notification): void {
  const { expt = unsetField, scheduler } = addressOf(notification);
  if (expt !== experiment) {
    const message = `this node is in ${experiment}, not in ${expt}; set EXPT to ${experiment}`;
    throw new BusError("refused", message);
  }
  if (scheduler === 1) return;
  const message = "a node sends events to its scheduler, which hands them out; set SCHEDULER to 1";
  throw new BusError("refused", message);
}

function narrowNames(list: string | undefined, own: readonly string[], why: string): string {
  if (list === undefined) return own.join();
  const other = splitNames(list).find((name) => !own.includes(name));
  if (other === undefined) return list;
  throw new BusError("refused", `${why}; what is for ${other} does not come here, leave it out`);
}
