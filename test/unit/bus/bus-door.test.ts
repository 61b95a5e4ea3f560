// SPDX-License-Identifier: MIT
// Goal: the bus by plain HTTP and over a WebSocket gives each caller what its token allows, streams
// that can be gone on with, and survives what clients say. Method: fetch and a WebSocket spoken to
// by hand on loopback; frames by chance.
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { TokenRow } from "../../../src/edges/http/index.ts";
import { formatToken, hashSecret } from "../../../src/edges/http/index.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { BusClientFrame, BusServerFrame } from "../../../src/wire/event/bus-frames.ts";
import {
  busProtocol,
  formatClientFrame,
  formatServerFrame,
  parseClientFrame,
  parseServerFrame,
} from "../../../src/wire/event/bus-frames.ts";
import { toJsonNotification } from "../../../src/wire/event/json.ts";
import type { Role } from "../../../src/wire/link/roles.ts";
import { RawSocket } from "../http/http-bench.ts";
import { anyNotification, anySubscription } from "../wire/event-arbitrary.ts";
import { BusDoorBench } from "./bus-bench.ts";

let bench: BusDoorBench;
afterEach(() => bench.close());

const open = async (options = {}): Promise<BusDoorBench> => {
  bench = await new BusDoorBench(options).start();
  return bench;
};

function closed(rows: ReadonlyMap<string, TokenRow>): object {
  return { access: { tokens: { rows: () => rows } } };
}

function token(rows: Map<string, TokenRow>, role: Role, scope: string | null = null): string {
  const id = `t${rows.size}`;
  const row = { id, role, scope, expiresMs: null, createdMs: 0, note: "" };
  rows.set(id, { ...row, hash: hashSecret("s") });
  return formatToken(id, "s");
}

const post = (number: number, address = {}, headers = {}): Promise<Response> =>
  fetch(`${bench.url}/v1/notifications`, {
    method: "POST",
    headers,
    body: JSON.stringify(toJsonNotification(numbered(number, address))),
  });

/** Reads a stream of events until `text` is in it, then lets it go. */
async function streamUntil(text: string, query = "", headers = {}): Promise<string> {
  const stop = new AbortController();
  const answer = await fetch(`${bench.url}/v1/notifications${query}`, {
    headers,
    signal: stop.signal,
  });
  let heard = "";
  if (answer.body !== null) {
    for await (const chunk of answer.body) {
      heard += Buffer.from(chunk).toString();
      if (heard.includes(text)) break;
    }
  }
  stop.abort();
  return heard;
}

const ids = (events: string): readonly string[] =>
  [...events.matchAll(/^id: (.*)\nevent: notification/gm)].map((match) => match[1] ?? "");

describe("POST /v1/notifications", () => {
  it("sends one and says where it is and how many hear it", async () => {
    await open();
    const answer = await post(1);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ place: { epoch: "e1", position: 1 }, matched: 0 });
  });

  it("refuses what is no notification, with a reason", async () => {
    await open();
    const send = async (body: string): Promise<unknown> => {
      const answer = await fetch(`${bench.url}/v1/notifications`, { method: "POST", body });
      return [answer.status, await answer.json()];
    };
    const invalid = { code: "invalid", definite: true };
    expect(await send("{}")).toMatchObject([400, invalid]);
    const twice = { name: "a", type: "int32", value: 1 };
    expect(await send(JSON.stringify({ attributes: [twice, twice] }))).toMatchObject([
      400,
      invalid,
    ]);
    expect(await send(`{"attributes":[{"name":"a","type":"int32","value":1.5}]}`)).toMatchObject([
      400,
      invalid,
    ]);
  });

  it("lets an observer hear and not send, and a token of one scope reach no other", async () => {
    const rows = new Map<string, TokenRow>();
    const observer = { authorization: `Bearer ${token(rows, "observer")}` };
    const scoped = { authorization: `Bearer ${token(rows, "participant", "p/e")}` };
    await open(closed(rows));
    expect((await post(1, { expt: "p/e" }, observer)).status).toBe(403);
    expect((await post(1, { expt: "p/e" }, scoped)).status).toBe(200);
    expect((await post(1, { expt: "p/other" }, scoped)).status).toBe(403);
    expect((await post(1, {}, scoped)).status).toBe(403);
    const listen = (query: string): Promise<number> =>
      fetch(`${bench.url}/v1/notifications${query}`, { headers: scoped }).then(async (answer) => {
        await answer.body?.cancel();
        return answer.status;
      });
    expect(await listen("?expt=p/other")).toBe(403);
    expect(await listen("?expt=p/e,p/other")).toBe(403);
    expect(await listen("?scheduler=all&expt=p/other")).toBe(403);
    // Without an experiment it is the token's own.
    await bench.memory.publish(numbered(2, { expt: "p/other" }));
    await bench.memory.publish(numbered(3, { expt: "p/e" }));
    const events = await streamUntil("e1.3", "", { ...scoped, "last-event-id": "e1.1" });
    expect(ids(events)).toEqual(["e1.3"]);
    const all = "?scheduler=all";
    const both = await streamUntil("e1.3", all, { ...scoped, "last-event-id": "e1.1" });
    expect(ids(both)).toEqual(["e1.3"]);
  });
});

