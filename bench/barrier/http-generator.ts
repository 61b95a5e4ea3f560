// SPDX-License-Identifier: MIT
// Parties that meet by long polls, a connection each that is kept from round to round. Requests are
// written and answers read by hand, so that the clients cost little beside the server.
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { serve } from "../syncd/rpc.ts";

let port = 0;
let round = 0;
const parties: Party[] = [];
let usedAtMs = 0;
const idleMsMax = 4_000;
/** To a connection that has asked nothing for too long. */
const idleAnswer = "HTTP/1.1 408";

function request(path: string, body: string): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`;
  return Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
}

class Party {
  #socket: Socket;
  #text = "";
  #message: Buffer = Buffer.alloc(0);
  #onAnswer: (() => void) | undefined;
  /** The connection was made for the request that waits. */
  #isFresh = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  #listen(socket: Socket): void {
    socket.setNoDelay(true);
    // The body of an answer is one line.
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      if (!this.#text.endsWith("}\n")) return;
      if (!this.#text.startsWith("HTTP/1.1 200")) throw new Error(this.#text);
      const onAnswer = this.#onAnswer;
      [this.#text, this.#onAnswer] = ["", undefined];
      onAnswer?.();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#onAnswer === undefined || socket !== this.#socket) return;
      const isIdle = this.#text === "" || this.#text.startsWith(idleAnswer);
      if (this.#isFresh || !isIdle) throw new Error("a connection was closed during a wait");
      this.#askAnew();
    });
  }

  /**
   * The door closes connections that it has heard nothing of for 10 s, as every server does; on a
   * busy machine a crowd takes as long to connect. Clients ask once more then; the arrival of a
   * connection that is gone is taken back.
   */
  #askAnew(): void {
    this.#isFresh = true;
    this.#text = "";
    this.#socket = dial({ host: "127.0.0.1", port });
    this.#listen(this.#socket);
    this.#socket.write(this.#message);
  }

  /** @throws Error, to end the benchmark, when the answer is not 200 or does not come */
  ask(message: Buffer, onAnswer: () => void): void {
    this.#onAnswer = onAnswer;
    this.#message = message;
    this.#isFresh = false;
    if (this.#socket.destroyed) this.#askAnew();
    else this.#socket.write(message);
  }

  close(): void {
    this.#onAnswer = undefined;
    this.#socket.destroy();
  }
}

async function open(): Promise<Party> {
  const socket = dial({ host: "127.0.0.1", port });
  await once(socket, "connect");
  return new Party(socket);
}

async function connectAll(count: number): Promise<void> {
  while (parties.length < count) {
    const some = Math.min(100, count - parties.length);
    parties.push(...(await Promise.all(Array.from({ length: some }, open))));
  }
  for (const party of parties.splice(count)) party.close();
  usedAtMs = Date.now();
}

serve({
  port: (given) => {
    port = given;
  },
  connect: connectAll,
  async prepare() {
    round += 1;
    const count = parties.length;
    // The door closes connections that have been idle for 10 s.
    if (Date.now() - usedAtMs > idleMsMax) await connectAll(0);
    await connectAll(count);
    const init = request(`/v1/barriers/b${round}/init`, `{"count":${count}}`);
    await new Promise<void>((resolve) => parties[0]?.ask(init, resolve));
  },
  /** @returns microseconds from the first request until the last answer. */
  play() {
    const wait = request(`/v1/barriers/b${round}/wait`, "{}");
    let left = parties.length;
    const begun = process.hrtime.bigint();
    return new Promise((resolve) => {
      const onAnswer = (): void => {
        left -= 1;
        if (left === 0) resolve(Number(process.hrtime.bigint() - begun) / 1_000);
      };
      for (const party of parties) party.ask(wait, onAnswer);
    });
  },
});
