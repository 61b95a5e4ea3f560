// SPDX-License-Identifier: MIT
// Goal: a way from an old address asks who comes, because the door at its end sees this machine.
// Method: a redirect on loopback to a server that greets.
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, it } from "vitest";
import { openRedirect } from "../../../src/cli/commands/serve-events.ts";
import { parseRedirect } from "../../../src/cli/commands/serve-listen.ts";

it("lets through who is in its networks, and says how others are let in", async () => {
  const server = createServer((socket) => socket.on("error", () => undefined).end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: target } = server.address() as AddressInfo;
  const lines: string[] = [];
  const logger = { log: (level: string, text: string) => void lines.push(`${level} ${text}`) };
  const told = async (settings: string): Promise<string> => {
    const redirect = parseRedirect(`127.0.0.1:0=127.0.0.1:${target}${settings}`);
    const { line, close } = await openRedirect(redirect, { logger, limits: {} });
    const port = Number(/:(\d+) gets to/.exec(line)?.[1]);
    const text = await new Promise<string>((resolve) => {
      let heard = "";
      const socket = connect(port, "127.0.0.1");
      socket.on("data", (data) => {
        heard += data.toString();
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(heard));
    });
    await close();
    return text;
  };
  expect(await told("")).toBe("hello");
  expect(await told(",allow=10.0.0.0/8,allow=127.0.0.0/8")).toBe("hello");
  expect(lines).toEqual([]);
  expect(await told(",allow=10.0.0.0/8")).toBe("");
  expect(lines).toEqual([expect.stringContaining("turned 127.0.0.1 away")]);
  expect(lines[0]).toContain(`--redirect-events 127.0.0.1:0=127.0.0.1:${target},allow=NETWORK`);
  await new Promise((resolve) => server.close(resolve));
});
