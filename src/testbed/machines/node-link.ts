// SPDX-License-Identifier: MIT
// One end of the link between a run and the agent of another machine, over two byte streams (the
// pipes of a remote shell): questions with answers, numbered streams, and the end, told once.
//
//   L1. Whatever is asked has an answer: the other side's, that it took too long, or that the link
//       has ended.
//   L2. What comes for a stream that is not open is dropped: its end may be on its way.
//   L3. The other side opens streams of its own numbers alone, and none that is open: it takes no
//       stream away from whoever has it.
import type { Readable, Writable } from "node:stream";
import type { Cancel, Clock } from "../../host/clock.ts";
import {
  encodeData,
  encodeMessage,
  LinkFramer,
  type LinkMessage,
  nodeLinkLimits,
  parseLinkMessage,
  pieceBytes,
  type RunMessage,
  type StreamMessage,
} from "../../wire/node-link/index.ts";

/** Who takes what comes on a stream. */
export interface StreamSink {
  data(bytes: Uint8Array): void;
  /** The far end has taken so much of what was sent. */
  taken?(bytes: number): void;
  /** No more data comes. */
  finish?(): void;
  /** The far end wants no more, or the link has ended. Told once; the stream is forgotten. */
  close(): void;
}

export interface NodeLinkOptions {
  readonly side: "run" | "agent";
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  readonly onMessage: (message: Exclude<LinkMessage, StreamMessage>) => void;
  /** The other side opens a stream. */
  readonly onOpen: (message: Extract<StreamMessage, { kind: "open" }>) => void;
  /** Once; `why` is a clause. */
  readonly onEnd: (why: string) => void;
}

/** Something that is asked: a message of a run without its number. */
export type Question = RunMessage extends infer One
  ? One extends { readonly id: number }
    ? Omit<One, "id">
    : never
  : never;

/** The answer to what was asked is that it is refused, or that there is none. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LinkError) => void;
  readonly cancel: Cancel;
}

export class NodeLink {
  readonly #options: NodeLinkOptions;
  readonly #framer = new LinkFramer();
  readonly #streams = new Map<number, StreamSink>();
  readonly #asked = new Map<number, Asked>();
  #nextStream: number;
  #nextId = 1;
  #heardUs: number;
  #end: string | undefined;
  #watch: Cancel = () => undefined;
  #drains: (() => void)[] = [];

  constructor(options: NodeLinkOptions) {
    const { side, input, output, clock } = options;
    this.#options = options;
    this.#nextStream = side === "run" ? 2 : 1;
    this.#heardUs = clock.nowUs();
    input.on("data", (chunk: Uint8Array) => this.#read(chunk));
    input.on("end", () => this.end("the connection ended"));
    for (const stream of [input, output]) {
      stream.on("error", (error: Error) => this.end(`the connection failed: ${error.message}`));
      stream.on("close", () => this.end("the connection ended"));
    }
    output.on("drain", () => this.#drained());
    input.resume();
    this.#watchSilence();
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** For how long nothing has been heard; after the end nothing is. */
  get silentMs(): number {
    return (this.#options.clock.nowUs() - this.#heardUs) / 1_000;
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  send(message: LinkMessage): void {
    if (this.#end === undefined) this.#options.output.write(encodeMessage(JSON.stringify(message)));
  }

  /** L1. @throws LinkError */
  ask(question: Question, limitMs: number = nodeLinkLimits.answerMs): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(new LinkError(this.#end));
        return;
      }
      const cancel = this.#options.clock.after(limitMs, () => {
        this.#asked.delete(id);
        reject(new LinkError(`there was no answer within ${limitMs / 1_000} s`));
      });
      this.#asked.set(id, { resolve, reject, cancel });
      this.send({ ...question, id } as RunMessage);
    });
  }

  /** A number for a stream of this side. */
  newStream(): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    return stream;
  }

  /** @returns false when there are too many. */
  openStream(stream: number, sink: StreamSink): boolean {
    if (this.#end !== undefined || this.#streams.size >= nodeLinkLimits.streamsMax) return false;
    this.#streams.set(stream, sink);
    return true;
  }

  /** Hears no more of it, and says so. */
  closeStream(stream: number): void {
    if (this.#streams.delete(stream)) this.send({ kind: "close", stream });
  }

  /** In pieces. @returns whether more may be sent at once; else `whenDrained` says when. */
  sendData(stream: number, bytes: Uint8Array): boolean {
    if (this.#end !== undefined) return true;
    let isFree = true;
    for (let at = 0; at < bytes.length || at === 0; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      isFree = this.#options.output.write(encodeData(stream, piece));
    }
    return isFree;
  }

  /** Resolves when what was written has gone, or never will. */
  whenDrained(): Promise<void> {
    if (this.#end !== undefined || !this.#options.output.writableNeedDrain) {
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#drains.push(resolve));
  }

  end(why: string): void {
    if (this.#end !== undefined) return;
    this.#end = why;
    this.#watch();
    this.#drained();
    for (const [id, { reject, cancel }] of this.#asked) {
      this.#asked.delete(id);
      cancel();
      reject(new LinkError(why));
    }
    const sinks = [...this.#streams.values()];
    this.#streams.clear();
    for (const sink of sinks) sink.close();
    this.#options.output.end();
    this.#options.onEnd(why);
  }

  #drained(): void {
    const waiting = this.#drains;
    this.#drains = [];
    for (const resolve of waiting) resolve();
  }

  /** Each side says something every `clockMs`: the run asks, the agent answers. */
  #watchSilence(): void {
    const { clock } = this.#options;
    const { silenceMs } = nodeLinkLimits;
    this.#watch = clock.after(silenceMs / 4, () => {
      const { silentMs } = this;
      if (silentMs < silenceMs) this.#watchSilence();
      else this.end(`nothing was heard for ${Math.trunc(silentMs / 1_000)} s`);
    });
  }

  #read(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    this.#heardUs = this.#options.clock.nowUs();
    const { frames, fault } = this.#framer.push(chunk);
    for (const frame of frames) {
      if (this.ended) return;
      if (frame.kind === "data") this.#streams.get(frame.stream)?.data(frame.bytes);
      else this.#hear(frame.text);
    }
    if (fault !== undefined) this.end(`the other side sent ${fault}`);
  }

  #hear(text: string): void {
    const message = parseLinkMessage(text);
    if (typeof message === "string") {
      this.end(`the other side sent ${message}`);
      return;
    }
    if ((message.kind === "open" || message.kind === "file") && !this.#isNew(message.stream)) {
      this.end(`the other side opened stream ${message.stream}, which is not its to open`);
      return;
    }
    switch (message.kind) {
      case "open":
        this.#options.onOpen(message);
        return;
      case "taken":
        this.#streams.get(message.stream)?.taken?.(message.bytes);
        return;
      case "finish":
        this.#streams.get(message.stream)?.finish?.();
        return;
      case "close": {
        const sink = this.#streams.get(message.stream);
        this.#streams.delete(message.stream);
        sink?.close();
        return;
      }
      case "answer":
        this.#take(message.id)?.resolve(message.value);
        return;
      case "refusal":
        this.#take(message.id)?.reject(new LinkError(message.why));
        return;
      default:
        this.#options.onMessage(message);
    }
  }

  /** L3. */
  #isNew(stream: number): boolean {
    const isTheirs = stream % 2 === (this.#options.side === "run" ? 1 : 0);
    return isTheirs && stream <= streamMax && !this.#streams.has(stream);
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.cancel();
    return asked;
  }
}

/** Data says its stream in 32 bits. */
const streamMax = 0xffff_ffff;
