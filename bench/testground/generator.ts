// SPDX-License-Identifier: MIT
// The clients of a benchmark, in a process of their own: connections that play rounds of
// signal-and-wait, and one that publishes to one that listens.
import { once } from "node:events";
import { WebSocket } from "ws";
import { serve } from "../syncd/rpc.ts";

let port = 0;
let round = 0;
let clients: Client[] = [];
let stopped: WebSocket | undefined;

class Client {
  readonly socket: WebSocket;
  onAnswer: (text: string) => void = () => undefined;

  constructor() {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    this.socket.on("message", (data: Buffer) => this.onAnswer(data.toString("latin1")));
  }
}

async function connect(count: number): Promise<void> {
  for (const { socket } of clients) socket.terminate();
  clients = [];
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(100, count - clients.length) }, () => new Client());
    await Promise.all(some.map(({ socket }) => once(socket, "open")));
    clients.push(...some);
  }
}

/** Everybody signals, waits for the answer, waits for all. @returns microseconds */
function play(): Promise<number> {
  round += 1;
  const state = `run:bench:plan:p:case:c:states:round${process.pid}-${round}`;
  const signal = `{"id":"s","signal_entry":{"state":"${state}"}}`;
  const barrier = `{"id":"b","barrier":{"state":"${state}","target":${clients.length}}}`;
  const before = process.hrtime.bigint();
  return new Promise((resolve) => {
    let left = clients.length;
    for (const client of clients) {
      client.onAnswer = (text) => {
        if (text.startsWith('{"id":"s"')) {
          client.socket.send(barrier);
          return;
        }
        left -= 1;
        if (left === 0) resolve(Number(process.hrtime.bigint() - before) / 1000);
      };
      client.socket.send(signal);
    }
  });
}

/** Publishes one after the other. @returns microseconds from publication to subscriber. */
async function publish(count: number): Promise<readonly number[]> {
  await connect(2);
  const [publisher, subscriber] = clients;
  if (publisher === undefined || subscriber === undefined) throw new Error("no clients");
  round += 1;
  const topic = `run:bench:plan:p:case:c:topics:t${process.pid}-${round}`;
  const subscribe = `{"id":"m","subscribe":{"topic":"${topic}"}}`;
  subscriber.socket.send(subscribe);
  stopped?.send(subscribe);
  const took: number[] = [];
  const payload = JSON.stringify("x".repeat(200));
  for (let number = 0; number < count; number += 1) {
    const before = process.hrtime.bigint();
    const heard = new Promise<void>((resolve) => {
      subscriber.onAnswer = () => resolve();
    });
    publisher.socket.send(`{"id":"p","publish":{"topic":"${topic}","payload":${payload}}}`);
    await heard;
    took.push(Number(process.hrtime.bigint() - before) / 1000);
  }
  return took;
}

/** One more subscriber, who has stopped reading with megabytes to read. */
async function stop(): Promise<void> {
  stopped = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(stopped, "open");
  const filler = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(filler, "open");
  stopped.send('{"id":"f","subscribe":{"topic":"filled"}}');
  stopped.pause();
  const payload = JSON.stringify("x".repeat(400_000));
  for (let number = 0; number < 40; number += 1) {
    filler.send(`{"id":"p","publish":{"topic":"filled","payload":${payload}}}`);
    await once(filler, "message");
  }
  filler.terminate();
}

serve({
  port: (given) => {
    port = given;
  },
  connect,
  play,
  publish,
  stop,
});
