// SPDX-License-Identifier: MIT
// The rules of rosters once more, plainly: lists of rosters, members and waits, and after each
// command the question whether a phase is complete, put to all of them.
import type { Command, Deadline, LogEntry, Participant, RosterRules } from "../core/command.ts";
import type { BarrierDescription, MemberFacts } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import type { Asker } from "./naive-keys.ts";
import { NaiveLives } from "./naive-lives.ts";
import type { NaiveSaid, Speaker } from "./naive-said.ts";

interface Member {
  readonly name: string;
  readonly group: string | undefined;
  readonly label: string;
  /** Why it is dead. */
  dead: string | undefined;
  /** Since when it has come, is expected or is dead. */
  sinceUs: number;
  lastEdge: Speaker | undefined;
}

interface Roster {
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly rules: RosterRules;
  members: Member[];
  phase: number;
  /** Since when that is on. */
  sinceUs: number;
  error: number;
  errorBefore: number;
  /** Counts what moves its deadline. */
  deadlines: number;
}

interface Wait extends Speaker {
  readonly connection: number;
  readonly at: Roster;
  readonly name: string;
  readonly who: Participant;
  readonly error: number;
  readonly atUs: number;
}

interface End extends Pick<Roster, "scope" | "name" | "generation"> {
  readonly outcome: Outcome;
  readonly error: number;
  readonly passes: boolean;
  /** For who comes too late; in logs from version 7 on. */
  readonly reason: string | undefined;
}

type Outcome = "crossed" | "failed" | "timeout" | "cancelled";
type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

export class NaiveRosters {
  readonly #lives: NaiveLives;
  #rosters: Roster[] = [];
  #waits: Wait[] = [];
  #ends: End[] = [];

