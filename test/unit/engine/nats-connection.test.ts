// SPDX-License-Identifier: MIT
// Goal: nothing is left of a connection that is closed while it calls a broker that takes the call
// and says nothing, as one that stands still; of what does not speak NATS that is said. Method: a
// listener that is such a broker from the second call on; others that greet otherwise.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { expect, test } from "vitest";
import { callNats, closeNats } from "../../../src/engine/nats-calls.ts";
import { connectNats, explainStart } from "../../../src/engine/nats-connection.ts";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";

const info = { server_id: "s", version: "2.9.10", max_payload: 1_048_576, proto: 1, headers: true };

/** @returns the port that the system chose */
async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { readonly port: number }).port;
}

test("closeNats() closes the socket of a call that is not answered", async () => {
  const calls: Socket[] = [];
  const server = createServer((socket) => {
    calls.push(socket);
    if (calls.length > 1) return;
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on("data", (data: Buffer) => {
      if (data.includes("PING")) socket.write("PONG\r\n");
    });
  });
  const port = await listen(server);
  const servers = `127.0.0.1:${port}`;
  const connection = await callNats({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 1 });
  calls[0]?.destroy();
  await expect.poll(() => calls.length).toBe(2);
  const closed = new Promise((resolve) => calls[1]?.once("close", () => resolve("closed")));
  calls[1]?.resume();
  await closeNats(connection);
  expect(await closed).toBe("closed");
  server.close();
});

test.each([
  ["took the call and said nothing", "a silent one", () => undefined, true],
  ["took the call and said nothing", "one that hangs up", (one: Socket) => one.end(), true],
  ["said something else", "a mail server", (one: Socket) => one.write("220 mail\r\n"), false],
  ["said something else", "a wrong INFO", (one: Socket) => one.write("INFO {x\r\n"), false],
  ["said something else", "an empty INFO", (one: Socket) => one.write("INFO null\r\n"), false],
])("what listens and is no NATS %s: %s", async (words, _, greet, isAway) => {
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    closed.push(new Promise((resolve) => socket.once("close", resolve)));
    greet(socket.resume());
  });
  const port = await listen(server);
  const place = parseNatsPlace(`nats://127.0.0.1:${port}`);
  const call = callNats({ servers: [...place.servers], timeout: 100 });
  const error = explainStart(place, await call.catch((caught: unknown) => caught));
  const at = `what listens at 127.0.0.1:${port}`;
  expect(error.message).toContain(`${at} does not speak NATS (it ${words}, and NATS says INFO`);
  expect(error.isAway).toBe(isAway);
  expect(closed).toHaveLength(1);
  await Promise.all(closed); // Ours is closed, or the process would go on for its sake.
  server.close();
});

test("a broker that says INFO and nothing more is not taken for JetStream that is silent", async () => {
  const server = createServer((socket) =>
    socket.resume().write(`INFO ${JSON.stringify(info)}\r\n`),
  );
  const port = await listen(server);
  const place = parseNatsPlace(`nats://127.0.0.1:${port}`);
  const call = callNats({ servers: [...place.servers], timeout: 100 });
  const error = explainStart(place, await call.catch((caught: unknown) => caught));
  const text = `NATS at 127.0.0.1:${port} cannot be reached (it began to answer and did not go on)`;
  expect([error.message, error.isAway]).toEqual([expect.stringContaining(text), true]);
  server.close();
});

test("connectNats() tells what is no NATS from what cannot be reached", async () => {
  const server = createServer((socket) => socket.resume().write("220 mail\r\n"));
  const port = await listen(server);
  const reason = async (): Promise<string> =>
    await connectNats(parseNatsPlace(`nats://127.0.0.1:${port}`)).then(
      () => "",
      (error: unknown) => String(error),
    );
  expect(await reason()).toContain("does not speak NATS");
  await new Promise((resolve) => server.close(resolve));
  expect(await reason()).toContain("cannot be reached (connection refused)");
});
