// SPDX-License-Identifier: MIT
// The event system of a run whose scheduler is a process of its own (`muster run --split`, `muster
// serve`): bus, doors and the agent that obeys are here; event-sched has the agenda, in its own
// log, and tells over the bus what becomes of it. How it is started is in run-scheduler.ts.
//
//   X1. What is told is taken in once, in order, also from a scheduler that was started again.
//   X2. `settle` and `drain` resolve when all that the agent has reported was told back, or when
//       there is no scheduler any more, or when it has not answered in time.
//   X3. Ends of barriers reach the scheduler in the order in which they came, once.
//   X4. Between two epochs nothing is planned, and the run does not end for that.
//   X5. A scheduler that has not answered in time is silent until it is heard again: no second
//       answer is waited for.
import { requestAttribute } from "../client/event-request.ts";
import type {
  AgendaCommand,
  AgendaLoad,
  AgendaSchedule,
  BarrierCondition,
} from "../core/agenda/commands.ts";
import type { Answer } from "../core/agenda/effects.ts";
import { builtIn } from "../core/agenda/object-table.ts";
import { assert } from "../core/assert.ts";
import type { BarrierTold, Command, LogEntry } from "../core/command.ts";
import type { EdgeEffect, ObservedEffect } from "../core/effect.ts";
import { errorText } from "../core/text.ts";
import { BusAgent, EventServer, type RunAgenda } from "../events/index.ts";
import type { LaunchAction } from "../events/launch/index.ts";
import { SteadyPublisher } from "../events/steady-publisher.ts";
import { SteadySubscription } from "../events/steady-subscription.ts";
import { readClockName } from "../host/clock-name.ts";
import type { CoreLink, EdgeHandler } from "../host/core-link.ts";
import { parseCompletionArgs } from "../wire/event/args.ts";
import type { PlacedNotification } from "../wire/event/bus.ts";
import {
  attributeNames,
  createNotification,
  getText,
  int32Attribute,
  type Notification,
  textAttribute,
  toScheduleRequest,
} from "../wire/event/notification.ts";
import {
  formatBarrierEnd,
  formatQuestion,
  parseTold,
  type QuestionAnswered,
  type QuestionKind,
  runNoteObject,
  type Told,
  type ToldEffect,
} from "../wire/event/run-notes.ts";
import { within } from "./nodes/within.ts";
import { type Announcement, objectsOf, RunBus } from "./run-bus.ts";
import type { EventsOfRun, RunEventsOptions } from "./run-events.ts";
import { type ControlOptions, RunScheduler, type SplitOptions } from "./run-scheduler.ts";
import { type AgendaChangeCommand, formatChange } from "./split-change.ts";

export interface SplitRunEventsOptions extends RunEventsOptions {
  readonly split: SplitOptions;
  /** Made for the scheduler: its key, its agenda, its logs. */
  readonly directory: string;
  /** What is not told to any edge. @param stampUs when it came into the log */
  readonly onObserved: (effect: ObservedAndTold, stampUs: number) => void;
  /** There is no scheduler any more. */
  readonly onLost: (message: string) => void;
  /** What the scheduler's log holds, when it has ended. */
  readonly onLogged: (entry: LogEntry) => void;
}

export type ObservedAndTold = Extract<
  ToldEffect,
  { readonly kind: "event-fired" | "event-accepted" | "event-cancelled" | "agenda-problem" }
>;

const sender = "127.0.0.1";
const agentName = "run";
/** The longest wait for a scheduler, which may just be being started again. */
const answerMs = 15_000;
/** Tokens of the run's own requests; those of commands are random and smaller. */
const firstToken = 0x6d00_0000;

interface Asked {
  readonly request: number;
  readonly scope: string;
  readonly handler: EdgeHandler;
}

export class SplitRunEvents implements EventsOfRun {
  readonly #options: SplitRunEventsOptions;
  readonly #bus: RunBus;
  /** The scheduler's own door. */
  readonly #server: EventServer;
  readonly #publisher: SteadyPublisher;
  readonly #credentials;
  readonly #link: CoreLink;
  readonly #subscriptions: SteadySubscription[] = [];
  #agent: BusAgent | undefined;
  #scheduler: RunScheduler | undefined;
  /** Nobody schedules: it is lost, or was stopped. */
  #isAway = false;
  /** X5. */
  #isSilent = false;
  /** X4: event time has been ended and not been started again. */
  #isBetween = false;
  readonly #stopSeeing: () => void;
  /** X1: place of the last that was told. */
  #told: Pick<Told, "entry" | "part"> = { entry: 0, part: 0 };
  #pending = 0;
  #lastQuestion = 0;
  readonly #questions = new Map<number, (answer: QuestionAnswered) => void>();
  /** By token. */
  readonly #requests = new Map<number, Asked>();

