// SPDX-License-Identifier: MIT
// A stream of bytes between two processes over subjects of NATS, for links between controllers that
// do not reach each other and reach one broker. Plain subjects: what NATS loses ends the channel,
// and the link above it begins another and says again what was not heard.
//
//   `muster.STREAM.tree.NAME.call`      who wants a channel to NAME says its number there
//   `muster.STREAM.tree.NAME.up.ID`     what the caller says
//   `muster.STREAM.tree.NAME.down.ID`   what it is told
//
//   C1. Messages of a direction are numbered; one that is missing ends the channel. So nothing is
//       passed over, and nothing comes twice.
//   C2. Each side says something every `natsHeartbeatMs`; a side that hears nothing for
//       `natsSilenceMs` ends the channel.
//   C3. Who calls must know the key of the link all the same (host/link-proof.ts): a channel is no
//       more trusted than a socket.
import { Duplex } from "node:stream";
import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import { formatToken } from "../wire/event/subjects.ts";
import type { LogClock } from "./log.ts";
import { natsChannelBytesMax } from "./nats-bus-limits.ts";
import { natsConnectMs, natsHeartbeatMs, natsSilenceMs } from "./nats-limits.ts";

export interface NatsChannelPlace {
  readonly connection: NatsConnection;
  readonly clock: LogClock;
  /** The name of the log, which begins all subjects. */
  readonly stream: string;
  /** Who is called. */
  readonly name: string;
}

const endKind = 0;
const dataKind = 1;
/** Bytes before the data: kind, and the number of the message. */
const headBytes = 5;

function prefixOf({ stream, name }: NatsChannelPlace): string {
  return `muster.${stream}.tree.${formatToken(name)}`;
}

/** @param id never used before. The stream is destroyed when nobody answers. */
export function callNatsChannel(place: NatsChannelPlace, id: string): Duplex {
  const prefix = prefixOf(place);
  const channel = new NatsChannel(place, {
    ...{ says: `${prefix}.up.${id}`, hears: `${prefix}.down.${id}` },
  });
  const asked = place.connection.request(`${prefix}.call`, id, { timeout: natsConnectMs });
  asked.then(
    (answer) => {
      if (answer.string() !== "") channel.destroy(new Error(answer.string()));
      else channel.begin();
    },
    (error: Error) =>
      channel.destroy(new Error(`nobody answers as ${place.name}`, { cause: error })),
  );
  return channel;
}

export interface NatsChannelListener {
  close(): void;
}

export interface ListenNatsOptions extends NatsChannelPlace {
  /** @returns why it is not let in; undefined when it is */
  readonly refuses: () => string | undefined;
  readonly onChannel: (channel: Duplex) => void;
}

/** Channels that are open stay so when it is closed. */
export function listenNatsChannels(options: ListenNatsOptions): NatsChannelListener {
  const { connection, refuses, onChannel } = options;
  const prefix = prefixOf(options);
  const known = new Set<string>();
  const subscription = connection.subscribe(`${prefix}.call`, {
    // Of several servers that are one controller one takes a call.
    queue: "controllers",
    callback: (error, message) => {
      const id = message.string();
      if (error !== null || !/^[A-Za-z0-9]{1,64}$/.test(id) || known.has(id)) return;
      const refusal = refuses();
      if (refusal !== undefined) {
        message.respond(refusal);
        return;
      }
      const channel = new NatsChannel(options, {
        ...{ says: `${prefix}.down.${id}`, hears: `${prefix}.up.${id}` },
      });
      known.add(id);
      channel.once("close", () => known.delete(id));
      channel.begin();
      message.respond("");
      onChannel(channel);
    },
  });
  return { close: () => subscription.unsubscribe() };
}

interface Ways {
  readonly says: string;
  readonly hears: string;
}

class NatsChannel extends Duplex {
  readonly #place: NatsChannelPlace;
  readonly #says: string;
  readonly #subscription: Subscription;
  #said = 0;
  #heard = 0;
  #hasBegun = false;
  /** What is written before there is somebody to hear it. */
  #whenBegun: () => void = () => undefined;
  #cancelHeartbeat: () => void = () => undefined;
  #cancelSilence: () => void = () => undefined;

  constructor(place: NatsChannelPlace, { says, hears }: Ways) {
    super({ allowHalfOpen: false });
    this.#place = place;
    this.#says = says;
    this.#subscription = place.connection.subscribe(hears, {
      callback: (error, { data }) => {
        if (error === null && !this.destroyed) this.#hear(Buffer.from(data));
      },
    });
  }

  /** There is somebody at the other end. */
  begin(): void {
    if (this.destroyed) return;
    this.#hasBegun = true;
    this.#beat();
    this.#listenOn();
    this.#whenBegun();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const send = (): void => {
      for (let at = 0; at < chunk.length; at += natsChannelBytesMax) {
        this.#say(dataKind, chunk.subarray(at, at + natsChannelBytesMax));
      }
      done();
    };
    if (this.#hasBegun) send();
    else this.#whenBegun = send;
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#hasBegun) this.#say(endKind, Buffer.alloc(0));
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#cancelHeartbeat();
    this.#cancelSilence();
    if (!this.#place.connection.isClosed()) {
      this.#subscription.unsubscribe();
      // Who still listens need not wait for the silence.
      if (this.#hasBegun && !this.writableFinished) this.#say(endKind, Buffer.alloc(0));
    }
    done(error);
  }

  /** C1. */
  #say(kind: number, data: Buffer): void {
    this.#said += 1;
    const head = Buffer.alloc(headBytes);
    head.writeUInt8(kind, 0);
    head.writeUInt32BE(this.#said % 2 ** 32, 1);
    this.#place.connection.publish(this.#says, Buffer.concat([head, data]));
  }

  #hear(message: Buffer): void {
    if (message.length < headBytes) return;
    this.#heard += 1;
    if (message.readUInt32BE(1) !== this.#heard % 2 ** 32) {
      this.destroy(new Error("NATS has lost something of it"));
      return;
    }
    if (this.#hasBegun) this.#listenOn();
    if (message.readUInt8(0) === endKind) this.push(null);
    else if (message.length > headBytes) this.push(message.subarray(headBytes));
  }

  /** C2. */
  #beat(): void {
    this.#cancelHeartbeat = this.#place.clock.after(natsHeartbeatMs, () => {
      if (!this.#place.connection.isClosed()) this.#say(dataKind, Buffer.alloc(0));
      this.#beat();
    });
  }

  #listenOn(): void {
    this.#cancelSilence();
    this.#cancelSilence = this.#place.clock.after(natsSilenceMs, () => {
      this.destroy(new Error("nothing comes from the other end"));
    });
  }
}
