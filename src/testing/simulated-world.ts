// SPDX-License-Identifier: MIT
// The machines of a simulated run: one core with its log, two sync servers, an edge without a wire
// in a process of its own and one in the core's process. Everything in it is the shipped code; what
// is put under it is a clock, a network, processes and a log that delays and fails. Owns what
// exists and how it dies; does not own what happens (simulator.ts) or whether it was right
// (history-checker.ts).

import type { Limits } from "../core/limits.ts";
import { Random } from "../core/random.ts";
import { Syncd } from "../edges/syncd/index.ts";
import { MemoryLog } from "../engine/memory-log.ts";
import { Host } from "../host/host.ts";
import { LinkListener } from "../host/link-listener.ts";
import type { Logger } from "../host/logger.ts";
import { connectStreamEdge } from "../host/remote-link.ts";
import type { SyncRequest } from "../wire/emulab-sync/index.ts";
import type { LogFaults } from "./delaying-log.ts";
import { DelayingLog } from "./delaying-log.ts";
import type { HistoryChecker } from "./history-checker.ts";
import type { NetworkFaults, Pipe } from "./network.ts";
import { Network } from "./network.ts";
import type { Client, ClientEvents } from "./simulated-clients.ts";
import { createWireClient, DirectEdge } from "./simulated-clients.ts";
import { drawOrder, drawRequest } from "./simulated-kinds.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { VirtualProcess } from "./virtual-process.ts";

export interface WorldOptions {
  readonly random: Random;
  readonly limits: Limits;
  readonly checker: HistoryChecker;
  readonly logFaults: Partial<LogFaults>;
  readonly networkFaults: Partial<NetworkFaults>;
  readonly trace: (who: string, what: string) => void;
}

/** A process with an edge in it. */
export interface EdgeProcess {
  readonly name: string;
  life: number;
  process: VirtualProcess;
  syncd: Syncd | undefined;
  direct: DirectEdge | undefined;
  link: Pipe | undefined;
  readonly clientPipes: Set<Pipe>;
  /** Connections that nobody has accepted yet. */
  readonly backlog: (() => void)[];
  isStopped: boolean;
  /** Since when it may not have heard from the core, as far as faults go. */
  brokenSinceUs: number | undefined;
  /** Nobody can be reached from here, nor the core. */
  isDown: boolean;
}

const scope = "s";
const secret = "simulation";

