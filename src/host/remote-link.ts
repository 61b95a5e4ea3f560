// SPDX-License-Identifier: MIT
// The edge's end of a link to a core in another process. Keeps commands while the link is down,
// sends what is not acknowledged again when it is back (K1), and drops effects it has seen (K2).
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Command } from "../core/command.ts";
import type { ScopeDescription } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "./clock.ts";
import type { ConnectEdge, CoreLink, EdgeHandler } from "./core-link.ts";
import { EdgeOutbox } from "./edge-outbox.ts";
import { newIncarnation } from "./ids.ts";
import { socketPath } from "./link-address.ts";
import type { CoreFrame, EdgeFrame } from "./link-frames.ts";
import { coreIsClosing, FrameError, FrameReader, formatFrame, linkFormat } from "./link-frames.ts";

/** Pause between attempts to reach a core that is away, milliseconds. */
const reconnectMs = 200;

export interface RemoteLinkOptions {
  readonly secret: string;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Opens a stream to the core; errors of the stream mean "not now". */
  readonly open: () => Duplex;
  /** Names the incarnation; a simulation gives its own, for the same run twice. */
  readonly newIncarnation?: () => number;
}

/** How edges of this process reach a core behind a UNIX socket, named as in link-address.ts. */
export function connectRemoteEdge(
  options: Omit<RemoteLinkOptions, "open"> & { readonly path: string },
): ConnectEdge {
  const open = (): Duplex => connect(socketPath(options.path));
  return (edge, handler) => new RemoteLink(edge, handler, { ...options, open });
}

/** The same over any stream. */
export function connectStreamEdge(options: RemoteLinkOptions): ConnectEdge {
  return (edge, handler) => new RemoteLink(edge, handler, options);
}

class RemoteLink implements CoreLink {
  readonly #handler: EdgeHandler;
  readonly #options: RemoteLinkOptions;
  readonly #outbox: EdgeOutbox;
  readonly #questions = new Map<number, (description: ScopeDescription) => void>();
  #stream: Duplex | undefined;
  #welcome = false;
  #wasUp = false;
  #seen = 0;
  #acknowledged = 0;
  #lastQuestion = 0;
  #flushScheduled = false;
  #closing: (() => void) | undefined;
  #whenClosed: Promise<void> | undefined;
  #closed = false;

  constructor(edge: string, handler: EdgeHandler, options: RemoteLinkOptions) {
    this.#handler = handler;
    this.#options = options;
    const incarnation = (options.newIncarnation ?? newIncarnation)();
    this.#outbox = new EdgeOutbox(edge, incarnation, options.limits, () => this.#wake());
    this.#outbox.submitAlways({ kind: "attach" });
    this.#open();
  }

  submit(command: Command): boolean {
    return !this.#closed && this.#closing === undefined && this.#outbox.submit(command);
  }

  describe(scope: string, barrier?: string): Promise<ScopeDescription> {
    if (!this.#welcome) return Promise.resolve({ scope, barriers: [], pendingEvents: 0 });
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    this.#send({ kind: "describe", id, scope, ...(barrier === undefined ? {} : { barrier }) });
    return new Promise((resolve) => this.#questions.set(id, resolve));
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#whenClosed ??= new Promise((resolve) => {
      this.#outbox.submitAlways({ kind: "end-edge" });
      this.#closing = resolve;
    });
    return this.#whenClosed;
  }

  #open(): void {
    const stream = this.#options.open();
    const reader = new FrameReader(this.#options.limits.linkFrameBytesMax);
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => {
      if (stream !== this.#stream) return;
      try {
        for (const frame of reader.push(chunk)) {
          if (stream === this.#stream) this.#onFrame(frame as CoreFrame);
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        stream.destroy();
      }
    });
    stream.on("error", () => stream.destroy());
    stream.on("close", () => this.#onClose(stream));
    const { edge, incarnation } = this.#outbox;
    const [acknowledged, seen] = [this.#acknowledged, this.#seen];
    const { secret } = this.#options;
    this.#send({
      kind: "hello",
      format: linkFormat,
      secret,
      edge,
      incarnation,
      acknowledged,
      seen,
    });
  }

  #onClose(stream: Duplex): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    const wasUp = this.#welcome;
    this.#welcome = false;
    if (wasUp) this.#handler.onLink?.(false);
    for (const [id, answer] of this.#questions) {
      this.#questions.delete(id);
      answer({ scope: "", barriers: [], pendingEvents: 0 });
    }
    // A link that was cut may come back and take the end of this edge; a core that is away decides
    // by the lease.
    if (this.#closing !== undefined && !wasUp) this.#end(undefined);
    if (!this.#closed) this.#options.clock.after(reconnectMs, () => this.#closed || this.#open());
  }

  #onFrame(frame: CoreFrame): void {
    switch (frame.kind) {
      case "welcome":
        this.#onWelcome(frame.lastBatch);
        return;
      case "applied":
        this.#onApplied(frame.number);
        return;
      case "effects":
        this.#onEffects(frame);
        return;
      case "description": {
        this.#questions.get(frame.id)?.(frame.description);
        this.#questions.delete(frame.id);
        return;
      }
      case "closed":
        if (frame.reason !== coreIsClosing) this.#end(frame.reason);
        return;
    }
  }

  #onWelcome(lastBatch: number): void {
    this.#welcome = true;
    this.#onApplied(lastBatch);
    for (const batch of this.#outbox.unacknowledged()) this.#send({ kind: "batch", batch });
    // The lease may be running: the core must learn that the edge is back.
    if (this.#wasUp) this.#outbox.submitAlways({ kind: "attach" });
    this.#wake();
    if (this.#wasUp) this.#handler.onLink?.(true);
    this.#wasUp = true;
  }

  #onApplied(number: number): void {
    if (number > this.#acknowledged) this.#acknowledged = number;
    if (this.#outbox.acknowledge(number)) this.#handler.onRoom?.();
    this.#wake();
  }

  #onEffects({ sequence, effects }: Extract<CoreFrame, { kind: "effects" }>): void {
    if (sequence <= this.#seen) return;
    this.#seen = sequence;
    this.#send({ kind: "seen", sequence });
    const rest = effects.filter(({ kind }) => kind !== "revoked");
    if (rest.length > 0) this.#handler.onEffects(rest);
    if (rest.length < effects.length) this.#end("the core ended this edge's incarnation");
  }

  #wake(): void {
    if (this.#flushScheduled || !this.#welcome) return;
    this.#flushScheduled = true;
    this.#options.clock.endOfTurn(() => {
      this.#flushScheduled = false;
      if (!this.#welcome) return;
      for (let batch = this.#outbox.take(); batch !== undefined; batch = this.#outbox.take()) {
        this.#send({ kind: "batch", batch });
      }
    });
  }

  #send(frame: EdgeFrame): void {
    if (this.#stream?.writable) this.#stream.write(formatFrame(frame));
  }

  #end(reason: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream?.destroy();
    const closing = this.#closing;
    this.#closing = undefined;
    if (closing !== undefined) closing();
    else if (reason !== undefined) this.#handler.onClosed?.(reason);
  }
}
