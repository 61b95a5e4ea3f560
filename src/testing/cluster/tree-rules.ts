// SPDX-License-Identifier: MIT
// What states, quorums and rosters over a tree of controllers owe those who wait, told from who has
// come at which controller and has not gone: not how the controllers find it out. Counts have a
// model of their own (tree-counts.ts).
//
//   T4. Signals have numbers that nobody else has, none above how many there are, and nobody goes
//       on before so many have signalled as he waits for, and before his own has its number (B1,
//       B6).
//   T5. A controller says that a quorum is reached, and the root that it has crossed, only when
//       enough of its own peers wait and all those below have said so (B1): also when it says so
//       again, or what a cut has kept.
//   T6. A phase of a roster is over when each living member waits at its own controller (B1), and
//       all are told the same error (B3). A controller says that its part is complete, for the
//       first time or again, when its own members wait there.
//   T7. Who times out at the root of a roster is told of each member that has never come (B10).
import type { PeerRegister, PeersSet } from "../../core/barriers/commands.ts";
import type { TreeMessage } from "../../core/barriers/tree-messages.ts";
import type { Command } from "../../core/command.ts";
import type { BarrierKind, QuorumStatus, Released, Signalled } from "../../core/effect.ts";
import type { TreeNode } from "./tree-counts.ts";

/** Somebody who waits. */
export interface Wait {
  readonly node: RuleNode;
  readonly kind: BarrierKind;
  readonly scope: string;
  readonly barrier: string;
  /** Of a roster: who it is. */
  readonly member: string | undefined;
  /** It signals as well, and has not been told the number. */
  signals?: boolean;
}

export interface RuleNode extends TreeNode {
  readonly path: string;
  readonly waits: ReadonlyMap<string, Wait>;
}

interface Member {
  readonly home: string;
  /** It may have been taken out by its death. */
  isDead: boolean;
  hasCome: boolean;
  /** Controller, edge and life. */
  cameBy: string;
  /** Whether the controller that it comes to has been told of it. */
  isKnown: boolean;
  /** The first phase that it is expected in. */
  since: number;
}

interface Roster {
  /** As it was said to those below; a first one has it from the beginning. */
  generation: number | undefined;
  readonly members: Map<string, Member>;
  /** The last phase that is over, as the root has decided. */
  decided: number;
  /** By generation and phase: the error that was told. */
  readonly crossed: Map<string, number>;
}

/** May be one before it: who was away is told of all that there were. */
interface QuorumTold {
  readonly key: number;
  /** How many changes of it are counted. */
  readonly changes: number;
}

interface Quorum {
  /** What the one above knows it by, where one does. */
  readonly key: number | undefined;
  /** By controller below: which it was told of last. */
  readonly told: Map<string, QuorumTold>;
  readonly size: Of<"quorum-init">["quorum"];
  /** What those below have said last, by the number that both know it by. */
  readonly below: Map<string, number>;
}

interface SaidTo {
  readonly scope: string;
  readonly to: string;
  readonly message: TreeMessage;
}

interface AboutQuorum {
  readonly scope: string;
  readonly barrier: string;
  /** Its generation, where that is known. */
  readonly key: number | undefined;
}

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

export class TreeRules {
  readonly #complain: (rule: string, text: string) => void;
  /** Signals that have come, and numbers that were given. */
  readonly #signals = new Map<string, number>();
  readonly #numbers = new Map<string, Set<number>>();
  readonly #rosters = new Map<string, Roster>();
  /** By controller and barrier. */
  readonly #quorums = new Map<string, Quorum>();
  /** Those whose names others have taken within the entry; one may have crossed before. */
  readonly #quorumsBefore = new Map<string, readonly Quorum[]>();
  readonly #peers = new Map<string, { named: Set<string>; unnamed: number }>();
  /** Scopes in which a controller has decided by itself: it counts by itself as well. */
  readonly #split = new Set<string>();
  /** Who has gone in the entry that is looked at, in place of having gone before. */
  #justGone: Wait[] = [];
  /** Who is expected since a change within it, and at whose controller it came then. */
  readonly #justChanged = new Set<Member>();
  /** Numbers of peers that there were within it. */
  readonly #sizesBefore = new Map<string, number[]>();
  /** What counts no more when it is over, by what and who has said so. */
  readonly #takenBack = new Map<string, () => void>();
  /** Generations of rosters, by the keys that controllers below know them by. */
  readonly #generations = new Map<string, number>();
  /** Who has gone since its controller has said that all of its have come. */
  readonly #goneSince = new Map<string, Set<string>>();

