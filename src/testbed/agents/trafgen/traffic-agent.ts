// SPDX-License-Identifier: MIT
// Traffic agent: obeys TRAFGEN events for all flows of a run. Owns what each flow is to send and
// whether it is set up; sockets and sending are in threads of their own (traffic-thread.ts).
// [EMULAB-EVENTS 6]
//
//   T1. Orders for one flow are obeyed in the order of their coming.
import { errorText } from "../../../core/text.ts";
import type { TrafficFlow } from "../../../experiment/model.ts";
import type { Clock } from "../../../host/clock.ts";
import { trafficLimits } from "./traffic-limits.ts";
import type {
  EndCounts,
  FlowEnds,
  TrafficOrder,
  TrafficReply,
  TrafficRole,
} from "./traffic-messages.ts";
import { applyTrafficArgs, initialSettings, type TrafficSettings } from "./traffic-settings.ts";
import { TrafficThread } from "./traffic-thread-link.ts";
import { openWantedEnd } from "./wanted-end.ts";

export interface TrafficAgentOptions {
  readonly flows: readonly TrafficFlow[];
  /** The addresses of both ends in this run; a sentence when there are none. */
  readonly locate: (flow: TrafficFlow) => FlowEnds | string;
  /** An end whose socket is to be opened first, in another network; left out: none is. */
  readonly openEnd?: (flow: TrafficFlow, ends: FlowEnds, role: TrafficRole) => Promise<number>;
  /** Who has the ends of a node on another machine, and opens them there; undefined: it is here. */
  readonly elsewhere?: (node: string) => TrafficElsewhere | undefined;
  readonly clock: Clock;
  /** The end that is here, the other one being elsewhere; left out, both are. */
  readonly only?: TrafficRole;
}

/** Obeys for the ends of a node on another machine. Always answers. */
export type TrafficElsewhere = (
  role: TrafficRole,
  flow: string,
  order: TrafficOrder,
) => Promise<TrafficReply>;

/** What came of an event, as with programs; there are no completions. */
export interface TrafficResult {
  readonly firedMonotonicUs: number;
  /** `done`, `cancelled` or `failed: WHY`. */
  readonly outcome: string;
}

export interface FlowCounts {
  readonly name: string;
  readonly protocol: "udp" | "tcp";
  readonly sentPackets: number;
  readonly sentBytes: number;
  /** Packets whose time had come and that could not be sent. */
  readonly generatorLostPackets: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
}

/** A thread looks after its sockets between two questions; so often nothing came, nothing will. */
const stillRounds = 50;

interface Flow {
  readonly flow: TrafficFlow;
  settings: TrafficSettings;
  /** Both ends are open; undefined before the first event. */
  isSetUp: boolean;
  /** T1: resolves when all orders so far are obeyed. */
  last: Promise<unknown>;
}

export class TrafficAgent {
  readonly #options: TrafficAgentOptions;
  readonly #flows: Map<string, Flow>;
  /** Of flows that are gone. */
  readonly #ended: FlowCounts[] = [];
  readonly #threads = new Map<TrafficRole, TrafficThread>();

  constructor(options: TrafficAgentOptions) {
    this.#options = options;
    const flows = options.flows.slice(0, trafficLimits.flowsMax);
    this.#flows = new Map(flows.map((flow) => [flow.name, newFlow(flow)]));
  }

  knows(name: string): boolean {
    return this.#flows.has(name);
  }

  /** Flows come while time goes: both ends are opened. @returns what went wrong, a sentence each */
  async begin(flows: readonly TrafficFlow[]): Promise<readonly string[]> {
    const faults = await Promise.all(
      flows.map((flow) => {
        if (this.#flows.size >= trafficLimits.flowsMax && !this.#flows.has(flow.name)) {
          return `traffic ${flow.name} is one flow too many (limit flowsMax: ${trafficLimits.flowsMax})`;
        }
        const made = newFlow(flow);
        this.#flows.set(flow.name, made);
        return this.#inTurn(made, () => this.#setUp(made));
      }),
    );
    return faults.filter((fault) => fault !== undefined);
  }

