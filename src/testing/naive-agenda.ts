// SPDX-License-Identifier: MIT
// The rules of the agenda once more, as plainly as they can be said: lists of things that are to
// happen, looked through from the start for whatever comes next. Slow on purpose: no heap, no
// tables that could disagree, no state that is not a list. Written from the description of the
// event scheduler and the decision on dispatch; the core is compared with it. [EMULAB-EVENTS
// 2.6-2.9] Knows one scope, no deadlines, no limits, no agents that are down, no edges that come
// and go and no plan that changes.
import type {
  AgendaEvent,
  AgendaLoad,
  AgendaOrder,
  BarrierCondition,
  EventInstant,
  TimedEvent,
} from "../core/agenda/commands.ts";
import type { Completion, NaiveRun, Next, Thing, ThingFacts, Wish } from "./naive-agenda-state.ts";
import {
  aheadUs,
  firstOf,
  inOrder,
  instantOf,
  isInstant,
  isWaitedFor,
  makeThing,
  NaiveNumbers,
  type NaiveRequest,
  togetherUs,
  typeIn,
  understands,
  worst,
} from "./naive-agenda-state.ts";

export class NaiveAgenda {
  #plan: AgendaLoad | undefined;
  readonly #timelines = new Map<string, TimedEvent[]>();
  readonly #sequences = new Map<string, TimedEvent[]>();
  #things: Thing[] = [];
  #runs: NaiveRun[] = [];
  #completions: Completion[] = [];
  #ends: { readonly key: string; readonly atUs: number }[] = [];
  #said: string[] = [];
  #nowUs = 0;
  #shiftUs = 0;
  #pausedUs: number | null = null;
  #zeroUs: number | null = null;
  #isStarted = false;
  #isIdleSaid = false;
  readonly #startsMax: number;
  #starts = 0;
  readonly #numbers = new NaiveNumbers();
  #counts = { turn: 0, run: 0, token: 0, epoch: 0 };

  constructor(startsMax: number) {
    this.#startsMax = startsMax;
  }

  /** @returns what is said, in order. */
  pass(us: number): readonly string[] {
    this.#nowUs += us;
    return this.#work();
  }

  do(command: AgendaLoad | AgendaOrder | NaiveRequest): readonly string[] {
    if (command.kind === "agenda-load") this.#load(command);
    else if (this.#plan === undefined) {
      if ("request" in command) this.#answer(command.request, "refused");
    } else this.#obey(command);
    return this.#work();
  }

  barrierEnds(on: BarrierCondition): readonly string[] {
    if (this.#plan === undefined) return [];
    this.#ends.push({ key: `${on.outcome} ${on.barrier}`, atUs: this.#eventUs() });
    for (const thing of this.#things.filter((one) => one.where === "barrier")) {
      if (thing.on?.barrier !== on.barrier || thing.on.outcome !== on.outcome) continue;
      thing.dueUs += this.#eventUs();
      thing.on = null;
      thing.where = "queue";
      this.#isIdleSaid = false;
      this.#knowEnd(thing.run, true);
    }
    return this.#work();
  }

  #eventUs(): number {
    return this.#pausedUs ?? this.#nowUs - this.#shiftUs;
  }

