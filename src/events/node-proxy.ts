// SPDX-License-Identifier: MIT
// The proxy of a node: its clients connect to it, and it to the event server. Owns the one
// connection up and the door for the node. It keeps no notifications: what a client subscribes to
// is subscribed to at the server, over the shared connection. [EMULAB-EVENTS 7.4]
//
//   P1. The server has one connection of a node, however many clients the node has.
//   P2. Notifications pass unchanged in both directions, so that authentication holds end to end.
//   P3. Places are the server's. A client that comes back to the proxy, also to one that was
//       started anew, goes on where it was, or is told of a gap (N3).
//   P4. Answers to publications are the server's; while it is away they are `unavailable`.
import type { BusSocket } from "../client/remote-bus.ts";
import { RemoteBus } from "../client/remote-bus.ts";
import type { ClientRuntime } from "../client/runtime.ts";
import { type BusTime, createEventDoor } from "../edges/bus/index.ts";
import type { BoundDoor, HttpDoor } from "../edges/http/index.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { Bus, Published, Subscribed, Subscriber, Subscription } from "../wire/event/bus.ts";
import { BusError } from "../wire/event/bus.ts";
import type { Notification } from "../wire/event/notification.ts";
import { checkNodePublication, type NodeView, narrowSubscription } from "./node-view.ts";
import type { ProxyLimits } from "./proxy-limits.ts";

export interface NodeProxyOptions {
  /** Opens a WebSocket to the event server. */
  readonly open: () => BusSocket;
  /** How long the proxy takes to come back, and how long a publication waits for that. */
  readonly retry: {
    readonly retryMs: number;
    readonly retryMsMax: number;
    readonly publishWaitMs: number;
  };
  /** What the node has to do with; absent for a proxy that stands for a whole site. */
  readonly view?: NodeView;
  readonly limits: ProxyLimits;
  readonly runtime: ClientRuntime;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Edge-local times of the node's door; tests shorten them. */
  readonly time?: BusTime;
  /** The event server does not want this node, and the proxy is of no use any more. */
  readonly onTurnedAway: (error: BusError) => void;
}

export class NodeProxy {
  readonly #upstream: RemoteBus;
  readonly #door: HttpDoor;

  constructor(options: NodeProxyOptions) {
    const { open, retry, view, limits, runtime, clock, logger, time, onTurnedAway } = options;
    const publicationsMax = limits.proxyPublicationsMax;
    this.#upstream = new RemoteBus({ open, runtime, ...retry, publicationsMax, onTurnedAway });
    const bus = new ProxiedBus(this.#upstream, limits, view);
    this.#door = createEventDoor({
      ...{ bus, clock, logger, access: {} },
      ...(time === undefined ? {} : { time }),
    });
  }

  /** @throws Error when the address cannot be had. */
  listen(address: { readonly host: string; readonly port: number }): Promise<BoundDoor> {
    return this.#door.listen(address);
  }

  /** Clients are told to come back later before the connection up goes. */
  async close(): Promise<void> {
    await this.#door.close();
    this.#upstream.close();
  }
}

/** The server's bus as a node sees it. */
class ProxiedBus implements Bus {
  readonly #upstream: Bus;
  readonly #limits: ProxyLimits;
  readonly #view: NodeView | undefined;
  /** Also those that wait for the server, and whose client has gone meanwhile. */
  #subscriptions = 0;
  #publications = 0;

  constructor(upstream: Bus, limits: ProxyLimits, view: NodeView | undefined) {
    this.#upstream = upstream;
    this.#limits = limits;
    this.#view = view;
  }

  async publish(notification: Notification): Promise<Published> {
    if (this.#view !== undefined) checkNodePublication(this.#view, notification);
    const { proxyPublicationsMax } = this.#limits;
    if (this.#publications >= proxyPublicationsMax) {
      const what = `limit proxyPublicationsMax (${proxyPublicationsMax}) reached on this node`;
      throw new BusError("refused", `${what}; wait for answers before you publish more`);
    }
    this.#publications += 1;
    try {
      return await this.#upstream.publish(notification);
    } finally {
      this.#publications -= 1;
    }
  }

  async subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    const { proxySubscriptionsMax } = this.#limits;
    if (this.#subscriptions >= proxySubscriptionsMax) {
      const what = `limit proxySubscriptionsMax (${proxySubscriptionsMax}) reached on this node`;
      throw new BusError("refused", `${what}; close some, or connect to the event server`);
    }
    const { address: asked } = subscription;
    const address = this.#view === undefined ? asked : narrowSubscription(this.#view, asked);
    this.#subscriptions += 1;
    let isCounted = true;
    const leave = (): void => {
      if (isCounted) this.#subscriptions -= 1;
      isCounted = false;
    };
    try {
      const subscribed = await this.#upstream.subscribe(
        { ...subscription, address },
        {
          onNotifications: (notifications) => subscriber.onNotifications(notifications),
          onGap: (lost) => subscriber.onGap(lost),
          onEnd: (reason, place) => {
            leave();
            subscriber.onEnd(reason, place);
          },
        },
      );
      return {
        get place() {
          return subscribed.place;
        },
        close: () => {
          leave();
          subscribed.close();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  }
}
