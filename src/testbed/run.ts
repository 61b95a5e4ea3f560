// SPDX-License-Identifier: MIT
// One run of an experiment on this machine: core, nodes, sync server, programs, and the end of it.
// Orders the parts and says what happens as run events; everything it knows about barriers and
// planned events comes from the core as effects.
//
//   R1. Whatever happens, the nodes are taken down and `run-ended` is said last, once.
//   R2. Barriers are ended before programs are stopped, so that a report names who really waited.
import { join } from "node:path";
import type { AgendaLoad } from "../core/agenda/commands.ts";
import { clearedError } from "../core/command.ts";
import type { ScopeDescription } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";
import { errorText } from "../core/text.ts";
import { MemoryLog } from "../engine/memory-log.ts";
import type { Cancel } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { newSecret } from "../host/ids.ts";
import { LinkListener } from "../host/link-listener.ts";
import { planAgenda } from "./agenda-plan.ts";
import { AgendaRequests } from "./agenda-requests.ts";
import { ConsoleAgent } from "./agents/console-agent.ts";
import type { FireClock } from "./agents/firing/fire-clock.ts";
import { ThreadFireClock } from "./agents/firing/thread-fire-clock.ts";
import type { Preloader } from "./agents/preloader.ts";
import { ProgramAgent } from "./agents/program-agent.ts";
import type { TrafficAgent } from "./agents/trafgen/traffic-agent.ts";
import { BarrierWatch } from "./barrier-watch.ts";
import { mailCrashOfRun } from "./crash-mail.ts";
import { testBeforeTime } from "./linktest/test-before-time.ts";
import { LocalAgents } from "./local-agents.ts";
import { describeNeverStarted, startsPrograms } from "./never-started.ts";
import type { NodeBoot } from "./node-boot.ts";
import type { NodeBackend } from "./nodes/index.ts";
import { openRunEvents } from "./open-run-events.ts";
import { openSyncServers } from "./open-sync-servers.ts";
import type { EventRecording } from "./record/event-recording.ts";
import { recordRunEvents } from "./record/record-run-events.ts";
import { RunAgenda } from "./run-agenda.ts";
import { RunConditions } from "./run-conditions.ts";
import { type Ending, interrupted } from "./run-ending.ts";
import type { RunEventBody } from "./run-event.ts";
import type { EventsOfRun } from "./run-events.ts";
import { openRunGnunet, type RunGnunet } from "./run-gnunet.ts";
import { removeRunJournal, runJournal } from "./run-journal.ts";
import { RunLinkAgents } from "./run-link-agents.ts";
import { RunModification } from "./run-modification.ts";
import { bootRunNodes, linkAddress, startRunNodes } from "./run-nodes.ts";
import type { RunOptions } from "./run-options.ts";
import { type RunAgents, RunOrders } from "./run-orders.ts";
import { describeStart } from "./run-started.ts";
import { RunTeller } from "./run-teller.ts";
import { createRunTraffic } from "./run-traffic.ts";
import { withStarts } from "./start-conditions.ts";
import { watchForStuck } from "./stuck-watch.ts";
import { SwapoutEvents } from "./swapout-events.ts";
import type { SyncServers } from "./sync-servers.ts";
import { openRunTestground, type RunTestground } from "./testground/run-testground.ts";
import { TimeBase } from "./time-base.ts";

/** Time 0 lies this far ahead, so that what is due then has been sent out before. */
const startAheadUs = 100_000;

/** Runs the experiment to its end. Never rejects for what the experiment does. */
export async function runExperiment(options: RunOptions): Promise<void> {
  await new Run(options).run();
}

class Run {
  readonly #options: RunOptions;
  readonly #scope: string;
  readonly #host: Host;
  readonly #time = new TimeBase();
  readonly #fire: FireClock;
  readonly #eventKey = newSecret();
  readonly #barriers: BarrierWatch;
  readonly #teller: RunTeller;
  #backend: NodeBackend | undefined;
  #syncServers: SyncServers | undefined;
  #boot: NodeBoot | undefined;
  #programs: ProgramAgent | undefined;
  #testground: RunTestground | undefined;
  #traffic: TrafficAgent | undefined;
  #agents: RunAgents | undefined;
  readonly #orders: RunOrders;
  #isServed = false;
  #links: RunLinkAgents | undefined;
  #local: LocalAgents | undefined;
  #listener: LinkListener | undefined;
  #events: EventsOfRun | undefined;
  #gnunet: RunGnunet | undefined;
  /** Timers of the run; none may outlive it. */
  readonly #timers: Cancel[] = [];
  readonly #agenda: RunAgenda;
  readonly #modification: RunModification;
  #recording: EventRecording | undefined;
  readonly #requests: AgendaRequests;
  readonly #conditions: RunConditions;
  #swapout: SwapoutEvents | undefined;
  /** What is to happen at time 0. */
  #onTimeStarted: (zeroUs: number) => void = () => undefined;
  /** That the scheduler is gone is being told. */
  #mailing: Promise<void> = Promise.resolve();
  #ending: Ending | undefined;
  /** As where a result cannot be written. */
  #outputError: Ending["error"] = null;
  #end: (ending: Ending) => void = () => undefined;
  readonly #ended: Promise<Ending>;

