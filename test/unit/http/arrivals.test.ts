// SPDX-License-Identifier: MIT
// Goal: a request with an id that was refused for now may be asked again, and is then as if the
// first had never been: whoever asks a third time takes up the second, however long ago the first
// was; and what is kept for ids keeps no process that ends. Method: the arrivals of a door on a
// core whose effects and whose time the test gives.
import { expect, it } from "vitest";
import type { Command, ConnectionId } from "../../../src/core/command.ts";
import { Arrivals } from "../../../src/edges/http/arrivals.ts";
import { Departure } from "../../../src/edges/http/departure.ts";
import { HttpError } from "../../../src/edges/http/errors.ts";
import type { ConnectEdge, EdgeHandler } from "../../../src/host/core-link.ts";
import { FakeClock } from "../record/fake-clock.ts";

const keptMs = 60_000;
const id = { owner: "t1", account: "t1", key: "k" };

function createBench() {
  const clock = new FakeClock();
  const submitted: Command[] = [];
  const handlers: EdgeHandler[] = [];
  const connect: ConnectEdge = (_, handler) => {
    handlers.push(handler);
    return {
      submit: (command) => submitted.push(command) > 0,
      describe: () => Promise.reject(new Error("not asked for")),
      listEvents: () => Promise.reject(new Error("not asked for")),
      close: async () => undefined,
    };
  };
  const limits = { keptMs, keptMax: 10, tooMany: () => new HttpError("limit", "many") };
  const arrivals = new Arrivals({ connect, edge: "e", clock, ...limits });
  const ask = (gone = new Departure()) => {
    const build = (connection: ConnectionId): Command => ({
      ...{
        kind: "count-wait",
        scope: "s",
        barrier: "b",
        connection,
        who: { address: "" },
        error: 0,
      },
    });
    return arrivals.arrive(build, gone, id).catch((error: HttpError) => error);
  };
  const refuse = (connection: ConnectionId, code: "unavailable" | "cancelled"): void => {
    handlers[0]?.onEffects([{ kind: "refused", connection, code, message: "not now" }]);
  };
  const close = (): void => handlers[0]?.onClosed?.("replaced");
  return { clock, submitted, ask, refuse, close };
}

it("leaves no timer behind when its edge is ended, also of an outcome that is kept", async () => {
  const { clock, ask, refuse, close } = createBench();
  const answered = ask();
  refuse(1, "cancelled");
  expect(await answered).toMatchObject({ code: "cancelled" });
  expect(clock.armed).toBe(1);
  close();
  expect(clock.armed).toBe(0);
});

it("takes up the second request of an id behind the time of the first", async () => {
  const { clock, submitted, ask, refuse } = createBench();
  const gone = new Departure();
  const first = ask(gone);
  gone.tell();
  await first;
  refuse(1, "unavailable");
  const second = ask();
  clock.advanceTo(clock.nowUs() + (keptMs + 1) * 1000);
  const third = ask();
  expect(submitted.map(({ kind }) => kind)).toEqual(["count-wait", "count-wait"]);
  expect(await second).toMatchObject({ code: "ended" });
  refuse(2, "cancelled");
  expect(await third).toMatchObject({ code: "cancelled" });
});
