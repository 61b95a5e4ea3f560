// SPDX-License-Identifier: MIT
// One server of a simulated cluster: the shipped host and all doors that old and new clients come
// by, in a process of its own, on the log that the servers share. Owns how it starts, ends, stands
// still and dies; what happens to it, and when, is the run's business.
import type { CoreLimits, Limits } from "../../core/limits.ts";
import { Random } from "../../core/random.ts";
import { GnunetController } from "../../edges/gnunet/index.ts";
import { type Caller, createHttpDoor, type HttpDoor, mountCore } from "../../edges/http/index.ts";
import type { SocketEndpoint } from "../../edges/http/socket.ts";
import { httpTime } from "../../edges/http-time.ts";
import { Syncd } from "../../edges/syncd/index.ts";
import { Testground } from "../../edges/testground/index.ts";
import { testgroundTime } from "../../edges/testground-time.ts";
import type { LogError } from "../../engine/log.ts";
import type { Payloads } from "../../engine/payloads.ts";
import { Host } from "../../host/host.ts";
import type { Observer } from "../../host/host-options.ts";
import type { Logger } from "../../host/logger.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { VirtualProcess } from "../virtual-process.ts";
import type { LogWay, OnStruck, SharedLog, WayFaults } from "./shared-log.ts";
import { SnapshotKeeping } from "./snapshot-keeping.ts";
import type { SnapshotStream } from "./snapshot-stream.ts";

/** The scope of doors whose listener decides it (D18). */
export const doorScope = "s1";
/** A server that could not start is started again, milliseconds. */
const restartMs = 500;
/** Waits have so long when a server is told to end, milliseconds. */
const drainMs = 2_000;
/** Entries from one comparison of states to the next: the shipped number is for years. */
const digestEveryEntries = 64;

export interface ServerOptions {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly log: SharedLog;
  readonly payloads: Payloads;
  /** Absent where every start reads the whole log. */
  readonly snapshots: SnapshotStream | undefined;
  readonly random: Random;
  readonly limits: Limits;
  /** What a life of it is told of limits. */
  readonly toldLimits: () => Partial<CoreLimits>;
  readonly wayFaults: WayFaults;
  readonly newIncarnation: () => number;
  readonly onStruck: OnStruck;
  readonly trace: (what: string) => void;
  /** Sees what the server computes, with the state it leads to. */
  readonly observe: (server: SimulatedServer) => Observer;
  /** It goes on behind a snapshot at this entry; 0: from the beginning of the log. */
  readonly onLoaded: (sequence: number) => void;
  readonly onSnapshot: () => void;
  /** It has stopped by itself. */
  readonly onFailed: (error: LogError) => void;
  /** Everybody at its doors may be closed without an answer, for this reason. */
  readonly onTrouble: (reason: string) => void;
  /** It says in its own log that it could not serve them. */
  readonly onComplaint: (message: string) => void;
  /** It lives no more: whoever is connected hears of it. */
  readonly onDown: () => void;
  /** Joins a server that has read its log to other controllers. */
  readonly openTree: (opened: OpenedServer) => TreeDoor | undefined;
}

/** A life of a server, as those who join it to others need it. */
export interface OpenedServer {
  readonly host: Host;
  readonly process: VirtualProcess;
  readonly logger: Logger;
}

/** What joins a server to other controllers. */
export interface TreeDoor {
  readonly close: () => Promise<void>;
}

/** What a server is doing. */
export type ServerState = "down" | "starting" | "up" | "draining" | "paused";

export interface Doors {
  readonly syncd: Syncd;
  readonly testground: Testground;
  readonly gnunet: GnunetController;
  readonly http: HttpDoor;
  readonly session: SocketEndpoint;
  readonly close: () => Promise<void>;
}

/** Nobody here holds much, or has a token: looking for such four times a second finds nothing. */
const rarely = 10_000;
/**
 * Without what Node ends by a clock of its own: on a machine that gives a run no processor for a
 * while, it would end what in virtual time has just begun.
 */
