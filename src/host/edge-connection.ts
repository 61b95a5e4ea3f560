// SPDX-License-Identifier: MIT
// The core's end of one link, whatever carries it: who it is that speaks, what of it reaches the
// host, and what it is told. Accepting connections, and cutting bytes into frames, is the business
// of a listener (link-listener.ts) or of a door (edges/http).
//
//   L3. A connection that the core has ended is closed within `lingerMs`, whatever its peer does.
//   L4. What an edge sends is checked before anything is made of it (check-frame.ts).
//   L5. What a peer leaves unread is bounded. Beyond it nothing more is read from it, so that it
//       causes nothing more, and its effects stay with the host until it has taken what it was sent
//       (H3). Over a transport that cannot stop reading the link is closed instead.
//   L6. What a peer has sent and the log has not is bounded the same way: while the log is slow or
//       away, a peer that goes on sending is not read from.
import type { Command } from "../core/command.ts";
import type { Refusal } from "../core/refusal.ts";
import type {
  BatchFrame,
  CoreFrame,
  EdgeCommand,
  EdgeFrame,
  HelloFrame,
  SessionGrant,
  SubscriptionFrame,
} from "../wire/link/frames.ts";
import { FrameError, formatFrame, linkFormat } from "../wire/link/frames.ts";
import { checkEdgeFrame, refuse } from "./check-frame.ts";
import type { Cancel } from "./clock.ts";
import type { EdgeRights } from "./edge-rights.ts";
import type { Host } from "./host.ts";
import type { Logger } from "./logger.ts";
import type { PreparedBatch } from "./publications.ts";
import { isArrival, RemotePort } from "./remote-port.ts";

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
  /** Stops or goes on reading from the peer; absent where that cannot be done. */
  setReading?(isReading: boolean): void;
  /** Closes when everything sent has left. */
  end(): void;
  destroy(): void;
}

/** The subscriptions of one connection; they end with it. */
export interface FrameFeed {
  receive(frame: SubscriptionFrame): void;
  /** The peer takes more than it did: it was behind. */
  resume(): void;
  close(): void;
}

/** What a feed has of its connection. */
export interface FeedPeer {
  /** Whether the peer has more unread than it may (L5): what is sent to it waits. */
  readonly isBehind: boolean;
  /** A frame, as text. */
  send(text: string): void;
}

/** An edge that is let in: the name the core knows it by, and what it may do. */
export interface Admission {
  readonly edge: string;
  readonly rights: EdgeRights;
  /** Told to a session in its welcome. */
  readonly grant?: SessionGrant;
  /** Told to an edge that has proved its key. */
  readonly proof?: string;
  /** Where it calls from, when what it says itself of that does not count. */
  readonly address?: string;
  /** The scope that it has come for: it lives in the log of that one. */
  readonly scope?: string;
}

export interface EdgeConnectionOptions {
  readonly host: Host;
  /** Which host has a scope, where it is not always `host`. */
  readonly hostOf?: (scope: string) => Host;
  readonly logger: Logger;
  readonly transport: LinkTransport;
  /** Bytes a peer may leave unread (L5). */
  readonly queueBytesMax: number;
  /** Who says this hello; a text says why it is turned away. */
  readonly admit: (hello: HelloFrame) => Admission | string;
  readonly onAdmitted?: (edge: string) => void;
  /** Parties that an edge may have at barriers at once, and what is said beyond it. */
  readonly waitsMax?: { readonly count: number; readonly message: string };
  /**
   * Sees each command of an edge that is let in. @param host that has the edge. @returns why it is
   * refused, if it is.
   */
  readonly objection?: (
    command: EdgeCommand,
    host: Host,
  ) => Pick<Refusal, "code" | "message"> | undefined;
  /** Serves subscriptions, where topics are to be had. */
  readonly openFeed?: (peer: FeedPeer) => FrameFeed;
}

export class EdgeConnection {
  readonly #options: EdgeConnectionOptions;
  /** That of its log, once it is let in. */
  #host: Host;
  #cancelTimer: Cancel;
  #port: RemotePort | undefined;
  /** It has said who it is: whether it is let in may take a look into the log. */
  #hasSaidHello = false;
  /** The peer has more unread than it may (L5). */
  #isBehind = false;
  /** The peer has sent more than the log has taken (L6). */
  #isAhead = false;
  #feed: FrameFeed | undefined;

