// SPDX-License-Identifier: MIT
// Where edges in other processes come in: a UNIX socket that anybody on the machine may connect to,
// and a secret in the first frame, compared in constant time. [D14] Over a network the secret is
// proved instead (link-proof.ts). What is said on a link is in edge-connection.ts.
//
//   L1. A secret admits one edge by name, with the rights that go with it, and nobody else.
//   L2. Who has not said that costs no more than `strangersMax` connections of `helloBytesMax`, and
//       no more lines of a log than a person reads.
import { unlinkSync } from "node:fs";
import type { Server } from "node:net";
import { connect, createServer } from "node:net";
import type { Duplex } from "node:stream";
import { formatFrame, type HelloFrame } from "../wire/link/frames.ts";
import { calmLogger } from "./calm-logger.ts";
import type { Admission, LinkTransport } from "./edge-connection.ts";
import { EdgeConnection } from "./edge-connection.ts";
import type { EdgeRights } from "./edge-rights.ts";
import { FrameReader } from "./frame-reader.ts";
import type { Host } from "./host.ts";
import { newNonce } from "./ids.ts";
import { socketPath } from "./link-address.ts";
import { isProof, nonceBytes, proveLink } from "./link-proof.ts";
import type { Logger } from "./logger.ts";
import { isSameSecret } from "./same-secret.ts";

/** Bytes in a frame of somebody who has not been let in. */
export const helloBytesMax = 1_024;
/**
 * Connections that have not been let in; the oldest goes, since a true edge says hello at once. So
 * many that a thousand who all come back together are in within a lease.
 */
export const strangersMax = 256;
/** An edge of another process that may attach. */
export interface AdmittedEdge {
  readonly edge: string;
  readonly secret: string;
  readonly rights: EdgeRights;
  /**
   * What another life of the edge is told, and kept out with, while one is attached; left out, the
   * newer one ends the older.
   */
  readonly whenTaken?: string;
}

export interface LinkListenerOptions {
  readonly host: Host;
  readonly admitted: readonly AdmittedEdge[];
  /** Edges that nobody has named before: what admits one of this name, if it may be there. */
  readonly admits?: (edge: string) => AdmittedEdge | undefined;
  /** Edges prove their secret and are shown a proof; who shows the secret itself is kept out. */
  readonly asksForProof?: boolean;
  /** What those are told who are not let in, in the words of the door. */
  readonly whenStrange?: string;
  readonly witness?: LinkWitness;
  readonly logger: Logger;
}

/** Is told who comes and goes, by the names of edges. */
export interface LinkWitness {
  readonly came: (edge: string) => void;
  readonly went: (edge: string) => void;
  /** Nobody has proved that name. */
  readonly refused: (edge: string, why: string) => void;
}

/** Accepts edges. `accept` takes any duplex; `listen` is the part that knows sockets. */
export class LinkListener {
  readonly #options: LinkListenerOptions;
  readonly #admitted: AdmittedEdge[];
  readonly #connections = new Set<StreamConnection>();
  /** Of them those that have not been let in, the oldest first (L2). */
  readonly #strangers = new Set<StreamConnection>();
  #server: Server | undefined;

  constructor(options: LinkListenerOptions) {
    this.#admitted = [...options.admitted];
    const { host, logger } = options;
    const calm = calmLogger(logger, host.clock);
    this.#options = { ...options, admitted: this.#admitted, logger: calm };
  }

  /** One edge more may attach (L1). */
  admit(edge: AdmittedEdge): void {
    this.#admitted.push(edge);
  }

  /** The edge does not attach again; a link it has stays. */
  dismiss(name: string): void {
    const index = this.#admitted.findIndex(({ edge }) => edge === name);
    if (index >= 0) this.#admitted.splice(index, 1);
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
    // Without descriptors the next edge may be taken; unheard, it would end the process.
    const { logger } = this.#options;
    server.on("error", (error) => logger.log("error", `links: ${error.message}`));
    this.#server = server;
  }