  constructor(complain: (rule: string, text: string) => void) {
    this.#complain = complain;
  }

  /** Another entry is looked at. */
  begin(): void {
    for (const takeBack of this.#takenBack.values()) takeBack();
    this.#takenBack.clear();
    this.#justGone = [];
    this.#justChanged.clear();
    this.#sizesBefore.clear();
    this.#quorumsBefore.clear();
  }

  /** A controller has left its tree, and decides by itself until it is back. */
  split(scope: string): void {
    this.#split.add(scope);
  }

  /** Those behind a link that is lost are dead for rosters, as far as their rules say. */
  lost(scope: string): void {
    for (const [key, { members }] of this.#rosters) {
      if (!key.startsWith(`${scope} `)) continue;
      for (const member of members.values()) member.isDead = true;
    }
  }

  /** @returns what whoever says it waits for from now on */
  come(node: RuleNode, command: Command, speaker: string): Wait | undefined {
    switch (command.kind) {
      case "count-init":
        return command.waits ? waitOf(node, "count", command) : undefined;
      case "count-wait":
        return waitOf(node, "count", command);
      case "state-signal":
        this.#signal(command);
        return undefined;
      case "state-wait":
        return waitOf(node, "state", command);
      case "state-signal-and-wait":
        this.#signal(command);
        return { ...waitOf(node, "state", command), signals: true };
      case "publish":
        return command.arrival && this.#publish(node, command.scope, command.arrival);
      case "quorum-init":
        this.#openQuorum(node, command.scope, command.barrier, command.quorum);
        return undefined;
      case "quorum-change":
        this.#changeQuorum(node, command.scope, command.barrier, command.quorum);
        return undefined;
      case "quorum-wait":
        return waitOf(node, "quorum", command);
      case "roster-arrive":
        return this.#arrive(node, command, speaker);
      case "peers-set":
      case "peer-register":
      case "peer-deregister":
        this.#setPeers(node, command);
        return undefined;
      default:
        return undefined;
    }
  }

  /** Somebody waits no more. @param released how that came, unless it has left */
  gone(wait: Wait, released?: Released): void {
    this.#justGone.push(wait);
    if (wait.signals === true && released?.outcome === "crossed") {
      const { node, scope, barrier } = wait;
      const where = `${node.name} lets somebody go on at state ${scope} ${barrier}`;
      this.#complain("T4", `${where}, and has not told the number of the signal`);
    }
    if (wait.member === undefined || (released?.outcome ?? "timeout") !== "timeout") return;
    const key = `${wait.node.name} ${wait.scope} ${wait.barrier}`;
    const since = this.#goneSince.get(key) ?? new Set();
    this.#goneSince.set(key, since.add(wait.member));
  }

  /** Whoever came last by it is dead for its rosters, also between two phases. */
  edgeEnded(at: string): void {
    for (const { members } of this.#rosters.values()) {
      for (const member of members.values()) if (member.cameBy === at) member.isDead = true;
    }
  }

  /** What the root is asked to do. */
  order(node: RuleNode, command: Command): void {
    if (command.kind === "roster-dead") {
      for (const [key, { members }] of this.#rosters) {
        const member = key.startsWith(`${command.scope} `) && members.get(command.participant);
        if (member) member.isDead = true;
      }
    } else if (command.kind === "roster-open") this.#openRoster(node, command);
    else if (command.kind === "roster-change") this.#changeRoster(node, command);
  }

  // -- states ------------------------------------------------------------------------------------

  /** T4. */
  signalled(node: RuleNode, { scope, barrier, value }: Signalled): void {
    const key = `${scope} ${barrier}`;
    if (this.#split.has(scope)) return;
    const numbers = this.#numbers.get(key) ?? new Set();
    this.#numbers.set(key, numbers);
    const signals = this.#signals.get(key) ?? 0;
    const where = `${node.name} gives ${value} to a signal of ${key}`;
    if (value > signals) this.#complain("T4", `${where}, and ${signals} have come`);
    if (numbers.has(value)) this.#complain("T4", `${where}, which has been given before`);
    numbers.add(value);
  }

  #signal({ scope, barrier }: { readonly scope: string; readonly barrier: string }): void {
    const key = `${scope} ${barrier}`;
    this.#signals.set(key, (this.#signals.get(key) ?? 0) + 1);
  }

  #publish(
    node: RuleNode,
    scope: string,
    arrival: NonNullable<Of<"publish">["arrival"]>,
  ): Wait | undefined {
    const { kind, barrier } = arrival;
    const wait = waitOf(node, "state", { scope, barrier });
    if (kind !== "state-signal-and-wait") return wait;
    this.#signal({ scope, barrier });
    return { ...wait, signals: true };
  }

