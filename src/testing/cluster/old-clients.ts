// SPDX-License-Identifier: MIT
// Clients of the doors that speak other protocols: one connection, one request, one answer. They
// read bytes and texts by themselves, and share with the servers only what encodes a request. Those
// of HTTP are in http-clients.ts.
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Random } from "../../core/random.ts";
import type { DatagramSource } from "../../edges/syncd/udp.ts";
import type { Clock } from "../../host/clock.ts";
import { encodeRequest, type SyncRequest } from "../../wire/emulab-sync/index.ts";
import { encodeMessage, type GnunetMessage } from "../../wire/gnunet/index.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { Ask, AskStep } from "./script.ts";
import type { Answer, Told } from "./told.ts";

/** A client of UDP sends again until it has an answer, milliseconds. */
const repeatMs = 1_000;

/** What a sync client asks, as its wire has it. [EMULAB-SYNC 2] */
function syncRequestOf({ ask, barrier: name, error }: AskStep): SyncRequest {
  if (ask.what !== "count-init") return { kind: "wait", name, error };
  return { kind: "init", name, count: ask.count, waits: ask.waits, error };
}

interface Format {
  readonly version: 1 | 2;
  readonly byteOrder: "big" | "little";
}

/** Old or new, in either byte order; an error needs the new one. */
function drawFormat(request: SyncRequest, random: Random): Format {
  const canBeOld = request.kind !== "describe" && request.error === 0;
  const version: 1 | 2 = canBeOld && random.chance(0.3) ? 1 : 2;
  const byteOrder: "big" | "little" = random.chance(0.2) ? "big" : "little";
  return { version, byteOrder };
}

function syncAnswer(bytes: Buffer, { version, byteOrder }: Format): Answer {
  const value = byteOrder === "little" ? bytes.readInt32LE() : bytes.readInt32BE();
  const isAnswer = ({ what }: Told): boolean => what === "released" || what === "acknowledged";
  // The old ones are told 1 whatever has happened; 0 is the word of a crossing alone.
  const fits = (told: Told): boolean => {
    if (!isAnswer(told) || version === 1) return isAnswer(told) && value === 1;
    const isCleared = told.word !== "" && told.word !== "crossed" && told.number === 0;
    return value === (isCleared ? 240 : told.number);
  };
  return { text: `${value} (version ${version})`, fits };
}

export function startSyncClient(
  party: Party,
  stream: Duplex,
  step: AskStep,
  random: Random,
  events: PartyEvents,
): void {
  const request = syncRequestOf(step);
  const format = drawFormat(request, random);
  let bytes = Buffer.alloc(0);
  const end = (): void => {
    party.answers = Math.ceil(bytes.length / 4);
    if (party.end !== undefined) return;
    if (bytes.length < 4) events.closed(party, "closed without an answer");
    else events.answered(party, syncAnswer(bytes, format));
  };
  party.leave = () => {
    party.end ??= { kind: "left" };
    stream.destroy();
  };
  stream.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  stream.on("end", () => {
    end();
    stream.end();
  });
  stream.on("close", end);
  stream.write(encodeRequest(request, format));
}

/** Sends one datagram now, and again until it is answered or leaves. */
export function startUdpClient(
  party: Party,
  send: (bytes: Buffer, source: DatagramSource) => void,
  step: AskStep,
  { clock, random, events }: { clock: Clock; random: Random; events: PartyEvents },
): void {
  const request = syncRequestOf(step);
  const format = drawFormat(request, random);
  const bytes = Buffer.from(encodeRequest(request, format));
  let seen: number | undefined;
  const receive = (reply: Buffer): void => {
    const answer = syncAnswer(reply, format);
    // An answer that comes again is the same one.
    const value = reply.readInt32LE();
    if (seen !== value) party.answers += 1;
    seen = value;
    if (party.end === undefined) events.answered(party, answer);
  };
  const source = { address: party.name, port: 1, send: receive };
  const say = (): void => {
    if (party.end !== undefined) return;
    send(bytes, source);
    clock.after(repeatMs, say);
  };
  party.leave = () => {
    party.end ??= { kind: "left" };
  };
  say();
}

/**
 * The part of a WebSocket of the server's library that the door of Testground uses. As there, what
 * is called says nothing of the end before its turn is over.
 */
class ServerSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly #toClient: (text: string | undefined) => void;
  readonly #clock: Clock;

  constructor(toClient: (text: string | undefined) => void, clock: Clock) {
    super();
    this.#toClient = toClient;
    this.#clock = clock;
  }

  send(text: string, done?: () => void): void {
    if (this.readyState !== this.OPEN) return;
    this.#toClient(text);
    done?.();
  }

  close(): void {
    this.terminate();
  }

  terminate(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#toClient(undefined);
    this.#clock.endOfTurn(() => this.emit("close"));
  }

  ping(): void {
    // Its client is a part of this process and answers at once.
    if (this.readyState === this.OPEN) this.emit("pong");
  }

  pause(): void {}
  resume(): void {}
}

