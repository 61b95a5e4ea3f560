// SPDX-License-Identifier: MIT
// The core's end of links to edges in other processes: a UNIX socket that anybody on the machine
// may connect to, and a secret in the first frame, compared in constant time. [D14]
//
//   L1. A secret admits one edge by name, with the rights that go with it, and nobody else.
//   L2. Who has not said that costs no more than `strangersMax` connections of `helloBytesMax`.
//   L3. A connection that the core has ended is closed within `lingerMs`, whatever its peer does.
import { createHash, timingSafeEqual } from "node:crypto";
import { unlinkSync } from "node:fs";
import type { Server } from "node:net";
import { connect, createServer } from "node:net";
import type { Duplex } from "node:stream";
import type { Batch } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { EdgeRights } from "./check-frame.ts";
import { checkEdgeFrame } from "./check-frame.ts";
import type { Cancel } from "./clock.ts";
import type { BatchSource, Host, Port } from "./host.ts";
import { socketPath } from "./link-address.ts";
import type { CoreFrame, EdgeFrame } from "./link-frames.ts";
import { coreIsClosing, FrameReader, formatFrame, linkFormat } from "./link-frames.ts";
import type { Logger } from "./logger.ts";

/** A connection that has not said who it is by then is closed, milliseconds. */
const helloMsMax = 10_000;
/** Bytes in a frame of somebody who has not been let in. */
export const helloBytesMax = 1_024;
/** Connections that have not been let in; the oldest goes, since a true edge says hello at once. */
export const strangersMax = 16;
/** How long the peer of a link that was ended may take to read why, milliseconds. */
const lingerMs = 1_000;

/** An edge of another process that may attach. */
export interface AdmittedEdge {
  readonly edge: string;
  readonly secret: string;
  readonly rights: EdgeRights;
}

export interface LinkListenerOptions {
  readonly host: Host;
  readonly admitted: readonly AdmittedEdge[];
  readonly logger: Logger;
}

/** Accepts edges. `accept` takes any duplex; `listen` is the part that knows sockets. */
export class LinkListener {
  readonly #options: LinkListenerOptions;
  readonly #connections = new Set<LinkConnection>();
  #server: Server | undefined;

  constructor(options: LinkListenerOptions) {
    this.#options = options;
  }

  /**
   * Takes over the path from a core that was killed; not from one that lives.
   * @param path of the UNIX socket, named as in link-address.ts.
   */
  async listen(path: string): Promise<void> {
    const address = socketPath(path);
    const server = createServer((socket) => this.accept(socket));
    try {
      await listenOn(server, address);
    } catch (error) {
      if (isCode(error, "EMFILE")) {
        throw new Error("EMFILE, too many open files; raise the limit (ulimit -n)", {
          cause: error,
        });
      }
      if (!isCode(error, "EADDRINUSE") || (await answers(address))) throw error;
      unlinkSync(address);
      await listenOn(server, address);
    }
    this.#server = server;
  }

  accept(stream: Duplex): void {
    const connection: LinkConnection = new LinkConnection(stream, this.#options, () => {
      this.#connections.delete(connection);
    });
    this.#connections.add(connection);
    const strangers = [...this.#connections].filter(({ isStranger }) => isStranger);
    if (strangers.length > strangersMax) strangers[0]?.destroy();
  }

  /** Edges are told; nobody else keeps the process (L3). */
  close(): void {
    this.#server?.close();
    for (const connection of [...this.#connections]) {
      if (connection.isStranger) connection.destroy();
      else connection.end(coreIsClosing);
    }
  }
}

/** One link: the port of a remote edge, once it has said who it is. */
class LinkConnection {
  readonly #stream: Duplex;
  readonly #options: LinkListenerOptions;
  readonly #onGone: () => void;
  readonly #reader: FrameReader;
  #cancelTimer: Cancel;
  #port: RemotePort | undefined;

  constructor(stream: Duplex, options: LinkListenerOptions, onGone: () => void) {
    this.#stream = stream;
    this.#options = options;
    this.#onGone = onGone;
    this.#reader = new FrameReader(helloBytesMax);
    this.#cancelTimer = options.host.clock.after(helloMsMax, () => stream.destroy());
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("error", () => stream.destroy());
    stream.on("close", () => {
      this.#detach();
      this.#cancelTimer();
      this.#onGone();
    });
  }

  /** Has not been let in, or no longer belongs to an edge. */
  get isStranger(): boolean {
    return this.#port === undefined;
  }