describe("GET /v1/notifications", () => {
  it("streams what matches, with ids to go on from", async () => {
    await open();
    for (const number of [1, 2, 3, 4]) await post(number, { objname: number % 2 ? "a" : "b" });
    const events = await streamUntil("e1.3", "?objname=a", { "last-event-id": "e1.1" });
    expect(ids(events)).toEqual(["e1.3"]);
    expect(events).toContain('"value":"a"');
  });

  it("with scheduler=all, keeps to the other fields, and has requests for schedulers also", async () => {
    await open();
    await bench.memory.publish(numbered(1, { objname: "a", scheduler: 1 }));
    await bench.memory.publish(numbered(2, { objname: "b", scheduler: 1 }));
    await bench.memory.publish(numbered(3, { objname: "b" }));
    await bench.memory.publish(numbered(4, { objname: "a" }));
    const from = { "last-event-id": "e1.0" };
    const events = await streamUntil("e1.4", "?scheduler=all&objname=a", from);
    expect(ids(events)).toEqual(["e1.1", "e1.4"]);
  });

  it("tells of a gap, and its place when nothing matches", async () => {
    await open();
    for (const number of [1, 2, 3]) await post(number);
    expect(await streamUntil("gap", "", { "last-event-id": "other.7" })).toContain(
      'event: gap\ndata: {"lost":-1}',
    );
    expect(await streamUntil("id: e1.3\n\n", "?objname=none")).not.toContain("notification");
  });

  it("refuses fields that do not exist and ids it has not given", async () => {
    await open();
    const status = async (query: string, headers = {}): Promise<number> =>
      (await fetch(`${bench.url}/v1/notifications${query}`, { headers })).status;
    expect(await status("?colour=red")).toBe(400);
    expect(await status("?scheduler=2")).toBe(400);
    expect(await status("?objname=,")).toBe(400);
    expect(await status("?scheduler=all&objname=,")).toBe(400);
    expect(await status("", { "last-event-id": "7" })).toBe(400);
    expect(await status("", { "last-event-id": "e1.7" })).toBe(400);
  });
});

const raw = (): RawSocket =>
  new RawSocket(new WebSocket(`${bench.url.replace("http", "ws")}/v1/bus`, [busProtocol]));
const subscribe = { kind: "subscribe", id: 1, address: { scheduler: 0 }, after: null, slow: "end" };