const timeOfDoor = {
  ...{ ...httpTime, headMs: 0, requestMs: 0, keepAliveMs: 0 },
  ...{ heldSweepMs: rarely, tokenSweepMs: rarely },
};
const timeOfTestground = { ...testgroundTime, heldSweepMs: rarely };

export class SimulatedServer {
  readonly name: string;
  readonly #options: ServerOptions;
  life = 0;
  process: VirtualProcess;
  host: Host | undefined;
  doors: Doors | undefined;
  way: LogWay | undefined;
  #keeping: SnapshotKeeping | undefined;
  #isPaused = false;
  #isDraining = false;
  #startsAgain = false;
  /** What strangers have to wait for until a server that stands still goes on. */
  readonly backlog: (() => void)[] = [];
  #wayFaults: WayFaults;

  constructor(options: ServerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#wayFaults = options.wayFaults;
    this.process = new VirtualProcess(options.clock);
  }

  get state(): ServerState {
    if (this.host === undefined) return "down";
    if (this.#isPaused) return "paused";
    if (this.#isDraining) return "draining";
    return this.doors === undefined ? "starting" : "up";
  }

  /** To the log: the host's, and that of who follows beside it. */
  get ways(): readonly LogWay[] {
    return [this.way, this.#keeping?.followWay].filter((way) => way !== undefined);
  }

  /** Calls once the server can be called: at once, or when it goes on. */
  whenAwake(call: () => void): void {
    if (this.#isPaused) this.backlog.push(call);
    else call();
  }

  /** One that is told to end starts again when it has. */
  start(): void {
    this.#startsAgain = this.#isDraining;
    if (this.host !== undefined) return;
    const { options } = { options: this.#options };
    this.life += 1;
    this.#isDraining = false;
    const process = new VirtualProcess(options.clock);
    this.process = process;
    const { newIncarnation, trace } = options;
    const toldLimits = options.toldLimits();
    const limits = { ...options.limits, ...toldLimits };
    this.way = this.#openWay(process);
    this.#keeping = this.#createKeeping(process, this.way);
    const snapshots = this.#keeping === undefined ? {} : { snapshots: this.#keeping.source };
    const host = new Host({
      ...{ log: this.way, clock: process.clock, limits, logger: this.#logger(process) },
      toldLimits,
      ...{ payloads: options.payloads, newIncarnation, server: this.name, build: "1" },
      ...{ digestEveryEntries, onFailed: (error) => this.#onFailed(host, error) },
      ...snapshots,
    });
    this.host = host;
    host.observe(options.observe(this));
    const isTold = Object.keys(toldLimits).length > 0;
    const told = isTold ? `, told ${JSON.stringify(toldLimits)}` : "";
    trace(`starts, life ${this.life}${told}`);
    host.start().then(
      () => {
        if (this.host !== host || host.hasStopped) return;
        this.#keeping?.begin(host);
        this.doors = this.#openDoors(host, process);
        trace("has read the log and opens its doors");
      },
      (error: unknown) => {
        if (this.host !== host || host.hasStopped) return;
        trace(`cannot start: ${String(error)}`);
        this.kill();
        options.clock.after(restartMs, () => this.start());
      },
    );
  }

  /** As kill -9 does. */
  kill(): void {
    const { host } = this;
    if (host === undefined) return;
    this.#options.onTrouble("its server died");
    this.#isPaused = false;
    this.#isDraining = false;
    this.backlog.length = 0;
    host.abandon();
    this.doors?.http.abandon();
    this.process.kill();
    this.way?.kill();
    this.#keeping?.kill();
    this.host = undefined;
    this.doors = undefined;
    this.#options.onDown();
  }

  /** As SIGTERM does. */
  drain(): void {
    const { host, doors } = this;
    if (this.state !== "up" || host === undefined || doors === undefined) return;
    this.#options.trace("is told to end");
    this.#options.onTrouble("its server was told to end");
    this.#isDraining = true;
    doors.http.drain();
    this.process.clock.after(drainMs, () => void this.#end(host, doors));
  }

  /** As SIGSTOP does. */
  pause(): void {
    if (this.host === undefined || this.#isPaused) return;
    this.#options.onTrouble("its server was stopped");
    this.#isPaused = true;
    this.process.stop();
  }

  /** As SIGCONT does. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#options.onTrouble("its server was stopped");
    this.process.resume();
    for (const call of this.backlog.splice(0)) call();
  }

  /** Nothing goes wrong by itself from here on. */
  calm(): void {
    this.#wayFaults = { ...this.#wayFaults, delayMsMax: 0 };
    this.#wayFaults = { refused: 0, lost: 0, unacknowledged: 0, doubled: 0, delayMsMax: 0 };
    for (const way of this.ways) way.calm();
  }

  #openWay(process: VirtualProcess): LogWay {
    const { log, random, onStruck } = this.#options;
    const faults = this.#wayFaults;
    const { clock } = process;
    return log.createWay({ clock, random: new Random(random.next()), faults, onStruck });
  }

  #createKeeping(process: VirtualProcess, way: LogWay): SnapshotKeeping | undefined {
    const { snapshots: stream, onLoaded, onSnapshot, trace } = this.#options;
    if (stream === undefined) return undefined;
    return new SnapshotKeeping({
      ...{ server: this.name, stream, process, way, logger: this.#logger(process) },
      openWay: () => this.#openWay(process),
      onLoaded: (sequence) => {
        if (sequence > 0) trace(`goes on behind the snapshot at entry ${sequence}`);
        onLoaded(sequence);
      },
      onMade: (sequence) => {
        trace(`has made a snapshot at entry ${sequence}`);
        onSnapshot();
      },
    });
  }

  async #end(host: Host, doors: Doors): Promise<void> {
    await doors.close();
    await this.#keeping?.close();
    await host.close();
    if (this.host !== host) return;
    this.#options.trace("has ended");
    const startsAgain = this.#startsAgain;
    this.kill();
    if (startsAgain) this.start();
  }

  #onFailed(host: Host, error: LogError): void {
    if (this.host !== host) return;
    this.#options.trace(`fails: ${error.message}`);
    this.#options.onFailed(error);
    this.kill();
  }

  #openDoors(host: Host, process: VirtualProcess): Doors {
    const { clock } = process;
    const { limits } = this.#options;
    const logger = this.#logger(process);
    const listening = { addresses: [], port: 0 };
    const common = { scope: doorScope, connect: host.connectEdge, clock, logger, limits };
    const syncd = new Syncd({ ...common, edge: "syncd", ...listening });
    const { topics } = host;
    const ofTestground = { edge: "testground", topics, time: timeOfTestground };
    const testground = new Testground({ ...common, ...ofTestground, ...listening });
    const gnunet = new GnunetController({ ...common, edge: "gnunet", peers: 0 });
    const http = createHttpDoor({ clock, logger, access: {}, time: timeOfDoor });
    // What it would offer to those who come through a handshake, which nobody does here.
    const endpoints: SocketEndpoint[] = [];
    http.socket = (endpoint) => void endpoints.push(endpoint);
    const unmount = mountCore({ door: http, host, clock, logger, edge: "http" });
    const session = endpoints.find(({ path }) => path === "/v1/session");
    if (session === undefined) throw new Error("the door has sessions");
    const tree = this.#options.openTree({ host, process, logger });
    const close = async (): Promise<void> => {
      if (tree !== undefined) await tree.close();
      await http.close();
      await Promise.all([unmount(), syncd.close(), testground.close(), gnunet.close()]);
    };
    return { syncd, testground, gnunet, http, session, close };
  }

  #logger(process: VirtualProcess): Logger {
    return {
      log: (level, message) => {
        if (process.isDead || level === "debug" || level === "info") return;
        if (
          /too long|given this server up|joining anew|log takes nothing|the log was cut/.test(
            message,
          )
        ) {
          this.#options.onComplaint(message);
        }
        this.#options.trace(`${level}: ${message}`);
      },
    };
  }
}

/** Whoever comes to a door that asks for no token. */
export function callerOf(address: string): Caller {
  return { role: "driver", token: "open", address, account: `open ${address}` };
}