  /** Flows go: they are silent, and counted, when this resolves. */
  async end(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const flow = this.#flows.get(name);
      if (flow === undefined) continue;
      await this.stop(name);
      this.#flows.delete(name);
      if (!flow.isSetUp) continue;
      this.#ended.push(await this.#settledCount(flow));
      await this.#order("source", flow, { kind: "close" });
      await this.#order("sink", flow, { kind: "close" });
    }
  }

  /** TIME START: sinks open, sources connect, then all are idle and as the file says. */
  async startTime(): Promise<readonly string[]> {
    const faults = await Promise.all(
      [...this.#flows.values()].map((flow) =>
        this.#inTurn(flow, async () => {
          flow.settings = initialSettings(flow.flow);
          if (!flow.isSetUp) return await this.#setUp(flow);
          await this.#order("source", flow, { kind: "stop" });
          return undefined;
        }),
      ),
    );
    return faults.filter((fault) => fault !== undefined);
  }

  /**
   * START: sends from `dueUs` on, monotonic, at once when that is past. Sets up what is not.
   * Resolves with the first packet, or as `cancelled` when another event came before it.
   */
  async start(
    name: string,
    args: string,
    { dueUs = 0 }: { dueUs?: number } = {},
  ): Promise<TrafficResult> {
    let started: Promise<TrafficReply> | undefined;
    const result = await this.#obey(name, async (flow) => {
      const settings = applyTrafficArgs(flow.settings, args);
      if (typeof settings === "string") {
        // Invalid, it does not send at all. [EMULAB-EVENTS 6]
        await this.#order("source", flow, { kind: "stop" });
        return settings;
      }
      flow.settings = settings;
      const fault = flow.isSetUp ? undefined : await this.#setUp(flow);
      if (fault !== undefined) return fault;
      if (this.#isElsewhere("source")) return undefined;
      const atUs = Math.max(dueUs, this.#options.clock.nowUs());
      // Not waited for here: what comes before the instant must not wait until it.
      started = this.#ask("source", flow.flow, { kind: "start", atUs, settings });
      return undefined;
    });
    if (started === undefined) return result;
    const { atUs, error, isCancelled = false } = await started;
    const outcome = isCancelled ? "cancelled" : error === undefined ? "done" : `failed: ${error}`;
    return { firedMonotonicUs: atUs, outcome };
  }

  stop(name: string): Promise<TrafficResult> {
    return this.#obey(name, (flow) => this.#order("source", flow, { kind: "stop" }));
  }

  /** MODIFY: changes what is sent, and not whether. */
  modify(name: string, args: string): Promise<TrafficResult> {
    return this.#obey(name, async (flow) => {
      const settings = applyTrafficArgs(flow.settings, args);
      if (typeof settings === "string") return settings;
      flow.settings = settings;
      return await this.#order("source", flow, { kind: "change", settings });
    });
  }

  /** RESET: both ends are opened anew, and idle. */
  reset(name: string): Promise<TrafficResult> {
    return this.#obey(name, (flow) => this.#setUp(flow));
  }

  /** What was sent and received so far, of the flows that were set up. */
  async counts(): Promise<readonly FlowCounts[]> {
    const open = [...this.#flows.values()].filter(({ isSetUp }) => isSetUp);
    return await Promise.all(open.map((flow) => this.#inTurn(flow, () => this.#count(flow))));
  }

  /** All flows become idle; resolves with their counts when what was on its way has arrived. */
  async finish(): Promise<readonly FlowCounts[]> {
    await Promise.all([...this.#flows.keys()].map((name) => this.stop(name)));
    let last = await this.counts();
    for (let still = 0; still < stillRounds && last.some(isOnItsWay); ) {
      const now = await this.counts();
      const isStill = now.every((one, index) => one.receivedBytes === last[index]?.receivedBytes);
      still = isStill ? still + 1 : 0;
      last = now;
    }
    return [...this.#ended, ...last];
  }

  /** When what was on its way has arrived, or will not. */
  async #settledCount(flow: Flow): Promise<FlowCounts> {
    let last = await this.#count(flow);
    for (let still = 0; still < stillRounds && isOnItsWay(last); ) {
      const now = await this.#count(flow);
      still = now.receivedBytes === last.receivedBytes ? still + 1 : 0;
      last = now;
    }
    return last;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.end()));
    this.#threads.clear();
  }

  async #count(flow: Flow): Promise<FlowCounts> {
    const [sent, received] = await Promise.all([
      this.#counts("source", flow),
      this.#counts("sink", flow),
    ]);
    const { name, protocol } = flow.flow;
    return {
      ...{ name, protocol, sentPackets: sent.packets, sentBytes: sent.bytes },
      generatorLostPackets: sent.lost,
      // A stream has no packets: as many as its bytes make of the present size.
      receivedPackets:
        protocol === "udp"
          ? received.packets
          : Math.floor(received.bytes / flow.settings.packetBytes),
      receivedBytes: received.bytes,
    };
  }

  async #counts(role: TrafficRole, { flow }: Flow): Promise<EndCounts> {
    if (this.#isElsewhere(role)) return { packets: 0, bytes: 0, lost: 0 };
    const { counts } = await this.#ask(role, flow, { kind: "count" });
    return counts ?? { packets: 0, bytes: 0, lost: 0 };
  }

  /** @returns what went wrong. */
  async #setUp(flow: Flow): Promise<string | undefined> {
    flow.isSetUp = false;
    if (flow.flow.kind !== "cbr")
      return `${flow.flow.kind} traffic is made by a simulator, not here`;
    const ends = this.#options.locate(flow.flow);
    if (typeof ends === "string") return ends;
    // The old source is silent before the new sink counts; the new one of TCP connects to it.
    await this.#order("source", flow, { kind: "close" });
    const fault =
      (await this.#open("sink", flow, ends)) ?? (await this.#open("source", flow, ends));
    flow.isSetUp = fault === undefined;
    return fault;
  }

  /** @returns what went wrong. */
  async #open(role: TrafficRole, flow: Flow, ends: FlowEnds): Promise<string | undefined> {
    if (this.#isElsewhere(role)) return undefined;
    const { openEnd } = this.#options;
    const { settings } = flow;
    if (openEnd === undefined || this.#elsewhere(role, flow.flow) !== undefined)
      return await this.#order(role, flow, { kind: "open", ends, settings });
    try {
      const opened = await openWantedEnd({
        ...{ role, ends, settings },
        ask: (order) => this.#ask(role, flow.flow, order),
        openSocket: () => openEnd(flow.flow, ends, role),
      });
      return opened.error;
    } catch (error) {
      return `${flow.flow.name}: ${errorText(error)}`;
    }
  }

  async #obey(
    name: string,
    act: (flow: Flow) => Promise<string | undefined>,
  ): Promise<TrafficResult> {
    const flow = this.#flows.get(name);
    const { clock } = this.#options;
    const fault =
      flow === undefined
        ? `there is no traffic generator ${name}`
        : await this.#inTurn(flow, () => act(flow));
    const outcome = fault === undefined ? "done" : `failed: ${fault}`;
    return { firedMonotonicUs: clock.nowUs(), outcome };
  }

  /** T1. */
  #inTurn<Result>(flow: Flow, act: () => Promise<Result>): Promise<Result> {
    const result = flow.last.then(act);
    flow.last = result.catch(() => undefined);
    return result;
  }

  /** @returns what went wrong. */
  async #order(
    role: TrafficRole,
    { flow }: Flow,
    order: TrafficOrder,
  ): Promise<string | undefined> {
    if (this.#isElsewhere(role)) return undefined;
    return (await this.#ask(role, flow, order)).error;
  }

  #isElsewhere(role: TrafficRole): boolean {
    return (this.#options.only ?? role) !== role;
  }

  #elsewhere(role: TrafficRole, flow: TrafficFlow): TrafficElsewhere | undefined {
    return this.#options.elsewhere?.(flow[role].node);
  }

  #ask(role: TrafficRole, flow: TrafficFlow, order: TrafficOrder): Promise<TrafficReply> {
    const elsewhere = this.#elsewhere(role, flow);
    if (elsewhere !== undefined) return elsewhere(role, flow.name, order);
    return this.#thread(role).ask(flow.name, order);
  }

  #thread(role: TrafficRole): TrafficThread {
    const known = this.#threads.get(role);
    if (known !== undefined) return known;
    const thread = new TrafficThread(role, this.#options.clock);
    this.#threads.set(role, thread);
    return thread;
  }
}

function newFlow(flow: TrafficFlow): Flow {
  return { flow, settings: initialSettings(flow), isSetUp: false, last: Promise.resolve() };
}

function isOnItsWay({ sentBytes, receivedBytes }: FlowCounts): boolean {
  return receivedBytes < sentBytes;
}
