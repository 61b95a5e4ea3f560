// SPDX-License-Identifier: MIT
// Parties that meet by long polls, a connection each that is kept from round to round. Requests are
// written and answers read by hand, so that the clients cost little beside the server.
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { serve } from "../syncd/rpc.ts";

let port = 0;
let round = 0;
let sockets: Socket[] = [];

function request(path: string, body: string): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`;
  return Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
}

async function open(): Promise<Socket> {
  const socket = dial({ host: "127.0.0.1", port });
  await once(socket, "connect");
  return socket.setNoDelay(true);
}

/** Calls back at the answer, whose body is one line. @throws Error when it is not 200 */
function ask(socket: Socket, message: Buffer, onAnswer: () => void): void {
  let text = "";
  const onData = (chunk: Buffer): void => {
    text += chunk.toString("latin1");
    if (!text.endsWith("}\n")) return;
    socket.off("data", onData);
    if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
    onAnswer();
  };
  socket.on("data", onData);
  socket.write(message);
}

serve({
  port: (given) => {
    port = given;
  },
  async connect(count) {
    while (sockets.length < count) {
      const some = Math.min(100, count - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: some }, open))));
    }
    for (const socket of sockets.splice(count)) socket.destroy();
  },
  async prepare() {
    round += 1;
    // A server closes connections that have been idle for long.
    sockets = await Promise.all(sockets.map((one) => (one.readyState === "open" ? one : open())));
    const init = request(`/v1/barriers/b${round}/init`, `{"count":${sockets.length}}`);
    const [first] = sockets;
    if (first !== undefined) await new Promise<void>((resolve) => ask(first, init, resolve));
  },
  /** @returns microseconds from the first request until the last answer. */
  play() {
    const wait = request(`/v1/barriers/b${round}/wait`, "{}");
    let left = sockets.length;
    const begun = process.hrtime.bigint();
    return new Promise((resolve) => {
      const onAnswer = (): void => {
        left -= 1;
        if (left === 0) resolve(Number(process.hrtime.bigint() - begun) / 1_000);
      };
      for (const socket of sockets) ask(socket, wait, onAnswer);
    });
  },
});
