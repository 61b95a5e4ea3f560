// SPDX-License-Identifier: MIT
// Clients in a process of their own: many TCP connections or many UDP sockets to one server.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { encodeRequest } from "../../src/wire/emulab-sync/index.ts";
import { serve } from "./rpc.ts";

const format = { version: 2, byteOrder: "little" } as const;
const waitBytes = encodeRequest({ kind: "wait", name: "bench", error: 0 }, format);

let port = 0;
let sockets: Socket[] = [];
let answered = 0;
let failed = 0;
let lastAnswerUs = 0;
let wake: () => void = () => undefined;

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

function open(onConnect: (socket: Socket) => void): Socket {
  const socket = connect({ host: "127.0.0.1", port });
  let bytes = 0;
  socket.on("connect", () => onConnect(socket));
  socket.on("data", (chunk) => {
    bytes += chunk.length;
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    if (bytes === 4) answered += 1;
    else failed += 1;
    lastAnswerUs = nowUs();
    wake();
  });
  return socket;
}

/** Opens `count` connections, `parallel` at a time; with `sends` the request follows at once. */
function connectMany(count: number, parallel: number, sends: boolean): Promise<number> {
  const startUs = nowUs();
  return new Promise((resolve) => {
    let started = 0;
    let connected = 0;
    const next = (): void => {
      started += 1;
      sockets.push(
        open((socket) => {
          if (sends) socket.write(waitBytes);
          connected += 1;
          if (connected === count) resolve(nowUs() - startUs);
          else if (started < count) next();
        }),
      );
    };
    for (let index = 0; index < Math.min(parallel, count); index += 1) next();
  });
}

/** Sends the init that completes the barrier; resolves when every connection has ended. */
function release(count: number): Promise<{ wallUs: number; answered: number; failed: number }> {
  const bytes = encodeRequest(
    { kind: "init", name: "bench", count, waits: true, error: 0 },
    format,
  );
  return new Promise((resolve) => {
    let startUs = 0;
    sockets.push(
      open((socket) => {
        startUs = nowUs();
        socket.write(bytes);
      }),
    );
    const expected = sockets.length;
    wake = () => {
      if (answered + failed < expected) return;
      resolve({ wallUs: lastAnswerUs - startUs, answered, failed });
    };
  });
}

interface UdpClient {
  readonly socket: UdpSocket;
  isAnswered: boolean;
  nextUs: number;
}

let udpClients: UdpClient[] = [];
let udpSent = 0;
let udpAnswers = 0;
let source = "127.0.0.1";

function send(client: UdpClient): void {
  udpSent += 1;
  client.nextUs = nowUs() + 3_000_000 * (0.75 + Math.random() / 2);
  client.socket.send(waitBytes, port, "127.0.0.1");
}

async function openUdp(count: number): Promise<number> {
  for (let index = 0; index < count; index += 1) {
    const socket = createSocket({
      type: "udp4",
      lookup: (host, _options, callback) => callback(null, host, 4),
    });
    const client: UdpClient = { socket, isAnswered: false, nextUs: 0 };
    socket.on("message", () => {
      client.isAnswered = true;
      udpAnswers += 1;
    });
    await new Promise<void>((resolve) => socket.bind({ address: source, port: 0 }, resolve));
    udpClients.push(client);
  }
  return udpClients.length;
}

serve({
  port: (value) => {
    port = value;
  },
  source: (value) => {
    source = `127.0.1.${value}`;
  },
  reset: () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    answered = 0;
    failed = 0;
  },
  connect: (count) => connectMany(count, 200, false),
  storm: (count) => connectMany(count, count, true),
  send: () => {
    for (const socket of sockets) socket.write(waitBytes);
  },
  release,
  answered: () => answered,
  failed: () => failed,
  vanish: (count) => {
    for (const socket of sockets.splice(0, count)) socket.resetAndDestroy();
  },
  openUdp,
  sendUdp: async () => {
    for (const [index, client] of udpClients.entries()) {
      send(client);
      if (index % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
    }
  },
  /** Repeats what is due; the number of clients without an answer. */
  repeatUdp: () => {
    const now = nowUs();
    const waiting = udpClients.filter((client) => !client.isAnswered);
    for (const client of waiting) if (now >= client.nextUs) send(client);
    return waiting.length;
  },
  udpTotals: () => ({ sent: udpSent, answers: udpAnswers }),
  closeUdp: () => {
    for (const { socket } of udpClients) socket.close();
    udpClients = [];
  },
});
