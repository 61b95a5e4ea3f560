// SPDX-License-Identifier: MIT
// What of a bus a caller may hear and say: a token for one scope is for the experiment of that
// name, and for no other. [EMULAB-EVENTS 9.28]
import { BusError } from "../../wire/event/bus.ts";
import type { Address, Notification } from "../../wire/event/notification.ts";
import { attributeNames, getText } from "../../wire/event/notification.ts";
import { splitNames } from "../../wire/event/subscription.ts";
import { mayDo } from "../../wire/link/roles.ts";
import type { Caller } from "../http/index.ts";

/** The address a caller gets when it asks for this one. @throws BusError (refused) */
export function admitSubscription(
  { scope }: Caller,
  address: Address | undefined,
): Address | undefined {
  if (scope === undefined) return address;
  if (address === undefined) {
    throw new BusError("refused", `the token is for ${scope}; subscribe to that experiment`);
  }
  if (address.expt === undefined) return { ...address, expt: scope };
  const other = splitNames(address.expt).find((name) => name !== scope);
  if (other === undefined) return address;
  throw new BusError("refused", `the token is for ${scope}, not for ${other}`);
}

/** @throws BusError (refused) */
export function checkPublication({ role, scope }: Caller, notification: Notification): void {
  if (!mayDo(role, "notify")) {
    const advice = "make one that may with: muster token create";
    throw new BusError("refused", `a token of role ${role} may not send; ${advice}`);
  }
  const expt = getText(notification, attributeNames.expt);
  if (scope === undefined || expt === scope) return;
  throw new BusError("refused", `the token is for ${scope}; set EXPT to that`);
}
