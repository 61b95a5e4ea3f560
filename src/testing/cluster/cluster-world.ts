// SPDX-License-Identifier: MIT
// The machines of a simulated cluster: servers on one shared log, programs with sessions, clients
// of the old doors, and the network between them. Everything that decides anything is the shipped
// code. Owns what exists and how it is reached; what happens, and when, is the run's business.

import type { Limits } from "../../core/limits.ts";
import { Random } from "../../core/random.ts";
import { MemoryPayloads, type Payloads } from "../../engine/payloads.ts";
import { Network } from "../network.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { VirtualProcess } from "../virtual-process.ts";
import { AskingAgain } from "./asking-again.ts";
import { attachedSessions } from "./attached-sessions.ts";
import { ClusterChecker } from "./cluster-checker.ts";
import { callerOf, SimulatedServer } from "./cluster-server.ts";
import type { ControllerPlace, ServerLinks } from "./controller-place.ts";
import { httpScope, membersOf } from "./http-clients.ts";
import { Looking } from "./looking.ts";
import { NativeClient, sessionLeaseMs } from "./native-client.ts";
import { endsByItself } from "./old-clients.ts";
import { messageDelayMsMax, OldDoors } from "./old-doors.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { AskStep, DoorName, FaultName, FaultRates } from "./script.ts";
import { SharedLog } from "./shared-log.ts";
import { sharedPayloads } from "./shared-payloads.ts";
import { createSnapshots, type SnapshotStream } from "./snapshot-stream.ts";
import { SocketLine } from "./socket-line.ts";
import { UnequalLimits } from "./unequal-limits.ts";
import { struckNames, wayFaultsOf } from "./way-faults.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly servers: number;
  readonly faults: FaultRates;
  readonly limits: Limits;
  readonly trace: (who: string, what: string) => void;
  readonly onStruck: (fault: FaultName) => void;
  /** Where it is one of several controllers. */
  readonly controller?: ControllerPlace;
}

/** A program with a session. */
export interface Program {
  readonly name: string;
  readonly process: VirtualProcess;
  readonly client: NativeClient;
  line: SocketLine | undefined;
  /** Whether the network between it and all servers is down. */
  isParted: boolean;
  isUp: boolean;
  /** Whether the log has its session with a server since its connection was last lost. */
  isAttached: boolean;
  isClosing: boolean;
  /** The newest entry that it was told of. */
  heard: number;
  /** Since when its session may have been without a server that serves it. */
  troubledSinceUs: number | undefined;
}

/** So long a server may take to notice that others have ended it: a lease, and then some. */
const aftermathUs = 15_000_000;
/** So soon a server that goes on hears that others have ended it. */
const overMs = 1_000;

