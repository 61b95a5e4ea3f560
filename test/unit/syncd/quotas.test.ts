// SPDX-License-Identifier: MIT
// Goal: one client, or all of them, have so many TCP connections at a sync server and no more, each
// limit at its value and one past it. Method: a server on a free port, clients at two addresses.
import { afterEach, describe, expect, it } from "vitest";
import { dial, startServer, type TestServer } from "./harness.ts";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
});

/** Opens a connection and says whether it is served. */
async function come(address = "127.0.0.1") {
  const client = await dial(server?.syncd.port ?? 0, address);
  return { client, ended: client.heard.then(() => "cut" as const) };
}

async function open(count: number): Promise<void> {
  while (server?.syncd.counters.tcpOpen !== count) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

describe("quotas of TCP connections", () => {
  it("tcpConnectionsPerClientMax: one more of a client is closed; others come, and room is made", async () => {
    server = await startServer("memory log", { bounds: { tcpConnectionsPerClientMax: 2 } });
    const [first] = [await come(), await come()];
    await open(2);
    expect(await (await come()).ended).toBe("cut");
    expect(server.log.count("tcpConnectionsPerClientMax (2)")).toBe(1);
    await come("127.0.0.2");
    await open(3);
    first.client.stream.destroy();
    await open(2);
    await come();
    await open(3);
  });

  it("tcpConnectionsMax: one more of anybody is closed", async () => {
    server = await startServer("memory log", { bounds: { tcpConnectionsMax: 2 } });
    await come();
    await come("127.0.0.2");
    await open(2);
    expect(await (await come("127.0.0.3")).ended).toBe("cut");
    expect(server.log.count("refused 127.0.0.3: limit tcpConnectionsMax (2)")).toBe(1);
    await open(2);
  });
});