  constructor(options: EdgeConnectionOptions) {
    this.#options = options;
    this.#host = options.host;
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
      this.#onFrame(checkEdgeFrame(frame, this.#host.limits, this.#port));
    } catch (error) {
      this.fail(error);
    }
  }

  /** The peer has broken the protocol, or asked for what it may not. */
  fail(error: unknown): void {
    this.#options.logger.log("warn", `a link to an edge was closed: ${String(error)}`);
    // An edge that is let in must not come back with the same; a stranger is told nothing.
    if (error instanceof FrameError && !this.isStranger) {
      this.end(error.message, { mayReturn: false });
    } else this.#options.transport.destroy();
  }

  end(reason: string, { mayReturn }: { readonly mayReturn: boolean }): void {
    this.#send({ kind: "closed", reason, mayReturn });
    const { transport } = this.#options;
    transport.end();
    this.#detach();
    this.#cancelTimer();
    this.#cancelTimer = this.#host.clock.after(lingerMs, () => transport.destroy());
  }

  /** The core goes: edges are told, nobody else keeps the process (L3). */
  close(): void {
    if (this.isStranger) this.#options.transport.destroy();
    else this.end(coreIsClosing, { mayReturn: true });
  }

  /** Something of what was sent has left: a peer that was behind may have caught up (L5). */
  sent(): void {
    const { transport, queueBytesMax } = this.#options;
    if (!this.#isBehind || transport.queuedBytes * 2 > queueBytesMax) return;
    this.#isBehind = false;
    const port = this.#port;
    if (port !== undefined) {
      for (const { sequence, effects } of this.#host.keptFor(port, port.sentSequence)) {
        port.deliver(sequence, effects);
      }
    }
    this.#feed?.resume();
    this.#readOn();
  }

  /** The transport is gone. */
  closed(): void {
    this.#detach();
    this.#cancelTimer();
  }

  #onFrame(frame: EdgeFrame): void {
    const host = this.#host;
    const port = this.#port;
    if (port === undefined) {
      this.#onHello(frame);
      return;
    }
    switch (frame.kind) {
      case "batch": {
        this.#onBatch(frame, port);
        return;
      }
      case "seen":
        host.acknowledgeEffects(port, frame.sequence);
        return;
      case "describe": {
        const { scope, barrier, after, max } = frame;
        const page = { ...(after && { after }), ...(max === undefined ? {} : { max }) };
        const description = this.#hostOf(scope).describe(scope, barrier, page);
        this.#send({ kind: "description", id: frame.id, description });
        return;
      }
      case "clock":
        this.#send({ kind: "clock", id: frame.id, us: host.logClockUs() });
        return;
      case "list-events": {
        const page = this.#hostOf(frame.scope).listEvents(frame.scope, frame.after);
        this.#send({ kind: "events", id: frame.id, page });
        return;
      }
      case "subscribe":
      case "taken":
      case "unsubscribe":
        this.#feed?.receive(frame);
        return;
      case "hello":
        throw new FrameError("a second hello");
    }
  }

  #hostOf(scope: string): Host {
    return this.#options.hostOf?.(scope) ?? this.#host;
  }

  #onBatch({ number, commands }: BatchFrame, port: RemotePort): void {
    const host = this.#host;
    const known = host.publications.find(port, port, number);
    if (known !== undefined || port.source.isWaiting || commands.some(isTopicPublish)) {
      this.#onLateBatch(number, commands, port, known);
    } else port.put(number, this.#judgeAll(commands, port) as readonly Command[]);
    host.wake(port);
    this.#checkAhead(port);
  }

  /** A batch that is not ready for the log: its messages are stored first, or those before it. */
  #onLateBatch(
    number: number,
    commands: readonly EdgeCommand[],
    port: RemotePort,
    known: PreparedBatch | undefined,
  ): void {
    const host = this.#host;
    // Of one that the core would ignore the messages would be stored for nothing.
    if (!port.isNext(number)) throw new FrameError(`batch ${number} out of its turn`);
    if (number <= host.lastBatch(port.edge, port.incarnation)) {
      // It counts already; the core passes over a number that comes again.
      port.put(number, []);
      return;
    }
    // One that was here before has been judged, and counts as it did then.
    const judged = known === undefined ? this.#judgeAll(commands, port) : commands;
    port.reserve(number, judged);
    const prepared = known ?? host.publications.prepare(port, port, number, judged);
    void prepared.commands.then((ready) => {
      port.fill(number, ready);
      // One that is gone is not asked for batches any more.
      if (this.#port === port) host.wake(port);
    });
  }

  /** L6. */
  #checkAhead({ source }: RemotePort): void {
    const { transport, logger } = this.#options;
    const { mailboxCommandsMax } = this.#host.limits;
    const isTooMuch = source.bytes > this.#options.queueBytesMax;
    if (source.depth <= mailboxCommandsMax && !isTooMuch) return;
    if (transport.setReading !== undefined) {
      this.#isAhead = true;
      transport.setReading(false);
      return;
    }
    // An edge of ours keeps to its mailbox by itself, but for what its life depends on.
    if (source.depth <= 2 * mailboxCommandsMax) return;
    logger.log("warn", "an edge sends more than the log takes; its link was closed");
    transport.destroy();
  }

  #onTaken({ source }: RemotePort): void {
    const { queueBytesMax } = this.#options;
    if (!this.#isAhead || source.depth * 2 > this.#host.limits.mailboxCommandsMax) return;
    if (source.bytes * 2 > queueBytesMax) return;
    this.#isAhead = false;
    this.#readOn();
  }

  #readOn(): void {
    if (!this.#isBehind && !this.#isAhead) this.#options.transport.setReading?.(true);
  }

  /** A refused command arrives nowhere, so that it is not counted with those that do. */
  #judgeAll(commands: readonly EdgeCommand[], port: RemotePort): readonly EdgeCommand[] {
    const { waitsMax } = this.#options;
    let here = waitsMax === undefined ? 0 : this.#host.waitersOf(port) + port.source.arrivals;
    return commands.map((command) => {
      const judged = this.#judge(command);
      if (waitsMax === undefined || !isArrival(judged)) return judged;
      if (here >= waitsMax.count) return refuse(command, "limit", waitsMax.message);
      here += 1;
      return judged;
    });
  }

  #judge(command: EdgeCommand): EdgeCommand {
    const objection = this.#options.objection?.(command, this.#host);
    return objection === undefined ? command : refuse(command, objection.code, objection.message);
  }

  #onHello(frame: EdgeFrame): void {
    const { transport, admit } = this.#options;
    if (frame.kind !== "hello") throw new FrameError(`a frame before hello (${frame.kind})`);
    // It would be let in twice, and of two edges of one link one would never be let go.
    if (this.#hasSaidHello) throw new FrameError("a second hello");
    this.#hasSaidHello = true;
    const admission =
      frame.format === linkFormat
        ? admit(frame)
        : `this core speaks format ${linkFormat} of the link, not ${frame.format}; use the same version at both ends`;
    if (typeof admission === "string") {
      this.end(admission, { mayReturn: false });
      return;
    }
    this.#cancelTimer();
    const { scope } = admission;
    if (scope !== undefined) this.#host = this.#hostOf(scope);
    const host = this.#host;
    if (!host.isStarted) {
      // It has not read its log yet, so it does not know whom it knows. The edge tries again.
      transport.destroy();
      return;
    }
    const { acknowledged, incarnation, seen } = frame;
    const hasBatches = acknowledged <= host.lastBatch(admission.edge, incarnation);
    // Who looks is shown nothing that was before what it has been told.
    const isKnown = hasBatches && seen <= host.sequence;
    if (isKnown || !host.isShared) {
      this.#welcome(admission, frame);
      return;
    }
    // It comes from another server, whose last entries are still on their way to this one.
    host.catchUp().then(
      () => this.#welcome(admission, frame),
      () => transport.destroy(),
    );
  }

  #welcome(admission: Admission, { incarnation, acknowledged, seen }: HelloFrame): void {
    const { transport } = this.#options;
    const host = this.#host;
    if (!transport.isOpen) return;
    const { edge, grant, proof } = admission;
    const lastBatch = host.lastBatch(edge, incarnation);
    if (acknowledged > lastBatch) {
      this.#sayEnded(edge, incarnation, seen);
      return;
    }
    this.#send({
      ...{ kind: "welcome", lastBatch },
      ...(grant === undefined ? {} : { grant }),
      ...(proof === undefined ? {} : { proof }),
    });
    const { rights, address } = admission;
    this.#port = new RemotePort({
      ...{ edge, incarnation, rights, address, lastBatch, seen },
      send: (message) => this.#send(message),
      isBehind: () => this.#isBehind,
      onTake: (port, number) => host.publications.taken(port, number),
      onTaken: (port) => this.#onTaken(port),
      onReplaced: () => {
        // At once: a batch whose messages are stored meanwhile must not reach the log by a port
        // that is not the edge's any more, while what it names is freed.
        this.#detach();
        transport.destroy();
      },
    });
    this.#openFeed();
    this.#options.onAdmitted?.(edge);
    host.attach(this.#port, seen);
  }

  /** What it was told before it ended still finds its clients, if they are there. */
  #sayEnded(edge: string, incarnation: number, seen: number): void {
    for (const kept of this.#host.keptFor({ edge, incarnation }, seen)) {
      this.#send({ kind: "effects", ...kept });
    }
    const sequence = Number.MAX_SAFE_INTEGER;
    this.#send({ kind: "effects", sequence, effects: [{ kind: "revoked" }] });
    this.end("this incarnation has ended", { mayReturn: false });
  }

  #openFeed(): void {
    const connection = this;
    this.#feed = this.#options.openFeed?.({
      get isBehind() {
        return connection.#isBehind;
      },
      send: (text) => {
        if (connection.#options.transport.isOpen) connection.#sendText(text);
      },
    });
  }

  #send(frame: CoreFrame): void {
    if (this.#options.transport.isOpen) this.#sendText(formatFrame(frame));
  }

  /** Over a transport that is open. */
  #sendText(text: string): void {
    const { transport, queueBytesMax, logger } = this.#options;
    transport.send(text);
    if (transport.queuedBytes <= queueBytesMax) return;
    if (transport.setReading !== undefined) {
      this.#isBehind = true;
      transport.setReading(false);
      return;
    }
    logger.log("warn", "an edge does not read what it is sent; its link was closed");
    transport.destroy();
  }

  #detach(): void {
    const port = this.#port;
    this.#port = undefined;
    this.#feed?.close();
    this.#feed = undefined;
    if (port === undefined) return;
    this.#host.publications.left(port, port);
    this.#host.detach(port, true);
  }
}

function isTopicPublish({ kind }: EdgeCommand): boolean {
  return kind === "topic-publish";
}
