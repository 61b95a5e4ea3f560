// SPDX-License-Identifier: MIT
// A thread of the traffic agent: one has all sources of a run, another all sinks, so that neither
// waits for the event loop of the run. Sleeps to the next packet in `Atomics.wait` and looks after
// its orders and sockets in between.
import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../../../core/text.ts";
import { systemClock } from "../../../host/clock.ts";
import type {
  EndOrder,
  StartOrder,
  TrafficReply,
  TrafficRequest,
  TrafficThreadData,
} from "./traffic-messages.ts";
import { TrafficSink } from "./traffic-sink.ts";
import { TrafficSource } from "./traffic-source.ts";

/** The longest that orders and sockets wait. */
const napUsMax = 1_000;
/** Farther away than this a timer of the platform is exact enough to wait with. */
const timerUsMin = 10_000;

class TrafficThread {
  readonly #role: "source" | "sink";
  readonly #sources = new Map<string, TrafficSource>();
  readonly #sinks = new Map<string, TrafficSink>();
  readonly #word = new Int32Array(new SharedArrayBuffer(4));
  #isTurning = false;
  #cancelTimer: () => void = () => undefined;

  constructor(role: "source" | "sink") {
    this.#role = role;
  }

  /** Never rejects. */
  async obey(request: TrafficRequest): Promise<TrafficReply> {
    const { id, flow, order } = request;
    try {
      if (order.kind === "start") return await this.#start(id, flow, order);
      const counts = await this.#obey({ flow, order });
      const atUs = systemClock.nowUs();
      return { id, atUs, ...(counts === undefined ? {} : { counts }) };
    } catch (error) {
      const message = errorText(error);
      return { id, atUs: systemClock.nowUs(), error: `${flow}: ${message}` };
    }
  }

  async #start(id: number, flow: string, order: StartOrder): Promise<TrafficReply> {
    const first = this.#sources.get(flow)?.start(order.atUs, order.settings);
    this.#turnSoon();
    const atUs = await first;
    if (atUs === undefined) return { id, atUs: systemClock.nowUs(), isCancelled: true };
    return { id, atUs };
  }

  async #obey({ flow, order }: { flow: string; order: EndOrder }): Promise<TrafficReply["counts"]> {
    const source = this.#sources.get(flow);
    const end = source ?? this.#sinks.get(flow);
    switch (order.kind) {
      case "open":
        end?.close();
        if (this.#role === "sink") this.#sinks.set(flow, await TrafficSink.open(order.ends));
        else this.#sources.set(flow, await TrafficSource.open(order.ends, order.settings));
        return undefined;
      case "change":
        source?.change(order.settings, systemClock.nowUs());
        this.#turnSoon();
        return undefined;
      case "stop":
        source?.stop();
        return undefined;
      case "count":
        return end?.counts ?? { packets: 0, bytes: 0, lost: 0 };
      case "close":
        end?.close();
        this.#sources.delete(flow);
        this.#sinks.delete(flow);
        return undefined;
    }
  }

  #turnSoon(): void {
    this.#cancelTimer();
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#turn();
  }

  #turn(): void {
    for (const source of this.#sources.values()) source.turn(systemClock.nowUs());
    let nextUs = Infinity;
    for (const source of this.#sources.values()) nextUs = Math.min(nextUs, source.nextUs ?? nextUs);
    const waitUs = nextUs - systemClock.nowUs();
    if (waitUs > timerUsMin) {
      this.#isTurning = false;
      if (waitUs === Infinity) return;
      const waitMs = Math.min((waitUs - timerUsMin / 2) / 1_000, 2 ** 31 - 1);
      this.#cancelTimer = systemClock.after(waitMs, () => this.#turnSoon());
      return;
    }
    if (waitUs > 0) Atomics.wait(this.#word, 0, 0, Math.min(waitUs, napUsMax) / 1_000);
    systemClock.endOfTurn(() => this.#turn());
  }
}

const port = parentPort;
if (port !== null) {
  const thread = new TrafficThread((workerData as TrafficThreadData).role);
  port.on("message", (request: TrafficRequest) => {
    void thread.obey(request).then((reply) => port.postMessage(reply));
  });
}
