// SPDX-License-Identifier: MIT
// Ends of the flows of a run on this host: opens the socket of each in the network of its node, and
// has it send or count by the threads of a run on one machine.
import type { Clock } from "../../host/clock.ts";
import { fieldsOf } from "../../wire/json-fields.ts";
import type {
  TrafficOrder,
  TrafficReply,
  TrafficRole,
} from "../agents/trafgen/traffic-messages.ts";
import { TrafficThread } from "../agents/trafgen/traffic-thread-link.ts";
import { openWantedEnd, wantedEnd } from "../agents/trafgen/wanted-end.ts";
import type { NetworkDoors } from "../nodes/index.ts";

/** What a run asks of one end of a flow. Is answered: `TrafficReply`. */
export interface TrafficAsk {
  readonly role: TrafficRole;
  readonly flow: string;
  readonly order: TrafficOrder;
}

export class AgentTraffic {
  readonly #clock: Clock;
  readonly #threads = new Map<TrafficRole, TrafficThread>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns a text for what cannot be asked here */
  async obey(
    node: string,
    json: unknown,
    doors: NetworkDoors | undefined,
  ): Promise<TrafficReply | string> {
    const ask = readAsk(json);
    if (ask === undefined) return "it is asked for wrongly";
    if (doors === undefined) return "its nodes have no network of their own";
    const { role, flow, order } = ask;
    const thread = this.#thread(role);
    if (order.kind !== "open") return await thread.ask(flow, order);
    const { ends, settings } = order;
    return await openWantedEnd({
      ...{ role, ends, settings },
      ask: (one) => thread.ask(flow, one),
      openSocket: () => doors.openSocket(node, wantedEnd(ends, role)),
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.end()));
    this.#threads.clear();
  }

  #thread(role: TrafficRole): TrafficThread {
    const thread = this.#threads.get(role) ?? new TrafficThread(role, this.#clock);
    this.#threads.set(role, thread);
    return thread;
  }
}

const orders: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["start", ["atUs", "settings"]],
  ["open", ["ends", "settings"]],
  ["change", ["settings"]],
  ["stop", []],
  ["count", []],
  ["close", []],
]);

/** @returns undefined for what no run of this version asks. */
function readAsk(json: unknown): TrafficAsk | undefined {
  const fields = fieldsOf(json, ["role", "flow", "order"]);
  const [role, order] = [fields?.get("role"), fields?.get("order")];
  const kind = (order as { readonly kind?: unknown } | null | undefined)?.kind;
  const names = orders.get(kind);
  if (names === undefined || fieldsOf(order, ["kind", ...names]) === undefined) return undefined;
  if (typeof fields?.get("flow") !== "string") return undefined;
  return role === "source" || role === "sink" ? (json as TrafficAsk) : undefined;
}

/** @returns undefined for anything else. */
export function readTrafficReply(json: unknown): TrafficReply | undefined {
  const fields = fieldsOf(json, ["id", "atUs"], ["error", "counts", "isCancelled"]);
  const counts = fields?.get("counts");
  const areNumbers = ["packets", "bytes", "lost"].every((name) => {
    return Number.isSafeInteger(fieldsOf(counts, ["packets", "bytes", "lost"])?.get(name));
  });
  if (!Number.isSafeInteger(fields?.get("atUs"))) return undefined;
  return counts === undefined || areNumbers ? (json as TrafficReply) : undefined;
}
