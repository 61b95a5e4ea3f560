// SPDX-License-Identifier: MIT
// Fires from a thread of its own, which nothing else keeps busy: it sleeps in `Atomics.wait` to the
// instant and performs writes itself, so that the event loop does not add to the lateness of what
// is released that way (D15). What is told comes through the event loop and is late by it.
//
//   Each action has one word of shared memory: 0 armed, 1 fired, 2 revoked. Whoever changes it from
//   0 has decided (F1); the other side finds out from the same word.
//   A descriptor is in use from `at` until `onFired`, or until a revoke that came in time.
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Clock } from "../../../host/clock.ts";
import type { FireAction, FireClock, Fired, Revoke } from "./fire-clock.ts";
import { TimerFireClock } from "./fire-clock.ts";
import {
  armedWord,
  type FiredReport,
  type FiringRequest,
  type FiringThreadData,
  firedWord,
  revokedWord,
  signalAt,
  wakeAt,
  wakeWord,
} from "./firing-messages.ts";
import { LatenessMeter, type LatenessReport } from "./lateness.ts";

const program = import.meta.url.endsWith(".ts") ? "./firing-thread.ts" : "./firing-thread.js";

export class ThreadFireClock implements FireClock {
  readonly #clock: Clock;
  readonly #meter = new LatenessMeter();
  readonly #pending = new Map<number, Pending>();
  /** The first rises with each request, the thread sleeps on it; the second says until when. */
  readonly #signal = new Int32Array(new SharedArrayBuffer(8));
  readonly #zeroUs: number;
  readonly #port: MessagePort;
  readonly #thread: Worker;
  /** Takes over should the thread fail. */
  #spare: TimerFireClock | undefined;
  #nextId = 1;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#zeroUs = clock.nowUs();
    const data: FiringThreadData = { signal: this.#signal, zeroUs: this.#zeroUs, port: port2 };
    this.#thread = new Worker(new URL(program, import.meta.url), {
      workerData: data,
      transferList: [port2],
      execArgv: [],
    });
    port1.on("message", (reports: readonly FiredReport[]) => this.#onFired(reports));
    this.#thread.on("error", () => this.#replaceThread());
    this.#thread.on("exit", () => this.#replaceThread());
    // Neither keeps the process alive.
    port1.unref();
    this.#thread.unref();
  }

  at(dueUs: number, action: FireAction, onFired: (fired: Fired) => void): Revoke {
    if (this.#closed) return () => "revoked";
    if (this.#spare !== undefined) return this.#spare.at(dueUs, action, onFired);
    const due = Math.max(dueUs, this.#clock.nowUs());
    const id = this.#nextId;
    this.#nextId += 1;
    const word = new Int32Array(new SharedArrayBuffer(4));
    const pending: Pending = { dueUs: due, action, onFired, word };
    this.#pending.set(id, pending);
    this.#send({ kind: "arm", id, dueUs: due, action, word });
    return () => this.#revoke(id, pending);
  }

  lateness(): LatenessReport {
    return this.#spare?.lateness() ?? this.#meter.report();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [id, pending] of this.#pending) this.#revoke(id, pending);
    this.#send({ kind: "stop" });
    this.#spare?.close();
  }

  #send(request: FiringRequest): void {
    this.#port.postMessage(request);
    Atomics.add(this.#signal, signalAt, 1);
    // What is due later than the thread wakes by itself is found then. Rising first matters: a
    // thread that is just going to sleep sees that, or has told until when before it sleeps.
    const isLater =
      request.kind === "arm" &&
      wakeWord(request.dueUs, this.#zeroUs) > Atomics.load(this.#signal, wakeAt);
    if (!isLater) Atomics.notify(this.#signal, signalAt);
  }

  #revoke(id: number, pending: Pending): "revoked" | "already fired" {
    if (pending.spare !== undefined) return pending.spare();
    const was = Atomics.compareExchange(pending.word, 0, armedWord, revokedWord);
    if (was === firedWord) return "already fired";
    this.#pending.delete(id);
    return "revoked";
  }

  #onFired(reports: readonly FiredReport[]): void {
    for (const { id, firedUs, error } of reports) {
      const pending = this.#pending.get(id);
      if (pending === undefined) continue;
      this.#pending.delete(id);
      this.#meter.add(firedUs - pending.dueUs);
      pending.onFired({ firedUs, ...(error === undefined ? {} : { error }) });
    }
  }

  /** The thread has ended by itself: late is better than never, and unknown better than twice. */
  #replaceThread(): void {
    if (this.#closed || this.#spare !== undefined) return;
    const spare = new TimerFireClock(this.#clock);
    this.#spare = spare;
    for (const [id, pending] of this.#pending) {
      const was = Atomics.compareExchange(pending.word, 0, armedWord, revokedWord);
      this.#pending.delete(id);
      if (was === armedWord) {
        pending.spare = spare.at(pending.dueUs, pending.action, pending.onFired);
      } else if (was === firedWord) {
        const error = "the firing thread ended before it told what came of it";
        pending.onFired({ firedUs: this.#clock.nowUs(), error });
      }
    }
  }
}

interface Pending {
  readonly dueUs: number;
  readonly action: FireAction;
  readonly onFired: (fired: Fired) => void;
  readonly word: Int32Array;
  spare?: Revoke;
}
