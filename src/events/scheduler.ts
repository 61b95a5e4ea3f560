// SPDX-License-Identifier: MIT
// The scheduler of an experiment: the edge between its agenda in the core and its agents on a bus.
// Requests on the bus become commands, effects become orders to agents and answers to senders. Owns
// none of what fires when (core/agenda), nor what performing means (bus-agent.ts, or an old agent).
// [EMULAB-EVENTS 2.7-2.9]
//
//   E1. Nothing is sent that the log does not hold; what agents say is told to the core once.
//   E2. Each authentic request is answered to who asks (MUSTER_REQUEST), and whoever waits with a
//       TOKEN hears one COMPLETE under it, also for an event that was refused or that no agent ever
//       completes.
//   E3. A request is in the log with its place on the bus, and so is the agenda. A scheduler that
//       comes back goes on behind the last place in its log: no request is lost, none is taken in
//       twice.
//   E4. A request that comes too late to be believed is refused to who has sent it.

import type { LastingCredentials } from "../client/event-credentials.ts";
import { requestAttribute } from "../client/event-request.ts";
import type { AgendaLoad } from "../core/agenda/commands.ts";
import type {
  AgendaAnswer,
  EventDone,
  Fire,
  ObjectCompleted,
  TimeStarted,
} from "../core/agenda/effects.ts";
import { builtIn } from "../core/agenda/object-table.ts";
import type { Command } from "../core/command.ts";
import type { EventPage } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { Clock } from "../host/clock.ts";
import type { CoreLink, EdgeHandler } from "../host/core-link.ts";
import type { Bus, PlacedNotification } from "../wire/event/bus.ts";
import {
  attributeNames,
  getInt32,
  getText,
  type Notification,
} from "../wire/event/notification.ts";
import {
  type AgentReport,
  formatAlive,
  formatClockAnswer,
  type OrderInstant,
  type OrderSender,
  parseReport,
} from "../wire/event/orders.ts";
import { AgentRoll } from "./agent-roll.ts";
import { ControlRequests } from "./control-requests.ts";
import { LogInstants } from "./log-instants.ts";
import type { LogTeller } from "./log-teller.ts";
import { completionToken, type OpenOrder, OpenOrders } from "./open-orders.ts";
import { isProgramStart, type OpenRequest, OpenRequests } from "./open-requests.ts";
import { OrderDispatcher } from "./order-dispatcher.ts";
import { readRequest } from "./read-request.ts";
import { RefusedNotices } from "./refused-notices.ts";
import { formatOrigin, noOrigin, type RequestOrigin } from "./request-origin.ts";
import type { Recalled } from "./scheduler-recall.ts";
import { SenderAnswers } from "./sender-answers.ts";
import { SteadyPublisher } from "./steady-publisher.ts";
import { describeLost, SteadySubscription } from "./steady-subscription.ts";
import { WallInstants } from "./wall-instants.ts";

export interface SchedulerOptions {
  /** `pid/eid`: the scope of its agenda and the EXPT of its notifications. */
  readonly experiment: string;
  readonly connect: (handler: EdgeHandler) => CoreLink;
  readonly bus: Bus;
  readonly credentials: LastingCredentials;
  /** IPv4 address that notifications name as their sender's. */
  readonly sender: string;
  readonly clock: Clock;
  /** Names the monotonic clock of this machine since its start. */
  readonly clockName: string;
  /** How the clock that stamps the log stands to that one; they are one when absent. */
  readonly instants?: LogInstants;
  /** Control address of the node an object is on, or `*`. */
  readonly hostOf: (object: string) => string;
  /** Of one sender that are not over; eventsLimits.requestsPerSenderMax when absent. */
  readonly requestsPerSenderMax?: number;
  /** What a scheduler before this one has left in the log. */
  readonly recalled?: Recalled;
  /** Sees each effect behind what the scheduler does about it. */
  readonly onEffect: (effect: EdgeEffect) => void;
  /** For its log. */
  readonly onWarning: (text: string) => void;
  /** A run in another process is told and asked by this. */
  readonly teller?: Pick<LogTeller, "begin" | "commandsFor">;
  /** Time 0 lies this far behind the word that starts time. */
  readonly startAheadUs?: number;
  /** A request was taken in, with the instant it is for; for the record file. */
  readonly onRequest?: (request: Notification) => void;
}