  constructor(options: RunOptions) {
    const { clock, limits, logger } = options;
    const experiment = withStarts(options.experiment);
    this.#options = { ...options, experiment };
    this.#teller = new RunTeller(options, this.#time);
    this.#fire = new ThreadFireClock(clock);
    this.#scope = `${experiment.pid}/${experiment.eid}`;
    this.#agenda = new RunAgenda(experiment);
    this.#orders = new RunOrders(clock, this.#agenda);
    const log = new MemoryLog({ nowUs: clock.nowUs, retain: false });
    this.#host = new Host({ log, clock, limits, logger, steadyTicks: true });
    this.#requests = new AgendaRequests((edge, handler) =>
      (this.#events ?? this.#host).connectEdge(edge, handler),
    );
    this.#conditions = new RunConditions({
      ...{ experiment, scope: this.#scope, host: this.#host, requests: this.#requests },
      run: options,
      onFailure: (error) => this.#end({ endedBy: "failure", error }),
      onTold: () => this.#endIfIdle(),
    });
    this.#modification = new RunModification({
      ...{ run: this.#options, scope: this.#scope, orders: this.#orders },
      ...{ agenda: this.#agenda, requests: this.#requests },
      isEnding: () => this.#ending !== undefined,
      say: (body, monotonicUs) => this.#say(body, monotonicUs),
      onTimer: (cancel) => this.#timers.push(cancel),
      onModified: () => this.#endIfIdle(),
    });
    this.#barriers = new BarrierWatch({
      ...{ host: this.#host, scope: this.#scope, clock, time: this.#time },
      declared: experiment.barriers ?? [],
      nodeOf: (program) => this.#programs?.nodeOf(program),
      say: (body, monotonicUs) => this.#say(body, monotonicUs),
    });
    this.#ended = new Promise((resolve) => {
      this.#end = (ending) => {
        this.#ending ??= ending;
        resolve(ending);
      };
    });
    // Its probes wait for nothing else that the end of a run takes time for.
    void this.#ended.then(() => this.#local?.linktest.kill());
  }

  async run(): Promise<void> {
    const { interrupt } = this.#options;
    const onInterrupt = (): void => this.#end(interrupted);
    if (interrupt.aborted) onInterrupt();
    interrupt.addEventListener("abort", onInterrupt);
    try {
      await this.#swapIn();
      const agenda = planAgenda(this.#scope, this.#options.experiment);
      const preloader = this.#orders.preloader(agenda);
      // An agenda counts from here: what it starts must not find it missing.
      this.#agenda.open();
      if (this.#ending === undefined) await this.#testLinks(agenda);
      if (this.#ending === undefined) await this.#links?.prepare();
      if (this.#ending === undefined) await preloader.loadFirst();
      if (this.#ending === undefined) await this.#start(agenda, preloader);
      await this.#ended;
      await this.#fireSwapoutEvents();
    } catch (error) {
      this.#fail("SWAP_IN", errorText(error));
    } finally {
      interrupt.removeEventListener("abort", onInterrupt);
      await this.#swapOut();
    }
  }

  /** Core, nodes, sync server: everything before time 0. */
  async #swapIn(): Promise<void> {
    const { experiment, clock, runId, logger } = this.#options;
    await this.#host.start();
    this.#barriers.start();
    this.#listener = new LinkListener({ host: this.#host, admitted: [], logger });
    await this.#listener.listen(linkAddress(runId));
    const doors = await this.#conditions.openDoor(() => this.#links?.health);
    const backend = await startRunNodes(this.#options, doors, {
      say: (body) => this.#say(body),
      onOutputLost: (message) => {
        this.#outputError ??= { code: "OUTPUT", message };
      },
    });
    this.#backend = backend;
    void backend.failed?.then((why) => this.#loseNodes(why));
    this.#sayStarted(backend);
    this.#links = await this.#openLinks(backend);
    await this.#links.foresee(experiment);
    this.#testground = await this.#openTestground(backend);
    const programs = this.#makePrograms(backend, this.#testground);
    this.#programs = programs;
    this.#traffic = createRunTraffic(experiment, backend, clock);
    const logs = join(this.#options.out, "proj/logs");
    const consoles = new ConsoleAgent({ backend, clock, logs });
    this.#local = this.#makeLocalAgents(backend, programs);
    this.#recording = this.#recordEvents();
    const [traffic, links, local] = [this.#traffic, this.#links, this.#local];
    this.#agents = { programs, consoles, traffic, links, local };
    this.#orders.begin(experiment, this.#agents);
    this.#events = await this.#openEvents(backend);
    this.#gnunet = openRunGnunet(this.#options, this.#scope, this.#host);
    await this.#gnunet.serve(backend.nodes.values(), backend.doors);
    this.#boot = await bootRunNodes(this.#options, backend, {
      eventKey: this.#eventKey,
      say: (body) => {
        const isKept = body.type === "node-up" && this.#modification.keepsUp(body.node);
        if (!isKept) this.#say(body);
      },
      startSyncServer: (registered) =>
        this.#startSyncServer(backend.servers ?? backend, registered),
    });
    for (const text of (await this.#traffic?.startTime()) ?? []) {
      this.#teller.warn(text);
    }
  }

  #makePrograms(backend: NodeBackend, { programs }: RunTestground): ProgramAgent {
    return new ProgramAgent({
      ...{ backend, programs, clock: this.#options.clock, fire: this.#fire },
      journal: runJournal(this.#options),
      onWarning: (node, text) => this.#teller.warn(text, node),
      onStarted: (event, monotonicUs) => this.#say(event, monotonicUs),
      onEnded: (event, monotonicUs) => {
        const startedUs = event.startedUs;
        this.#say({ ...event, startedUs: this.#time.fromMonotonic(startedUs) }, monotonicUs);
        // What is stopped for a modification, or by the end, decides nothing.
        if (!this.#modification.isUnderWay) this.#conditions.programEnded(event);
        this.#swapout?.onProgramEnded();
        if (event.signal !== null) this.#loseNodes(this.#backend?.lostNodes?.());
        this.#endIfIdle();
      },
    });
  }

  #openTestground(backend: NodeBackend): Promise<RunTestground> {
    return openRunTestground({
      ...{ run: this.#options, host: this.#host, backend, scope: this.#scope },
      say: (event) => this.#say(event),
      onWarning: (text, node) => this.#teller.warn(text, node),
      onLost: (message) => this.#fail("SYNC_SERVER_ENDED", message),
    });
  }

  #openLinks(backend: NodeBackend): Promise<RunLinkAgents> {
    const { clock, out, experiment } = this.#options;
    const hasLinks = experiment.links.length > 0;
    return RunLinkAgents.open({
      ...{ backend, clock, out, scope: this.#scope, hasLinks, links: experiment.links },
      onFailed: (why) => this.#fail("LINKS_FAILED", why),
      onWarning: (text) => this.#teller.warn(text),
    });
  }

  #openEvents(backend: NodeBackend): Promise<EventsOfRun> {
    const { clock, logger, out, split, onEventControl: onControl } = this.#options;
    return openRunEvents({
      ...{ backend, clock, logger, experiment: this.#scope, host: this.#host, fire: this.#fire },
      ...{ out, split, onControl, eventKey: this.#eventKey },
      nodeOf: (object) => this.#programs?.nodeOf(object),
      perform: (order) => this.#orders.perform(order),
      arm: (order, dueUs) => this.#orders.arm(order, dueUs),
      onEffect: (effect) => this.#onEffect(effect),
      onObserved: (effect, stampUs) => {
        this.#barriers.observe(effect, stampUs);
        if (effect.kind === "event-accepted") this.#recording?.record(effect, stampUs);
      },
      onWarning: (text) => this.#teller.warn(text),
      onLogged: (entry) => this.#say({ type: "log", log: "scheduler", entry }, entry.stampUs),
      onLost: (message) => {
        this.#mailing = this.#mailCrash(message);
        this.#fail("SCHEDULER_ENDED", message);
      },
    });
  }

  async #mailCrash(message: string): Promise<void> {
    const problem = await mailCrashOfRun(this.#options, this.#scope, message);
    if (problem !== undefined) this.#teller.warn(`nobody was told by mail: ${problem}`);
  }

  #testLinks(agenda: AgendaLoad): Promise<void> {
    return testBeforeTime({
      ...{ run: this.#options, linktest: this.#local?.linktest, ended: this.#ended },
      serve: () => this.#serve(agenda),
      onWarning: (text) => this.#teller.warn(text),
    });
  }

  /** The agenda is known to the scheduler, and obeyed; its time has not begun. */
  async #serve(agenda: AgendaLoad): Promise<void> {
    if (this.#isServed) return;
    this.#isServed = true;
    await this.#events?.serve(agenda);
    const nodes = this.#options.experiment.nodes.map(({ name }) => name);
    this.#events?.submit({ kind: "open-scope", scope: this.#scope, nodes });
    this.#conditions.open();
    this.#events?.load(agenda);
  }

  #makeLocalAgents(backend: NodeBackend, programs: ProgramAgent): LocalAgents {
    return new LocalAgents({
      ...{ run: this.#options, backend, programs, traffic: this.#traffic, time: this.#time },
      takeErrors: async (scope) => {
        const taken = await this.#requests.takeErrors(scope);
        return { ...taken, errors: this.#orders.name(taken.errors) };
      },
      boot: () => this.#boot,
      told: () => this.#modification.told,
      isEnding: () => this.#ending !== undefined,
      onTerminate: () => this.#end({ endedBy: "terminate", error: null }),
      say: (body) => this.#say(body),
      announce: (what) => this.#events?.announce(what),
    });
  }

  /** Events that are asked for while the run goes on. */
  #recordEvents(): EventRecording {
    const { clock, out } = this.#options;
    return recordRunEvents({
      ...{ host: this.#host, clock, out, time: this.#time },
      told: () => this.#modification.told.experiment,
      onWarning: (text) => this.#teller.warn(text),
    });
  }

  async #startSyncServer(backend: NodeBackend, registered: Promise<void>): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined || this.#ending !== undefined) return;
    this.#syncServers = await openSyncServers({
      ...{ run: this.#options, scope: this.#scope, host: this.#host },
      ...{ listener, backend, registered },
      onUnexpectedEnd: (message) => this.#fail("SYNC_SERVER_ENDED", message),
    });
  }

  /** Time 0. */
  async #start(agenda: AgendaLoad, preloader: Preloader): Promise<void> {
    const { durationSeconds, clock } = this.#options;
    const events = this.#events;
    if (events === undefined) return;
    await this.#serve(agenda);
    this.#onTimeStarted = (zeroUs) => {
      preloader.start(zeroUs);
      this.#timers.push(() => preloader.stop());
      if (durationSeconds > 0) {
        const end = (): void => this.#end({ endedBy: "duration", error: null });
        // It is told of time 0 a little before it.
        const aheadMs = Math.ceil((zeroUs - clock.nowUs()) / 1000);
        this.#timers.push(clock.after(durationSeconds * 1000 + aheadMs, end));
      }
      this.#watchForStuck();
      this.#offerControl(events);
    };
    events.submit({ kind: "agenda-start", scope: this.#scope, inUs: startAheadUs });
  }

  #offerControl(events: EventsOfRun): void {
    const [backend, boot, agents] = [this.#backend, this.#boot, this.#agents];
    if (backend === undefined || boot === undefined || agents === undefined) return;
    const syncServers = (): SyncServers | undefined => this.#syncServers;
    this.#modification.offer({
      ...{ backend, boot, agents, events, syncServers, gnunet: this.#gnunet },
    });
  }

  /** Orders and answers are the scheduler's; this is what the run itself must know. */
  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "refused":
        if (effect.connection !== 0) return;
        this.#fail("LIMIT", effect.message);
        return;
      case "time-started":
        // What is replayed may have been over.
        this.#agenda.setBusy();
        if (effect.scope !== this.#scope) return;
        this.#conditions.timeStarted();
        this.#startTime(effect.zeroStampUs);
        return;
      case "fire":
        this.#agenda.setBusy();
        return;
      case "agenda-answer":
        this.#agenda.answered(effect.answer);
        return;
      case "agenda-idle":
        this.#agenda.setIdle();
        this.#endIfIdle();
        return;
      case "error-report": {
        const text = `${effect.object} failed with error ${effect.error}`;
        this.#teller.warn(text);
        const errors = this.#orders.name(effect.errors);
        this.#local?.simulator.reportError({ ...effect, errors });
        return;
      }
      default:
        return;
    }
  }

  /** The record counts from the first epoch; a replay moves the events, not the record. */
  #startTime(zeroUs: number): void {
    if (this.#time.isSet) return;
    this.#time.setZero(zeroUs);
    this.#links?.startTime();
    this.#teller.sayHeld();
    this.#local?.simulator.log("Time started");
    this.#onTimeStarted(zeroUs);
  }

  async #fireSwapoutEvents(): Promise<void> {
    if (!this.#time.isSet) return;
    this.#swapout = new SwapoutEvents({
      ...{ clock: this.#options.clock, scope: this.#scope, requests: this.#requests },
      isHeard: async () => (await this.#events?.isHeard()) ?? false,
      drain: async () => this.#events?.drain(),
      active: () => this.#programs?.active().map(({ name }) => name) ?? [],
      log: (text) => this.#local?.simulator.log(text),
    });
    await this.#swapout.run();
  }

  #endIfIdle(): void {
    if (!this.#agenda.isIdle || this.#programs === undefined) return;
    // What is stopped for a modification is no end of anything.
    if (this.#modification.isUnderWay) return;
    if (this.#programs.active().length > 0 || this.#conditions.isTelling) return;
    // What a barrier has set going may be long before its time.
    if ((this.#events?.pendingEvents(this.#scope) ?? 0) > 0) return;
    // There is nothing whose end would be its end: somebody uses it by hand, until it is taken
    // down.
    if (this.#options.staysUp && !startsPrograms(this.#modification.told.experiment)) return;
    this.#end({ endedBy: "idle", error: null });
  }

  #watchForStuck(): void {
    const { stuckSeconds, clock } = this.#options;
    const programs = this.#programs;
    if (programs === undefined) return;
    const stop = watchForStuck({
      ...{ clock, stuckSeconds, programs },
      describe: () => this.#describe(),
      isEnding: () => this.#ending !== undefined,
      onStuck: (message) => this.#fail("BARRIER_STUCK", message),
    });
    this.#timers.push(stop);
  }

  /** The barriers of the run, and what is planned. */
  #describe(): ScopeDescription {
    const planned = this.#events?.pendingEvents(this.#scope) ?? 0;
    // A modification is something that may yet let somebody come.
    const pending = planned + (this.#modification.isUnderWay ? 1 : 0);
    return this.#conditions.describe(this.#host.describe(this.#scope), pending);
  }

  /** R1, R2. */
  async #swapOut(): Promise<void> {
    const { clock } = this.#options;
    const ending = this.#ending ?? interrupted;
    await this.#modification.settle();
    for (const cancel of this.#timers) cancel();
    if (!this.#time.isSet) this.#time.setZero(clock.nowUs());
    if (this.#backend === undefined) this.#sayStarted(undefined);
    this.#teller.sayHeld();
    this.#events?.stop();
    await this.#events?.settle();
    await this.#local?.settle();
    await this.#requests.close();
    this.#programs?.beginEnd();
    this.#events?.submit({ kind: "close-scope", scope: this.#scope, error: clearedError });
    await this.#conditions.close();
    await this.#events?.closeScheduler();
    await this.#recording?.stop();
    await this.#programs?.stopAll();
    await removeRunJournal(this.#options);
    for (const counts of (await this.#traffic?.finish()) ?? []) {
      this.#say({ type: "traffic-ended", ...counts });
    }
    await this.#traffic?.close();
    await this.#events?.close();
    await this.#mailing;
    this.#fire.close();
    await this.#testground?.close();
    this.#syncServers?.stop();
    await this.#gnunet?.close();
    this.#boot?.stop();
    await this.#links?.close();
    await this.#backend?.stop();
    this.#listener?.close();
    this.#barriers.stop();
    await this.#host.close();
    this.#say({ type: "run-ended", ...ending, error: ending.error ?? this.#outputError });
  }

  /** @param backend undefined when there are no nodes, because they could not be set up. */
  #sayStarted(backend: NodeBackend | undefined): void {
    const { experiment, file } = this.#options;
    this.#say(describeStart(this.#options, backend, this.#time.zeroMonotonicUs));
    const text = describeNeverStarted(experiment, file);
    if (text !== undefined) this.#teller.warn(text);
  }

  /** @param why undefined: none is lost */
  #loseNodes(why: string | undefined): void {
    if (why === undefined) return;
    const code = this.#options.machines === undefined ? "NODES_LOST" : "HOST_LOST";
    this.#end({ endedBy: "failure", error: { code, message: why } });
  }

  /** What nodes take with them, such as the sync server, is heard of before them or after. */
  #fail(code: string, message: string): void {
    this.#loseNodes(this.#backend?.lostNodes?.());
    this.#end({ endedBy: "failure", error: { code, message } });
  }

  #say(body: RunEventBody, monotonicUs?: number): void {
    this.#teller.say(body, monotonicUs);
  }
}
