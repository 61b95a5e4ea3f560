// SPDX-License-Identifier: MIT
// Goal: who writes and gets no answer is told what is likely: nothing of what is not known, a store
// that is full by its figure, or a JetStream that answers nothing, alone or of a cluster. Method: a
// listener that speaks as much of NATS as is asked of it.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";
import { NatsSilence } from "../../../src/engine/nats-silence.ts";

const info = { server_id: "s", version: "2.9.10", max_payload: 1_048_576, proto: 1, headers: true };
/** What the client hears when nobody has subscribed to what it asks. */
const nobody = "NATS/1.0 503\r\n\r\n";

let server: Server;
afterEach(() => {
  server.close();
});

/** A broker whose JetStream answers so. */
async function broker(answer: string | undefined, more: object = {}): Promise<NatsSilence> {
  server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify({ ...info, ...more })}\r\n`);
    socket.on("data", (data: Buffer) => hear(socket, data.toString(), answer));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  const waitMs = answer === undefined ? 20 : 10_000;
  return new NatsSilence(parseNatsPlace(`nats://127.0.0.1:${port}`), "$JS.API", waitMs);
}

function hear(socket: Socket, text: string, answer: string | undefined): void {
  if (text.includes("PING")) socket.write("PONG\r\n");
  const [, inbox] = /PUB \$JS\.API\.INFO (\S+) /.exec(text) ?? [];
  if (inbox === undefined || answer === undefined) return;
  const { length } = answer;
  if (answer === nobody) socket.write(`HMSG ${inbox} 1 ${length} ${length}\r\n${answer}\r\n`);
  else socket.write(`MSG ${inbox} 1 ${length}\r\n${answer}\r\n`);
}

const account = (storage: number, max: number): string =>
  JSON.stringify({ storage, limits: { max_storage: max } });

test("says of an account that is full how much that is, until it is over", async () => {
  const silence = await broker(account(1_000, 1_000));
  expect(silence.likely).toBe("");
  silence.noticed();
  const text = "; the account has used all of its 1000 bytes there: give it more";
  await expect.poll(() => silence.likely).toBe(text);
  silence.over();
  expect(silence.likely).toBe("");
});

test.each([
  ["one with room", account(1, 1_000), {}, ""],
  ["one without a limit", account(1_000, -1), {}, ""],
  ["no JetStream at all", nobody, {}, ""],
  ["nothing", undefined, {}, "; the broker is there, and its JetStream answers nothing; perhaps"],
  ["nothing, of a cluster", undefined, { cluster: "c" }, "less than half of its cluster is up, or"],
])("of %s says what is known", async (_, answer, more, text) => {
  const silence = await broker(answer, more);
  silence.noticed();
  silence.noticed(); // One question is on its way.
  const settled = new Promise((resolve) => server.once("connection", resolve)).then(
    (socket) => new Promise((resolve) => (socket as Socket).once("close", resolve)),
  );
  await settled;
  await new Promise((resolve) => setImmediate(resolve));
  if (text === "") expect(silence.likely).toBe("");
  else await expect.poll(() => silence.likely).toContain(text);
});
