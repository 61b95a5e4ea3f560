// SPDX-License-Identifier: MIT
// An edge's link to a core in another process: a stream that is opened again whenever it is lost,
// under the state machine of wire/link/edge-link.ts, which keeps K1 and K2.
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Command } from "../core/command.ts";
import type { BarrierPageAsk, EventPage, ScopeDescription } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import { EdgeLink } from "../wire/link/edge-link.ts";
import type { CoreFrame, EdgeFrame } from "../wire/link/frames.ts";
import { FrameError, formatFrame } from "../wire/link/frames.ts";
import type { Clock } from "./clock.ts";
import {
  type ConnectEdge,
  type CoreLink,
  type EdgeHandler,
  everyScope,
  LinkError,
} from "./core-link.ts";
import { FrameReader } from "./frame-reader.ts";
import { newIncarnation, newNonce } from "./ids.ts";
import { socketPath } from "./link-address.ts";
import { isProof, nonceBytes, type ProofSubject, proveLink } from "./link-proof.ts";

/** Pause between attempts to reach a core that is away, milliseconds. */
const reconnectMs = 200;

export interface RemoteLinkOptions {
  readonly secret: string;
  readonly clock: Clock;
  readonly limits: Limits;
  /**
   * The core is to know that this edge has the secret without being shown it, and to prove it too.
   */
  readonly proves?: boolean;
  /** How long the core keeps the edge after its link is lost; the core's own measure if absent. */
  readonly leaseUs?: number;
  /** Opens a stream to the core; errors of the stream mean "not now". */
  readonly open: () => Duplex;
  /**
   * Somebody answers on a stream, whatever he says (`true`); the stream is gone, or there was none
   * (`false`, also again).
   */
  readonly onReach?: (isReached: boolean) => void;
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
  readonly #link: EdgeLink;
  readonly #about: Pick<ProofSubject, "edge" | "incarnation">;
  #stream: Duplex | undefined;
  #flushScheduled = false;
  #resolveClosed: () => void = () => undefined;
  #whenClosed: Promise<void> | undefined;

  constructor(edge: string, handler: EdgeHandler, options: RemoteLinkOptions) {
    this.#handler = handler;
    this.#options = options;
    const incarnation = (options.newIncarnation ?? newIncarnation)();
    const { secret, limits, proves = false, leaseUs } = options;
    this.#about = { edge, incarnation };
    this.#link = new EdgeLink({
      ...{ edge, incarnation, limits, ...(proves ? {} : { secret }) },
      ...(leaseUs === undefined ? {} : { leaseUs }),
      onWork: () => this.#scheduleFlush(),
      onEffects: (effects) => handler.onEffects(effects),
      onRoom: () => handler.onRoom?.(),
      onUp: (isFirst) => isFirst || handler.onLink?.(true),
      onLogAway: (isAway) => handler.onLogAway?.(isAway, everyScope),
      onEnd: (reason) => this.#onEnd(reason),
    });
    this.#open();
  }

  submit(command: Command): boolean {
    return this.#link.submit(command);
  }

  describe(scope: string, barrier?: string, page?: BarrierPageAsk): Promise<ScopeDescription> {
    return answered((answer) => this.#link.describe({ scope, barrier, ...page }, answer));
  }

  listEvents(scope: string, after: number): Promise<EventPage> {
    return answered((answer) => this.#link.listEvents(scope, after, answer));
  }

  close(): Promise<void> {
    if (this.#link.hasEnded) return Promise.resolve();
    this.#whenClosed ??= new Promise((resolve) => {
      this.#resolveClosed = resolve;
      this.#link.close();
    });
    return this.#whenClosed;
  }

  letGo(): void {
    this.#link.abandon();
    this.#stream?.destroy();
    this.#resolveClosed();
  }

  #open(): void {
    const stream = this.#options.open();
    const reader = new FrameReader(this.#options.limits.linkFrameBytesMax);
    this.#stream = stream;
    const onFrame = this.#options.proves === true ? this.#prove(stream) : this.#pass;
    stream.on("data", (chunk: Buffer) => {
      if (stream !== this.#stream) return;
      try {
        for (const frame of reader.push(chunk)) {
          if (stream !== this.#stream) break;
          this.#options.onReach?.(true);
          onFrame(frame as CoreFrame);
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        stream.destroy();
      }
    });
    stream.on("error", () => stream.destroy());
    stream.on("close", () => this.#onClose(stream));
    if (this.#options.proves !== true) this.#link.connected((frame) => this.#send(frame));
  }

  readonly #pass = (frame: CoreFrame): void => this.#link.receive(frame);

  /** What is said on a stream until both ends have proved that they have the key. */
  #prove(stream: Duplex): (frame: CoreFrame) => void {
    const { secret } = this.#options;
    const edgeNonce = Buffer.from(newNonce(nonceBytes)).toString("hex");
    let about: ProofSubject | undefined;
    let isProved = false;
    return (frame) => {
      if (isProved || frame.kind === "closed") {
        this.#link.receive(frame);
      } else if (frame.kind === "challenge" && about === undefined) {
        about = { ...this.#about, coreNonce: frame.nonce, edgeNonce };
        const proof = proveLink("edge", secret, about);
        this.#link.connected((said) => this.#send(said), { nonce: edgeNonce, proof });
      } else if (frame.kind === "welcome" && about !== undefined) {
        isProved = isProof(frame.proof, proveLink("core", secret, about));
        if (isProved) this.#link.receive(frame);
        else stream.destroy(new Error("who answers there does not have the key"));
      } else {
        stream.destroy(new Error("who answers there asks for no proof of the key"));
      }
    };
  }

  #onClose(stream: Duplex): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    if (!this.#link.hasEnded) this.#options.onReach?.(false);
    if (this.#link.disconnected()) this.#handler.onLink?.(false);
    if (this.#link.hasEnded) return;
    this.#options.clock.after(reconnectMs, () => this.#link.hasEnded || this.#open());
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#options.clock.endOfTurn(() => {
      this.#flushScheduled = false;
      this.#link.flush();
    });
  }

  #send(frame: EdgeFrame): void {
    if (this.#stream?.writable) this.#stream.write(`${formatFrame(frame)}\n`);
  }

  #onEnd(reason: string | undefined): void {
    this.#stream?.destroy();
    this.#resolveClosed();
    if (reason !== undefined) this.#handler.onClosed?.(reason);
  }
}

/** @throws LinkError when the link is gone before there is an answer: nobody has said "nothing" */
function answered<Answer extends object>(
  ask: (answer: (found: Answer | undefined) => void) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    ask((found) => {
      if (found !== undefined) resolve(found);
      else reject(new LinkError("the link to the server is lost; ask again when it is back"));
    });
  });
}
