// SPDX-License-Identifier: MIT
// What naive models of barriers share: log time, lives of edges, alarms. As plain as it can be
// said: alarms are a list that is searched, lives are a list of what happened. A model says what
// its commands mean; it has no timers or tables of its own.
import type { Batch, Command, LogEntry } from "../core/command.ts";
import { type Limits, resolveLimits } from "../core/limits.ts";
import { type NaiveKeyed, NaiveKeys } from "./naive-keys.ts";
import type { NaiveSaid, Speaker } from "./naive-said.ts";

export interface NaiveRules {
  /** A command of a living edge; those the rules know nothing of are for others. */
  obey(speaker: Speaker, command: Command): void;
  /** All its parties are gone at one instant. */
  dies(speaker: Speaker): void;
  /** Of a kind whose arrivals may have keys. */
  readonly keyed?: NaiveKeyed;
}

interface Alarm {
  readonly dueUs: number;
  readonly act: () => void;
  readonly isOff: () => boolean;
}

interface Life extends Speaker {
  batches: number;
  /** Commands taken of the batch after those, which came in pieces. */
  taken: number;
  state: "attached" | "lost" | "dead";
  /** Counts losses, so that an alarm knows which one it is about. */
  losses: number;
  /** What it is to the servers of a log that several have. */
  role: "server" | "local" | undefined;
  /** The server that has it, or had it last. */
  server: string;
  leaseUs: number;
  /** Of a server: when it was heard of last. */
  heardUs: number;
}

export class NaiveLives {
  /** Those that hold, as the log says. */
  limits: Limits;
  /** What the log has been raised to. */
  version = 1;
  #areLimitsTold = false;
  readonly #rules: NaiveRules;
  /** Of the kind that the rules are of. */
  readonly #keys: NaiveKeys | undefined;
  /** The last of each edge, which may be dead; edges in the order in which they first spoke. */
  readonly #last = new Map<string, Life>();
  /** Names of all there ever were. */
  readonly #born = new Set<string>();
  #scopes: string[] = [];
  #alarms: Alarm[] = [];
  /** No alarm rings before this. */
  #quietUntilUs = Number.POSITIVE_INFINITY;
  /** The server whose entry this is. */
  #server = "";
  #said: NaiveSaid[] = [];
  #nowUs = 0;
  #stampUs: number | undefined;

