// SPDX-License-Identifier: MIT
// The gate of a run: through it nodes with a network of their own reach the servers of the run, and
// nothing else of this machine. Its sockets are in the run's own namespace; what comes in there
// goes on to the servers' own sockets on loopback, at the address that stands for the caller. So no
// server need know of the gate, and none can be called that was not opened here.
//
//   G1. A call from an address that the run has not given is not answered.
//   G2. What comes in goes on unchanged and in order; an end closes when the other has.
//   G3. A socket that comes when the gate is closed, or nobody waits for it any more, is closed.
import type { ChildProcess } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createConnection, type Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Clock } from "../host/clock.ts";
import { type ControlNetwork, targetOf } from "./control-network.ts";
import type { GateMessage, WantedSocket } from "./gate-messages.ts";
import { type NetNamespace, NetworkError } from "./link-backend.ts";
import type { RunNamespaceCommands } from "./namespace-commands.ts";
import { networkTime } from "./network-time.ts";
import { describeFailure, isPassingFailure } from "./passing-failure.ts";

const program = import.meta.url.endsWith(".ts") ? "./gate-helper.ts" : "./gate-helper.js";

/** Connections and senders of datagrams at once; more are closed, the oldest senders forgotten. */
export interface GateLimits {
  readonly connectionsMax: number;
  readonly sendersMax: number;
}

export const gateLimits: GateLimits = {
  connectionsMax: 20_000,
  sendersMax: 4_096,
};

/** A port of the gate. */
export interface OpenPort {
  readonly kind: "tcp" | "udp";
  readonly port: number;
  /**
   * `called`: the server listens at an address for each node; `machine`: at 127.0.0.1, and whoever
   * of the run calls is let through.
   */
  readonly behind: "called" | "machine";
}

