// SPDX-License-Identifier: MIT
// Goal: who asks about the links of a run and goes before the answer does the run no harm, and a
// capture lasts as long as who asked for it, also where that one goes while it is begun.
// Method: the door of a run at a socket, and a trace that begins when the test says so.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LinkTrace, TraceCounts } from "../../../src/network/link-tracer.ts";
import { LinkDoor } from "../../../src/testbed/link-door.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-door-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

const capture = { kind: "capture", link: "l", node: "a", path: "", count: 0 };

/** @returns a client that has asked for a capture, and the end of its socket that the door has */
async function ask(begun: Promise<LinkTrace>) {
  const taken = Promise.withResolvers<Socket>();
  const { listen } = Server.prototype;
  vi.spyOn(Server.prototype, "listen").mockImplementation(function (this: Server, ...where) {
    this.once("connection", (socket) => taken.resolve(socket));
    return Reflect.apply(listen, this, where) as Server;
  });
  const asked = Promise.withResolvers<void>();
  const path = join(directory, "links");
  const door = await LinkDoor.open({
    path,
    links: () => Promise.reject(new Error("not asked for")),
    capture: () => {
      asked.resolve();
      return begun;
    },
  });
  if (typeof door === "string") throw new Error(door);
  const client = connect(path);
  client.write(`${JSON.stringify(capture)}\n`);
  await asked.promise;
  return { door, client, socket: await taken.promise };
}

it("ends a capture whose asker has gone before it had begun", async () => {
  const begun = Promise.withResolvers<LinkTrace>();
  const { door, client, socket } = await ask(begun.promise);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  client.destroy();
  await closed;
  const ended = Promise.withResolvers<TraceCounts>();
  const counts: TraceCounts = { packets: 0, bytes: 0, dropped: 0, isFull: false };
  const end = async () => {
    ended.resolve(counts);
    return counts;
  };
  const nothing = () => Promise.resolve();
  begun.resolve({ ended: ended.promise, end, pause: nothing, roll: nothing });
  expect(await ended.promise).toBe(counts);
  door.close();
});

it("goes on when an asker is gone that is being answered", async () => {
  const { door, client, socket } = await ask(new Promise(() => undefined));
  // An event that nobody hears is thrown.
  socket.emit("error", new Error("write EPIPE"));
  door.close();
  client.destroy();
});