  #say(text: string): void {
    this.#said.push(text);
  }

  #answer(request: number, kind: string): void {
    this.#say(`answer ${request} ${kind}`);
  }

  #load(plan: AgendaLoad): void {
    if (this.#plan !== undefined) this.#forget();
    for (const [id, asker] of this.#numbers.appenders) this.#say(`done ${asker} ${id} -1`);
    this.#numbers.appenders.clear();
    this.#pausedUs = this.#plan === undefined ? this.#pausedUs : null;
    this.#plan = plan;
    this.#timelines.clear();
    this.#sequences.clear();
    this.#timelines.set("__ns_timeline", inOrder(plan.main));
    for (const { name, events } of plan.timelines) this.#timelines.set(name, inOrder(events));
    for (const { name, steps } of plan.sequences) this.#sequences.set(name, [...steps]);
    this.#numbers.unused.clear();
    this.#numbers.reserve([...this.#timelines.values(), ...this.#sequences.values()]);
  }

  #obey(command: AgendaOrder | NaiveRequest): void {
    switch (command.kind) {
      case "agenda-start":
        if (!this.#isStarted) this.#start(command.inUs ?? 0);
        return;
      case "agenda-replay":
        for (const thing of this.#things) {
          if (thing.where === "out" && !thing.fired && thing.wish === null) {
            this.#say(`revoke ${thing.token}`);
          }
        }
        this.#forget();
        this.#numbers.reserve([...this.#timelines.values(), ...this.#sequences.values()]);
        this.#pausedUs = null;
        this.#start(command.inUs ?? 0);
        return;
      case "agenda-halt":
        for (const run of [...this.#runs]) this.#dropRun(run);
        for (const thing of [...this.#things]) this.#wish(thing, { cancel: true });
        return;
      case "agenda-fired":
        this.#fired(command.token, command.outcome);
        return;
      case "agenda-complete": {
        const { token, member = null, unknown, error } = command;
        this.#completed(token, member, unknown ? -1 : error);
        return;
      }
      case "agenda-revoked": {
        const thing = this.#byToken(command.token);
        if (thing) this.#revoked(thing, command.fired);
        return;
      }
      case "agenda-agents":
        return;
      default:
        this.#request(command);
    }
  }

  #request(command: NaiveRequest): void {
    const { request } = command;
    switch (command.kind) {
      case "agenda-pause":
        if (this.#pausedUs === null) {
          this.#pausedUs = this.#eventUs();
          for (const thing of [...this.#things]) {
            const isAhead = thing.where === "out" && thing.dueUs > this.#eventUs();
            if (isAhead && !thing.fired && thing.wish === null)
              this.#wish(thing, { cancel: false });
          }
        }
        this.#answer(request, "paused");
        return;
      case "agenda-resume":
        if (this.#pausedUs !== null) this.#shiftUs = this.#nowUs - this.#pausedUs;
        this.#pausedUs = null;
        this.#answer(request, "resumed");
        return;
      case "agenda-take-errors":
        this.#answer(request, "errors");
        return;
      case "agenda-schedule":
        this.#schedule(command);
        return;
      case "agenda-cancel":
      case "agenda-edit": {
        const thing = this.#things.find(({ id }) => id === command.id);
        if (thing === undefined) {
          const hasFired = this.#numbers.hasFired(command.id);
          this.#answer(request, hasFired ? "already-fired" : "refused");
          return;
        }
        if (command.kind === "agenda-cancel") {
          this.#wish(thing, { cancel: true, asker: [request, "cancelled"] });
          return;
        }
        if (command.at !== undefined && !isInstant(this.#zeroUs, command.at)) {
          this.#answer(request, "refused");
          return;
        }
        const dueUs = command.at === undefined ? undefined : this.#instant(command.at);
        const args = command.args;
        const event = args === undefined ? undefined : { ...thing.event, args };
        this.#wish(thing, { cancel: false, dueUs, event, asker: [request, "edited"] });
      }
    }
  }

  #schedule(command: NaiveRequest & { readonly kind: "agenda-schedule" }): void {
    const { request, object, event, args, at, on, timeline } = command;
    const type = this.#typeOf(object);
    const list =
      timeline === undefined
        ? undefined
        : (this.#timelines.get(timeline) ?? this.#sequences.get(timeline));
    const isGood =
      type !== undefined &&
      understands(type, event) &&
      (timeline === undefined ? isInstant(this.#zeroUs, at) : list !== undefined) &&
      (at.kind === "now" || at.us >= 0 || (timeline === undefined && at.kind === "at"));
    if (!isGood) {
      this.#answer(request, "refused");
      return;
    }
    const sent: AgendaEvent = { id: 0, object, type, event, args };
    if (timeline !== undefined && list !== undefined) {
      const atUs = at.kind === "now" ? 0 : at.us;
      const made = { ...sent, id: this.#numbers.next() };
      const timed = { atUs, event: made, ...(on ? { on } : {}) };
      this.#numbers.reserve([[timed]]);
      this.#numbers.appenders.set(made.id, request);
      this.#answer(request, "appended");
      if (this.#sequences.has(timeline)) list.push(timed);
      else list.splice(list.filter(({ atUs }) => atUs <= timed.atUs).length, 0, timed);
      for (const run of this.#runs) {
        if (run.name !== timeline || run.isSequence) continue;
        if (on === undefined && run.startUs + timed.atUs < this.#eventUs()) continue;
        run.end = null;
        this.#addTo(run, timed);
        this.#knowEnd(run.id, false);
      }
      return;
    }
    const dueUs = this.#instant(at);
    const thing = this.#add(sent, dueUs, { asker: request });
    this.#answer(request, "accepted");
    if (on !== undefined) this.#place(thing, { on, atUs: dueUs - this.#eventUs() }, Infinity);
    else if (at.kind === "now" && this.#pausedUs !== null) this.#happen(thing);
  }

  #instant(at: EventInstant): number {
    return instantOf(at, this.#eventUs(), this.#zeroUs);
  }

  #add(event: AgendaEvent, dueUs: number, facts: ThingFacts): Thing {
    this.#counts.turn += 1;
    const { turn } = this.#counts;
    const { id, facts: all } = this.#numbers.take(event, facts);
    const thing = makeThing({ id, event, turn, dueUs }, all);
    this.#things.push(thing);
    this.#isIdleSaid = false;
    return thing;
  }

  #place(thing: Thing, { on, atUs }: Pick<TimedEvent, "on" | "atUs">, sinceUs: number): void {
    if (on === undefined) return;
    const key = `${on.outcome} ${on.barrier}`;
    const last = this.#ends.findLast((end) => end.key === key);
    if (last !== undefined && last.atUs >= sinceUs) {
      thing.dueUs = last.atUs + atUs;
      return;
    }
    thing.dueUs = atUs;
    thing.on = on;
    thing.where = "barrier";
  }

  #byToken(token: number): Thing | undefined {
    return this.#things.find((thing) => thing.where === "out" && thing.token === token);
  }

  #typeOf(object: string): string | undefined {
    return typeIn(this.#plan, object);
  }

  #wish(thing: Thing, wish: Wish): void {
    const { cancel, dueUs = thing.dueUs, event = thing.event, asker } = wish;
    const askers = asker ? [asker] : [];
    if (thing.where === "here" || (thing.where === "out" && thing.fired)) {
      for (const [request] of askers) this.#answer(request, "already-fired");
    } else if (thing.where !== "out") {
      this.#give(thing, { cancel, dueUs, event, askers });
    } else if (thing.wish === null) {
      thing.wish = { cancel, dueUs, event, askers };
      this.#say(`revoke ${thing.token}`);
    } else if (thing.wish.cancel && !cancel) {
      for (const [request] of askers) this.#answer(request, "refused");
    } else {
      thing.wish.cancel = cancel;
      if (wish.dueUs !== undefined) thing.wish.dueUs = wish.dueUs;
      if (wish.event !== undefined) thing.wish.event = wish.event;
      thing.wish.askers.push(...askers);
    }
  }

  #revoked(thing: Thing, fired: boolean): void {
    const { wish } = thing;
    if (wish === null) return;
    thing.wish = null;
    if (fired) {
      for (const [request] of wish.askers) this.#answer(request, "already-fired");
      return;
    }
    thing.token = 0;
    thing.missing = null;
    this.#give(thing, wish);
  }

  /** The thing has not fired: what was wished becomes of it. */
  #give(thing: Thing, wish: NonNullable<Thing["wish"]>): void {
    for (const [request, answer] of wish.askers) this.#answer(request, answer);
    if (wish.cancel) {
      this.#completions.push({ thing: thing.id, member: null, error: -1, isCancel: true });
      return;
    }
    thing.event = wish.event;
    if (thing.where === "barrier" && thing.dueUs === wish.dueUs) return;
    const wasWaiting = thing.where === "barrier";
    if (thing.dueUs !== wish.dueUs) thing.turn = ++this.#counts.turn;
    thing.dueUs = wish.dueUs;
    thing.where = "queue";
    thing.on = null;
    if (wasWaiting) this.#knowEnd(thing.run, true);
    else this.#moveEnd(thing);
  }

  /** What is later than all of its timeline takes the end along. */
  #moveEnd({ run: id, dueUs }: Thing): void {
    const run = this.#runs.find((one) => one.id === id);
    if (run === undefined || run.isSequence || dueUs <= run.lastUs) return;
    run.lastUs = dueUs;
    if (run.end === null) return;
    this.#counts.turn += 1;
    run.end = { atUs: dueUs, turn: this.#counts.turn };
  }

  #fired(token: number, outcome: string): void {
    const thing = this.#byToken(token);
    if (thing === undefined || thing.fired) return;
    this.#revoked(thing, true);
    thing.fired = true;
    if (outcome !== "skipped") return;
    this.#completions.push({ thing: thing.id, member: null, error: -1, isCancel: false });
  }

  #completed(token: number, member: string | null, error: number): void {
    const thing = this.#byToken(token);
    if (thing === undefined || (member !== null && !thing.missing?.includes(member))) return;
    this.#revoked(thing, true);
    this.#completions.push({ thing: thing.id, member, error, isCancel: false });
  }

  #happen(thing: Thing): void {
    const { object, event } = thing.event;
    const group = this.#plan?.groups.find(({ name }) => name === object);
    const type = this.#typeOf(object);
    const isOwn = type === "SEQUENCE" || type === "TIMELINE";
    const finish = (error: number, member: string | null = null): void => {
      this.#completions.push({ thing: thing.id, member, error, isCancel: false });
    };
    if (type === undefined) {
      thing.where = "here";
      finish(-1);
    } else if (!isOwn) {
      this.#counts.token += 1;
      thing.token = this.#counts.token;
      thing.where = "out";
      thing.missing = group === undefined ? null : [...group.members];
      const planned = thing.dueUs - (this.#zeroUs ?? thing.dueUs);
      this.#say(`fire ${thing.token} ${object} ${event} ${thing.event.args} at ${planned}`);
    } else {
      thing.where = "here";
      thing.missing = group === undefined ? null : [...group.members];
      for (const name of group?.members ?? [object]) {
        const member = group === undefined ? null : name;
        const owner = { thing: thing.id, member };
        if (event === "START" || event === "RUN") {
          if (!this.#startRun(name, thing.dueUs, owner, 0)) finish(-1, member);
        } else if (event === "RESET") {
          this.#reset(name);
          finish(0, member);
        } else finish(-1, member);
      }
    }
    const run = this.#runs.find(({ id }) => id === thing.run);
    if (!run?.isSequence || run.current !== thing.id || thing.isAwaited) return;
    run.lastUs = thing.dueUs;
    this.#step(run);
  }

  #finish(done: Completion): void {
    const thing = this.#things.find(({ id }) => id === done.thing);
    if (thing === undefined) return;
    let error = done.error;
    if (done.member !== null) {
      const index = thing.missing?.indexOf(done.member) ?? -1;
      if (index < 0) return;
      thing.missing?.splice(index, 1);
      thing.worst = worst(thing.worst, error);
      if (thing.missing?.length !== 0) return;
    }
    error = worst(thing.worst, error);
    this.#things.splice(this.#things.indexOf(thing), 1);
    if (done.isCancel) this.#numbers.cancelled.add(thing.id);
    if (thing.where === "barrier") this.#knowEnd(thing.run, true);
    const { object } = thing.event;
    const isGroup = this.#plan?.groups.some(({ name }) => name === object) === true;
    const isUsable = isGroup && this.#typeOf(object) !== undefined;
    if (isUsable) this.#say(`ended ${object} ${error}`);
    if (thing.asker !== null) this.#say(`done ${thing.asker} ${thing.id} ${error}`);
    const run = this.#runs.find(({ id }) => id === thing.run);
    if (run?.isSequence && run.current === thing.id) {
      if (thing.isAwaited) this.#stepDone(run, error);
      else this.#step(run);
      return;
    }
    const isReported = isUsable || (this.#typeOf(object) ?? thing.event.type) === "SEQUENCE";
    if (error !== 0 && !done.isCancel && isReported) this.#say(`report ${object} ${error}`);
  }

  #start(inUs: number): void {
    this.#isStarted = true;
    this.#startRun("__ns_timeline", this.#eventUs() + inUs, { thing: 0, member: null }, 0);
  }

  #startRun(name: string, startUs: number, owner: NaiveRun["owner"], cleansUpFor: number): boolean {
    const events = this.#timelines.get(name);
    const isSequence = events === undefined;
    if (isSequence && !this.#sequences.has(name)) return false;
    if (isSequence && this.#runs.some((run) => run.name === name)) return false;
    if (this.#starts >= this.#startsMax) return false;
    this.#starts += 1;
    this.#counts.run += 1;
    const run: NaiveRun = {
      ...{ id: this.#counts.run, name, isSequence, startUs, owner, cleansUpFor },
      ...{ next: 0, lastUs: startUs, current: 0, failed: null, end: null },
    };
    this.#runs.push(run);
    if (name === "__ns_timeline" && this.#zeroUs === null) {
      this.#zeroUs = startUs;
      this.#isStarted = true;
      this.#counts.epoch += 1;
      this.#say(`time ${this.#counts.epoch}`);
    }
    if (isSequence) {
      this.#step(run);
      return true;
    }
    for (const timed of events) this.#addTo(run, timed);
    this.#knowEnd(run.id, false);
    return true;
  }

  #addTo(run: NaiveRun, timed: TimedEvent): void {
    const thing = this.#add(timed.event, run.startUs + timed.atUs, { run: run.id });
    this.#place(thing, timed, run.startUs);
    if (thing.where === "queue") run.lastUs = Math.max(run.lastUs, thing.dueUs);
  }

  /** The end of a timeline is known when none of its things waits for a barrier. */
  #knowEnd(id: number, isLater: boolean): void {
    const run = this.#runs.find((one) => one.id === id);
    if (run === undefined || run.isSequence) return;
    const things = this.#things.filter((thing) => thing.run === id);
    const dated = isLater ? things.filter(({ where }) => where === "queue") : [];
    run.lastUs = Math.max(run.lastUs, ...dated.map(({ dueUs }) => dueUs));
    if (things.some(({ where }) => where === "barrier")) return;
    this.#counts.turn += 1;
    run.end = { atUs: run.lastUs, turn: this.#counts.turn };
  }

  #step(run: NaiveRun): void {
    const timed = this.#sequences.get(run.name)?.[run.next];
    run.current = 0;
    if (timed === undefined) {
      if (run.lastUs <= this.#eventUs()) this.#endRun(run, 0);
      else {
        this.#counts.turn += 1;
        run.end = { atUs: run.lastUs, turn: this.#counts.turn };
      }
      return;
    }
    run.next += 1;
    const { object, event, type: written } = timed.event;
    const type = this.#typeOf(object) ?? written;
    const isAwaited = isWaitedFor(type, event);
    const thing = this.#add(timed.event, run.lastUs + timed.atUs, { run: run.id, isAwaited });
    run.current = thing.id;
    this.#place(thing, timed, run.startUs);
  }

  #stepDone(run: NaiveRun, error: number): void {
    run.lastUs = this.#eventUs();
    if (error === 0) {
      this.#step(run);
      return;
    }
    run.current = 0;
    run.failed = error;
    const onError = this.#plan?.sequences.find(({ name }) => name === run.name)?.onError;
    const owner = { thing: 0, member: null };
    if (onError !== undefined && this.#startRun(onError, run.lastUs, owner, run.id)) return;
    this.#endRun(run, error);
  }

  #endRun(run: NaiveRun, error: number): void {
    this.#dropRun(run, error, false);
    const failed = this.#runs.find(({ id }) => id === run.cleansUpFor);
    if (failed?.failed != null) this.#endRun(failed, failed.failed);
  }

  #dropRun(run: NaiveRun, error = -1, isCancel = true): void {
    this.#runs.splice(this.#runs.indexOf(run), 1);
    this.#say(`ended ${run.name} ${error}`);
    const { thing, member } = run.owner;
    if (thing !== 0) this.#completions.push({ thing, member, error, isCancel });
  }

  #reset(name: string): void {
    const ending = this.#runs.filter((run) => run.name === name);
    for (let run = ending.pop(); run !== undefined; run = ending.pop()) {
      const { id } = run;
      if (!this.#runs.includes(run)) continue;
      for (const thing of this.#things.filter((one) => one.run === id)) {
        if (thing.where === "here") {
          ending.push(...this.#runs.filter(({ owner }) => owner.thing === thing.id));
        }
        this.#wish(thing, { cancel: true });
      }
      ending.push(...this.#runs.filter(({ cleansUpFor }) => cleansUpFor === id));
      this.#dropRun(run);
    }
  }

  #forget(): void {
    for (const { wish, asker, id } of this.#things) {
      for (const [request] of wish?.askers ?? []) this.#answer(request, "refused");
      if (asker !== null) this.#say(`done ${asker} ${id} -1`);
    }
    this.#things = [];
    this.#numbers.cancelled.clear();
    this.#runs = [];
    this.#ends = [];
    this.#zeroUs = null;
    this.#isStarted = false;
    this.#isIdleSaid = false;
  }

  /** One after the other: completions, then whatever comes first of what is due. */
  #work(): readonly string[] {
    let hasHappened = false;
    for (;;) {
      const done = this.#completions.shift();
      if (done !== undefined) {
        this.#finish(done);
        continue;
      }
      const next = this.#pausedUs === null ? this.#next() : undefined;
      if (next === undefined) break;
      // What is sent ahead goes along with what has to go.
      const alongUs = hasHappened && next.isSentAhead ? togetherUs : 0;
      if (next.atUs > this.#eventUs() + alongUs) break;
      hasHappened = true;
      next.act();
    }
    this.#starts = 0;
    const isBusy = this.#things.some(({ where }) => where === "queue" || where === "out");
    const isQuiet = this.#isStarted && !isBusy && this.#runs.every(({ end }) => end === null);
    if (isQuiet && !this.#isIdleSaid && this.#plan !== undefined) this.#say("idle");
    if (isQuiet) this.#isIdleSaid = true;
    const said = this.#said;
    this.#said = [];
    return said;
  }

  #next(): Next | undefined {
    const nexts: Next[] = [];
    for (const thing of this.#things) {
      if (thing.where !== "queue") continue;
      const type = this.#typeOf(thing.event.object) ?? thing.event.type;
      const isOwn = type === "SEQUENCE" || type === "TIMELINE";
      const atUs = isOwn ? thing.dueUs : thing.dueUs - aheadUs;
      const act = (): void => this.#happen(thing);
      nexts.push({ atUs, turn: thing.turn, isSentAhead: !isOwn, act });
    }
    for (const run of this.#runs) {
      if (run.end === null) continue;
      const { atUs, turn } = run.end;
      const act = (): void => {
        run.end = null;
        this.#endRun(run, 0);
      };
      nexts.push({ atUs, turn, isSentAhead: false, act });
    }
    return firstOf(nexts);
  }
}
