// SPDX-License-Identifier: MIT
// Goal: who asks a run that is stopped about its links is told so, and waits for no answer for
// ever. Method: a socket that takes questions and says what the test has it say.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { askLinkDoor } from "../../../src/cli/commands/link-door-client.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import { systemClock } from "../../../src/host/clock.ts";

let door: Server;
let folder: string;
afterEach(() => {
  door.close();
  rmSync(folder, { recursive: true });
});

/** @param answer what it does with each line */
async function open(answer: (line: string, socket: Socket) => void): Promise<string> {
  folder = mkdtempSync(join(tmpdir(), "door-"));
  const path = join(folder, "links");
  door = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => answer(String(chunk), socket));
  });
  await new Promise<void>((resolve) => {
    door.listen(path, resolve);
  });
  return path;
}

const silent = {
  exitCode: exitCodes.unavailable,
  message: expect.stringMatching(/said nothing for 0.05 s.*SIGSTOP/),
};
const capture = { kind: "capture", link: "l", node: "a", path: "/x", count: 0 } as const;

it("gives up a run that says nothing", async () => {
  const path = await open(() => undefined);
  const asked = askLinkDoor(path, { kind: "links", link: null }, 50);
  await expect(asked.next()).rejects.toMatchObject(silent);
});

it("waits for a capture as long as it lasts", async () => {
  const path = await open((_, socket) => {
    socket.write(`${JSON.stringify({ kind: "begun" })}\n`);
    systemClock.after(150, () => void socket.end(`${JSON.stringify({ kind: "captured" })}\n`));
  });
  const asked = askLinkDoor(path, capture, 50);
  expect(await asked.next()).toEqual({ kind: "begun" });
  expect(await asked.next()).toEqual({ kind: "captured" });
});

it("gives up a capture that does not end when it is told to", async () => {
  const path = await open((line, socket) => {
    if (!line.startsWith("stop")) socket.write(`${JSON.stringify({ kind: "begun" })}\n`);
  });
  const asked = askLinkDoor(path, capture, 50);
  expect(await asked.next()).toEqual({ kind: "begun" });
  asked.stop();
  await expect(asked.next()).rejects.toMatchObject(silent);
});

it("tells the end of a run as one", async () => {
  const path = await open((_, socket) => socket.end());
  expect(await askLinkDoor(path, capture, 5_000).next()).toBeUndefined();
});
