// SPDX-License-Identifier: MIT
// Goal: a door of GNUnet takes a socket that only its owner may use, puts away what a killed
// process left, and takes nothing from anybody who is there. Method: real sockets in a directory of
// the test's own.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type GnunetAddress,
  type GnunetBound,
  listenGnunet,
  socketPathBytesMax,
} from "../../../src/edges/gnunet/listen.ts";
import { gnunetTime } from "../../../src/edges/gnunet-time.ts";
import { systemClock } from "../../../src/host/clock.ts";

let directory = "";
const open: GnunetBound[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-gnunet-"));
});

afterEach(() => {
  for (const bound of open.splice(0)) bound.close();
  rmSync(directory, { recursive: true, force: true });
});

async function listen(address: GnunetAddress): Promise<GnunetBound> {
  const bound = await listenGnunet({
    ...{ address, backlog: 16, allowHalfOpen: false, clock: systemClock, time: gnunetTime },
    onConnection: (socket) => socket.destroy(),
    onSocketError: () => undefined,
  });
  open.push(bound);
  return bound;
}

function unix(name: string): GnunetAddress & { readonly kind: "unix" } {
  return { kind: "unix", path: join(directory, name) };
}

test("the socket is its owner's alone, whatever the umask, which stays as it was", async () => {
  const before = process.umask(0);
  try {
    const address = unix("a.sock");
    await listen(address);
    expect(statSync(address.path).mode & 0o777).toBe(0o700);
    expect(process.umask(0)).toBe(0);
  } finally {
    process.umask(before);
  }
});

test("a socket that nobody listens at is taken over", async () => {
  const address = unix("b.sock");
  await listen(address);
  // A second name for the socket, which stays when the server takes its own away: as if killed.
  const { linkSync } = await import("node:fs");
  const left = unix("left.sock");
  linkSync(address.path, left.path);
  open.splice(0)[0]?.close();
  await listen(left);
  const client = connect(left.path);
  await once(client, "connect");
  client.destroy();
});

test("one at which somebody listens stays theirs, and so does a file", async () => {
  const address = unix("c.sock");
  const theirs = createServer().listen(address.path);
  await once(theirs, "listening");
  await expect(listen(address)).rejects.toThrow("somebody listens at");
  const client = connect(address.path);
  await once(client, "connect");
  client.destroy();
  theirs.close();
  const file = unix("file");
  writeFileSync(file.path, "kept");
  await expect(listen(file)).rejects.toThrow("is no socket");
  expect(statSync(file.path).size).toBe(4);
});

test("the socket goes with the door", async () => {
  const address = unix("d.sock");
  const bound = await listen(address);
  bound.close();
  open.length = 0;
  expect(statSync(address.path, { throwIfNoEntry: false })).toBeUndefined();
});

test("the longest path is taken, one byte more is refused by name", async () => {
  const name = (bytes: number) => "n".repeat(bytes - directory.length - 1);
  const address = unix(name(socketPathBytesMax));
  await listen(address);
  expect(statSync(address.path).isSocket()).toBe(true);
  const longer = listen(unix(name(socketPathBytesMax + 1)));
  await expect(longer).rejects.toThrow(`at most ${socketPathBytesMax} bytes`);
});

test("a port of its own choice is told, and one that is taken is refused", async () => {
  const { address } = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 });
  expect(address.kind === "tcp" && address.port).toBeGreaterThan(0);
  await expect(listen(address)).rejects.toThrow("is in use; stop the server that has it");
});

test("what cannot be had is said with what to do", async () => {
  const nowhere: GnunetAddress = { kind: "tcp", host: "192.0.2.1", port: 0 };
  await expect(listen(nowhere)).rejects.toThrow("is not an address of this machine");
  const noDirectory = listen(unix("missing/e.sock"));
  await expect(noDirectory).rejects.toThrow("is not there; make it");
  mkdirSync(join(directory, "f"));
  await expect(listen(unix("f"))).rejects.toThrow("is no socket");
});