  /** Connections that are open, of edges and of strangers. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  accept(stream: Duplex): void {
    const connection: StreamConnection = new StreamConnection(stream, this.#options, {
      onLetIn: () => this.#strangers.delete(connection),
      onGone: () => {
        this.#strangers.delete(connection);
        this.#connections.delete(connection);
      },
    });
    this.#connections.add(connection);
    this.#strangers.add(connection);
    if (this.#strangers.size <= strangersMax) return;
    const [oldest] = this.#strangers;
    if (oldest === undefined) return;
    // At once, and not when it is closed: of many that come in one turn each costs one its place.
    this.#strangers.delete(oldest);
    this.#connections.delete(oldest);
    oldest.destroy();
  }

  /** Edges are told; nobody else keeps the process (L3, edge-connection.ts). */
  close(): void {
    this.#server?.close();
    for (const connection of [...this.#connections]) connection.close();
  }
}

interface ConnectionEnds {
  readonly onLetIn: () => void;
  readonly onGone: () => void;
}

/** One connection over a stream: frames are lines. */
class StreamConnection {
  readonly #stream: Duplex;
  readonly #edge: EdgeConnection;

  constructor(stream: Duplex, options: LinkListenerOptions, { onLetIn, onGone }: ConnectionEnds) {
    const { host, logger, witness, asksForProof = false } = options;
    let edge: string | undefined;
    this.#stream = stream;
    const transport = createStreamTransport(stream);
    const coreNonce = asksForProof ? Buffer.from(newNonce(nonceBytes)).toString("hex") : undefined;
    const reader = new FrameReader(helloBytesMax);
    this.#edge = new EdgeConnection({
      host,
      logger,
      transport,
      queueBytesMax: host.limits.linkQueueBytesMax,
      admit: (hello) => {
        const admission = admitEdge(hello, options, coreNonce);
        if (typeof admission === "string") witness?.refused(hello.edge, admission);
        return admission;
      },
      onAdmitted: (admitted) => {
        reader.frameBytesMax = host.limits.linkFrameBytesMax;
        edge = admitted;
        onLetIn();
        witness?.came(edge);
      },
    });
    if (coreNonce !== undefined) {
      transport.send(formatFrame({ kind: "challenge", nonce: coreNonce }));
    }
    stream.on("data", (chunk: Buffer) => {
      if (stream.writableEnded) return;
      try {
        for (const frame of reader.push(chunk)) this.#edge.receive(frame);
      } catch (error) {
        this.#edge.fail(error);
      }
    });
    stream.on("error", () => stream.destroy());
    stream.on("close", () => {
      this.#edge.closed();
      if (edge !== undefined) witness?.went(edge);
      onGone();
    });
  }

  close(): void {
    this.#edge.close();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

function createStreamTransport(stream: Duplex): LinkTransport {
  return {
    get isOpen() {
      return !stream.destroyed && !stream.writableEnded;
    },
    get queuedBytes() {
      return stream.writableLength;
    },
    send: (text) => void stream.write(`${text}\n`),
    end: () => void stream.end(),
    destroy: () => void stream.destroy(),
  };
}

const strange = "the core does not know this edge (wrong name, wrong secret or another version)";

function admitEdge(
  hello: HelloFrame,
  { host, admitted, admits, whenStrange }: LinkListenerOptions,
  coreNonce: string | undefined,
): Admission | string {
  const { edge, secret, incarnation } = hello;
  const known = admitted.find((candidate) => candidate.edge === edge) ?? admits?.(edge);
  // Nobody without the secret is told who is there.
  const taken = isTaken(host, edge, incarnation) ? known?.whenTaken : undefined;
  if (known !== undefined && coreNonce === undefined && isSameSecret(secret, known.secret)) {
    return taken ?? known;
  }
  const proof =
    known === undefined || coreNonce === undefined
      ? undefined
      : answerProof(hello, coreNonce, known.secret);
  if (known !== undefined && proof !== undefined) return taken ?? { ...known, proof };
  return whenStrange ?? strange;
}

/** Whether another life of the edge is attached, here or at another server of the log. */
function isTaken({ facts }: Host, edge: string, incarnation: number): boolean {
  const place = facts.placeOf(edge);
  return place.attached && place.incarnation !== incarnation;
}

/** @returns the core's own proof to one that is good. */
function answerProof(hello: HelloFrame, coreNonce: string, secret: string): string | undefined {
  const { edge, incarnation, nonce: edgeNonce = "", proof } = hello;
  const about = { coreNonce, edgeNonce, edge, incarnation };
  return isProof(proof, proveLink("edge", secret, about))
    ? proveLink("core", secret, about)
    : undefined;
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