/** How it calls itself when agents are called; no object has such a name. */
const schedulerName = "__scheduler";

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #by: OrderSender;
  readonly #link: CoreLink;
  readonly #publisher: SteadyPublisher;
  readonly #answers: SenderAnswers;
  readonly #control: ControlRequests;
  readonly #roll: AgentRoll;
  readonly #orders: OpenOrders;
  readonly #dispatcher: OrderDispatcher;
  readonly #requests: OpenRequests;
  /** Who wants to hear that time has started. */
  #startQuestions: RequestOrigin[] = [];
  #isStarted: boolean;
  /** Commands that the core had no room for. */
  #backlog: Command[] = [];
  #onRoom = Promise.withResolvers<void>();
  #subscription: SteadySubscription | undefined;
  readonly #refused: RefusedNotices;
  readonly #wall: WallInstants;
  /** Instants of commands and effects are the log's, those on the bus this machine's. */
  readonly #instants: LogInstants;
  #heardPosition = 0;
  #onHeard: () => void = () => undefined;

  private constructor(options: SchedulerOptions) {
    const { experiment, sender, bus, clock, credentials, recalled, onWarning } = options;
    this.#options = options;
    this.#by = { experiment, sender };
    this.#requests = new OpenRequests(recalled, options.requestsPerSenderMax);
    this.#orders = new OpenOrders(recalled?.over, (open) => this.#isToldByLog(open));
    // Before anything is heard: what agents have said meanwhile belongs to them.
    for (const one of recalled?.orders ?? []) this.#orders.recall(one, this.#tokenOf(one.fire));
    for (const { token } of recalled?.revokes ?? []) this.#orders.markRevoked(token);
    this.#isStarted = recalled?.isStarted ?? false;
    const { sign } = credentials;
    this.#refused = new RefusedNotices(clock, onWarning);
    this.#wall = new WallInstants(clock);
    this.#instants = options.instants ?? new LogInstants(clock, {});
    const logClock = this.#instants.clock();
    this.#publisher = new SteadyPublisher({ bus, clock, sign, onWarning });
    this.#answers = new SenderAnswers(this.#by, (said) => this.#publisher.publish(said));
    this.#control = new ControlRequests({
      ...{ scope: experiment, clock: logClock, onWarning, answers: this.#answers },
      submit: (command) => this.submit(command),
      list: (after) => this.#list(after),
      nextRequest: () => this.#requests.nextNumber(),
      recalled: recalled?.controls ?? [],
    });
    const agents = { kind: "agenda-agents", scope: experiment } as const;
    this.#roll = new AgentRoll({
      clock,
      call: () => {
        const call = { agent: schedulerName, life: "", objects: [], isGoing: false, gaps: 0 };
        this.#publisher.publish(formatAlive(call, this.#by));
      },
      onUp: (objects, by) => this.submit({ ...agents, objects, state: "up", reason: "", by }),
      onDown: (objects, reason) => {
        onWarning(`${objects.join(", ")}: ${reason}`);
        this.submit({ ...agents, objects, state: "down", reason });
        this.#dispatcher.takeBackFrom(objects);
      },
      onGap: (agent) => this.#dispatcher.repeat([agent]),
    });
    this.#dispatcher = new OrderDispatcher({
      ...{ by: this.#by, clock: logClock, orders: this.#orders, roll: this.#roll },
      ...{ publisher: this.#publisher, hostOf: options.hostOf },
      instant: (us) => this.#instant(us),
      submit: (command) => this.submit(command),
    });
    this.#link = options.connect({
      onEffects: (effects) => {
        const over = effects.flatMap((one) => (one.kind === "event-done" ? [one.id] : []));
        for (const effect of effects) this.#obey(effect, over);
      },
      onRoom: () => this.#flush(),
    });
  }

  /** Resolves when requests are heard. @throws BusError */
  static async open(options: SchedulerOptions): Promise<Scheduler> {
    const scheduler = new Scheduler(options);
    await scheduler.#begin();
    return scheduler;
  }

  /** Gives the core a command, in order; waits with it when the core has no room. */
  submit(command: Command): void {
    if (this.#backlog.length > 0 || !this.#link.submit(command)) this.#backlog.push(command);
  }

  /**
   * Behind all that was asked before. What was asked while no scheduler was there comes together
   * with the list: who is not shown his event then cannot cancel it, and it is performed.
   */
  async #list(after: number): Promise<EventPage> {
    if (this.#backlog.length > 0) await this.#onRoom.promise;
    return this.#link.listEvents(this.#options.experiment, after);
  }

  /** Loads an agenda. From its entry on requests are taken in, also by who comes after a crash. */
  load(load: AgendaLoad): void {
    const place = this.#subscription?.place;
    const origin = place === undefined ? {} : { origin: formatOrigin({ ...noOrigin, place }) };
    this.submit({ ...load, ...origin });
  }

  /** Time 0 is now, as soon as `__ns_sequence` is over. */
  startTime(origin?: RequestOrigin): void {
    const { experiment: scope, startAheadUs } = this.#options;
    const ahead = startAheadUs === undefined ? {} : { inUs: startAheadUs };
    const from = origin === undefined ? {} : { origin: formatOrigin(origin) };
    this.submit({ kind: "agenda-start", scope, ...ahead, ...from });
  }

  /** Number of the event that an order comes from; 0 for one that is over. */
  eventOf(fire: number): number {
    return this.#orders.get(fire)?.order.event.id ?? 0;
  }

  /** Resolves when everything on the bus up to `position` was heard and given to the core. */
  async heard(position: number): Promise<void> {
    while (this.#heardPosition < position) {
      await new Promise<void>((resolve) => {
        this.#onHeard = resolve;
      });
    }
  }

  /** Goes without a word to the core: the next life goes on where this one was. */
  leave(): void {
    this.#roll.close();
    this.#subscription?.close();
    this.#refused.close();
    this.#publisher.close();
  }

  /** Ends in order: what was to be published is, if the bus takes it. */
  async close(): Promise<void> {
    this.#roll.close();
    this.#subscription?.close();
    this.#refused.close();
    await this.#link.close();
    await this.#publisher.drain();
    this.#publisher.close();
  }

  async #begin(): Promise<void> {
    const { experiment, bus, clock, credentials, recalled, onWarning } = this.#options;
    credentials.recall(recalled?.stamps ?? []);
    if (recalled?.hasTimeStarted === false) this.#startQuestions.push(...recalled.startQuestions);
    // Before the first order goes out: what is sent to who is not known to speak counts as fired.
    this.#roll.expect(recalled?.agents ?? [], recalled?.objects ?? []);
    const left = this.#orders.all();
    const wereLeft = new Set(left.map(({ fire }) => fire));
    this.#subscription = await SteadySubscription.open({
      ...{ bus, clock, onWarning, after: recalled?.place },
      address: { expt: experiment, scheduler: 1 },
      onNotifications: (placed, epoch) => this.#hear(placed, epoch),
      onGap: (lost) => {
        onWarning(`${describeLost(lost)}: the bus has forgotten them; ask again`);
        this.#dispatcher.repeat(this.#roll.here());
      },
    });
    this.#roll.start();
    this.#options.teller?.begin((told) => this.#publisher.publish(told));
    if (recalled === undefined) return;
    // First: behind its revoke nobody begins with an order.
    for (const revoke of recalled.revokes) {
      const isAnswered = wereLeft.has(revoke.token) && this.#orders.get(revoke.token) === undefined;
      if (!isAnswered) this.#dispatcher.revoke(revoke);
    }
    // Sent perhaps and perhaps not: agents know what they have had (O1, orders.ts), in that life.
    for (const open of left) {
      const isOpen = this.#orders.get(open.fire) === open;
      if (isOpen) this.#dispatcher.send(open, [...open.uncompleted], recalled.agents);
    }
    for (const done of recalled.finished) {
      this.#answers.completion(done.request, done.error, done.token, done.why);
    }
    for (const { object, origin, refusal } of recalled.refused) {
      this.#answers.refused(object, origin, refusal);
    }
  }

  /** @param over occurrences that are over by the same entry: nobody is to begin with them. */
  #obey(effect: EdgeEffect, over: readonly number[]): void {
    switch (effect.kind) {
      case "fire":
        if (!over.includes(effect.item)) this.#order(effect);
        break;
      case "revoke":
        this.#dispatcher.revoke(effect);
        break;
      case "time-started":
        this.#startTime(effect);
        break;
      case "agenda-answer":
        this.#answer(effect);
        break;
      case "event-done":
        this.#done(effect);
        break;
      case "object-completed":
        this.#objectCompleted(effect);
        break;
      default:
        break;
    }
    this.#options.onEffect(effect);
  }

  #order(fire: Fire): void {
    const request = this.#requestOf(fire);
    if (request !== undefined) request.objectType = fire.event.type;
    this.#dispatcher.order(fire, request?.origin.token);
  }

  /** For agents, who begin anew, and for everybody who watches. [EMULAB-EVENTS 2.5] */
  #startTime({ scope, zeroStampUs }: TimeStarted): void {
    if (scope !== this.#options.experiment) return;
    this.#isStarted = true;
    for (const origin of this.#startQuestions.splice(0)) this.#answerStart(origin);
    this.#answers.timeStart(this.#instant(zeroStampUs).wallUs);
  }

  #answerStart(origin: RequestOrigin): void {
    this.#answers.accepted({ objname: builtIn.sequence }, origin, "");
    const { token } = origin;
    if (token === undefined) return;
    this.#answers.completion({ object: builtIn.sequence, objectType: "SEQUENCE" }, 0, token);
  }

  #answer({ request: number, answer }: AgendaAnswer): void {
    if (this.#control.answered(number, answer)) return;
    const request = this.#requests.get(number);
    if (request === undefined) return;
    const { object, origin } = request;
    switch (answer.kind) {
      case "accepted":
      case "appended":
        this.#requests.accept(number, answer.id);
        this.#answers.accepted({ objname: object }, origin, ` ID=${answer.id}`);
        return;
      case "refused":
        this.#requests.end(number);
        this.#refuse(object, origin, answer);
        return;
      default:
        return;
    }
  }

  /** E2. */
  #done({ request: number, id, error, text }: EventDone): void {
    const request = this.#requests.get(number);
    this.#requests.end(number, id);
    const open = this.#orders.endItem(id);
    if (open !== undefined) this.#dispatcher.takeBack(open, open.unfired);
    if (request === undefined || request.origin.token === undefined) return;
    // Its agent tells the end.
    if (isProgramStart(request) && error === 0) return;
    this.#answers.completion(request, error, request.origin.token, text);
  }

  /** Whoever watches hears it; who has sent the event with a token hears it under that. */
  #objectCompleted({ item, object, objectType, token, error, text }: ObjectCompleted): void {
    if (this.#requests.ofItem(item)?.origin.token !== undefined) return;
    const named = token === 0 ? completionToken(item) : token;
    this.#answers.completion({ object, objectType }, error, named, text);
  }

  #refuse(
    object: string,
    origin: Omit<RequestOrigin, "place">,
    refusal: { readonly code: string; readonly message: string },
  ): void {
    this.#options.onWarning(`refused an event for ${object}: ${refusal.message}`);
    this.#answers.refused(object, origin, refusal);
  }

  async #hear(placed: readonly PlacedNotification[], epoch: string): Promise<void> {
    for (const { position, notification } of placed) {
      const verdict = this.#options.credentials.judge(notification);
      if (verdict === "authentic") this.#hearOne(notification, { epoch, position });
      else this.#disbelieve(notification, verdict);
    }
    this.#heardPosition = placed.at(-1)?.position ?? this.#heardPosition;
    this.#onHeard();
    // What the core has no room for keeps the bus from bringing more.
    if (this.#backlog.length > 0) await this.#onRoom.promise;
  }

  /**
   * E4. A recorded request may come like this as well: who waits for the true one is told nothing.
   */
  #disbelieve(notification: Notification, verdict: "expired" | "refused"): void {
    const objname = getText(notification, attributeNames.objname) ?? "";
    const question = getText(notification, requestAttribute);
    const token = getInt32(notification, attributeNames.token);
    const isAnswered = question === undefined && token === undefined;
    if (verdict === "refused" || parseReport(notification) !== undefined || isAnswered) {
      this.#refused.add(objname);
    } else if (!this.#requests.isOpen(question, token) && !this.#control.isOpen(question)) {
      const why = "no scheduler was there, or the clock of its machine is wrong";
      const message = `it was sent too long ago to be believed: ${why}; send it again`;
      this.#refuse(
        objname,
        { question, token, sender: "", stamp: "" },
        { code: "expired", message },
      );
    }
  }

  #hearOne(notification: Notification, place: RequestOrigin["place"]): void {
    const report = parseReport(notification);
    const { teller, credentials } = this.#options;
    const asked = teller?.commandsFor(notification, () =>
      formatOrigin({ ...noOrigin, place, stamp: credentials.stampOf(notification) }),
    );
    if (asked !== undefined) for (const command of asked) this.submit(command);
    else if (report === undefined) this.#request(notification, place);
    else this.#report(report, notification);
  }

  #request(notification: Notification, place: RequestOrigin["place"]): void {
    const { clock, experiment: scope, onRequest } = this.#options;
    const origin: RequestOrigin = {
      sender: getText(notification, attributeNames.sender) ?? "",
      token: getInt32(notification, attributeNames.token),
      question: getText(notification, requestAttribute),
      ...{ place, stamp: this.#options.credentials.stampOf(notification) },
    };
    if (this.#control.take(notification, origin)) return;
    const heardUs = clock.nowUs();
    const now = { stampUs: this.#instants.toLog(heardUs), wallUs: this.#wall.wallOf(heardUs) };
    const read = readRequest(notification, now);
    if (read.kind === "refused") {
      const object = getText(notification, attributeNames.objname) ?? "";
      this.#refuse(object, origin, { code: "invalid", message: read.message });
      return;
    }
    const { object, event } = read.request;
    if (object === builtIn.sequence && (event === "START" || event === "RUN")) {
      this.#startByRequest(origin);
      return;
    }
    const tooMany = this.#requests.refusal(origin.sender);
    if (tooMany !== undefined) {
      this.#refuse(object, origin, { code: "limit", message: tooMany });
      return;
    }
    const open = { object, event, origin, objectType: undefined };
    const facts = { scope, request: this.#requests.add(open), origin: formatOrigin(origin) };
    this.submit({ kind: "agenda-schedule", ...facts, ...read.request });
    onRequest?.(notification);
  }

  /** Boss says so at the end of a swap-in. [EMULAB-EVENTS 2.2 step 11] */
  #startByRequest(origin: RequestOrigin): void {
    if (this.#isStarted) {
      const message = "event time has started already; replay to begin anew";
      this.#refuse(builtIn.sequence, origin, { code: "invalid", message });
      return;
    }
    this.#startQuestions.push(origin);
    this.startTime(origin);
  }

  #report(report: AgentReport, notification: Notification): void {
    switch (report.kind) {
      case "alive":
        if (report.alive.agent === schedulerName) this.#roll.heardCall();
        else this.#roll.hear(report.alive);
        return;
      case "clock":
        this.#answerClock(report.agent, report.sentUs);
        return;
      case "complete":
        this.#complete(report, notification);
        return;
      case "fired": {
        const open = this.#orders.get(report.fire);
        const firedUs = this.#instants.toLog(report.firedUs);
        const fired = { ...report, firedUs };
        if (open !== undefined) this.#tell(this.#orders.fired(open, report.objname, fired));
        if (report.completed === undefined) return;
        this.#complete({ ...report, ...report.completed, kind: "complete" }, notification);
        return;
      }
      case "revoked": {
        const open = this.#orders.get(report.fire);
        if (open === undefined) return;
        const heardUs = this.#instants.toLog(this.#options.clock.nowUs());
        this.#tell(this.#orders.revoked(open, report.objname, report.hadFired, heardUs));
        return;
      }
    }
  }

  /** Whoever waits hears it, also when nothing here does. [EMULAB-EVENTS 2.9] */
  #complete(report: AgentReport & { kind: "complete" }, notification: Notification): void {
    const { fire, objname, token, error, why } = report;
    if (fire !== undefined && this.#orders.isOver(fire)) return;
    const open =
      fire === undefined ? this.#orders.findByToken(objname, token) : this.#orders.get(fire);
    const isToldByLog = open !== undefined && this.#isToldByLog(open);
    if (!isToldByLog) {
      const objectType = getText(notification, attributeNames.objtype);
      this.#answers.completion({ object: objname, objectType }, error, token, why);
    }
    if (open === undefined) return;
    // A completion is the proof that it fired, whoever does not say when.
    const firedUs = this.#instants.toLog(this.#options.clock.nowUs());
    this.#tell(this.#orders.fired(open, objname, { firedUs, outcome: "done" }));
    this.#tell(this.#orders.completed(open, objname, { error, why }));
  }

  /**
   * E1. The core may have ended it before, by what was heard earlier: that is told, and no other.
   */
  #isToldByLog({ order }: OpenOrder): boolean {
    const request = this.#requestOf(order);
    const isWaitedFor = request?.origin.token !== undefined && !isProgramStart(request);
    return isWaitedFor && order.members.length === 0;
  }

  #answerClock(agent: string, sentUs: number): void {
    const { clock, clockName } = this.#options;
    const heardUs = clock.nowUs();
    const answer = { clock: clockName, sentUs, heardUs, answeredUs: clock.nowUs() };
    this.#publisher.publish(formatClockAnswer(agent, answer, this.#by));
  }

  #tell(commands: readonly Command[]): void {
    for (const command of commands) this.submit(command);
  }

  #flush(): void {
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const command of backlog) this.submit(command);
    if (this.#backlog.length > 0) return;
    this.#onRoom.resolve();
    this.#onRoom = Promise.withResolvers();
  }

  #requestOf({ scope, item }: Fire): OpenRequest | undefined {
    if (scope !== this.#options.experiment) return undefined;
    return this.#requests.ofItem(item);
  }

  #tokenOf(fire: Fire): number | undefined {
    return this.#requestOf(fire)?.origin.token;
  }

  /** An instant of the log, on the clock of this machine, and on the wall as it is now. */
  #instant(stampUs: number): OrderInstant & { readonly wallUs: number } {
    const { clockName } = this.#options;
    const us = this.#instants.toOwn(stampUs);
    return { wallUs: this.#wall.wallOf(us), monotonic: { us, clock: clockName } };
  }
}
