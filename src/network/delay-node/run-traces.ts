// SPDX-License-Identifier: MIT
// Traces in the process of the delay node, between Muster, which asks for them, and the threads,
// which see the packets: opens a file before its thread hears of it, and answers for what has to do
// with files when that is done.
import { problemOf, type TraceCounts } from "../link-tracer.ts";
import { TraceFile } from "../trace-files.ts";
import type {
  ShaperAnswer,
  ShaperOrder,
  ShaperRequest,
  ShaperSays,
  ThreadSays,
} from "./shaper-messages.ts";

type TraceBegin = Extract<ShaperOrder, { kind: "trace" }>;
type FileOrder = Extract<ShaperOrder, { kind: "trace-roll" | "trace-end" }>;

interface Trace {
  readonly thread: number;
  readonly file: TraceFile;
  hasEnded: boolean;
}

export class RunTraces {
  readonly #say: (what: ShaperSays) => void;
  readonly #send: (request: ShaperRequest) => void;
  readonly #traces = new Map<number, Trace>();
  /** By number, those whose file is not open yet. Never reject. */
  readonly #opening = new Map<number, Promise<void>>();
  /** Orders that wait for their thread, by request. */
  readonly #orders = new Map<number, FileOrder>();

  constructor(options: {
    readonly say: (what: ShaperSays) => void;
    /** To the thread that it names. */
    readonly send: (request: ShaperRequest) => void;
  }) {
    this.#say = options.say;
    this.#send = options.send;
  }

  /** Sends it on to its thread, now or when its file is there. */
  pass(request: ShaperRequest): void {
    const { id, order } = request;
    if (order.kind === "trace-roll" || order.kind === "trace-end") this.#orders.set(id, order);
    if (order.kind === "trace") {
      this.#opening.set(order.trace, this.#open(request, order));
      return;
    }
    // Who does not wait for a trace to begin ends it all the same.
    const opening = "trace" in order ? this.#opening.get(order.trace) : undefined;
    if (opening === undefined) this.#send(request);
    else void opening.then(() => this.#send(request));
  }

  /** Never rejects. */
  async #open(request: ShaperRequest, { trace, order }: TraceBegin): Promise<void> {
    const { id, thread } = request;
    try {
      const file = await TraceFile.create(order);
      this.#traces.set(trace, { thread, file, hasEnded: false });
      this.#send(request);
    } catch (error) {
      this.#say({ kind: "answer", id, error: problemOf(error) });
    } finally {
      this.#opening.delete(trace);
    }
  }

  /** What a thread says. */
  hear(said: ThreadSays): void {
    switch (said.kind) {
      case "traced":
        this.#write(said.trace, said.bytes, said.packets);
        return;
      case "trace-ended":
        void this.#endByItself(said.trace);
        return;
      case "answer": {
        const order = this.#orders.get(said.id);
        this.#orders.delete(said.id);
        if (order === undefined || said.error !== undefined) this.#say(said);
        else void this.#obey(order, said);
        return;
      }
      default:
        this.#say(said);
    }
  }

  #write(id: number, bytes: Uint8Array, packets: number): void {
    const trace = this.#traces.get(id);
    if (trace === undefined || trace.file.append(bytes, packets) || trace.hasEnded) return;
    // Nobody asked for that: the number belongs to no request.
    this.#send({ id: 0, thread: trace.thread, order: { kind: "trace-end", trace: id } });
    void this.#endByItself(id);
  }

  async #endByItself(id: number): Promise<void> {
    const trace = this.#traces.get(id);
    if (trace === undefined || trace.hasEnded) return;
    trace.hasEnded = true;
    this.#say({ kind: "trace-ended", trace: id, counts: await trace.file.end() });
  }

  async #obey(order: FileOrder, answer: ShaperAnswer): Promise<void> {
    const trace = this.#traces.get(order.trace);
    try {
      let traced: TraceCounts | undefined;
      if (order.kind === "trace-end") {
        if (trace !== undefined) trace.hasEnded = true;
        traced = await trace?.file.end();
        this.#traces.delete(order.trace);
      } else await trace?.file.roll(order.to);
      this.#say(traced === undefined ? answer : { ...answer, traced });
    } catch (error) {
      this.#say({ ...answer, error: problemOf(error) });
    }
  }
}