describe("/v1/bus", () => {
  it("W1 sends no second delivery before the first is taken", async () => {
    await open();
    const socket = raw();
    await socket.opened();
    socket.say(subscribe);
    await socket.hear("subscribed");
    await bench.memory.publish(numbered(1));
    await socket.hear("notifications");
    for (const number of [2, 3]) await bench.memory.publish(numbered(number));
    // The answer to this comes behind whatever was sent before.
    socket.say({ kind: "publish", id: 2, notification: toJsonNotification(numbered(4)) });
    await socket.hear("published");
    const deliveries = (): readonly string[] =>
      socket.heard.filter((text) => text.includes('"notifications"'));
    expect(deliveries()).toHaveLength(1);
    socket.say({ kind: "took", id: 1, position: 99 });
    socket.say({ kind: "took", id: 1, position: 1 });
    await socket.hear('"position":4,"notification"');
    expect(deliveries()).toHaveLength(2);
    socket.socket.close();
  });

  it("W2 says subscribed first, also when there is much to catch up with", async () => {
    await open();
    for (const number of [1, 2, 3]) await bench.memory.publish(numbered(number));
    const socket = raw();
    await socket.opened();
    socket.say({ ...subscribe, after: { epoch: "gone", position: 5 } });
    await socket.hear("notifications");
    const kinds = socket.heard.map((text) => JSON.parse(text).kind);
    expect(kinds).toEqual(["subscribed", "gap", "notifications"]);
    socket.socket.close();
  });

  it("closes on what is no message, and refuses by number what it cannot do", async () => {
    await open({ bounds: { busSubscriptionsPerSocketMax: 2 } });
    const socket = raw();
    await socket.opened();
    socket.say(subscribe);
    await socket.hear('"subscribed","id":1');
    socket.say(subscribe);
    expect(await socket.hear("refused")).toContain("another number");
    socket.say({ ...subscribe, id: 2 });
    await socket.hear('"subscribed","id":2');
    socket.say({ ...subscribe, id: 3 });
    expect(await socket.hear('"refused","id":3')).toContain("busSubscriptionsPerSocketMax");
    socket.say({ kind: "publish", id: 4, notification: { attributes: 5 } });
    expect(await socket.hear('"refused","id":4')).toContain("invalid");
    socket.say("nonsense");
    expect((await socket.closed).code).toBe(4400);
  });
});

describe("frames", () => {
  const place = fc.record({ epoch: fc.string(), position: fc.nat() });
  const id = fc.nat();
  const client: fc.Arbitrary<BusClientFrame> = fc.oneof(
    fc.record({
      kind: fc.constant("subscribe" as const),
      id,
      address: anySubscription.map((address) => address ?? null),
      after: fc.option(place),
      slow: fc.constantFrom("end" as const, "drop-oldest" as const),
    }),
    fc.record({ kind: fc.constant("unsubscribe" as const), id }),
    fc.record({ kind: fc.constant("took" as const), id, position: fc.nat() }),
    fc.record({
      kind: fc.constant("publish" as const),
      id,
      notification: anyNotification.map(toJsonNotification),
    }),
  );
  const server: fc.Arbitrary<BusServerFrame> = fc.oneof(
    fc.record({ kind: fc.constantFrom("subscribed" as const, "place" as const), id, place }),
    fc.record({ kind: fc.constant("published" as const), id, place, matched: fc.nat() }),
    fc.record({
      kind: fc.constant("refused" as const),
      id,
      code: fc.constantFrom("invalid" as const, "unavailable" as const),
      message: fc.string(),
    }),
    fc.record({
      kind: fc.constant("notifications" as const),
      id,
      notifications: fc
        .array(anyNotification, { minLength: 1, maxLength: 3 })
        .map((all) => all.map((notification, index) => ({ position: index + 1, notification }))),
    }),
    fc.record({ kind: fc.constant("gap" as const), id, lost: fc.integer({ min: -1, max: 9 }) }),
    fc.record({ kind: fc.constant("ended" as const), id, reason: fc.string(), place }),
  );

  it("are read as they were written", () => {
    fc.assert(
      fc.property(client, (frame) => {
        const read = parseClientFrame(formatClientFrame(frame));
        if (read?.kind !== "publish") expect(read).toEqual(frame);
        else {
          const { notification } = read;
          expect(notification.kind).toBe("notification");
          if (notification.kind === "refused") return;
          const json = toJsonNotification(notification.notification);
          expect({ ...read, notification: json }).toEqual(frame);
        }
      }),
    );
    fc.assert(
      fc.property(server, (frame) => {
        expect(parseServerFrame(formatServerFrame(frame))).toEqual(frame);
      }),
    );
  });

  it("are refused when cut short or changed into something else, and never throw", () => {
    fc.assert(
      fc.property(client, server, fc.nat(), fc.string({ maxLength: 3 }), (one, other, at, put) => {
        for (const text of [formatClientFrame(one), formatServerFrame(other)]) {
          const cut = at % text.length;
          expect(parseClientFrame(text.slice(0, cut))).toBeUndefined();
          expect(parseServerFrame(text.slice(0, cut))).toBeUndefined();
          parseClientFrame(text.slice(0, cut) + put + text.slice(cut + put.length));
          parseServerFrame(text.slice(0, cut) + put + text.slice(cut + put.length));
        }
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        parseClientFrame(text);
        parseServerFrame(text);
      }),
    );
  });
});
