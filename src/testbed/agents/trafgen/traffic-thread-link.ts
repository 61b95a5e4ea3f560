// SPDX-License-Identifier: MIT
// The agent's side of a thread that has ends of flows.
import { Worker } from "node:worker_threads";
import type { Clock } from "../../../host/clock.ts";
import type {
  TrafficOrder,
  TrafficReply,
  TrafficRequest,
  TrafficRole,
  TrafficThreadData,
} from "./traffic-messages.ts";

const program = import.meta.url.endsWith(".ts") ? "./traffic-thread.ts" : "./traffic-thread.js";

export class TrafficThread {
  readonly #clock: Clock;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: TrafficReply) => void>();
  #nextId = 1;
  #fault: string | undefined;

  constructor(role: TrafficRole, clock: Clock) {
    this.#clock = clock;
    const workerData: TrafficThreadData = { role };
    this.#worker = new Worker(new URL(program, import.meta.url), { workerData, execArgv: [] });
    this.#worker.unref();
    this.#worker.on("message", (reply: TrafficReply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    this.#worker.on("error", (error: unknown) => this.#fail(String(error)));
    this.#worker.on("exit", () => this.#fail("it has ended"));
  }

  /** Always answers. */
  ask(flow: string, order: TrafficOrder): Promise<TrafficReply> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve) => {
      if (this.#fault !== undefined) {
        resolve(this.#lostReply(id));
        return;
      }
      this.#waiting.set(id, resolve);
      const request: TrafficRequest = { id, flow, order };
      this.#worker.postMessage(request);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(why: string): void {
    this.#fault ??= why;
    for (const [id, resolve] of this.#waiting) resolve(this.#lostReply(id));
    this.#waiting.clear();
  }

  #lostReply(id: number): TrafficReply {
    const error = `the traffic thread does not work: ${this.#fault}`;
    return { id, atUs: this.#clock.nowUs(), error };
  }
}