export interface GateOptions {
  readonly commands: RunNamespaceCommands;
  readonly control: ControlNetwork;
  /** B of 127.B.0.0/16. */
  readonly block: number;
  readonly clock: Clock;
  readonly limits?: GateLimits;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #limits: GateLimits;
  readonly #servers: Server[] = [];
  readonly #sockets: UdpSocket[] = [];
  readonly #connections = new Set<Socket>();
  /** By sender and port. */
  readonly #senders = new Map<string, Sender>();
  #isClosed = false;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#limits = options.limits ?? gateLimits;
  }

  /** @throws NetworkError */
  async open(ports: readonly OpenPort[]): Promise<void> {
    if (ports.length === 0 || this.#isClosed) return;
    const wanted = ports.map(({ kind, port }): WantedSocket => ({ kind, port }));
    const handles = await this.#openIn(this.#options.commands.hub, wanted);
    // G3.
    if (this.#isClosed) for (const handle of handles.values()) closeHandle(handle);
    else for (const [index, port] of ports.entries()) this.#serve(handles.get(index), port);
  }

  /** A server at an abstract UNIX socket, whose names each network has its own of. */
  async listenIn(
    namespace: NetNamespace,
    name: string,
    onConnection: (socket: Socket) => void,
  ): Promise<Server> {
    const handles = await this.#openIn(namespace, [{ kind: "unix", name }]);
    const server = handles.get(0) as Server;
    server.on("connection", onConnection);
    server.on("error", () => undefined);
    if (this.#isClosed) server.close(); // G3.
    return server;
  }

  /**
   * A socket for a thread: its descriptor, which the thread owns from then on.
   * @throws NetworkError
   */
  async openBare(namespace: NetNamespace, wanted: WantedSocket): Promise<number> {
    const handles = await this.#openIn(namespace, [wanted]);
    if (this.#isClosed) {
      closeHandle(handles.get(0)); // G3.
      throw new NetworkError("the run is ending");
    }
    // The handle itself is never closed: its number may be another file's by then.
    const descriptor: unknown = Reflect.get(handles.get(0) as object, "fd");
    if (typeof descriptor === "number" && descriptor >= 0) return descriptor;
    throw new NetworkError("a socket of another network has no descriptor here");
  }

  async #openIn(
    namespace: NetNamespace,
    wanted: readonly WantedSocket[],
  ): Promise<ReadonlyMap<number, unknown>> {
    const { commands, clock } = this.#options;
    const helper = fileURLToPath(new URL(program, import.meta.url));
    const child = commands.fork(namespace, [process.execPath, helper, JSON.stringify(wanted)]);
    try {
      return await takeHandles(child, wanted.length, clock);
    } finally {
      if (child.connected) child.disconnect();
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.close();
    for (const socket of this.#connections) socket.destroy();
    for (const sender of this.#senders.values()) this.#forget(sender);
  }

  #serve(handle: unknown, port: OpenPort): void {
    if (port.kind === "tcp") {
      const server = handle as Server;
      // As the servers behind have it: a client may end its side and wait for an answer.
      Reflect.set(server, "allowHalfOpen", true);
      server.on("connection", (socket: Socket) => this.#accept(socket, port));
      server.on("error", () => undefined);
      this.#servers.push(server);
      return;
    }
    const socket = handle as UdpSocket;
    socket.on("message", (bytes, { address, port: from }) => {
      this.#pass(bytes, { address, port: from, to: port, back: socket });
    });
    socket.on("error", () => undefined);
    this.#sockets.push(socket);
  }

  /** G2. */
  #accept(socket: Socket, port: OpenPort): void {
    const host = this.#target(socket.remoteAddress ?? "", socket.localAddress ?? "", port);
    if (host === undefined || this.#connections.size >= this.#limits.connectionsMax) {
      socket.destroy(); // G1.
      return;
    }
    const inner = createConnection({ host, port: port.port, allowHalfOpen: true, noDelay: true });
    socket.setNoDelay(true);
    this.#connections.add(socket);
    socket.pipe(inner);
    inner.pipe(socket);
    const end = (): void => {
      this.#connections.delete(socket);
      socket.destroy();
      inner.destroy();
    };
    for (const one of [socket, inner]) {
      one.on("error", end);
      one.on("close", (hadError) => {
        if (hadError || (socket.destroyed && inner.destroyed)) end();
      });
    }
  }

  #target(from: string, to: string, { behind }: OpenPort): string | undefined {
    const { control, block } = this.#options;
    const target = targetOf(control, block, { from: plainAddress(from), to: plainAddress(to) });
    return target === undefined || behind === "called" ? target : "127.0.0.1";
  }

  #pass(bytes: Uint8Array, call: Call): void {
    const { control } = this.#options;
    const key = `${call.address}:${call.port}:${call.to.port}`;
    const known = this.#senders.get(key);
    if (known !== undefined) {
      known.socket.send(bytes);
      this.#watch(known);
      return;
    }
    const host = this.#target(call.address, control.server, call.to);
    if (host === undefined) return; // G1.
    const [oldest] = this.#senders.values();
    if (this.#senders.size >= this.#limits.sendersMax && oldest !== undefined) this.#forget(oldest);
    const socket = createSocket("udp4");
    const sender: Sender = { key, socket, cancel: () => undefined };
    this.#senders.set(key, sender);
    socket.on("error", () => this.#forget(sender));
    socket.on("message", (answer) => call.back.send(answer, call.port, call.address));
    socket.connect(call.to.port, host, () => socket.send(bytes));
    this.#watch(sender);
  }

  #watch(sender: Sender): void {
    sender.cancel();
    sender.cancel = this.#options.clock.after(networkTime.senderMs, () => this.#forget(sender));
  }

  #forget(sender: Sender): void {
    sender.cancel();
    if (this.#senders.get(sender.key) !== sender) return;
    this.#senders.delete(sender.key);
    sender.socket.close();
  }
}

interface Sender {
  readonly key: string;
  readonly socket: UdpSocket;
  cancel: () => void;
}

interface Call {
  readonly address: string;
  readonly port: number;
  readonly to: OpenPort;
  readonly back: UdpSocket;
}

/** Of the platform, or bare. */
function closeHandle(handle: unknown): void {
  (handle as { close(): void } | undefined)?.close();
}

function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

/** @throws NetworkError */
function takeHandles(
  child: ChildProcess,
  count: number,
  clock: Clock,
): Promise<ReadonlyMap<number, unknown>> {
  return new Promise((resolve, reject) => {
    const handles = new Map<number, unknown>();
    let [said, isOver] = ["", false];
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      said = (said + chunk).slice(-1_000);
    });
    const fail = (why: string, isPassing = false): void => {
      cancel();
      isOver = true;
      child.kill("SIGKILL");
      for (const handle of handles.values()) closeHandle(handle); // G3.
      handles.clear();
      const text = `the servers of the run cannot be reached by nodes: ${why}`;
      reject(new NetworkError(text, { isPassing }));
    };
    const cancel = clock.after(networkTime.helperMs, () => fail("no socket came in time", true));
    const failAs = (status: number | null, signal: string | null, why: string): void => {
      const program = { status, signal, said: why };
      fail(describeFailure(program), isPassingFailure(program));
    };
    child.once("error", ({ message }) => failAs(null, null, message));
    child.once("close", (status, signal) => {
      if (isOver || handles.size >= count) return;
      failAs(status, signal, said.trim() || "the program that opens their sockets ended");
    });
    child.on("message", (message, handle) => {
      const { index, error } = message as GateMessage;
      if (isOver) {
        closeHandle(handle); // G3.
        return;
      }
      if (error !== undefined) {
        fail(error);
        return;
      }
      handles.set(index, handle);
      if (handles.size < count) return;
      cancel();
      resolve(handles);
    });
  });
}
