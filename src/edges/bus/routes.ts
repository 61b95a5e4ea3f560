// SPDX-License-Identifier: MIT
// The bus over plain HTTP: one notification by POST, a stream of them as server-sent events. For
// `curl` and pages; whoever wants flow control uses /v1/bus.
//
// An event's id is `EPOCH.POSITION`; a client that sends the last one it had as `Last-Event-ID`
// goes on behind it. A reader that falls behind is cut, and comes back the same way.
import { z } from "zod";
import type {
  Bus,
  BusErrorCode,
  BusPlace,
  PlacedNotification,
  Subscribed,
  Subscriber,
} from "../../wire/event/bus.ts";
import { BusError } from "../../wire/event/bus.ts";
import { fromJsonNotification, toJsonNotification } from "../../wire/event/json.ts";
import type { Address } from "../../wire/event/notification.ts";
import { matches, parseFilter } from "../../wire/event/subscription.ts";
import type { HttpCode, ReplyStream, Route } from "../http/index.ts";
import { defineRoute, HttpError } from "../http/index.ts";
import type { BusDoorOptions } from "./endpoint.ts";
import { admitSubscription, checkPublication } from "./rights.ts";

export function createBusRoutes(options: BusDoorOptions): readonly Route[] {
  return [publishRoute(options.bus), listenRoute(options)];
}

const attribute = z.strictObject({
  name: z.string(),
  type: z.enum(["int32", "int64", "real64", "string", "opaque"]),
  value: z.union([z.string(), z.number()]),
});
const notification = z.strictObject({ attributes: z.array(attribute) });
const place = z.object({ epoch: z.string(), position: z.number() });

function publishRoute(bus: Bus): Route {
  return defineRoute({
    method: "POST",
    path: "/v1/notifications",
    summary: "Send a notification",
    access: "notify",
    body: notification,
    isScoped: false,
    answers: [
      {
        status: 200,
        what: "It was accepted; `matched` subscriptions hear it",
        schema: z.object({ place, matched: z.number() }),
      },
    ],
    handle: async ({ caller, body }) => {
      const parsed = fromJsonNotification(body);
      if (parsed.kind === "refused") throw toHttpError(new BusError(parsed.code, parsed.message));
      try {
        checkPublication(caller, parsed.notification);
        return await bus.publish(parsed.notification);
      } catch (error) {
        throw toHttpError(error);
      }
    },
  });
}

const list = z.string().optional();
const query = z.strictObject({
  ...{ site: list, expt: list, group: list, host: list, objtype: list, objname: list },
  ...{ eventtype: list, timeline: list },
  /** `all`: what matches the other fields, scheduled or not. */
  scheduler: z.enum(["0", "1", "all"]).optional(),
});

function listenRoute({ bus, clock, time }: BusDoorOptions): Route {
  return defineRoute({
    method: "GET",
    path: "/v1/notifications",
    summary: "Hear notifications, as server-sent events: notification, gap, end",
    access: "listen",
    query,
    isScoped: false,
    lasts: "stream",
    answers: [{ status: 200, what: "A stream of events", type: "text/event-stream" }],
    handle: async ({ caller, query: given, headers, gone }) => {
      const stream = new EventStream();
      const after = readEventId(headers["last-event-id"]);
      const { scheduler, ...fields } = given;
      let subscribed: Subscribed;
      try {
        const admitted = admitSubscription(caller, readAddress(fields, scheduler));
        const isAll = scheduler === "all";
        const subscriber =
          isAll && admitted !== undefined ? scheduledOrNot(admitted, stream) : stream;
        const address = isAll ? undefined : admitted;
        const wanted = { address, slow: "end" as const, ...(after === undefined ? {} : { after }) };
        subscribed = await bus.subscribe(wanted, subscriber);
      } catch (error) {
        throw toHttpError(error);
      }
      stream.begin(subscribed);
      // The client may have gone while the bus was thinking.
      if (gone.reason !== undefined) subscribed.close();
      const tell = (): (() => void) => {
        return clock.after(time.placeMs, () => {
          stream.tellPlace();
          cancel = tell();
        });
      };
      let cancel = tell();
      const stop = (): void => {
        cancel();
        subscribed.close();
      };
      gone.onGone(stop);
      return {
        kind: "reply",
        status: 200,
        type: "text/event-stream",
        body: (out: ReplyStream) => {
          stream.open(out);
          return stop;
        },
      };
    },
  });
}