export class ClusterWorld {
  readonly clock: VirtualClock;
  readonly log: SharedLog;
  /** What it is called in the trace. */
  readonly logName: string;
  /** Absent where the log is never cut. */
  readonly snapshots: SnapshotStream | undefined;
  readonly servers: readonly SimulatedServer[];
  readonly checker: ClusterChecker;
  readonly parties: Party[] = [];
  #waiting: Party[] = [];
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #network: Network;
  readonly #payloads = new MemoryPayloads();
  readonly #messages = new Map<number, string>();
  readonly #programs = new Map<number, Program>();
  readonly #doors: OldDoors;
  readonly #askingAgain: AskingAgain;
  readonly #looking: Looking;
  readonly #serverOf = new Map<Party, SimulatedServer>();
  readonly #programOf = new Map<Party, Program>();
  #lastIncarnation = 0;
  readonly #limits: UnequalLimits;
  readonly #events: PartyEvents;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { limits, controller } = options;
    this.clock = controller?.clock ?? new VirtualClock("ticks");
    this.#random = new Random(options.seed ^ 0x0c1a55);
    this.#limits = new UnequalLimits({
      ...{ seed: options.seed, usual: limits, onStruck: () => options.onStruck("unequal-limits") },
      // Of a tree nobody says what a limit refuses.
      isOn: this.#rate("unequal-limits") > 0 && controller === undefined,
    });
    this.log = new SharedLog(this.clock);
    this.snapshots = createSnapshots({ ...options, clock: this.clock });
    this.logName = controller === undefined ? "log" : `${controller.name}/log`;
    this.log.onCut = (first) => this.#trace(this.logName, `begins with entry ${first}`);
    const messageOf = (id: number): string | undefined => this.#messages.get(id);
    const ofTree = { isOfTree: controller !== undefined, onJudged: controller?.onJudged };
    this.checker = new ClusterChecker({ limits, messageOf, log: this.log, ...ofTree });
    const random = this.#fork();
    const delayMsMax = this.#rate("delay") > 0 ? messageDelayMsMax : 0;
    this.#network = new Network({ clock: this.clock, random, faults: { delayMsMax } });
    const { firstServer = 0 } = controller ?? {};
    this.servers = Array.from({ length: options.servers }, (_, index) =>
      this.#createServer(`n${firstServer + index}`, index),
    );
    this.#events = {
      answered: (party, answer) => {
        if (this.#isTurnedAway(party, answer.text)) {
          this.#events.closed(party, answer.text);
          return;
        }
        party.end = { kind: "answered", answer };
        const entry = this.checker.onAnswer(party, answer);
        const program = this.#programOf.get(party);
        if (program !== undefined) program.heard = Math.max(program.heard, entry);
        this.#trace(party.name, `hears: ${answer.text.trimEnd()}`);
      },
      closed: (party, why) => {
        party.end = { kind: "closed", why };
        if (this.#isTurnedAway(party, why)) party.excuse ??= "its server is closing";
        this.#excuseByServer(party);
        this.#trace(party.name, `is closed: ${why}`);
      },
    };
    this.#doors = new OldDoors({
      ...{ seed: options.seed, faults: options.faults, clock: this.clock, events: this.#events },
      ...{ network: this.#network, random: this.#random, onStruck: options.onStruck },
      onMessage: (who, topic, number, message) =>
        this.checker.onMessage(who, topic, number, message),
    });
    this.#askingAgain = new AskingAgain({
      ...{ clock: this.clock, servers: this.servers, events: this.#events },
      trace: (who, what) => this.#trace(who, what),
      ask: (party, server, step, events) => {
        this.#serverOf.set(party, server);
        return this.#doors.ask(party, server, step, events);
      },
    });
    this.#looking = new Looking({
      ...{ checker: this.checker, events: this.#events },
      connect: (party, server) => this.#doors.connect(party, server),
    });
  }

  /** Most have ended long since: who has is not looked at again. */
  get waiting(): readonly Party[] {
    this.#waiting = this.#waiting.filter(({ end }) => end === undefined);
    return this.#waiting;
  }

  get hasWaiting(): boolean {
    return this.#waiting.some(({ end }) => end === undefined);
  }

  /** Nothing ends a subscription but its client. */
  endSubscriptions(): void {
    for (const party of this.waiting) if (party.isSubscription) party.leave();
  }

  program(session: number): Program | undefined {
    return this.#programs.get(session);
  }

  /** Those that have not been told to close. */
  get sessions(): readonly number[] {
    return [...this.#programs].flatMap(([session, { isClosing }]) => (isClosing ? [] : [session]));
  }

  /** Whether a session has no connection to a server. */
  get hasLostSession(): boolean {
    for (const { line } of this.#programs.values()) if (line === undefined) return true;
    return false;
  }

  start(): void {
    for (const server of this.servers) server.start();
  }

  /** Nothing of it is to stay: servers have timers of the platform, which hold on to all of it. */
  end(): void {
    for (const { host, doors } of this.servers) {
      host?.abandon();
      doors?.http.abandon();
    }
  }

  /** From here on nothing breaks by itself, and what is broken is mended. */
  calm(): void {
    this.#doors.calm();
    this.#network.faults = { ...this.#network.faults, delayMsMax: 0 };
    this.snapshots?.calm();
    if (this.log.isAway) this.log.return();
    for (const server of this.servers) {
      server.calm();
      for (const way of server.ways) {
        way.heal();
        way.mend();
      }
      this.resume(server);
      server.start();
    }
    for (const program of this.#programs.values()) this.heal(program);
  }

  /** One server starts again and tells all what is usual. */
  levelLimits(): void {
    if (!this.#limits.level()) return;
    const [server] = this.servers;
    server?.kill();
    server?.start();
  }

  /** As SIGSTOP does: what comes for it waits in its kernel. */
  pause(server: SimulatedServer): void {
    if (server.state === "down" || server.state === "paused") return;
    this.#trace(server.name, "is stopped");
    server.pause();
    this.#doors.hold(server);
    this.#links?.hold(server);
  }

  /** What came meanwhile is read before what fell due meanwhile. */
  resume(server: SimulatedServer): void {
    if (server.state !== "paused") return;
    this.#trace(server.name, "goes on");
    this.#doors.heal(server);
    this.#links?.heal(server);
    this.clock.after(0.001, () => {
      server.resume();
      this.over(server);
    });
  }

  // -- programs with sessions --------------------------------------------------------------------

  openProgram(session: number, first: number, scope: string): void {
    const name = `p${session}`;
    const process = new VirtualProcess(this.clock);
    const { length } = this.servers;
    const urls = this.servers.map(
      (_, index) => `ws://${this.servers[(first + index) % length]?.name}/v1/session`,
    );
    const client: NativeClient = new NativeClient({
      ...{ name, urls, scope, clock: process.clock, random: this.#fork(), events: this.#events },
      homeOf: this.#options.controller?.homeOf,
      openSocket: (url) => this.#openLine(program, url).client,
      onRequest: ({ edge, incarnation }, connection, party) =>
        this.checker.register(`session/open/${edge}`, incarnation, connection, party.name),
      onMessage: (who, topic, number, message) =>
        this.checker.onMessage(who, topic, number, message),
      onLook: (party, looked, shown) => this.#looking.end(party, scope, looked, shown),
      onLink: (up) => {
        this.#trace(name, up ? "is in" : "has lost its server");
        program.isUp = up;
        if (up) return;
        program.isAttached = false;
        program.troubledSinceUs ??= this.clock.elapsedUs;
      },
      onEnd: (why) => this.#onSessionEnd(program, why),
    });
    const program: Program = {
      ...{ name, process, client, line: undefined, isParted: false, isUp: false },
      ...{ isAttached: false, isClosing: false, heard: 0 },
      troubledSinceUs: 0,
    };
    this.#programs.set(session, program);
    this.#trace(name, `opens a session in ${scope}`);
    client.start();
  }

  closeProgram(program: Program): void {
    this.#trace(program.name, "closes its session");
    program.isClosing = true;
    program.client.close();
  }

  /** As kill -9 does. */
  killProgram(session: number): void {
    const program = this.#programs.get(session);
    if (program === undefined) return;
    this.#trace(program.name, "dies");
    program.client.kill();
    program.process.kill();
    program.line?.cut();
    this.#programs.delete(session);
  }

  cutProgram(program: Program): void {
    this.#trace(program.name, "its connection is cut");
    program.line?.cut();
  }

  /** Nothing gets through between it and the servers. */
  part(program: Program): void {
    if (program.isParted) return;
    this.#trace(program.name, "reaches nobody");
    program.isParted = true;
    program.troubledSinceUs ??= this.clock.elapsedUs;
    program.line?.hold();
  }

  heal(program: Program): void {
    if (!program.isParted) return;
    this.#trace(program.name, "reaches others again");
    program.isParted = false;
    program.line?.heal();
  }

  askProgram(step: AskStep & { readonly id: number }, session: number): void {
    const program = this.#programs.get(session);
    if (program?.client.isReady !== true) return;
    const hasDeadline = endsByItself(step.ask, step.timeoutMs, true);
    const party = this.#createParty(step, program.name, { hasDeadline, isNative: true });
    this.#programOf.set(party, program);
    // A look at the state is not kept over a lost connection, and says so.
    if (step.ask.what === "describe" || step.ask.what === "look") {
      party.excuse = "the connection may be lost";
      const server = program.line && this.#servedBy.get(program.line);
      if (server !== undefined) this.#looking.begin(party, server, program.heard);
    }
    if (program.client.ask(party, step)) return;
    this.parties.pop();
    this.#waiting.pop();
  }

  // -- old doors ---------------------------------------------------------------------------------

  askDoor(step: AskStep & { readonly id: number }, door: DoorName, index: number): void {
    const server = this.servers[index];
    if (server?.doors === undefined || server.state === "draining") return;
    const hasDeadline = endsByItself(step.ask, step.timeoutMs, door === "http");
    const at = `${server.name}/${door}`;
    const party = this.#createParty(step, at, {
      ...{ hasDeadline, isNative: false },
      ...(door === "udp" ? { isDatagram: true } : {}),
      ...(step.again === undefined ? {} : { hasId: true }),
    });
    this.#serverOf.set(party, server);
    const { ask, barrier } = step;
    if (ask.what === "roster-change") {
      this.checker.registerChange(party.name, httpScope, barrier, membersOf(party, ask));
    }
    if (ask.what === "look" || ask.what === "look-at") this.#looking.ask(party, server, step);
    else if (step.again === undefined) this.#doors.start(party, server, step, door);
    else {
      this.checker.registerId(party.name);
      this.#askingAgain.start(party, step, index);
    }
  }

  clear(index: number): void {
    const server = this.servers[index];
    if (server?.doors === undefined || server.state !== "up") return;
    this.#trace(server.name, "clears all barriers of its sync server");
    server.doors.syncd.clear();
  }

  /** A server that closes takes nothing any more, and says so without a word of the log. */
  #isTurnedAway(party: Party, said: string): boolean {
    if (!said.includes("the server is closing")) return false;
    const line = this.#programOf.get(party)?.line;
    const server = this.#serverOf.get(party) ?? (line && this.#servedBy.get(line));
    if (server === undefined) return true;
    const troubleUs = this.#troubleUs.get(server) ?? Number.NEGATIVE_INFINITY;
    return server.state === "draining" || troubleUs >= this.clock.elapsedUs - aftermathUs;
  }

  /** A server that was in trouble not long before somebody came may not be over it. */
  #excuseByServer(party: Party): void {
    const server = this.#serverOf.get(party);
    if (server === undefined) return;
    const troubleUs = this.#troubleUs.get(server) ?? Number.NEGATIVE_INFINITY;
    const isBroken = server.way?.isBroken === true || this.log.isAway;
    if (isBroken || troubleUs >= party.sinceUs - aftermathUs)
      party.excuse ??= "its server had trouble";
  }

  /** Whoever may be closed now without an answer: the server's doors are in trouble. */
  excuse(server: SimulatedServer, reason: string): void {
    this.#troubleUs.set(server, this.clock.elapsedUs);
    this.#causeUs.set(server, this.clock.elapsedUs);
    this.#excuseAt(server, reason);
  }

  /**
   * Its trouble is over, if it says nothing else soon: whom it serves still, it goes on serving.
   * Who was let in meanwhile is not served before the log has that, which may lose it.
   */
  over(server: SimulatedServer): void {
    const overUs = this.clock.elapsedUs;
    this.clock.after(overMs, () => {
      const isNew = (this.#troubleUs.get(server) ?? 0) > overUs;
      if (isNew || this.#isBroken(server)) return;
      for (const program of this.#programs.values()) {
        const { line, troubledSinceUs: sinceUs } = program;
        const isHere = line !== undefined && this.#servedBy.get(line) === server;
        const isServed = isHere && program.isAttached && !program.isParted;
        if (!isServed || sinceUs === undefined || sinceUs > overUs) continue;
        if (overUs - sinceUs < sessionLeaseMs * 900) program.troubledSinceUs = undefined;
      }
    });
  }

  /** Whether nobody can be served by it now; it may be in trouble of more than one kind. */
  #isBroken(server: SimulatedServer): boolean {
    return server.state === "paused" || server.way?.isBroken === true || this.log.isAway;
  }

  /** The server says so itself; that it lived on without the others needs a cause. */
  #onTrouble(server: SimulatedServer, reason: string): void {
    const causeUs = this.#causeUs.get(server) ?? Number.NEGATIVE_INFINITY;
    const isCaused = this.log.isAway || this.clock.elapsedUs - causeUs < 2 * aftermathUs;
    if (/took this one as ended/.test(reason) && !isCaused) {
      const { name } = server;
      this.checker.complain("K6", `${name} was ended though nothing kept it from the log`);
    }
    this.#troubleUs.set(server, this.clock.elapsedUs);
    this.#excuseAt(server, reason);
  }

  /** The log was away: whatever follows of it for servers has a cause. */
  logIsTrouble(): void {
    for (const server of this.servers) this.excuse(server, "the log was away");
  }

  /**
   * A step takes up to 2 s from the leases of servers (D2), and one append of theirs that is lost
   * is enough then.
   */
  logClockIsSet(): void {
    for (const server of this.servers) this.#causeUs.set(server, this.clock.elapsedUs);
  }

  #excuseAt(server: SimulatedServer, reason: string): void {
    for (const party of this.waiting) {
      if (this.#serverOf.get(party) === server) party.excuse ??= reason;
    }
    for (const program of this.#programs.values()) {
      const isThere = program.line === undefined || this.#servedBy.get(program.line) === server;
      if (isThere) program.troubledSinceUs ??= this.clock.elapsedUs;
    }
  }

  /** When something last happened to a server, or to its way to the log. */
  readonly #causeUs = new Map<SimulatedServer, number>();
  readonly #troubleUs = new Map<SimulatedServer, number>();
  readonly #servedBy = new WeakMap<SocketLine, SimulatedServer>();

  #openLine(program: Program, url: string): SocketLine {
    const server = this.servers.find(({ name }) => url.startsWith(`ws://${name}/`));
    if (server === undefined) throw new Error(`there is no server at ${url}`);
    const line: SocketLine = new SocketLine({
      ...{ clock: this.clock, random: this.#random, clientClock: program.process.clock },
      // Who connects to a server that stands still waits in its kernel.
      serverClock: this.#clockOf(server),
      delayMsMax: () => this.#network.faults.delayMsMax,
      accept: (socket) => {
        if (server.doors === undefined || server.state === "draining") return undefined;
        this.#servedBy.set(line, server);
        return server.doors.session.open(socket, callerOf(program.name), new URLSearchParams());
      },
      onGone: () => {
        if (program.line === line) program.line = undefined;
        program.troubledSinceUs ??= this.clock.elapsedUs;
      },
    });
    program.line = line;
    if (program.isParted) line.hold();
    return line;
  }

  /** Of the life that a server has now; one that is down turns everybody away by itself. */
  #clockOf(server: SimulatedServer) {
    return server.host === undefined ? this.clock : server.process.clock;
  }

  /** K6. A session may end only when nobody has served it for about its lease. */
  #onSessionEnd(program: Program, why: string): void {
    this.#trace(program.name, `its session ends: ${why}`);
    const sinceUs = program.troubledSinceUs ?? this.clock.elapsedUs;
    const troubledUs = this.clock.elapsedUs - sinceUs;
    // A clock that is set, and others of the cluster, may make it shorter than it was to be.
    const isExcused = troubledUs >= sessionLeaseMs * 600;
    if (!isExcused) {
      this.checker.complain("K6", `${program.name}'s session ended after ${troubledUs} us: ${why}`);
    }
    for (const [party, owner] of this.#programOf) {
      if (owner === program) party.excuse ??= `its session ended: ${why}`;
    }
    for (const [session, one] of this.#programs) {
      if (one === program) this.#programs.delete(session);
    }
  }

  #createParty(
    step: AskStep & { readonly id: number },
    at: string,
    facts: Pick<Party, "hasDeadline" | "isNative" | "isDatagram" | "hasId">,
  ): Party {
    const { ask, barrier, error, timeoutMs = "none" } = step;
    let words = `${ask.what} ${barrier}`;
    for (const [name, value] of Object.entries(ask)) if (name !== "what") words += ` ${value}`;
    const party: Party = {
      ...{ name: `c${step.id}`, at, ...facts, sinceUs: this.clock.elapsedUs },
      isSubscription: ask.what === "subscribe",
      asked: `${words}, error ${error}, timeout ${timeoutMs}`,
      ...{ end: undefined, answers: 0, excuse: undefined, leave: () => undefined },
    };
    this.parties.push(party);
    this.#waiting.push(party);
    this.#trace(party.name, `at ${at}: ${party.asked}`);
    return party;
  }

  get #links(): ServerLinks | undefined {
    return this.#options.controller?.links;
  }

  #createServer(name: string, index: number): SimulatedServer {
    const { limits, onStruck, controller } = this.#options;
    const server: SimulatedServer = new SimulatedServer({
      ...{ name, clock: this.clock, log: this.log, random: this.#fork(), limits },
      ...{ payloads: this.#createPayloads(), snapshots: this.snapshots },
      toldLimits: () => this.#limits.draw(),
      wayFaults: wayFaultsOf(this.#options.faults),
      newIncarnation: () => {
        this.#lastIncarnation += 1;
        return this.#lastIncarnation;
      },
      onStruck: (fault) => onStruck(struckNames[fault]),
      trace: (what) => this.#trace(name, what),
      observe: (self) => {
        const { host } = self;
        this.checker.begin(name, 0);
        return (entry, applied) => {
          if (entry.sequence > this.checker.entries) {
            for (const edge of attachedSessions(entry, host)) this.#onAttached(edge);
          }
          this.checker.onEntry(name, entry, applied, () => host?.digest() ?? "");
        };
      },
      onLoaded: (sequence) => this.checker.begin(name, sequence),
      onSnapshot: () => onStruck("snapshots"),
      onFailed: (error) => {
        this.checker.complain("K3", `${name} has stopped: ${error.message}`);
      },
      onTrouble: (reason) => this.excuse(server, reason),
      onComplaint: (message) => this.#onTrouble(server, message),
      onDown: () => this.#onDown(server),
      openTree: (opened) => controller?.openTree(index, opened),
    });
    return server;
  }

  #onAttached(edge: string): void {
    for (const program of this.#programs.values()) {
      const { line, isUp, isParted, client } = program;
      const server = line && this.#servedBy.get(line);
      if (!isUp || server === undefined || client.edge !== edge) continue;
      program.isAttached = true;
      if (!isParted && !this.#isBroken(server)) program.troubledSinceUs = undefined;
    }
  }

  #onDown(server: SimulatedServer): void {
    this.#doors.cut(server);
    this.#links?.cut(server);
    for (const { line } of this.#programs.values()) {
      if (line !== undefined && this.#servedBy.get(line) === server) line.cut();
    }
  }

  #createPayloads(): Payloads {
    return sharedPayloads(this.#payloads, this.log, (id, text) => this.#messages.set(id, text));
  }

  #rate(fault: FaultName): number {
    return this.#options.faults[fault] ?? 0;
  }

  #fork(): Random {
    return new Random(this.#random.next());
  }

  #trace(who: string, what: string): void {
    this.#options.trace(who, what);
  }
}
