// SPDX-License-Identifier: MIT
// The core's end of one link, whatever carries it: who it is that speaks, what of it reaches the
// host, and what it is told. Accepting connections, and cutting bytes into frames, is the business
// of a listener (link-listener.ts) or of a door (edges/http).
//
//   L3. A connection that the core has ended is closed within `lingerMs`, whatever its peer does.
//   L4. What an edge sends is checked before anything is made of it (check-frame.ts).
//   L5. What a peer leaves unread is bounded; beyond it the connection is closed, and the edge may
//       come back within its lease.
import type { Batch } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { CoreFrame, EdgeFrame, HelloFrame, SessionGrant } from "../wire/link/frames.ts";
import { FrameError, formatFrame, linkFormat } from "../wire/link/frames.ts";
import type { EdgeRights } from "./check-frame.ts";
import { checkEdgeFrame } from "./check-frame.ts";
import type { Cancel } from "./clock.ts";
import type { BatchSource, Host, Port } from "./host.ts";
import type { Logger } from "./logger.ts";

/** A connection that has not said who it is by then is closed, milliseconds. */
const helloMsMax = 10_000;
/** How long the peer of a link that was ended may take to read why, milliseconds. */
const lingerMs = 1_000;
/** The one reason after which an edge comes back by itself. */
const coreIsClosing = "the core is closing";

/** What carries frames, one text each. */
export interface LinkTransport {
  /** Whether what is sent can still arrive. */
  readonly isOpen: boolean;
  /** Bytes sent that the peer has not taken yet. */
  readonly queuedBytes: number;
  send(text: string): void;
  /** Closes when everything sent has left. */
  end(): void;
  destroy(): void;
}

/** An edge that is let in: the name the core knows it by, and what it may do. */
export interface Admission {
  readonly edge: string;
  readonly rights: EdgeRights;
  /** Told to a session in its welcome. */
  readonly grant?: SessionGrant;
}

export interface EdgeConnectionOptions {
  readonly host: Host;
  readonly logger: Logger;
  readonly transport: LinkTransport;
  /** Bytes a peer may leave unread (L5). */
  readonly queueBytesMax: number;
  /** Who says this hello; a text says why it is turned away. */
  readonly admit: (hello: HelloFrame) => Admission | string;
  readonly onAdmitted?: () => void;
}

export class EdgeConnection {
  readonly #options: EdgeConnectionOptions;
  #cancelTimer: Cancel;
  #port: RemotePort | undefined;

  constructor(options: EdgeConnectionOptions) {
    this.#options = options;
    this.#cancelTimer = options.host.clock.after(helloMsMax, () => options.transport.destroy());
  }

  /** Has not been let in, or no longer belongs to an edge. */
  get isStranger(): boolean {
    return this.#port === undefined;
  }

  /** One frame of the peer, as parsed. */
  receive(frame: unknown): void {
    // The end of a link is decided by one frame; what came with it is nobody's any more.
    if (!this.#options.transport.isOpen) return;
    try {
      this.#onFrame(checkEdgeFrame(frame, this.#options.host.limits, this.#port));
    } catch (error) {
      this.fail(error);
    }
  }

  /** The peer has broken the protocol, or asked for what it may not. */
  fail(error: unknown): void {
    this.#options.logger.log("warn", `a link to an edge was closed: ${String(error)}`);
    if (error instanceof FrameError && error.code === "rights") {
      this.end(error.message, { mayReturn: false });
    } else this.#options.transport.destroy();
  }

  end(reason: string, { mayReturn }: { readonly mayReturn: boolean }): void {
    this.#send({ kind: "closed", reason, mayReturn });
    const { transport, host } = this.#options;
    transport.end();
    this.#detach();
    this.#cancelTimer();
    this.#cancelTimer = host.clock.after(lingerMs, () => transport.destroy());
  }

  /** The core goes: edges are told, nobody else keeps the process (L3). */
  close(): void {
    if (this.isStranger) this.#options.transport.destroy();
    else this.end(coreIsClosing, { mayReturn: true });
  }

  /** The transport is gone. */
  closed(): void {
    this.#detach();
    this.#cancelTimer();
  }

  #onFrame(frame: EdgeFrame): void {
    const { host } = this.#options;
    const port = this.#port;
    if (port === undefined) {
      this.#onHello(frame);
      return;
    }
    switch (frame.kind) {
      case "batch": {
        const { edge, incarnation } = port;
        const { number, commands } = frame;
        port.source.put({ edge, incarnation, number, commands });
        host.wake();
        return;
      }
      case "seen":
        host.acknowledgeEffects(port, frame.sequence);
        return;
      case "describe": {
        const description = host.describe(frame.scope, frame.barrier);
        this.#send({ kind: "description", id: frame.id, description });
        return;
      }
      case "hello":
        throw new FrameError("a second hello");
    }
  }

  #onHello(frame: EdgeFrame): void {
    const { host, transport, admit } = this.#options;
    if (frame.kind !== "hello") throw new FrameError(`a frame before hello (${frame.kind})`);
    const admission =
      frame.format === linkFormat
        ? admit(frame)
        : `this core speaks format ${linkFormat} of the link, not ${frame.format}; use the same version at both ends`;
    if (typeof admission === "string") {
      this.end(admission, { mayReturn: false });
      return;
    }
    this.#cancelTimer();
    if (!host.isStarted) {
      // It has not read its log yet, so it does not know whom it knows. The edge tries again.
      transport.destroy();
      return;
    }
    const { edge, rights, grant } = admission;
    const { incarnation, acknowledged, seen } = frame;
    const lastBatch = host.lastBatch(edge, incarnation);
    if (acknowledged > lastBatch) {
      this.#sayEnded(edge, incarnation, seen);
      return;
    }
    this.#send({ kind: "welcome", lastBatch, ...(grant === undefined ? {} : { grant }) });
    const send = (message: CoreFrame): void => this.#send(message);
    const onReplaced = (): void => transport.destroy();
    this.#port = new RemotePort({ edge, incarnation, rights, send, onReplaced });
    this.#options.onAdmitted?.();
    host.attach(this.#port, seen);
  }

  /** What it was told before it ended still finds its clients, if they are there. */
  #sayEnded(edge: string, incarnation: number, seen: number): void {
    for (const kept of this.#options.host.keptFor({ edge, incarnation }, seen)) {
      this.#send({ kind: "effects", ...kept });
    }
    const sequence = Number.MAX_SAFE_INTEGER;
    this.#send({ kind: "effects", sequence, effects: [{ kind: "revoked" }] });
    this.end("this incarnation has ended", { mayReturn: false });
  }

  #send(frame: CoreFrame): void {
    const { transport, queueBytesMax, logger } = this.#options;
    if (!transport.isOpen) return;
    transport.send(formatFrame(frame));
    if (transport.queuedBytes <= queueBytesMax) return;
    logger.log("warn", "an edge does not read what it is sent; its link was closed");
    transport.destroy();
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
