// SPDX-License-Identifier: MIT
// Doubles for the tests of whoever sends events: a bus with the key of an experiment, and a
// scheduler on it that says what the test tells it to.

import type { ConnectedBus } from "../../../src/client/event-connection.ts";
import { createCredentials, type EventCredentials } from "../../../src/client/event-credentials.ts";
import { requestAttribute } from "../../../src/client/event-request.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { eventHash } from "../../../src/host/event-hash.ts";
import { newNonce } from "../../../src/host/ids.ts";
import type { BusPlace } from "../../../src/wire/event/bus.ts";
import {
  type Address,
  attributeNames,
  createNotification,
  getInt32,
  getText,
  int32Attribute,
  type Notification,
  textAttribute,
} from "../../../src/wire/event/notification.ts";
import { orderAttributes } from "../../../src/wire/event/orders.ts";

export const experiment = "foo/bar";
export const key: Uint8Array = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const sender = "192.0.2.1";

/** 2004-06-21T13:25:45.7Z */
export const nowUs = 1_087_824_345_700_000n;

export function credentialsWith(
  bytes: Uint8Array,
  wallUs: () => bigint = () => nowUs,
): EventCredentials {
  const credentials = createCredentials({
    ...{ experiment, key: bytes, hash: eventHash, randomBytes: newNonce, wallUs },
  });
  if (typeof credentials === "string") throw new Error(credentials);
  return credentials;
}

export function newBus(): MemoryBus & ConnectedBus {
  return new MemoryBus({ epoch: "test", limits: resolveBusLimits() });
}

export interface Answer {
  readonly eventtype: string;
  readonly args?: string;
  readonly token?: number;
  readonly outcome?: string;
  /** Of the request that it answers. */
  readonly request?: string | undefined;
  readonly credentials?: EventCredentials;
}

/** Collects the requests on a bus and sends what a test wants as the scheduler. */
export class FakeScheduler {
  readonly requests: Notification[] = [];
  readonly #bus: MemoryBus;
  readonly #credentials: EventCredentials;
  #onRequest: (request: Notification) => void = () => undefined;

  constructor(bus: MemoryBus, credentials: EventCredentials = credentialsWith(key)) {
    this.#bus = bus;
    this.#credentials = credentials;
  }

  /**
   * @param onRequest what to do for each request, by `say`
   * @param after where it was on the bus, when it comes back
   */
  async listen(
    onRequest: (request: Notification) => void = () => undefined,
    after?: BusPlace,
  ): Promise<void> {
    this.#onRequest = onRequest;
    const place = after === undefined ? {} : { after };
    await this.#bus.subscribe(
      { address: { expt: experiment, scheduler: 1 }, slow: "end", ...place },
      {
        onNotifications: (notifications) => {
          for (const { notification } of notifications) {
            this.requests.push(notification);
            this.#onRequest(notification);
          }
        },
        onGap: () => undefined,
        onEnd: () => undefined,
      },
    );
  }

  /** Publishes as the scheduler does: live, about the object of the request, authenticated. */
  say(request: Notification, answer: Answer): void {
    const { eventtype, args = "", token, request: id, outcome = "" } = answer;
    const { credentials = this.#credentials } = answer;
    const objname = getText(request, attributeNames.objname) ?? "";
    const address: Address = { expt: experiment, objname, eventtype, scheduler: 0 };
    const extra = [
      textAttribute(attributeNames.args, args),
      ...(token === undefined ? [] : [int32Attribute(attributeNames.token, token)]),
      ...(id === undefined ? [] : [textAttribute(requestAttribute, id)]),
      ...(outcome === "" ? [] : [textAttribute(orderAttributes.outcome, outcome)]),
    ];
    const notification = createNotification(address, { sender, layout: "2011", extra });
    void this.#bus.publish(credentials.sign(notification));
  }

  accept(request: Notification, token: number): void {
    this.say(request, { eventtype: "ACCEPTED", token, request: idOf(request) });
  }

  refuse(request: Notification, code: string, text: string): void {
    const args = `CODE=${code} TEXT={${text}}`;
    this.say(request, { eventtype: "REFUSED", args, request: idOf(request) });
  }

  ignore(request: Notification, why: string): void {
    const args = ` ERROR=0 CTOKEN=${tokenOf(request)}`;
    this.say(request, { eventtype: "COMPLETE", args, outcome: `ignored: ${why}` });
  }

  complete(request: Notification, error: number, token: number = tokenOf(request)): void {
    this.say(request, { eventtype: "COMPLETE", args: ` ERROR=${error} CTOKEN=${token}` });
  }
}

export function idOf(request: Notification): string | undefined {
  return getText(request, requestAttribute);
}

/** The token in the request; -1 when it has none. */
export function tokenOf(request: Notification): number {
  return getInt32(request, attributeNames.token) ?? -1;
}