  // -- quorums -----------------------------------------------------------------------------------

  #openQuorum(
    node: RuleNode,
    scope: string,
    barrier: string,
    quorum: Of<"quorum-init">["quorum"],
    key?: number,
  ): void {
    const at = `${node.name} ${scope} ${barrier}`;
    this.#replaceQuorum(at, { size: quorum, key, below: new Map(), told: new Map() });
  }

  #changeQuorum(
    node: RuleNode,
    scope: string,
    barrier: string,
    quorum: Of<"quorum-init">["quorum"],
    key?: number,
  ): void {
    const at = `${node.name} ${scope} ${barrier}`;
    const known = this.#quorums.get(at);
    if (known === undefined || known.key !== key) return;
    this.#replaceQuorum(at, { ...known, size: quorum });
  }

  #replaceQuorum(at: string, quorum: Quorum): void {
    const known = this.#quorums.get(at);
    const before = this.#quorumsBefore.get(at) ?? [];
    if (known !== undefined) this.#quorumsBefore.set(at, [...before, known]);
    this.#quorums.set(at, quorum);
  }

  #setPeers(node: RuleNode, command: PeersSet | PeerRegister): void {
    const key = `${node.name} ${command.scope}`;
    const peers = this.#peers.get(key) ?? { named: new Set<string>(), unnamed: 0 };
    this.#peers.set(key, peers);
    const before = this.#sizesBefore.get(key) ?? [];
    this.#sizesBefore.set(key, [...before, peers.named.size + peers.unnamed]);
    if (command.kind === "peers-set") peers.unnamed = command.count;
    else if (command.kind === "peer-register") peers.named.add(command.peer);
    else peers.named.delete(command.peer);
  }

  /** Its driver is told. @param below controllers that are there */
  status(node: RuleNode, effect: QuorumStatus, below: readonly string[]): void {
    const { scope, barrier, generation, status } = effect;
    if (status === "crossed") this.#checkReached(node, { scope, barrier, key: generation }, below);
  }

  /** T5. */
  #checkReached(node: RuleNode, about: AboutQuorum, below: readonly string[]): void {
    const { scope, barrier } = about;
    const at = `${node.name} ${scope} ${barrier}`;
    const quorum = this.#quorums.get(at);
    if (quorum === undefined) return;
    const all = [...(this.#quorumsBefore.get(at) ?? []), quorum];
    const reasons = all.map((one) => this.#whyUnreached(node, { ...about, quorum: one }, below));
    if (reasons.includes(undefined)) return;
    const what = `${node.name} takes quorum ${scope} ${barrier} for reached`;
    this.#complain("T5", `${what}${reasons.at(-1)}`);
  }

  #whyUnreached(
    node: RuleNode,
    { scope, barrier, key, quorum }: AboutQuorum & { readonly quorum: Quorum },
    below: readonly string[],
  ): string | undefined {
    const at = `${node.name} ${scope}`;
    const peers = this.#peers.get(at) ?? { named: new Set(), unnamed: 0 };
    const size = Math.min(peers.named.size + peers.unnamed, ...(this.#sizesBefore.get(at) ?? []));
    const isIt = (wait: Wait): boolean =>
      wait.kind === "quorum" && wait.scope === scope && wait.barrier === barrier;
    const mayCount = [...node.waits.values(), ...this.#justGone].filter(
      (wait) => wait.node === node && isIt(wait),
    ).length;
    if (size !== 0 && !isEnough(mayCount, size, quorum.size)) {
      return `: ${mayCount} of ${size} wait, for ${JSON.stringify(quorum.size)}`;
    }
    for (const child of below) {
      const said = quorum.below.get(child);
      if (said === undefined || said !== (key ?? said)) return `, and ${child} has not said so`;
    }
    return undefined;
  }

  // -- rosters -----------------------------------------------------------------------------------

  #openRoster(node: RuleNode, { scope, barrier, members }: Of<"roster-open">): void {
    const key = `${scope} ${barrier}`;
    const before = this.#rosters.get(key);
    const generation = before === undefined ? 1 : undefined;
    const crossed = before?.crossed ?? new Map<string, number>();
    const all = members.map(({ name, at = node.path }): [string, Member] => {
      return [name, newMember(at, 1, true)];
    });
    this.#rosters.set(key, { members: new Map(all), decided: 0, crossed, generation });
  }

  #changeRoster(node: RuleNode, { scope, barrier, add, remove }: Of<"roster-change">): void {
    const roster = this.#rosters.get(`${scope} ${barrier}`);
    if (roster === undefined) return;
    for (const name of remove) roster.members.delete(name);
    for (const { name, at = node.path } of add) {
      const member = newMember(at, roster.decided + 1, at === node.path);
      roster.members.set(name, member);
      this.#justChanged.add(member);
    }
  }

  /** A controller hears of those who come to it. */
  #hearOfMembers(
    node: RuleNode,
    scope: string,
    { barrier, key, add, remove }: Extract<TreeMessage, { kind: "roster-change" }>,
  ): void {
    const roster = this.#rosters.get(`${scope} ${barrier}`);
    const generation = this.#generations.get(`${node.name} ${scope} ${barrier} ${key}`);
    if (roster === undefined || roster.generation !== generation) return;
    const names = [...remove, ...add.map(({ name }) => name)];
    for (const [at, name] of names.entries()) {
      const member = roster.members.get(name);
      if (member?.home !== node.path) continue;
      member.isKnown = at >= remove.length;
      this.#justChanged.add(member);
    }
  }

  /** It is over: who is expected since then is not in it, nor, within one entry, who may be. */
  #decide(roster: Roster, phase: number): void {
    roster.decided = Math.max(roster.decided, phase);
    for (const member of this.#justChanged) member.since = Math.max(member.since, phase + 1);
  }

  #arrive(node: RuleNode, command: Of<"roster-arrive">, speaker: string): Wait {
    const { scope, barrier, who } = command;
    const member = this.#rosters.get(`${scope} ${barrier}`)?.members.get(who.name ?? "");
    // Elsewhere it is a stranger, and refused.
    if (member?.home === node.path) {
      member.hasCome = true;
      member.cameBy = `${node.name} ${speaker}`;
    }
    return { ...waitOf(node, "roster", command), member: who.name };
  }

  /** T6. The first time that anybody is told: all others wait yet. */
  released(effect: Released, nodes: readonly RuleNode[]): void {
    const { scope, barrier, barrierKind, outcome, generation, part = 0, error } = effect;
    if (barrierKind === "state" && outcome === "crossed") {
      const signals = this.#signals.get(`${scope} ${barrier}`) ?? 0;
      const what = `state ${scope} ${barrier} is said to be ${part}`;
      if (part > signals) this.#complain("T4", `${what}, and ${signals} have signalled`);
    }
    const isLate = part === 0;
    if (barrierKind !== "roster" || outcome !== "crossed" || isLate) return;
    if (this.#split.has(scope)) return;
    const roster = this.#rosters.get(`${scope} ${barrier}`);
    if (roster === undefined) return;
    const phase = `${generation} ${part}`;
    const known = roster.crossed.get(phase);
    const what = `roster ${scope} ${barrier}, generation ${generation}, phase ${part}`;
    if (known !== undefined) {
      if (known !== error) this.#complain("T6", `${what}: one is told ${known}, one ${error}`);
      return;
    }
    roster.crossed.set(phase, error);
    // It may be the end of the one before that is told.
    if (roster.generation !== generation) return;
    this.#decide(roster, part);
    for (const [name, { home, isDead, since }] of roster.members) {
      const node = nodes.find(({ path }) => path === home);
      if (isDead || since > part || node === undefined || this.#isThere(node, effect, name))
        continue;
      this.#complain("T6", `${what} is over, and ${name} does not wait at ${node.name}`);
    }
  }

  /** Whether it waits there, or has gone when that could change nothing any more. */
  #isThere(node: RuleNode, { scope, barrier }: Released, name: string): boolean {
    if (this.#waits(node, { scope, barrier }, name)) return true;
    return this.#goneSince.get(`${node.name} ${scope} ${barrier}`)?.has(name) === true;
  }

  /** Whether it waits there, or did within the entry. */
  #waits(
    node: RuleNode,
    { scope, barrier }: Pick<Released, "scope" | "barrier">,
    name: string,
  ): boolean {
    const isIt = (wait: Wait): boolean =>
      wait.kind === "roster" &&
      wait.scope === scope &&
      wait.barrier === barrier &&
      wait.member === name;
    return [...node.waits.values()].some(isIt) || this.#justGone.some(isIt);
  }

  /** T6. */
  #checkComplete(
    node: RuleNode,
    scope: string,
    { barrier, key, phase }: Extract<TreeMessage, { kind: "roster-complete" }>,
  ): void {
    const roster = this.#rosters.get(`${scope} ${barrier}`);
    const generation = this.#generations.get(`${node.name} ${scope} ${barrier} ${key}`);
    if (roster === undefined || roster.generation !== generation || this.#split.has(scope)) return;
    const what = `${node.name} takes phase ${phase} of roster ${scope} ${barrier} for complete`;
    for (const [name, member] of roster.members) {
      const { home, isDead, isKnown } = member;
      if (isDead || home !== node.path || this.#waits(node, { scope, barrier }, name)) continue;
      if (!isKnown || this.#justChanged.has(member)) continue;
      this.#complain("T6", `${what}, and ${name} does not wait there`);
    }
  }

  /** T7. */
  timedOut(node: RuleNode, { scope, barrier, barrierKind, missing = [] }: Released): void {
    if (barrierKind !== "roster" || !node.isTop(scope) || this.#split.has(scope)) return;
    for (const [name, member] of this.#rosters.get(`${scope} ${barrier}`)?.members ?? []) {
      const isNamed = missing.some((text) => text.split(/[ ,]/, 1)[0] === name);
      if (member.hasCome || member.isDead || isNamed) continue;
      const what = `names [${missing.join("; ")}] at roster ${scope} ${barrier}`;
      this.#complain("T7", `${node.name} ${what}, and ${name} has not come`);
    }
  }

  // -- links -------------------------------------------------------------------------------------

  /** It hears that from another one. */
  take(node: RuleNode, from: RuleNode, scope: string, message: TreeMessage): void {
    switch (message.kind) {
      case "init":
        this.#openQuorum(node, scope, message.barrier, message.quorum, message.key);
        return;
      case "roster-open": {
        const { barrier, key, generation } = message;
        this.#generations.set(`${node.name} ${scope} ${barrier} ${key}`, generation);
        return;
      }
      case "change":
        this.#changeQuorum(node, scope, message.barrier, message.quorum, message.key);
        return;
      case "roster-change":
        this.#hearOfMembers(node, scope, message);
        return;
      case "reached":
      case "unreached": {
        const at = `${node.name} ${scope} ${message.barrier}`;
        const said = `${at} ${from.name}`;
        // Both may be said within one entry: what is said last holds.
        this.#takenBack.delete(said);
        const quorum = this.#quorums.get(at);
        if (message.kind === "reached") {
          const { key, changes = 0 } = message;
          const told = quorum?.told.get(from.name);
          const isOfNow = told?.key === key && told.changes === changes;
          if (isOfNow) quorum?.below.set(from.name, key);
        } else this.#takenBack.set(said, () => this.#quorums.get(at)?.below.delete(from.name));
        return;
      }
      default:
        return;
    }
  }

  /** Of one that is changed, what the one below has said was of the quorum before. */
  #saidOfQuorum(
    quorum: Quorum | undefined,
    to: string,
    message: Extract<TreeMessage, { kind: "init" | "change" }>,
  ): void {
    const { key } = message;
    if (message.kind === "init") quorum?.told.set(to, { key, changes: 0 });
    else if (quorum?.told.get(to)?.key === key && message.changes !== undefined) {
      quorum.told.set(to, { key, changes: message.changes });
      quorum.below.delete(to);
    }
  }

  /** It says that to another one, or, of what may be taken back, says it again. */
  said(node: RuleNode, { scope, to, message }: SaidTo, below: readonly string[]): void {
    if (message.kind === "reached") {
      const { barrier } = message;
      this.#checkReached(node, { scope, barrier, key: undefined }, below);
    } else if (message.kind === "roster-open") {
      const roster = this.#rosters.get(`${scope} ${message.barrier}`);
      if (node.path === "/" && roster !== undefined) roster.generation = message.generation;
    } else if (message.kind === "init" || message.kind === "change") {
      const quorum = this.#quorums.get(`${node.name} ${scope} ${message.barrier}`);
      this.#saidOfQuorum(quorum, to, message);
    } else if (message.kind === "roster-crossed") {
      const roster = this.#rosters.get(`${scope} ${message.barrier}`);
      if (node.path === "/" && roster !== undefined) this.#decide(roster, message.phase);
    } else if (message.kind === "roster-complete") {
      this.#checkComplete(node, scope, message);
      const since = this.#justGone
        .filter((wait) => wait.node === node && wait.scope === scope)
        .flatMap(({ barrier, member }) =>
          barrier === message.barrier && member !== undefined ? [member] : [],
        );
      this.#goneSince.set(`${node.name} ${scope} ${message.barrier}`, new Set(since));
    }
  }
}

function newMember(home: string, since: number, isKnown: boolean): Member {
  return { home, isDead: false, hasCome: false, cameBy: "", since, isKnown };
}

/** Whether so many of so many peers are the quorum. */
function isEnough(count: number, size: number, quorum: Quorum["size"]): boolean {
  if (quorum.kind === "count") return count >= quorum.count;
  return count > 0 && count * 100 >= quorum.percent * size;
}

function waitOf(
  node: RuleNode,
  kind: BarrierKind,
  { scope, barrier }: { readonly scope: string; readonly barrier: string },
): Wait {
  return { node, kind, scope, barrier, member: undefined };
}
