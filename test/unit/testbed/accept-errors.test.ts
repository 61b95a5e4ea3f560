// SPDX-License-Identifier: MIT
// Goal: a listener that cannot take a connection, because no descriptors are left, goes on, and
// does not end the process that has it. Method: the listeners of sockets in the file system, told
// what the system tells them then; an event that nobody hears is thrown.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LinkListener } from "../../../src/host/link-listener.ts";
import { LinkDoor } from "../../../src/testbed/link-door.ts";
import { HostBench } from "../host/host-bench.ts";

let directory = "";
let path = "";
/** Listening since the test began. */
let servers: Server[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-accept-"));
  path = join(directory, "s");
  servers = [];
  const { listen } = Server.prototype;
  vi.spyOn(Server.prototype, "listen").mockImplementation(function (this: Server, ...where) {
    servers.push(this);
    return Reflect.apply(listen, this, where) as Server;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

/** What the system says to `accept`, twice. @returns whether somebody is taken afterwards */
async function isTakenAfterwards(): Promise<boolean> {
  const [server] = servers;
  for (const message of ["accept EMFILE", "accept ENFILE"]) {
    server?.emit("error", new Error(message));
  }
  const socket = connect(path);
  const isTaken = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return isTaken;
}

it("of edges in other processes, and says so", async () => {
  const { host } = new HostBench();
  const lines: string[] = [];
  const logger = { log: (level: string, text: string) => void lines.push(`${level} ${text}`) };
  const listener = new LinkListener({ host, admitted: [], logger });
  await listener.listen(path);
  expect(await isTakenAfterwards()).toBe(true);
  expect(lines).toEqual(["error links: accept EMFILE", "error links: accept ENFILE"]);
  listener.close();
});

it("of who asks about the links of a run", async () => {
  const links = () => Promise.reject(new Error("not asked for"));
  const door = await LinkDoor.open({ path, links, capture: () => undefined });
  expect(await isTakenAfterwards()).toBe(true);
  if (typeof door !== "string") door.close();
});
