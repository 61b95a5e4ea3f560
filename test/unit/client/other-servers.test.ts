// SPDX-License-Identifier: MIT
// Goal: who calls a server that is none of ours is told what it is, and at once where it cannot
// become one. Method: real sockets that say the first words of such servers.
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { describeDialFailure } from "../../../src/cli/dial-failure.ts";
import { connect, MusterError } from "../../../src/client/index.ts";
import { tlsPlatform } from "../../../src/client/tls-platform.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** @returns where it listens. */
async function saying(text: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(text);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as { readonly port: number }).port}`;
}

async function called(at: string, connectTimeoutMs: number): Promise<string> {
  const options = { connectTimeoutMs, platform: tlsPlatform({}) };
  const error: unknown = await connect(at, options).catch((failure: unknown) => failure);
  if (!(error instanceof MusterError)) throw new Error(`it ended with ${String(error)}`);
  expect(error.code).toBe("unavailable");
  return error.message.replaceAll(at, "HOST:PORT");
}

test.each([
  ['INFO {"server_id":"X"}\r\n', "a NATS server"],
  ["SSH-2.0-OpenSSH_9.2\r\n", "an SSH server"],
  ["220 mail ESMTP\r\n", "something that speaks no HTTP"],
])("who says %j is called what it is, at once", async (greeting, who) => {
  expect(await called(await saying(greeting), 60_000)).toBe(
    `no connection to ws://HOST:PORT/v1/session: ${who} answers there; ` +
      "give the URL that muster serve prints for its http door",
  );
  const error = { code: "HPE_INVALID_CONSTANT", message: "m", rawPacket: Buffer.from(greeting) };
  expect(describeDialFailure(new URL("ws://boss:1"), error)).toBe(
    `${who} answers at boss:1; give the URL that muster serve prints, with its port`,
  );
});

test("an HTTP server that has no sessions may have them later, as behind a proxy", async () => {
  const at = await saying("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  expect(await called(at, 200)).toBe(
    "no muster serve answers at HOST:PORT within 0.2 s (an HTTP server answers 404: it is no " +
      "muster serve, or the path is another); give the URL that muster serve prints for its http door",
  );
});

test("a server that closes is not called one that is not there", async () => {
  const at = await saying("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  expect(await called(at, 200)).toBe(
    "no server took anybody at HOST:PORT within 0.2 s (it answers 503: it is closing, or takes " +
      "nobody now); go to another server, or try again later",
  );
});

test("what OpenSSL says of one without TLS is left out", async () => {
  const at = await saying("SSH-2.0-OpenSSH_9.2\r\n");
  expect(await called(`https://${at}`, 60_000)).toMatch(
    /^no connection to wss:\/\/\S+: wrong version number \(EPROTO\); the server speaks no TLS there/,
  );
});