  end(reason: string): void {
    this.#send({ kind: "closed", reason });
    this.#stream.end();
    this.#detach();
    this.#cancelTimer();
    this.#cancelTimer = this.#options.host.clock.after(lingerMs, () => this.#stream.destroy());
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#stream.writableEnded) return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        // The end of a link is decided by one frame; what came with it is nobody's any more.
        if (this.#stream.destroyed || this.#stream.writableEnded) return;
        this.#onFrame(checkEdgeFrame(frame, this.#options.host.limits, this.#port));
      }
    } catch (error) {
      this.#options.logger.log("warn", `a link to an edge was closed: ${String(error)}`);
      this.#stream.destroy();
    }
  }

  #onFrame(frame: EdgeFrame): void {
    const { host } = this.#options;
    const port = this.#port;
    if (port === undefined) {
      this.#onHello(frame);
      return;
    }
    switch (frame.kind) {
      case "batch":
        port.source.put(frame.batch);
        host.wake();
        return;
      case "seen":
        host.acknowledgeEffects(port, frame.sequence);
        return;
      case "describe": {
        const description = host.describe(frame.scope, frame.barrier);
        this.#send({ kind: "description", id: frame.id, description });
        return;
      }
      default:
        throw new Error(`unexpected frame ${frame.kind}`);
    }
  }

  #onHello(frame: EdgeFrame): void {
    const { host, admitted } = this.#options;
    const known = frame.kind === "hello" && admitted.find(({ edge }) => edge === frame.edge);
    if (!known || !isSecret(frame.secret, known.secret) || frame.format !== linkFormat) {
      this.end("the core does not know this edge (wrong name, wrong secret or another version)");
      return;
    }
    this.#cancelTimer();
    if (!host.isStarted) {
      // It has not read its log yet, so it does not know whom it knows. The edge tries again.
      this.#stream.destroy();
      return;
    }
    const { edge, incarnation, acknowledged, seen } = frame;
    const lastBatch = host.lastBatch(edge, incarnation);
    if (acknowledged > lastBatch) {
      // What it was told before it ended still finds its clients, if they are there.
      for (const kept of host.keptFor({ edge, incarnation }, seen)) {
        this.#send({ kind: "effects", ...kept });
      }
      const sequence = Number.MAX_SAFE_INTEGER;
      this.#send({ kind: "effects", sequence, effects: [{ kind: "revoked" }] });
      this.end("this incarnation has ended");
      return;
    }
    this.#send({ kind: "welcome", lastBatch });
    const onReplaced = (): void => {
      this.#stream.destroy();
    };
    const send = (message: CoreFrame): void => this.#send(message);
    this.#port = new RemotePort({ edge, incarnation, rights: known.rights, send, onReplaced });
    this.#reader.frameBytesMax = host.limits.linkFrameBytesMax;
    host.attach(this.#port, seen);
  }

  #send(frame: CoreFrame): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#stream.write(formatFrame(frame));
    if (this.#stream.writableLength > this.#options.host.limits.linkQueueBytesMax) {
      this.#options.logger.log(
        "warn",
        "an edge does not read what it is sent; its link was closed",
      );
      this.#stream.destroy();
    }
  }

  #detach(): void {
    const port = this.#port;
    this.#port = undefined;
    if (port !== undefined) this.#options.host.detach(port, true);
  }
}

interface RemotePortOptions {
  readonly edge: string;
  readonly incarnation: number;
  readonly rights: EdgeRights;
  readonly send: (frame: CoreFrame) => void;
  readonly onReplaced: () => void;
}

class RemotePort implements Port {
  readonly edge: string;
  readonly incarnation: number;
  readonly source: RemoteSource = new RemoteSource();
  readonly rights: EdgeRights;
  readonly replaced: () => void;
  readonly #send: (frame: CoreFrame) => void;

  constructor({ edge, incarnation, rights, send, onReplaced }: RemotePortOptions) {
    this.edge = edge;
    this.incarnation = incarnation;
    this.rights = rights;
    this.#send = send;
    this.replaced = onReplaced;
  }

  /** False: kept by the host until the edge has said that it has them (K2). */
  deliver(sequence: number, effects: readonly EdgeEffect[]): boolean {
    this.#send({ kind: "effects", sequence, effects });
    return false;
  }

  applied(number: number): void {
    this.#send({ kind: "applied", number });
  }
}

/** Batches as they came; their edge keeps them too, so that nothing is lost with this process. */
class RemoteSource implements BatchSource {
  #queued: Batch[] = [];
  #sent: Batch[] = [];

  put(batch: Batch): void {
    this.#queued.push(batch);
  }

  take(): Batch | undefined {
    const batch = this.#queued.shift();
    if (batch !== undefined) this.#sent.push(batch);
    return batch;
  }

  unacknowledged(): readonly Batch[] {
    return this.#sent;
  }

  acknowledge(number: number): boolean {
    this.#sent = this.#sent.filter((batch) => batch.number > number);
    return false;
  }
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether somebody listens behind the socket file. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function isSecret(given: unknown, secret: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return typeof given === "string" && timingSafeEqual(hash(given), hash(secret));
}