type Fields = { readonly [field in Exclude<keyof Address, "scheduler">]?: string | undefined };

/**
 * Of everything that goes over the bus, whoever is to act on it, what matches the other fields. Two
 * subscriptions would each have a place, and a client comes back with one.
 *
 * @throws BusError (invalid) for what is no list
 */
function scheduledOrNot(address: Address, to: Subscriber): Subscriber {
  const parsed = parseFilter(address);
  if (parsed.kind === "refused") throw new BusError(parsed.code, parsed.message);
  const filter = { ...parsed.filter, scheduler: undefined };
  return {
    onNotifications: (items) => {
      return to.onNotifications(items.filter((item) => matches(filter, item.notification)));
    },
    onGap: (lost) => to.onGap(lost),
    onEnd: (reason, place) => to.onEnd(reason, place),
  };
}

function readAddress(fields: Fields, scheduler: "0" | "1" | "all" | undefined): Address {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  const given: Partial<Address> = Object.fromEntries(set);
  return { ...given, scheduler: scheduler === "1" ? 1 : 0 };
}

/** @throws HttpError for an id that this door has not given. */
function readEventId(id: string | readonly string[] | undefined): BusPlace | undefined {
  if (id === undefined || id === "") return undefined;
  const [, epoch, position] = /^([\w-]{1,64})\.(\d{1,15})$/.exec(String(id)) ?? [];
  if (epoch === undefined) {
    throw new HttpError("invalid", "Last-Event-ID is EPOCH.POSITION; give the id of an event");
  }
  return { epoch, position: Number(position) };
}

/** Writes what a subscriber gets as events. */
class EventStream implements Subscriber {
  /** What came before there was somewhere to write to; ids are known when there is. */
  #early: (() => void)[] = [];
  #out: ReplyStream | undefined;
  #subscribed: Subscribed | undefined;
  #toldPosition = -1;
  #isOver = false;

  begin(subscribed: Subscribed): void {
    this.#subscribed = subscribed;
  }

  open(out: ReplyStream): void {
    this.#out = out;
    for (const write of this.#early) write();
    this.#early = [];
    this.tellPlace();
    if (this.#isOver) out.end();
  }

  onNotifications(items: readonly PlacedNotification[]): void {
    for (const { position, notification: item } of items) {
      const data = JSON.stringify(toJsonNotification(item));
      this.#write(() => {
        this.#toldPosition = position;
        const id = `${this.#subscribed?.place.epoch}.${position}`;
        return `id: ${id}\nevent: notification\ndata: ${data}\n\n`;
      });
    }
  }

  onGap(lost: number): void {
    this.#write(() => `event: gap\ndata: {"lost":${lost}}\n\n`);
  }

  onEnd(reason: string): void {
    this.#write(() => `event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
    this.#isOver = true;
    this.#out?.end();
  }

  /** An id alone: no event, but what the client sends when it comes back. Also a sign of life. */
  tellPlace(): void {
    const at = this.#subscribed?.place;
    if (at === undefined || this.#isOver) return;
    const isNews = at.position > this.#toldPosition;
    this.#toldPosition = at.position;
    this.#write(() => (isNews ? `id: ${at.epoch}.${at.position}\n\n` : ":\n\n"));
  }

  #write(format: () => string): void {
    const out = this.#out;
    if (out === undefined) this.#early.push(() => this.#write(format));
    else out.write(format());
  }
}

const httpCodes: Readonly<Record<BusErrorCode, HttpCode>> = {
  invalid: "invalid",
  "too-large": "limit",
  refused: "forbidden",
  unavailable: "unavailable",
};

function toHttpError(error: unknown): unknown {
  if (!(error instanceof BusError)) return error;
  const status = error.code === "too-large" ? { status: 413 } : {};
  return new HttpError(httpCodes[error.code], error.message, status);
}
