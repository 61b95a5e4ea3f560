// SPDX-License-Identifier: MIT
// Goal: `muster serve --stop` is over when the daemon is, when another has taken its place, and
// when it does not end. Method: the client against a socket that answers like a daemon and says who
// it is; a clock that jumps.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stopMsMax } from "../../../src/boss/limits.ts";
import { resolveStateDirectory, type StateDirectory } from "../../../src/boss/state-directory.ts";
import { stopDaemon } from "../../../src/cli/commands/stop-daemon.ts";
import { systemClock } from "../../../src/host/clock.ts";

let state: StateDirectory;
let server: Server;
let pid = 0;
let onStop: () => void = () => undefined;

beforeEach(async () => {
  state = resolveStateDirectory(mkdtempSync(join(tmpdir(), "muster-stop-")), {});
  pid = 7;
  server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const asked = chunk.toString();
      if (asked.includes("hello")) socket.write(`{"kind":"welcome","format":1,"pid":${pid}}\n`);
      if (!asked.includes("stop")) return;
      socket.end('{"kind":"done","value":null}\n');
      onStop();
    });
  });
  await new Promise<void>((resolve) => server.listen(state.socket, resolve));
});
afterEach(() => {
  server.close();
  rmSync(state.path, { recursive: true, force: true });
});

test("a stop is over when nobody answers any more", async () => {
  onStop = () => server.close();
  await stopDaemon(state, systemClock);
});

test("a stop is over when another daemon has taken the place", async () => {
  onStop = () => {
    pid = 8;
  };
  await stopDaemon(state, systemClock);
});

test("a stop gives up a daemon that does not end, and says what is left to do", async () => {
  let lateUs = 0;
  onStop = () => undefined;
  const clock = {
    ...systemClock,
    nowUs: () => {
      lateUs += stopMsMax * 1_000;
      return systemClock.nowUs() + lateUs;
    },
  };
  await expect(stopDaemon(state, clock)).rejects.toThrow("kill -9 7");
});