  constructor(limits: Limits, rules: NaiveRules) {
    this.limits = limits;
    this.#rules = rules;
    const { keyed } = rules;
    this.#keys =
      keyed &&
      new NaiveKeys({
        keyed,
        nowUs: () => this.#nowUs,
        tell: (to, effect) => this.tell(to, effect),
        obey: (speaker, command) => this.#rules.obey(speaker, command),
      });
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** What this entry leads to. */
  apply({ stampUs, entry }: LogEntry): readonly NaiveSaid[] {
    this.#said = [];
    const step = stampUs - (this.#stampUs ?? stampUs);
    this.#nowUs += Math.max(0, Math.min(step, 2_000_000));
    this.#stampUs = stampUs;
    for (let alarm = this.#nextDue(); alarm !== undefined; alarm = this.#nextDue()) {
      const rung = alarm;
      this.#alarms = this.#alarms.filter((other) => other !== rung);
      rung.act();
    }
    this.#takeAll(entry);
    return this.#said;
  }

  tell({ edge, life }: Speaker, effect: NaiveSaid["effect"]): void {
    this.#said.push({ edge, incarnation: life, effect });
    this.#keys?.told({ edge, life }, effect);
  }

  refuse(speaker: Speaker, connection: number, code: string): void {
    this.tell(speaker, { kind: "refused", connection, code });
  }

  hasRoomFor(scope: string): boolean {
    return this.#scopes.includes(scope) || this.#scopes.length < this.limits.scopesMax;
  }

  openScope(scope: string): void {
    if (!this.#scopes.includes(scope)) this.#scopes.push(scope);
  }

  closeScope(scope: string): void {
    this.#scopes = this.#scopes.filter((name) => name !== scope);
    this.#keys?.closes(scope);
  }

  /** @param isOff whether there is nothing to ring for any more. */
  ringIn(us: number, act: () => void, isOff: () => boolean): void {
    this.#ringAt(this.#nowUs + us, act, isOff);
  }

  #ringAt(dueUs: number, act: () => void, isOff: () => boolean): void {
    this.#alarms.push({ dueUs, act, isOff });
    this.#quietUntilUs = Math.min(this.#quietUntilUs, dueUs);
  }

  /** Among what is due the earliest, and of those the one that was set first. */
  #nextDue(): Alarm | undefined {
    if (this.#quietUntilUs > this.#nowUs) return undefined;
    this.#alarms = this.#alarms.filter(({ isOff }) => !isOff());
    const earliestUs = Math.min(...this.#alarms.map(({ dueUs }) => dueUs));
    this.#quietUntilUs = earliestUs;
    if (earliestUs > this.#nowUs) return undefined;
    return this.#alarms.find(({ dueUs }) => dueUs === earliestUs);
  }

  /** Of an entry of a server whose life is over only what the server says of itself counts. */
  #takeAll({ server, batches }: LogEntry["entry"]): void {
    this.#server = server?.edge ?? "";
    const serving = (): Life | undefined => {
      const life = server && this.#living(server.edge);
      return life?.role === "server" && life.life === server?.incarnation ? life : undefined;
    };
    for (const batch of batches) {
      if (server === undefined || batch.edge === server.edge || serving()) this.#take(batch);
    }
    const alive = serving();
    if (alive) alive.heardUs = this.#nowUs;
  }

  #living(edge: string): Life | undefined {
    const life = this.#last.get(edge);
    return life?.state === "dead" ? undefined : life;
  }

  #take({ edge, incarnation, number, from = 0, more, commands }: Batch): void {
    if (!this.#last.has(edge)) this.#create(edge, 0).state = "dead";
    let life = this.#living(edge);
    if (life?.life === incarnation) {
      if (number !== life.batches + 1 || from > life.taken) return;
    } else {
      const isFirst = number === 1 && from === 0 && commands[0]?.kind === "attach";
      if (!isFirst || this.#born.has(`${edge} ${incarnation}`)) return;
      if (life !== undefined) this.#die(life);
      life = this.#create(edge, incarnation);
    }
    const counted = life.taken - from;
    const news = counted > 0 ? commands.slice(counted) : commands;
    if (more === true) life.taken = Math.max(life.taken, from + commands.length);
    else [life.batches, life.taken] = [number, 0];
    for (const command of news) if (this.#living(edge) === life) this.#obey(life, command);
  }

  #create(edge: string, incarnation: number): Life {
    const life: Life = {
      ...{ edge, life: incarnation, batches: 0, taken: 0, state: "attached", losses: 0 },
      ...{ role: undefined, server: "", leaseUs: this.limits.edgeLeaseUs, heardUs: 0 },
    };
    this.#last.set(edge, life);
    this.#born.add(`${edge} ${incarnation}`);
    return life;
  }

  #obey(life: Life, command: Command): void {
    if (command.kind === "attach") {
      const { leaseUs = this.limits.edgeLeaseUs, as } = command;
      [life.role, life.leaseUs] = [as, Math.min(leaseUs, this.limits.edgeLeaseUsMax)];
      this.#attach(life);
    } else if (command.kind === "end-edge") this.#die(life);
    else if (command.kind === "version") this.#raise(command);
    else if (command.kind === "limits") this.limits = { ...this.limits, ...command.limits };
    else if (command.kind === "attached") {
      const back = this.#living(command.edge);
      const isIt = back?.life === command.incarnation && back.server === this.#server;
      if (isIt && back.state === "lost") this.#attach(back);
    } else if (command.kind === "detach") this.#onDetach(command.edge, command.incarnation);
    else this.#obeyRules(life, command);
  }

  #obeyRules(life: Life, command: Command): void {
    const keyed = this.#keys?.keyed(command, this.version);
    if (keyed !== undefined) this.#keys?.ask(life, keyed);
    else this.#rules.obey(life, command);
    if (command.kind === "leave") this.#keys?.leaves(life, command.connection);
  }

  /** All servers are of this build. */
  #raise({ version, limits }: Extract<Command, { kind: "version" }>): void {
    this.version = Math.max(this.version, version);
    if (version < 5 || this.#areLimitsTold) return;
    this.#areLimitsTold = true;
    this.limits = { ...resolveLimits(), ...limits };
  }

  #attach(life: Life): void {
    life.state = "attached";
    life.server = this.#server;
    life.losses += 1;
    if (life.role !== "server") return;
    life.heardUs = this.#nowUs;
    this.#awaitServer(life, life.losses);
  }

  /** A server has ended when nobody has heard of it for its lease. */
  #awaitServer(life: Life, losses: number): void {
    const isOff = (): boolean => life.state === "dead" || life.losses !== losses;
    const act = (): void => {
      if (life.heardUs + life.leaseUs > this.#nowUs) this.#awaitServer(life, losses);
      else this.#die(life);
    };
    this.#ringAt(life.heardUs + life.leaseUs, act, isOff);
  }

  #onDetach(edge: string, incarnation: number): void {
    const life = this.#living(edge);
    if (life?.life !== incarnation || life.state === "lost") return;
    if (life.role === "server" || life.server !== this.#server) return;
    this.#lose(life);
  }

  #lose(life: Life): void {
    life.state = "lost";
    life.losses += 1;
    const { losses } = life;
    const isOff = (): boolean => life.state !== "lost" || life.losses !== losses;
    this.ringIn(life.leaseUs, () => this.#die(life), isOff);
  }

  #die(life: Life): void {
    this.#rules.dies(life);
    this.#keys?.dies(life);
    if (life.role === "server") this.#bereave(life.edge);
    this.tell(life, { kind: "revoked" });
    life.state = "dead";
  }

  /** What was in the process of a server ends with it; what has come to it may go elsewhere. */
  #bereave(server: string): void {
    for (const life of [...this.#last.values()]) {
      if (life.server !== server || life.role === "server" || life.state === "dead") continue;
      if (life.role === "local") this.#die(life);
      else if (life.state === "attached") this.#lose(life);
    }
  }
}