export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: Network;
  readonly clients: Client[] = [];
  /** Clients that may be closed without an answer, with the reason. */
  readonly excused: Map<Client, string> = new Map();
  readonly edges: readonly EdgeProcess[];
  readonly local: EdgeProcess;
  host: Host | undefined;
  readonly #options: WorldOptions;
  readonly #inner: MemoryLog;
  readonly #logRandom: Random;
  #log: DelayingLog | undefined;
  #listener: LinkListener | undefined;
  #core: VirtualProcess | undefined;
  #stampOffsetUs = 0;
  #lastIncarnation = 0;
  #lastClient = 0;
  #logFaults: Partial<LogFaults>;
  readonly #events: ClientEvents;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#logFaults = options.logFaults;
    this.#logRandom = new Random(options.random.next());
    const { clock } = this;
    const random = new Random(options.random.next());
    this.network = new Network({ clock, random, faults: options.networkFaults });
    this.#inner = new MemoryLog({ nowUs: () => clock.nowUs() + this.#stampOffsetUs });
    this.#events = {
      ended: (client) => this.#options.trace(client.name, describeEnding(client)),
    };
    this.edges = ["node0/syncd", "node1/syncd", "direct"].map((name) => this.#createEdge(name));
    this.local = this.#createEdge("local");
  }

  get isCoreUp(): boolean {
    return this.host !== undefined;
  }

  get waiting(): readonly Client[] {
    return this.clients.filter(({ ending }) => ending === undefined);
  }

  start(): void {
    this.startCore();
    for (const edge of this.edges) this.startEdge(edge);
  }

  // -- the core ----------------------------------------------------------------------------------

  startCore(): void {
    if (this.host !== undefined) return;
    const { limits, checker, trace } = this.#options;
    const process = new VirtualProcess(this.clock);
    const log = new DelayingLog({
      inner: this.#inner,
      clock: this.clock,
      random: this.#logRandom,
      faults: this.#logFaults,
    });
    const logger: Logger = { log: (level, message) => trace("core", `${level}: ${message}`) };
    const newIncarnation = () => this.#newIncarnation();
    const host = new Host({ log, clock: process.clock, limits, logger, newIncarnation });
    host.observe((entry, applied) => {
      checker.onEntry(entry, applied, host.digest());
      for (const { edge, effect } of applied.addressed) {
        if (effect.kind === "released") {
          trace("core", `${effect.outcome} ${effect.barrier}.${effect.generation} for ${edge}`);
        }
      }
    });
    this.#core = process;
    this.#log = log;
    this.host = host;
    const rights = { kind: "all" } as const;
    const admitted = this.edges.map(({ name }) => ({ edge: name, secret, rights }));
    this.#listener = new LinkListener({ host, admitted, logger });
    trace("core", "starts");
    void host.start().then(() => {
      if (this.host !== host) return;
      trace("core", `has read its log up to ${host.digest().slice(0, 8)}`);
      this.#startLocal(host);
    });
  }

  /** As kill -9 does: what is in flight may or may not be stored. */
  crashCore(): void {
    if (this.host === undefined) return;
    this.#options.trace("core", "dies");
    this.host.abandon();
    this.#core?.kill();
    this.host = undefined;
    this.#listener = undefined;
    for (const edge of this.edges) this.cutLink(edge);
    this.#excuseAll(this.local, "its edge died with the core");
    this.local.direct?.closeAll();
    this.local.direct = undefined;
  }

  /** The clock of the log's machine is set. */
  stepClock(us: number): void {
    this.#options.trace("log", `clock set by ${us / 1_000_000} s`);
    this.#stampOffsetUs += us;
  }

  /** From here on nothing fails, nothing is cut, and what was held comes. */
  calm(): void {
    this.#logFaults = {};
    this.#log?.calm();
    this.network.faults = { delayMsMax: 1, pieces: 0 };
    this.startCore();
    for (const edge of this.edges) {
      this.resumeEdge(edge);
      edge.link?.heal();
      this.startEdge(edge);
    }
  }

  cutLink(edge: EdgeProcess): void {
    edge.brokenSinceUs ??= this.clock.elapsedUs;
    edge.link?.cut();
  }

  holdLink(edge: EdgeProcess): void {
    edge.brokenSinceUs ??= this.clock.elapsedUs;
    edge.link?.partition();
  }

  // -- edges -------------------------------------------------------------------------------------

  startEdge(edge: EdgeProcess): void {
    if (!edge.isDown) return;
    const { limits, trace } = this.#options;
    edge.isDown = false;
    edge.life += 1;
    edge.process = new VirtualProcess(this.clock);
    trace(edge.name, `starts, life ${edge.life}`);
    const { process } = edge;
    const { clock } = process;
    const connect = connectStreamEdge({
      secret,
      clock,
      limits,
      open: () => this.#open(edge, process),
      newIncarnation: () => this.#newIncarnation(),
    });
    if (edge.name === "direct") {
      const direct = new DirectEdge(this.#events, (reason) => {
        trace(edge.name, `is closed: ${reason}`);
        if (edge.direct === direct) direct.link = connect(edge.name, direct.handler);
      });
      edge.direct = direct;
      direct.link = connect(edge.name, this.#excusing(edge, direct));
      return;
    }
    const logger = this.#edgeLogger(edge, process);
    const listening = { addresses: [], port: 0 };
    const syncd = new Syncd({
      scope,
      edge: edge.name,
      connect,
      clock,
      logger,
      limits,
      ...listening,
    });
    edge.syncd = syncd;
  }

  killEdge(edge: EdgeProcess): void {
    if (edge.isDown) return;
    this.#options.trace(edge.name, "dies");
    this.#excuseAll(edge, "its edge died");
    edge.isDown = true;
    edge.isStopped = false;
    edge.process.kill();
    edge.link?.cut();
    for (const pipe of edge.clientPipes) pipe.cut();
    edge.clientPipes.clear();
    edge.backlog.length = 0;
    edge.direct?.closeAll();
    edge.syncd = undefined;
    edge.direct = undefined;
  }

  stopEdge(edge: EdgeProcess): void {
    if (edge.isDown || edge.isStopped) return;
    this.#options.trace(edge.name, "is stopped");
    edge.isStopped = true;
    edge.process.stop();
    this.holdLink(edge);
    for (const pipe of edge.clientPipes) pipe.partition();
  }

  resumeEdge(edge: EdgeProcess): void {
    if (!edge.isStopped) return;
    this.#options.trace(edge.name, "goes on");
    edge.isStopped = false;
    edge.link?.heal();
    for (const pipe of edge.clientPipes) pipe.heal();
    // What came meanwhile is read before what fell due meanwhile: a request is not too late because
    // its reader was stopped.
    const { process } = edge;
    this.clock.after(1, () => {
      process.resume();
      // Timers come before new connections in a turn of the event loop.
      for (const accept of edge.backlog.splice(0)) accept();
    });
  }

  // -- clients -----------------------------------------------------------------------------------

  arriveByWire(edge: EdgeProcess, request: SyncRequest, random: Random): void {
    if (edge.syncd === undefined) return;
    const pipe = this.network.connect();
    if (edge.isStopped) pipe.partition();
    edge.clientPipes.add(pipe);
    const name = this.#newClient();
    // A stopped process accepts nobody; the connection waits in the kernel.
    const { syncd } = edge;
    const accept = (): void => syncd.accept(pipe.server, { address: name });
    if (edge.isStopped) edge.backlog.push(accept);
    else accept();
    const canBeOld = request.kind !== "describe" && request.error === 0;
    const version = canBeOld && random.chance(0.3) ? 1 : 2;
    const byteOrder = random.chance(0.2) ? "big" : "little";
    const client = createWireClient({
      name,
      edge: edge.name,
      life: edge.life,
      stream: pipe.client,
      request,
      format: { version, byteOrder },
      events: { ended: (ended) => this.#onEnded(edge, pipe, ended) },
    });
    this.clients.push(client);
    this.#options.trace(name, `at ${edge.name}: ${client.asked} (version ${version})`);
  }

  arriveDirectly(edge: EdgeProcess, request: SyncRequest, timeoutUs: number | undefined): void {
    if (edge.direct === undefined || request.kind === "describe") return;
    const arrival = {
      scope,
      barrier: request.name,
      connection: 0,
      who: { address: "" },
      error: request.error,
      ...(timeoutUs === undefined ? {} : { timeoutUs }),
    };
    const { name, life } = { name: this.#newClient(), life: edge.life };
    const client = edge.direct.arrive(
      { name, edge: edge.name, life },
      request.kind === "wait"
        ? { kind: "count-wait", ...arrival }
        : { kind: "count-init", ...arrival, count: request.count, waits: request.waits },
    );
    if (client === undefined) return;
    this.clients.push(client);
    this.#options.trace(name, `at ${edge.name}: ${client.asked}`);
  }

  /** A client of a barrier that the sync server does not know. */
  arriveAtKind(edge: EdgeProcess, barrier: string, random: Random): void {
    if (edge.direct === undefined) return;
    if (random.chance(0.1)) {
      edge.direct.order(drawOrder(random, scope, barrier));
      return;
    }
    const { name, life } = { name: this.#newClient(), life: edge.life };
    const request = drawRequest(random, scope, barrier);
    const client = edge.direct.arrive({ name, edge: edge.name, life }, request);
    if (client === undefined) return;
    this.clients.push(client);
    this.#options.trace(name, `at ${edge.name}: ${client.asked}`);
  }

  /** Clears the barriers, as HUP does. */
  clear(edge: EdgeProcess): void {
    this.#options.trace(edge.name, "clears all barriers");
    edge.syncd?.clear();
    edge.direct?.link?.submit({ kind: "cancel-all", scope, error: 240 });
  }

  #onEnded(edge: EdgeProcess, pipe: Pipe, client: Client): void {
    // What a stopped process has not read yet still comes when it goes on.
    if (!edge.isStopped) edge.clientPipes.delete(pipe);
    this.#events.ended(client);
  }

  #newClient(): string {
    this.#lastClient += 1;
    return `c${this.#lastClient}`;
  }

  #newIncarnation(): number {
    this.#lastIncarnation += 1;
    return this.#lastIncarnation;
  }

  #createEdge(name: string): EdgeProcess {
    const process = new VirtualProcess(this.clock);
    const parts = { syncd: undefined, direct: undefined, link: undefined };
    const kept = { clientPipes: new Set<Pipe>(), backlog: [] };
    const states = { isStopped: false, isDown: true, brokenSinceUs: undefined };
    return { name, life: 0, process, ...parts, ...kept, ...states };
  }

  #startLocal(host: Host): void {
    const { local } = this;
    local.life += 1;
    const direct = new DirectEdge(this.#events, () => undefined);
    local.direct = direct;
    direct.link = host.connectEdge("local", direct.handler);
  }

  #open(edge: EdgeProcess, process: VirtualProcess) {
    if (this.#listener === undefined || process.isDead) return this.network.refuse();
    const pipe = this.network.connect();
    if (edge.isStopped) pipe.partition();
    edge.link = pipe;
    pipe.onHeard = () => {
      const sinceUs = edge.brokenSinceUs;
      if (sinceUs === undefined) return;
      // Not at once: what is heard first may be that the edge was given up meanwhile.
      this.clock.after(100, () => {
        if (edge.brokenSinceUs === sinceUs) edge.brokenSinceUs = undefined;
      });
    };
    this.#listener.accept(pipe.server);
    return pipe.client;
  }

  /** Syncd says in its log when it gives its connections up; each time must have a reason. */
  #edgeLogger(edge: EdgeProcess, process: VirtualProcess): Logger {
    return {
      log: (_level, message) => {
        if (
          process.isDead ||
          !/clos\w+ every connection|every connection is closed/.test(message)
        ) {
          return;
        }
        this.#options.trace(edge.name, message);
        this.#giveUp(edge, message);
      },
    };
  }

  #excusing(edge: EdgeProcess, direct: DirectEdge): DirectEdge["handler"] {
    const { onClosed, ...handler } = direct.handler;
    return {
      ...handler,
      onClosed: (reason) => {
        this.#giveUp(edge, reason);
        onClosed?.(reason);
      },
    };
  }

  /** J5: an edge may be given up only after its link was broken for about a lease. */
  #giveUp(edge: EdgeProcess, reason: string): void {
    const { checker, limits } = this.#options;
    const brokenUs = this.clock.elapsedUs - (edge.brokenSinceUs ?? this.clock.elapsedUs);
    if (brokenUs < limits.edgeLeaseUs / 2) {
      checker.complain("J5", `${edge.name} was given up after ${brokenUs} us: ${reason}`);
    }
    this.#excuseAll(edge, reason);
  }

  #excuseAll({ name, life }: EdgeProcess, reason: string): void {
    for (const client of this.waiting) {
      if (client.edge === name && client.life === life) this.excused.set(client, reason);
    }
  }
}

function describeEnding({ ending, asked }: Client): string {
  if (ending?.kind === "answered") return `is answered ${ending.value} (${asked})`;
  return ending?.kind === "left" ? "leaves" : "is closed without an answer";
}