  constructor(limits: Limits) {
    this.#lives = new NaiveLives(limits, {
      obey: (speaker, command) => this.#obey(speaker, command),
      dies: (speaker) => this.#dies(speaker),
      keyed: {
        kind: "roster",
        isBusy: (asker) => this.#waits.some((wait) => isIt(wait, asker, asker.connection)),
        moves: (from, to) => this.#move(from, to),
        hearsAgain: (asker, command, generation) => this.#rejoin(asker, command, generation),
      },
    });
  }

  apply(entry: LogEntry): readonly NaiveSaid[] {
    return this.#lives.apply(entry);
  }

  /** What is open, as whoever looks is told. */
  describe(scope: string): readonly BarrierDescription[] {
    const here = this.#rosters.filter((roster) => roster.scope === scope);
    return here.map((roster) => {
      const { name, generation, error, sinceUs, members, phase, rules } = roster;
      const waits = this.#at(roster);
      const hasCome = (one: Member): boolean => waits.some((wait) => wait.name === one.name);
      const [arrived, others] = [members.filter(hasCome), members.filter((one) => !hasCome(one))];
      const missing = others.filter(({ dead }) => dead === undefined).map(factsOf);
      const dead = others.filter((one) => one.dead !== undefined).map(factsOf);
      return {
        ...{ scope, kind: "roster", name, generation, error, sinceUs },
        ...{ expected: members.length, count: others.length, arrived: arrived.length },
        missing: this.#missing(roster),
        waiting: waits.map((wait) => ({ who: wait.who, error: wait.error, arrivedUs: wait.atUs })),
        roster: { phase, rules, arrived: arrived.map(factsOf), missing, dead },
      };
    });
  }

  #obey(speaker: Speaker, command: Command): void {
    switch (command.kind) {
      case "roster-open":
        this.#openRoster(speaker, command);
        break;
      case "roster-arrive":
        this.#arrive(speaker, command);
        break;
      case "roster-change":
        this.#change(speaker, command);
        break;
      case "roster-dead":
        this.#die(command);
        break;
      case "leave": {
        const wait = this.#waits.find((one) => isIt(one, speaker, command.connection));
        if (wait !== undefined) this.#forget([wait]);
        break;
      }
      case "open-scope":
        if (this.#lives.hasRoomFor(command.scope)) this.#lives.openScope(command.scope);
        else this.#lives.refuse(speaker, 0, "limit");
        break;
      case "cancel":
      case "fail":
        this.#endOne(speaker, command);
        break;
      case "cancel-all":
      case "close-scope":
        this.#endAll(command);
        break;
      default:
        break;
    }
  }

  #openRoster(speaker: Speaker, command: Of<"roster-open">): void {
    const { scope, barrier: name, connection, members, rules } = command;
    const { barriersPerScopeMax, membersPerRosterMax } = this.#lives.limits;
    const isOpen = this.#find(scope, name) !== undefined;
    const open = this.#rosters.filter((roster) => roster.scope === scope);
    const isFull = !isOpen && open.length >= barriersPerScopeMax;
    const names = members.map((member) => member.name);
    const isBad = names.length === 0 || new Set(names).size < names.length;
    const us = rules.deadline?.us ?? 0;
    const code =
      this.#objection(speaker, command, isFull) ??
      (names.length > membersPerRosterMax ? "limit" : undefined) ??
      (isBad || rules.phases < 0 || us < 0 || isOpen ? "invalid" : undefined);
    if (code !== undefined) {
      this.#lives.refuse(speaker, connection, code);
      return;
    }
    this.#lives.openScope(scope);
    const ends = this.#ends.filter((end) => end.scope === scope && end.name === name);
    const roster: Roster = {
      ...{ scope, name, generation: ends.length + 1, rules, members: [] },
      ...{ phase: 1, sinceUs: this.#lives.nowUs, error: 0, errorBefore: 0, deadlines: 0 },
    };
    for (const member of members) addMember(roster, member, this.#lives.nowUs);
    this.#rosters.push(roster);
    if (rules.deadline?.since === "opening") this.#ring(roster, rules.deadline);
    this.#lives.tell(speaker, { kind: "acknowledged", connection });
  }

  #arrive(speaker: Speaker, command: Of<"roster-arrive">): void {
    const { scope, barrier, connection, who, error, timeoutUs, phase } = command;
    const at = this.#find(scope, barrier);
    const last = this.#ends.findLast((end) => end.scope === scope && end.name === barrier);
    const isBad = error < 0 || (timeoutUs ?? 0) < 0;
    const code = this.#objection(speaker, command, false) ?? (isBad ? "invalid" : undefined);
    const late = at !== undefined && phase !== undefined && phase < at.phase;
    const member = at?.members.find((one) => one.name === who.name);
    if (code !== undefined) this.#lives.refuse(speaker, connection, code);
    else if (at === undefined) {
      if (last?.passes !== true) this.#lives.refuse(speaker, connection, "unknown");
      else
        this.#release([{ ...speaker, connection }], last, undefined, last.outcome, {
          reason: last.reason,
        });
    } else if (member === undefined || (phase ?? 0) > at.phase) {
      this.#lives.refuse(speaker, connection, "invalid");
    } else if (late && at.rules.whenLate === "pass") {
      const was = { ...at, error: phase === at.phase - 1 ? at.errorBefore : 0 };
      this.#release([{ ...speaker, connection }], was, phase, "crossed", {});
    } else if (
      (late && at.rules.whenLate === "refuse") ||
      this.#at(at).some(({ name }) => name === member.name)
    ) {
      this.#lives.refuse(speaker, connection, "invalid");
    } else this.#wait(speaker, at, member, command);
  }

  #wait(speaker: Speaker, at: Roster, member: Member, command: Of<"roster-arrive">): void {
    const { edge, life } = speaker;
    const { connection, who, error, timeoutUs } = command;
    const atUs = this.#lives.nowUs;
    [member.dead, member.sinceUs] = [undefined, atUs];
    member.lastEdge = { edge, life };
    const wait: Wait = { edge, life, connection, at, name: member.name, who, error, atUs };
    this.#waits.push(wait);
    at.error = Math.max(at.error, error);
    const isOff = (): boolean => !this.#waits.includes(wait);
    if (timeoutUs !== undefined) this.#lives.ringIn(timeoutUs, () => this.#timeOut(wait), isOff);
    const { deadline } = at.rules;
    const isFirst = this.#at(at).length === 1;
    if (deadline?.since === "last-arrival") at.deadlines += 1;
    if (deadline?.since === "last-arrival" || (deadline?.since === "first-arrival" && isFirst)) {
      this.#ring(at, deadline);
    }
    this.#look(at);
  }

  /** Its member lives by whom it waits for now. */
  #move(from: Asker, to: Asker): void {
    const wait = this.#waits.find((one) => isIt(one, from, from.connection));
    if (wait === undefined) return;
    Object.assign(wait, to);
    const member = wait.at.members.find(({ name }) => name === wait.name);
    if (member !== undefined) member.lastEdge = { edge: to.edge, life: to.life };
  }

  /** Who lives and does not wait is where it was heard of last. */
  #rejoin({ edge, life }: Speaker, command: Command, generation: number): void {
    if (command.kind !== "roster-arrive") return;
    const roster = this.#rosters.find(
      ({ scope, name }) => scope === command.scope && name === command.barrier,
    );
    const member = roster?.members.find(({ name }) => name === command.who.name);
    if (roster?.generation !== generation || member === undefined) return;
    const waits = this.#waits.some((wait) => wait.at === roster && wait.name === member.name);
    if (member.dead === undefined && !waits) member.lastEdge = { edge, life };
  }

  #timeOut(wait: Wait): void {
    const { at } = wait;
    const missing = this.#missing(at);
    this.#release([wait], at, at.phase, "timeout", { missing });
    this.#forget([wait]);
  }

  #ring(roster: Roster, { us }: Deadline): void {
    const { deadlines, phase } = roster;
    const isOff = (): boolean =>
      !this.#rosters.includes(roster) || roster.deadlines !== deadlines || roster.phase !== phase;
    this.#lives.ringIn(us, () => this.#end(roster, "timeout", { error: roster.error }), isOff);
  }

  #change(speaker: Speaker, command: Of<"roster-change">): void {
    const { scope, barrier, connection, add, remove } = command;
    const { nameBytesMax, membersPerRosterMax } = this.#lives.limits;
    const roster = this.#find(scope, barrier);
    const stay = roster?.members.filter(({ name }) => !remove.includes(name)) ?? [];
    const all = [...stay, ...add].map(({ name }) => name);
    let code = roster === undefined ? "unknown" : undefined;
    const isStranger = (name: string): boolean => !roster?.members.some((one) => one.name === name);
    if (remove.some(isStranger) || all.length === 0) code ??= "invalid";
    if (all.length > membersPerRosterMax) code ??= "limit";
    if (add.some(({ name }) => bytes(name) > nameBytesMax)) code ??= "limit";
    if (new Set(all).size < all.length) code ??= "invalid";
    if (code !== undefined || roster === undefined) {
      this.#lives.refuse(speaker, connection, code ?? "");
      return;
    }
    this.#lives.tell(speaker, { kind: "acknowledged", connection });
    for (const name of remove) {
      this.#drop(roster, name, `${name} is not expected any more`);
      roster.members = roster.members.filter((member) => member.name !== name);
    }
    for (const member of add) addMember(roster, member, this.#lives.nowUs);
    this.#look(roster);
  }

  #die({ scope, participant, reason, unlessArrived = false }: Of<"roster-dead">): void {
    for (const roster of this.#rosters.filter((one) => one.scope === scope)) {
      const member = roster.members.find(({ name }) => name === participant);
      if (member === undefined || member.dead !== undefined) continue;
      if (unlessArrived && this.#at(roster).some(({ name }) => name === participant)) continue;
      this.#drop(roster, participant, reason);
      this.#bury(roster, [member], reason);
    }
  }

  #dies({ edge, life }: Speaker): void {
    this.#forget(this.#waits.filter((wait) => wait.edge === edge && wait.life === life));
    for (const roster of [...this.#rosters]) {
      const mine = roster.members.filter(
        ({ dead, lastEdge }) =>
          dead === undefined && lastEdge?.edge === edge && lastEdge.life === life,
      );
      if (mine.length > 0) this.#bury(roster, mine, "its connection was lost");
    }
  }

  #bury(roster: Roster, members: readonly Member[], reason: string): void {
    for (const member of members) [member.dead, member.sinceUs] = [reason, this.#lives.nowUs];
    const { whenDead } = roster.rules;
    if (whenDead === "fail") {
      const why = `${members[0]?.name} is dead: ${reason}`;
      this.#end(roster, "failed", { error: 0, reason: why });
      return;
    }
    if (whenDead === "shrink") {
      roster.members = roster.members.filter((member) => !members.includes(member));
      if (roster.members.length === 0) {
        this.#end(roster, "failed", { error: 0, reason: `nobody is left: ${reason}` });
        return;
      }
    }
    this.#look(roster);
  }

  /** One who waits and is not to any more. */
  #drop(roster: Roster, name: string, reason: string): void {
    const wait = this.#at(roster).find((one) => one.name === name);
    if (wait === undefined) return;
    this.#release([wait], { ...roster, error: 0 }, roster.phase, "cancelled", { reason });
    this.#forget([wait]);
  }

  /** A deadline since an arrival does not run while nobody waits. */
  #forget(waits: readonly Wait[]): void {
    this.#waits = this.#waits.filter((wait) => !waits.includes(wait));
    for (const { at, name } of waits) {
      const member = at.members.find((one) => one.name === name);
      if (member !== undefined) member.sinceUs = this.#lives.nowUs;
      const since = at.rules.deadline?.since;
      if (this.#at(at).length === 0 && since !== "opening") at.deadlines += 1;
    }
  }

  /** The question: has everybody come? */
  #look(roster: Roster): void {
    const waits = this.#at(roster);
    const hasCome = ({ name }: Member): boolean => waits.some((wait) => wait.name === name);
    if (!roster.members.every(hasCome)) return;
    const { phases, deadline } = roster.rules;
    if (phases !== 0 && roster.phase >= phases) {
      this.#end(roster, "crossed", { error: roster.error });
      return;
    }
    this.#waits = this.#waits.filter((wait) => !waits.includes(wait));
    this.#release(waits, roster, roster.phase, "crossed", {});
    roster.phase += 1;
    roster.sinceUs = this.#lives.nowUs;
    for (const member of roster.members) member.sinceUs = roster.sinceUs;
    roster.errorBefore = roster.error;
    roster.error = 0;
    if (deadline?.since === "opening") this.#ring(roster, deadline);
  }

  #endOne(speaker: Speaker, command: Of<"cancel"> | Of<"fail">): void {
    if (command.barrierKind !== "roster") return;
    const { scope, barrier, connection, error, reason } = command;
    const roster = this.#find(scope, barrier);
    if (roster === undefined) {
      if (connection !== undefined) this.#lives.refuse(speaker, connection, "unknown");
      return;
    }
    this.#end(roster, command.kind === "fail" ? "failed" : "cancelled", { error, reason });
    if (connection !== undefined) this.#lives.tell(speaker, { kind: "acknowledged", connection });
  }

  #endAll(command: Of<"cancel-all"> | Of<"close-scope">): void {
    const isAll = command.kind === "close-scope" || command.barrierKind === undefined;
    if (!isAll && command.barrierKind !== "roster") return;
    const { scope, error } = command;
    const reason = command.kind === "cancel-all" ? command.reason : undefined;
    for (const roster of this.#rosters.filter((one) => one.scope === scope)) {
      this.#end(roster, "cancelled", { error, reason });
    }
    if (command.kind === "cancel-all") return;
    this.#ends = this.#ends.filter((end) => end.scope !== scope);
    this.#lives.closeScope(scope);
  }

  #end(
    roster: Roster,
    outcome: Outcome,
    { error, reason }: { readonly error: number; readonly reason?: string | undefined },
  ): void {
    const { scope, name, generation, phase } = roster;
    const waits = this.#at(roster);
    const missing = outcome === "timeout" ? this.#missing(roster) : undefined;
    this.#waits = this.#waits.filter((wait) => !waits.includes(wait));
    this.#rosters = this.#rosters.filter((one) => one !== roster);
    const passes = roster.rules.whenLate === "pass";
    const kept = this.#lives.version >= 7 ? reason : undefined;
    this.#ends.push({ scope, name, generation, outcome, error, passes, reason: kept });
    this.#release(waits, { ...roster, error }, phase, outcome, { missing, reason });
  }

  #missing(roster: Roster): readonly string[] {
    const waits = this.#at(roster);
    return roster.members
      .filter(({ name }) => !waits.some((wait) => wait.name === name))
      .map(({ label, dead }) => (dead === undefined ? label : `${label} (dead: ${dead})`));
  }

  #release(
    waits: readonly (Speaker & { readonly connection: number })[],
    { scope, name, generation, error }: Pick<End, "scope" | "name" | "generation" | "error">,
    phase: number | undefined,
    outcome: Outcome,
    rest: {
      readonly missing?: readonly string[] | undefined;
      readonly reason?: string | undefined;
    },
  ): void {
    for (const edge of new Set(waits.map((wait) => wait.edge))) {
      const mine = waits.filter((wait) => wait.edge === edge);
      const life = mine[0]?.life ?? 0;
      const facts = { scope, barrier: name, barrierKind: "roster", generation, outcome } as const;
      const { missing, reason } = rest;
      this.#lives.tell(
        { edge, life },
        {
          ...{ kind: "released", ...facts, error },
          connections: mine.map(({ connection }) => connection),
          ...(phase === undefined ? {} : { part: phase }),
          ...(missing === undefined ? {} : { missing }),
          ...(reason === undefined ? {} : { reason }),
        },
      );
    }
  }

  #objection(
    speaker: Speaker,
    command: Of<"roster-open"> | Of<"roster-arrive">,
    isFull: boolean,
  ): string | undefined {
    const { scope, barrier, connection, who } = command;
    if (!this.#lives.hasRoomFor(scope)) return "limit";
    if (this.#waits.some((wait) => isIt(wait, speaker, connection))) return "invalid";
    if (barrier === "") return "invalid";
    const texts = [barrier, who.node ?? "", who.name ?? ""];
    if (texts.some((text) => bytes(text) > this.#lives.limits.nameBytesMax)) return "limit";
    return isFull ? "limit" : undefined;
  }

  #find(scope: string, name: string): Roster | undefined {
    return this.#rosters.find((roster) => roster.scope === scope && roster.name === name);
  }

  #at(roster: Roster): readonly Wait[] {
    return this.#waits.filter(({ at }) => at === roster);
  }
}

function addMember(
  roster: Roster,
  { name, group }: { readonly name: string; readonly group?: string },
  sinceUs: number,
): void {
  const label = group === undefined ? name : `${name} of ${group}`;
  roster.members.push({ name, group, label, sinceUs, dead: undefined, lastEdge: undefined });
}

function factsOf({ name, group, sinceUs, dead: reason }: Member): MemberFacts {
  const ofGroup = group === undefined ? {} : { group };
  return { name, ...ofGroup, sinceUs, ...(reason === undefined ? {} : { reason }) };
}

function isIt(one: Wait, { edge, life }: Speaker, connection: number): boolean {
  return one.edge === edge && one.life === life && one.connection === connection;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
