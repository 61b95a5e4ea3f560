// SPDX-License-Identifier: MIT
// Goal: nothing is left of a connection that is closed while it calls a broker that takes the call
// and says nothing, as one that stands still. Method: a listener that is such a broker from the
// second call on.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { closeNats } from "../../../src/engine/nats-connection.ts";

const info = { server_id: "s", version: "2.9.10", max_payload: 1_048_576, proto: 1, headers: true };

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
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  const servers = `127.0.0.1:${port}`;
  const connection = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 1 });
  calls[0]?.destroy();
  // The client has its end of the second call, and waits for the first word.
  const isCalling = () => {
    const socket = Object(connection).protocol.transport.socket as Socket | undefined;
    return calls.length === 2 && socket?.localPort === calls[1]?.remotePort;
  };
  await expect.poll(isCalling).toBe(true);
  const closed = new Promise((resolve) => calls[1]?.once("close", () => resolve("closed")));
  calls[1]?.resume();
  await closeNats(connection);
  expect(await closed).toBe("closed");
  server.close();
});
