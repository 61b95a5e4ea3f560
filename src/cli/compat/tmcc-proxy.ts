// SPDX-License-Identifier: MIT
// tmcc as a proxy: nodes that share an address ask through it and get a fixed identity.
// [EMULAB-TMCD 5]
//
//   P1. Whatever a client says about who it is, is taken out; the proxy's own words go in.
//   P2. One request is forwarded at a time, in the order of arrival.

import { createSocket } from "node:dgram";
import { appendFileSync, chmodSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { askTmcd } from "../../client/tmcc.ts";
import type { TmccTarget } from "../../client/tmcc-attempt.ts";
import { type Cancel, systemClock } from "../../host/clock.ts";
import { parseRequest, requestBytesMaxTcp, requestBytesMaxUdp } from "../../wire/tmcd/index.ts";
import type { Exit } from "./exit.ts";
import { exitCodes, type TmccArguments } from "./tmcc-arguments.ts";
import type { Line } from "./tmcc-line.ts";
import { resolveHost } from "./tmcc-server.ts";

const inetDefault = { address: "127.0.0.1", port: 7778 };
/** How long a client may take to say its request. */
const requestMs = 3_000;

/** Serves until the process ends. */
export async function serveProxy(given: TmccArguments, line: Line): Promise<Exit> {
  const forwarder = new Forwarder(given, line);
  const server = createServer({ allowHalfOpen: true }, (socket) => hear(socket, forwarder));
  try {
    if (given.servePath !== undefined) await listenAtPath(server, given.servePath);
    else await listenAtAddress(server, given.serveInet ?? "", forwarder);
  } catch (error) {
    const stderr = `tmcc: the proxy cannot listen: ${String(error)}\n`;
    return { kind: "exit", code: exitCodes.failed, stderr };
  }
  server.on("error", () => undefined); // No descriptors: the next call may succeed.
  return new Promise<Exit>(() => undefined);
}

async function listenAtPath(server: Server, path: string): Promise<void> {
  try {
    unlinkSync(path);
  } catch {
    // There was none.
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  // Who is behind it is what the proxy is for; everybody on the node may use it.
  chmodSync(path, 0o777);
}

async function listenAtAddress(server: Server, text: string, forwarder: Forwarder): Promise<void> {
  const [host = "", port = ""] = text.split(":");
  const address = host === "" ? inetDefault.address : host;
  const number = port === "" ? inetDefault.port : Number(port);
  const udp = createSocket("udp4");
  udp.on("message", (bytes, from) => {
    if (bytes.length > requestBytesMaxUdp) return;
    void forwarder.forward(bytes.toString("latin1"), true).then((reply) => {
      if (reply.length > 0) udp.send(reply, from.port, from.address, () => undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    udp.once("error", reject);
    udp.bind({ address, port: number, exclusive: true }, resolve);
  });
  udp.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port: number }, resolve);
  });
}

/** Reads one request and answers it. */
function hear(socket: Socket, forwarder: Forwarder): void {
  let text = "";
  let cancel: Cancel = systemClock.after(requestMs, () => socket.destroy());
  let isHeard = false;
  const finish = (): void => {
    if (isHeard) return;
    isHeard = true;
    cancel();
    void forwarder.forward(text, false).then((reply) => socket.end(reply));
  };
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    if (text.length > requestBytesMaxTcp) {
      socket.destroy();
      return;
    }
    cancel();
    // Old clients leave their side open; what they said came in one piece.
    cancel = systemClock.after(holdMs, finish);
  });
  socket.on("end", finish);
  socket.on("error", () => undefined);
  socket.on("close", () => cancel());
}

/** A request on a connection that stays open is whole when nothing has followed for this long. */
const holdMs = 100;

/** The word for a proxy, among the option words; behind the command it would be an argument. */
const useUdpWord = /^((?:[A-Z]+=\S*\s+|\s)*)USEUDP=1\s/;

class Forwarder {
  readonly #given: TmccArguments;
  readonly #line: Line;
  /** P2. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(given: TmccArguments, line: Line) {
    this.#given = given;
    this.#line = line;
  }

  /** @returns the reply; nothing when there is none. */
  forward(text: string, isUdp: boolean): Promise<Buffer> {
    const mine = this.#last.then(() => this.#ask(text, isUdp));
    this.#last = mine;
    return mine;
  }

  async #ask(text: string, isUdp: boolean): Promise<Buffer> {
    const wantsUdp = isUdp || useUdpWord.test(text);
    const request = parseRequest(text.replace(useUdpWord, "$1"));
    if (request.kind === "refused") {
      this.#log(`refused: ${request.message}`);
      return Buffer.alloc(0);
    }
    const { vnodeId, timeoutS } = this.#given;
    const { tls, privateKey } = this.#line;
    const { version, command, args, redirect, idKey } = request;
    const outcome = await askTmcd({
      // P1.
      request: {
        words: [command.name],
        data: args,
        version,
        ...(redirect === undefined ? {} : { redirect }),
        ...(idKey === undefined ? {} : { idKey }),
        ...(vnodeId === undefined ? {} : { vnodeId }),
        ...(privateKey === undefined ? {} : { privateKey }),
      },
      targets: wantsUdp ? this.#line.targets.slice(0, 1).map(asUdp) : this.#line.targets,
      ...(tls === undefined || wantsUdp ? {} : { tls }),
      ...(timeoutS === undefined ? {} : { timeoutMs: timeoutS * 1000 }),
      resolve: resolveHost,
      runtime: systemClock,
    });
    if (outcome.kind === "reply") return outcome.bytes;
    this.#log(`${command.name}: ${outcome.kind}`);
    return Buffer.alloc(0);
  }

  #log(text: string): void {
    const { logFile, debug } = this.#given;
    if (logFile !== undefined) appendFileSync(logFile, `${text}\n`);
    else if (debug) process.stderr.write(`${text}\n`);
  }
}

function asUdp(target: TmccTarget): TmccTarget {
  return target.kind === "tcp" ? { ...target, kind: "udp" } : target;
}