  private constructor(options: SplitRunEventsOptions) {
    const { clock, logger, host, onEffect, onWarning } = options;
    this.#options = options;
    this.#bus = new RunBus(options);
    const { bus, outside } = this.#bus;
    this.#server = new EventServer({ bus: outside, clock, logger, port: 0 });
    this.#credentials = this.#bus.credentials();
    const { sign } = this.#credentials;
    this.#publisher = new SteadyPublisher({ bus, clock, sign, onWarning });
    this.#link = host.connectEdge("testbed", {
      onEffects: (effects) => {
        for (const effect of effects) onEffect(effect);
      },
    });
    this.#stopSeeing = host.observe((_entry, { observed }) => {
      for (const effect of observed) this.#tellBarrier(effect);
    });
  }

  /** Programs find the bus from here on. @throws Error with a sentence for the user */
  static async open(options: SplitRunEventsOptions): Promise<SplitRunEvents> {
    const events = new SplitRunEvents(options);
    try {
      await events.listenForNodes();
      await events.#server.listen([sender]);
      await events.#connect();
      return events;
    } catch (error) {
      await events.close();
      throw error;
    }
  }

  listenForNodes(): Promise<void> {
    return this.#bus.listenForNodes();
  }

  get address(): string | undefined {
    return this.#bus.address;
  }

  /** Tells whoever listens. */
  announce(what: Announcement): void {
    this.#bus.announce(what);
  }

  /** Barriers are the run's, events the scheduler's. */
  submit(command: Command): void {
    if (command.kind === "agenda-start") this.#startTime();
    else this.#link.submit(command);
  }

  /** Its file is what `serve` has written. */
  load({ scope }: AgendaLoad): void {
    assert(scope === this.#options.experiment, "one agenda, which is changed and not loaded again");
  }

  /** Starts the scheduler first, which hears then whom the agent obeys for. @throws LaunchError */
  async serve(agenda: AgendaLoad): Promise<void> {
    assert(this.#scheduler === undefined, "one agenda, which is changed and not loaded again");
    await this.#start(agenda);
    await this.#agent?.serve(objectsOf(agenda));
    // It has said that it is there before time is started: whoever speaks is believed to report.
    await this.#agent?.settle();
  }

  /** The scheduler learns of them from the agent. */
  async serveMore(agenda: AgendaLoad): Promise<void> {
    await this.#agent?.serve(objectsOf(agenda));
    await this.#agent?.settle();
  }

  /** What event time begins anew with; a scheduler that only comes back has it in its log. */
  async keep(load: AgendaLoad): Promise<void> {
    try {
      await this.#scheduler?.keep({ load, addresses: this.#addressesOf(load) });
    } catch (error) {
      const why = errorText(error);
      this.#options.onWarning(`a replay will not know of the modification: ${why}`);
    }
  }

  /**
   * Stops the scheduler, starts another one, or both: event time then begins anew.
   * @returns what there is to say about it. @throws LaunchError
   */
  async control(action: LaunchAction, options: ControlOptions): Promise<string> {
    if (action !== "start") this.#isBetween = true;
    const controlled = await this.#scheduler?.control(action, options);
    if (controlled === undefined) return "";
    if (controlled.isStarted) {
      await this.#agent?.settle();
      this.#startTime();
    }
    return controlled.said;
  }

  connectEdge(_edge: string, handler: EdgeHandler): Pick<CoreLink, "submit" | "close"> {
    return {
      submit: (command) => {
        this.#ask(command, handler);
        return true;
      },
      close: () => Promise.resolve(),
    };
  }

  /** Those of all agendas count as the experiment's own; not those that wait for a barrier. */
  pendingEvents(scope: string): number {
    return scope === this.#options.experiment ? this.#pending : 0;
  }

  /** X2. */
  async settle(): Promise<void> {
    await this.#agent?.settle();
    await this.#mark();
  }

  /** X2. */
  async drain(): Promise<void> {
    await this.#agent?.drain();
    await this.#mark();
  }

  /** X5. Whether there is a scheduler that answers. */
  async isHeard(): Promise<boolean> {
    await this.#mark();
    return !this.#isSilent && !this.#isAway;
  }

  stop(): void {
    this.#agent?.stop();
  }

  async closeScheduler(): Promise<void> {
    if (this.#scheduler === undefined) return;
    await this.#mark();
    await this.#scheduler.stop();
    for (const entry of await this.#scheduler.readLog()) this.#options.onLogged(entry);
    this.#scheduler = undefined;
    await this.#link.close();
  }

  async close(): Promise<void> {
    await this.closeScheduler();
    this.#stopSeeing();
    for (const subscription of this.#subscriptions) subscription.close();
    await this.#agent?.close();
    this.#publisher.close();
    await this.#server.close();
    await this.#bus.close();
  }

  async #connect(): Promise<void> {
    const { experiment, clock, fire, perform, arm, onWarning } = this.#options;
    const { bus } = this.#bus;
    const clockName = readClockName();
    const answers = `${builtIn.swapout},${builtIn.teardown}`;
    for (const objname of [runNoteObject, answers]) {
      const subscription = await SteadySubscription.open({
        ...{ bus, clock, onWarning, address: { expt: experiment, objname, scheduler: 0 } },
        onNotifications: (placed) => this.#hear(placed),
        onGap: () => onWarning("the run was not told of all events: the bus has forgotten some"),
      });
      this.#subscriptions.push(subscription);
    }
    this.#agent = await BusAgent.open({
      ...{ experiment, bus, sender, clock, clockName, onWarning, fire, name: agentName },
      ...{ objects: [], credentials: this.#bus.credentials() },
      perform: (order) => perform({ ...order, scope: experiment, eventId: 0 }),
      arm: (order, dueUs) => arm({ ...order, scope: experiment, eventId: 0 }, dueUs),
    });
  }

  async #start(agenda: AgendaLoad): Promise<void> {
    const { split, directory, eventKey, clock, experiment, onWarning, onLost } = this.#options;
    this.#pending = agenda.main.length;
    const options = {
      ...{ split, directory, eventKey, clock, experiment, port: this.#server.port },
      onNote: onWarning,
      onLost: (message: string) => {
        this.#leave();
        onLost(message);
      },
      onChange: (isThere: boolean) => {
        if (isThere) this.#isAway = false;
        else this.#leave();
      },
    };
    this.#scheduler = await RunScheduler.start(options, {
      load: agenda,
      addresses: this.#addressesOf(agenda),
    });
  }

  #addressesOf({ agents }: AgendaLoad): RunAgenda["addresses"] {
    const named = agents.map(({ name }) => [name, this.#bus.hostOf(name)] as const);
    return named.filter(([, address]) => address !== "*");
  }

  #startTime(): void {
    this.#request({ object: builtIn.sequence, event: "START", args: "" }, []);
  }

  /** X3. */
  #tellBarrier(effect: ObservedEffect): void {
    if (effect.kind !== "barrier-closed" || this.#scheduler === undefined) return;
    this.#giveBarrierEnd(effect);
  }

  /** X3. */
  #giveBarrierEnd({
    scope,
    barrier,
    outcome,
  }: BarrierCondition & { readonly scope: string }): void {
    if (scope !== this.#options.experiment) return;
    this.#publisher.publish(formatBarrierEnd({ barrier, outcome }, this.#by));
  }

  get #by(): { readonly experiment: string; readonly sender: string } {
    return { experiment: this.#options.experiment, sender };
  }

  /** Nobody answers any more. */
  #leave(): void {
    this.#isAway = true;
    this.#isBetween = true;
    const message = "no scheduler is there; start it again first";
    const answer = { kind: "refused", code: "unavailable", message } as const;
    for (const [number, onAnswer] of this.#questions) {
      onAnswer({ kind: "question-answered", number, errors: [], dropped: 0, answer });
    }
    this.#questions.clear();
    const told = { error: -1, text: "there is no scheduler any more" };
    for (const { scope, request, handler } of this.#requests.values()) {
      handler.onEffects([{ kind: "event-done", scope, request, id: 0, ...told }]);
    }
    this.#requests.clear();
  }

  #hear(placed: readonly PlacedNotification[]): void {
    for (const { notification } of placed) {
      if (!this.#credentials.verify(notification)) continue;
      const told = parseTold(notification);
      if (told !== undefined) this.#hearTold(told);
      else this.#hearAnswer(notification);
    }
  }

  /** X1. */
  #hearTold({ entry, part, pending, stampUs, effects }: Told): void {
    const last = this.#told;
    if (entry < last.entry || (entry === last.entry && part <= last.part)) return;
    this.#told = { entry, part };
    this.#isSilent = false; // X5.
    this.#pending = pending;
    for (const effect of effects) {
      switch (effect.kind) {
        case "question-answered":
          this.#questions.get(effect.number)?.(effect);
          this.#questions.delete(effect.number);
          break;
        case "event-fired":
        case "event-accepted":
        case "event-cancelled":
        case "agenda-problem":
          this.#options.onObserved(effect, stampUs);
          break;
        case "agenda-idle":
          // X4.
          if (!this.#isBetween) this.#options.onEffect(effect);
          break;
        case "time-started":
          // Somebody may have started a scheduler by hand.
          this.#isAway = false;
          this.#isBetween = false;
          this.#options.onEffect(effect);
          break;
        default:
          this.#options.onEffect(effect);
      }
    }
  }

  /** What the run itself asks for: see AgendaRequests. */
  #ask(command: Command, handler: EdgeHandler): void {
    const asked = command as AgendaCommand | BarrierTold;
    switch (asked.kind) {
      case "barrier-told":
        this.#giveBarrierEnd(asked);
        return;
      case "agenda-halt":
        this.#question("halt", () => undefined);
        return;
      case "agenda-take-errors":
        this.#question("errors", ({ errors, dropped }) => {
          const { scope, request } = asked;
          const answer = { kind: "errors", errors, dropped } as const;
          handler.onEffects([{ kind: "agenda-answer", scope, request, answer }]);
        });
        return;
      case "agenda-amend":
      case "agenda-cancel":
      case "agenda-edit":
        this.#change(asked, handler);
        return;
      case "agenda-schedule": {
        const { scope, request } = asked;
        const token = firstToken + request;
        this.#requests.set(token, { scope, request, handler });
        this.#request(asked, [
          int32Attribute(attributeNames.token, token),
          textAttribute(requestAttribute, `run ${token}`),
        ]);
        if (this.#isAway) this.#leave();
        return;
      }
      default:
        assert(false, `a split run does not ask for ${asked.kind}`);
    }
  }

  #change(asked: AgendaChangeCommand, handler: EdgeHandler): void {
    const { scope, request } = asked;
    const answered = (answer: Answer): void =>
      handler.onEffects([{ kind: "agenda-answer", scope, request, answer }]);
    const made = formatChange(asked);
    if (made.kind === "refused") answered(made);
    else this.#question("change", ({ answer }) => answered(answer), made.text);
  }

  #hearAnswer(notification: Notification): void {
    const type = getText(notification, attributeNames.eventtype);
    const args = getText(notification, attributeNames.args) ?? "";
    const { error = 0, token = -1 } = parseCompletionArgs(args) ?? {};
    const question = getText(notification, requestAttribute) ?? "";
    const isRefused = type === "REFUSED" && question.startsWith("run ");
    const key = isRefused ? Number(question.slice("run ".length)) : token;
    const asked = this.#requests.get(key);
    if (asked === undefined || (!isRefused && type !== "COMPLETE")) return;
    this.#requests.delete(key);
    const { scope, request, handler } = asked;
    const done: EdgeEffect = {
      ...{ kind: "event-done", scope, request, id: 0 },
      ...(isRefused ? { error: -1, text: args } : { error, text: "" }),
    };
    handler.onEffects([done]);
  }

  #request(
    { object, event, args }: Pick<AgendaSchedule, "object" | "event" | "args">,
    extra: Notification["attributes"],
  ): void {
    const { experiment: expt, clock } = this.#options;
    const address = { expt, objname: object, eventtype: event, scheduler: 1 } as const;
    const all = [textAttribute(attributeNames.args, args), ...extra];
    const wallMs = clock.wallMs();
    const now = {
      seconds: Math.trunc(wallMs / 1_000),
      microseconds: Math.trunc(wallMs % 1_000) * 1_000,
    };
    const plain = createNotification(address, { sender, layout: "2011", extra: all });
    this.#publisher.publish(toScheduleRequest(plain, now));
  }

  #question(
    kind: QuestionKind,
    onAnswer: (answer: QuestionAnswered) => void,
    command?: string,
  ): void {
    this.#lastQuestion += 1;
    const number = this.#lastQuestion;
    if (kind !== "halt") this.#questions.set(number, onAnswer);
    const asked = { kind, number, ...(command === undefined ? {} : { command }) };
    this.#publisher.publish(formatQuestion(asked, this.#by));
    if (this.#isAway) this.#leave();
  }

  /** X2, X5. */
  async #mark(): Promise<void> {
    if (this.#scheduler === undefined || this.#isAway || this.#isSilent) return;
    let isReached = false;
    const reached = new Promise<void>((resolve) => {
      this.#question("mark", () => {
        isReached = true;
        resolve();
      });
    });
    await within(this.#options.clock, reached, answerMs);
    if (isReached) return;
    this.#isSilent = true;
    const seconds = answerMs / 1_000;
    this.#options.onWarning(
      `the scheduler has not answered for ${seconds} s; nothing more is waited for`,
    );
  }
}