export interface TestgroundPeer {
  /** What the door is given. */
  readonly socket: WebSocket;
  /** A text of the client arrives; undefined: its end. */
  readonly receive: (text: string | undefined) => void;
}

/**
 * @param toClient carries a text to the client, undefined the end of its connection
 * @param clock of the server's process
 */
export function createTestgroundPeer(
  toClient: (text: string | undefined) => void,
  clock: Clock,
): TestgroundPeer {
  const socket = new ServerSocket(toClient, clock);
  return {
    socket: socket as unknown as WebSocket,
    receive: (text) => {
      if (text === undefined) socket.terminate();
      else if (socket.readyState === socket.OPEN) socket.emit("message", Buffer.from(text));
    },
  };
}

/** The request of an instance, as JSON. [TESTGROUND 4] */
export function testgroundRequest(party: Party, { ask, barrier }: AskStep): string {
  switch (ask.what) {
    case "state-wait":
      return JSON.stringify({ id: "1", barrier: { state: barrier, target: ask.target } });
    case "publish":
      return JSON.stringify({ id: "1", publish: { topic: barrier, payload: party.name } });
    case "subscribe":
      return JSON.stringify({ id: "1", subscribe: { topic: barrier } });
    default:
      return JSON.stringify({ id: "1", signal_entry: { state: barrier } });
  }
}

/** What an instance was told. */
export function testgroundAnswer(text: string): { readonly message: string } | Answer {
  const told = JSON.parse(text) as {
    readonly error?: string;
    readonly subscribe?: string;
    readonly publish?: { readonly seq: number } | null;
    readonly signal_entry?: { readonly seq: number } | null;
  };
  if (told.subscribe) return { message: String(JSON.parse(told.subscribe)) };
  if (told.error) {
    const fits = ({ word }: Told): boolean => word !== "crossed";
    const text = `error: ${told.error}`;
    return /could not be stored/.test(text) ? { text, fits, isUntold: true } : { text, fits };
  }
  const number = told.publish?.seq ?? told.signal_entry?.seq;
  if (number === undefined) return { text: "done", fits: ({ word }) => word === "crossed" };
  const fits = (one: Told): boolean =>
    (one.what === "signalled" || one.what === "published") && one.number === number;
  return { text: `number ${number}`, fits };
}

/** A peer, or a driver that answers each crossing. [GNUNET-BARRIERS 6] */
export function startGnunetClient(
  party: Party,
  stream: Duplex,
  { ask, barrier: name }: AskStep,
  events: PartyEvents,
): void {
  const say = (message: GnunetMessage): void =>
    void stream.write(Buffer.from(encodeMessage(message)));
  let bytes = Buffer.alloc(0);
  const done = (text: string, fits: Answer["fits"]): void => {
    // A barrier may still fail when its driver has been told that it has crossed.
    if (ask.what === "quorum-init" && party.end !== undefined) return;
    party.answers += 1;
    if (party.end === undefined) events.answered(party, { text, fits });
    stream.end();
  };
  const onStatus = (status: number): void => {
    if (status === 3) {
      const isEnd = ({ what, word }: Told): boolean => what === "refused" || word !== "crossed";
      done("error", isEnd);
    } else if (status === 2 && ask.what === "quorum-init") {
      say({ kind: "barrier-status", status: "crossed", name });
      done("crossed", ({ what, word }) => what === "status" && word === "crossed");
    } else if (status === 2) {
      done("crossed", ({ what, word }) => what === "released" && word === "crossed");
    }
  };
  party.leave = () => {
    party.end ??= { kind: "left" };
    stream.destroy();
  };
  stream.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    // A STATUS: size, type, status, length of the name, name, text.
    while (bytes.length >= 6 && bytes.length >= bytes.readUInt16BE()) {
      const size = bytes.readUInt16BE();
      onStatus(bytes.readUInt16BE(4));
      bytes = bytes.subarray(size);
    }
  });
  stream.on("end", () => stream.end());
  stream.on("close", () => {
    if (party.end === undefined) events.closed(party, "closed without an answer");
  });
  if (ask.what === "quorum-init") {
    say({ kind: "testbed-init", hostId: 0, eventMask: 0n, hostname: "h" });
    say({ kind: "barrier-init", quorum: ask.percent, name });
  } else say({ kind: "barrier-wait", name });
}

/** Whether a request may end by itself, at this door. */
export function endsByItself(
  ask: Ask,
  timeoutMs: number | undefined,
  knowsTimeouts: boolean,
): boolean {
  if (timeoutMs === undefined || !knowsTimeouts) return false;
  return /wait|arrive/.test(ask.what) || (ask.what === "count-init" && ask.waits);
}
