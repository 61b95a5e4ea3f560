// SPDX-License-Identifier: MIT
// Judges what the controllers of a tree decide together, by their logs and by what each says of its
// own: who has come and left, what was said over the links and what was taken of it. No code of the
// core takes part. Counts are in tree-counts.ts, the other kinds in tree-rules.ts, and what ids of
// requests mean (T9) in tree-keys.ts.
//
//   T1. Who waits is told one end, and nobody who does not wait is told any (B2, B4).
//   T8. Of servers of one controller the later carries the link, and each join has a number of its
//       own (M6).
//   T7. Whoever times out at the root is told who is missing over the whole tree (B10).
import { unreachable } from "../../core/assert.ts";
import type { TreeClaim } from "../../core/barriers/commands.ts";
import type { RosterMember, TreeOrder } from "../../core/barriers/orders.ts";
import type { TreeMessage } from "../../core/barriers/tree-messages.ts";
import type { Command, LogEntry } from "../../core/command.ts";
import type { Applied, EdgeEffect, Released } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import { NaiveLives } from "../naive-lives.ts";
import type { Speaker } from "../naive-said.ts";
import { TreeCounts, type TreeNode } from "./tree-counts.ts";
import { TreeKeys } from "./tree-keys.ts";
import { TreeRules, type Wait } from "./tree-rules.ts";

export interface TreeCheckerOptions {
  readonly limits: Limits;
  /** The root first; each but that with the place of the one above. */
  readonly controllers: readonly {
    readonly name: string;
    readonly path: string;
    readonly above: number | undefined;
  }[];
  readonly complain: (rule: string, text: string) => void;
}

/** A link as one side of it knows it, in one scope. */
interface Link {
  readonly peer: string;
  readonly scope: string;
  readonly side: "parent" | "child";
  /** Edge and life that carry it. */
  carrier: string;
  isMet: boolean;
  /** What the carrier of a child with several servers has shown. */
  claim: TreeClaim | undefined;
  /** Edge and life that have shown it. */
  claimedBy: string;
  otherLife: number | undefined;
  received: number;
  /** The last number of what was said; what comes with it or one before it is said again. */
  said: number;
}

interface Node extends TreeNode {
  readonly path: string;
  readonly lives: NaiveLives;
  readonly keys: TreeKeys;
  readonly links: Map<string, Link>;
  /** Who waits, by edge, life and connection. */
  readonly waits: Map<string, Wait>;
  /** Who has gone, by itself or with its edge, in the entry that is looked at. */
  readonly justGone: Map<string, Wait>;
  /** Refused in the entry that is looked at, likewise. */
  refused: ReadonlySet<string>;
  /** Links that have met within the entry: what is said may be of before. */
  readonly justMet: Set<Link>;
  /** Scopes in which it has lost who was above, within the entry. */
  readonly alone: Set<string>;
}

export class TreeChecker {
  readonly #options: TreeCheckerOptions;
  readonly #nodes: readonly Node[];
  readonly #counts: TreeCounts;
  readonly #rules: TreeRules;

  constructor(options: TreeCheckerOptions) {
    this.#options = options;
    const { controllers, complain } = options;
    this.#nodes = controllers.map(({ name, path }) => this.#createNode(name, path));
    this.#counts = new TreeCounts(complain);
    this.#rules = new TreeRules(complain);
  }

  get crossings(): number {
    return this.#counts.crossings;
  }

  /** An entry of a controller's log, and what it says of it. */
  onEntry(index: number, entry: LogEntry, { addressed }: Applied): void {
    const node = this.#nodes[index];
    if (node === undefined) return;
    node.refused = new Set(addressed.flatMap(refusalIn));
    node.keys.begin(addressed);
    this.#rules.begin();
    node.justGone.clear();
    node.justMet.clear();
    const ended: string[] = [];
    for (const { edge, incarnation, effect } of addressed) {
      const life = `${edge} ${incarnation}`;
      if (effect.kind === "revoked") ended.push(`${life} `);
      if (effect.kind === "released" && effect.outcome === "timeout") {
        this.#timeOut(node, life, effect, ended);
      }
    }
    node.lives.apply(entry);
    for (const scope of node.alone) if (node.isTop(scope)) this.#counts.isAlone(node, scope);
    node.alone.clear();
    for (const { edge, incarnation, effect } of addressed) {
      this.#hear(node, `${edge} ${incarnation}`, effect);
    }
    node.keys.finishEntry();
  }

  finish(): void {
    const waits = (at: string): boolean => {
      const node = this.#nodes.find(({ name }) => at.startsWith(`${name} `));
      return node?.waits.has(at.slice(node.name.length + 1)) === true;
    };
    this.#counts.finish(waits);
  }

  #createNode(name: string, path: string): Node {
    const node: Node = {
      ...{ name, path, links: new Map(), waits: new Map(), refused: new Set(), alone: new Set() },
      ...{ justGone: new Map(), justMet: new Set() },
      keys: new TreeKeys((text) => this.#options.complain("T9", `${name} ${text}`)),
      isTop: (scope) => ![...node.links.values()].some((one) => isAbove(one, scope)),
      lives: new NaiveLives(this.#options.limits, {
        obey: (speaker, command) => this.#obey(node, speaker, command),
        dies: (speaker) => this.#dies(node, speaker),
      }),
    };
    return node;
  }

  // -- what is asked for -------------------------------------------------------------------------

  #obey(node: Node, { edge, life }: Speaker, asked: Command): void {
    const speaker = `${edge} ${life}`;
    const connection = "connection" in asked ? asked.connection : undefined;
    const who = `${speaker} ${connection}`;
    const { keys, lives } = node;
    if (keys.isKeyed(asked, lives.version)) {
      if (keys.isRefused(who, asked)) return;
      const meaning = keys.ask(who, asked, lives.nowUs);
      if (meaning.kind === "counts") this.#come(node, speaker, who, meaning.command);
      else if (meaning.kind === "moves") this.#move(node, meaning.from, who);
    } else if (connection === undefined || !node.refused.has(who)) {
      this.#come(node, speaker, who, asked);
    }
  }

  /** X1. */
  #move(node: Node, from: string, who: string): void {
    this.#counts.move(node, from, who);
    const wait = node.waits.get(from);
    node.waits.delete(from);
    if (wait !== undefined) node.waits.set(who, wait);
  }

  #come(node: Node, speaker: string, who: string, command: Command): void {
    switch (command.kind) {
      case "count-init":
      case "count-wait":
        this.#counts.come(node, who, command);
        break;
      case "leave":
        this.#counts.leave(node, (one) => one === who, "left");
        node.keys.leave((one) => one === who, node.lives.nowUs);
        this.#gone(node, who);
        return;
      case "cancel":
      case "fail":
      case "cancel-all":
      case "count-change":
      case "roster-open":
      case "roster-change":
      case "roster-dead":
        if (node.isTop(command.scope)) this.#order(node, command);
        return;
      case "tree-join":
      case "tree-meet":
      case "tree-message":
      case "tree-leave":
        this.#link(node, speaker, command);
        return;
      default:
        break;
    }
    // It has not joined yet, or has left.
    if ("scope" in command && node.path !== "/" && node.isTop(command.scope)) {
      this.#rules.split(command.scope);
    }
    const wait = this.#rules.come(node, command, speaker);
    if (wait !== undefined) node.waits.set(who, wait);
  }

  #gone(node: Node, who: string): void {
    const wait = node.waits.get(who);
    node.waits.delete(who);
    if (wait === undefined) return;
    node.justGone.set(who, wait);
    this.#rules.gone(wait);
  }

  /** Its parties are gone, and the links that it carries lost. */
  #dies(node: Node, { edge, life }: Speaker): void {
    const speaker = `${edge} ${life}`;
    this.#counts.leave(node, (who) => who.startsWith(`${speaker} `), "left");
    node.keys.leave((who) => who.startsWith(`${speaker} `), node.lives.nowUs);
    for (const who of [...node.waits.keys()]) {
      if (who.startsWith(`${speaker} `)) this.#gone(node, who);
    }
    this.#rules.edgeEnded(`${node.name} ${speaker}`);
    for (const link of node.links.values()) {
      if (link.carrier !== speaker) continue;
      this.#lose(node, link);
      link.carrier = "";
    }
  }

  /** What the one decides who has nobody above. */
  #order(node: Node, command: Command): void {
    this.#rules.order(node, command);
    if (command.kind === "cancel" || command.kind === "fail") {
      if ((command.barrierKind ?? "count") !== "count") return;
      const outcome = command.kind === "fail" ? "failed" : "cancelled";
      this.#counts.end(node, command.scope, command.barrier, outcome);
    } else if (command.kind === "count-change") {
      this.#counts.change(node, command);
    } else if (command.kind === "cancel-all" && (command.barrierKind ?? "count") === "count") {
      this.#counts.end(node, command.scope, undefined, "cancelled");
    }
  }

  // -- links -------------------------------------------------------------------------------------

  #link(
    node: Node,
    speaker: string,
    command: Extract<Command, { kind: "tree-join" | "tree-meet" | "tree-message" | "tree-leave" }>,
  ): void {
    const { scope } = command;
    const peer =
      command.kind === "tree-join" || command.kind === "tree-leave" ? command.peer : command.from;
    const key = `${scope} ${peer}`;
    const known = node.links.get(key);
    if (command.kind === "tree-join") {
      if (node.refused.has(`${speaker} ${scope} is not joined`)) return;
      const fresh = {
        ...{ carrier: "", isMet: false, otherLife: undefined, received: 0, said: 0 },
        ...{ claim: undefined, claimedBy: "" },
      };
      const link = known ?? { peer, scope, side: command.side, ...fresh };
      node.links.set(key, link);
      const { claim } = command;
      const last = link.claim;
      const [term, lastTerm] = [claim?.term ?? 0, last?.term ?? 0];
      // Each join of a server has a number of its own.
      const isSame = term === lastTerm && last !== undefined && link.claimedBy !== speaker;
      if (claim?.life === last?.life && (term < lastTerm || isSame)) {
        const what = `lets ${peer} join by what it has said before`;
        this.#options.complain("T8", `${node.name} ${what}, in ${scope}`);
      }
      const { otherLife } = link;
      const isOther = claim !== undefined && otherLife !== undefined && claim.life !== otherLife;
      if (isOther && node.lives.version >= 8) this.#forget(node, link);
      [link.carrier, link.isMet] = [speaker, false];
      [link.claim, link.claimedBy] = [claim, speaker];
      return;
    }
    if (known?.carrier !== speaker) return;
    switch (command.kind) {
      case "tree-meet":
        if (known.otherLife !== undefined && known.otherLife !== command.life) {
          this.#forget(node, known);
        }
        if (!known.isMet) node.justMet.add(known);
        [known.otherLife, known.isMet] = [command.life, true];
        return;
      case "tree-message":
        if (!known.isMet || command.number !== known.received + 1) return;
        known.received = command.number;
        this.#take(node, known, command.number, command.message);
        return;
      case "tree-leave":
        this.#lose(node, known);
        this.#begin(known);
        node.links.delete(key);
        node.alone.add(scope);
        if (known.side === "parent") this.#rules.split(scope);
        return;
      default:
        unreachable(command);
    }
  }

  #begin(link: Link): void {
    [link.received, link.said] = [0, 0];
  }

  /** The other side has another life than it had. */
  #forget(node: Node, link: Link): void {
    this.#lose(node, link);
    this.#begin(link);
    link.otherLife = undefined;
  }

  #lose(node: Node, link: Link): void {
    link.isMet = false;
    const { scope, side, peer } = link;
    if (side === "parent") this.#counts.parentLost(node, scope);
    else this.#counts.childLost(node, scope, peer);
    this.#rules.lost(scope);
  }

  #take(node: Node, { peer, scope }: Link, number: number, message: TreeMessage): void {
    const other = this.#nodes.find(({ name }) => name === peer);
    if (other === undefined) return;
    switch (message.kind) {
      case "report":
        for (const each of message.counts) this.#counts.take(node, other, { scope, number }, each);
        return;
      case "count-ended":
        this.#counts.ended(node, scope, message);
        return;
      case "news":
        for (const each of message.counts) this.#counts.news(node, scope, each);
        return;
      case "count-failed":
        this.#counts.failedBelow(node, scope, peer, message.barrier, message.round);
        return;
      case "ask":
        if (!node.isTop(scope) || node.refused.has(`${scope} ${peer} ${message.id}`)) return;
        this.#order(node, { ...placed(other.path, message.order), scope });
        return;
      case "init":
        // One of its own has the name.
        if (node.refused.has(`${scope} ${message.barrier} ${message.key} is not opened`)) return;
        this.#rules.take(node, other, scope, message);
        return;
      default:
        this.#rules.take(node, other, scope, message);
        return;
    }
  }

  // -- what is told ------------------------------------------------------------------------------

  /**
   * B9, B10. It has gone before anything else of the entry counts, but for those whose edges have
   * ended before: their leases were due first.
   */
  #timeOut(node: Node, life: string, effect: Released, ended: readonly string[]): void {
    const { scope, barrier, barrierKind, connections, missing = [] } = effect;
    // Whoever asks again with an id how it ended is told what was missing then.
    if (!connections.some((one) => node.waits.has(`${life} ${one}`))) return;
    if (barrierKind === "count" && node.isTop(scope)) {
      const isGone = (who: string): boolean => ended.some((one) => who.startsWith(one));
      const should = this.#counts.missing(node, scope, barrier, isGone);
      if (missing.join("; ") !== should) {
        const what = `names [${missing.join("; ")}] as missing at count ${scope} ${barrier}`;
        this.#options.complain("T7", `${node.name} ${what}, should name [${should}]`);
      }
    }
    for (const connection of connections) {
      const who = `${life} ${connection}`;
      if (barrierKind === "count") this.#counts.leave(node, (one) => one === who, "timed-out");
      // Who came with this very entry is told below.
      if (node.waits.has(who)) this.#rules.timedOut(node, effect);
    }
  }

  #hear(node: Node, life: string, effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released": {
        const isFirst = (one: number): boolean => !this.#hearAgain(node, `${life} ${one}`, effect);
        const connections = effect.connections.filter(isFirst);
        if (connections.length === 0) return;
        const first = { ...effect, connections };
        if (effect.barrierKind === "count") this.#counts.told(node, life, first);
        this.#released(node, life, first);
        return;
      }
      case "moved":
      case "acknowledged":
        this.#hearAgain(node, `${life} ${effect.connection}`, effect);
        return;
      case "refused":
        this.#hearAgain(node, `${life} ${effect.connection}`, effect);
        node.waits.delete(`${life} ${effect.connection}`);
        return;
      case "signalled": {
        const who = `${life} ${effect.connection}`;
        // Who has moved within the entry that has the number is told it again, and has it.
        const wait = node.waits.get(who);
        if (wait !== undefined) wait.signals = false;
        if (!this.#hearAgain(node, who, effect)) this.#rules.signalled(node, effect);
        return;
      }
      case "quorum-status":
        this.#rules.status(node, effect, this.#metBelow(node, effect.scope));
        return;
      case "tree-message": {
        const link = node.links.get(`${effect.scope} ${effect.to}`);
        // One with a higher number is of before the link began anew, in the same entry.
        if (link === undefined || effect.number > link.said + 1) return;
        if (effect.number <= link.said) {
          this.#saidAgain(node, link, effect.message);
          return;
        }
        link.said = effect.number;
        this.#said(node, link, effect.number, effect.message);
        return;
      }
      default:
        return;
    }
  }

  /** T9. @returns whether it is told again only */
  #hearAgain(node: Node, who: string, effect: EdgeEffect): boolean {
    return node.keys.hear(who, effect, node.lives.nowUs);
  }

  /** T1. */
  #released(node: Node, life: string, effect: Released): void {
    for (const connection of effect.connections) {
      const who = `${life} ${connection}`;
      const wait = node.waits.get(who);
      node.waits.delete(who);
      const known = wait ?? node.justGone.get(who);
      if (known?.kind === effect.barrierKind && known.barrier === effect.barrier) {
        node.justGone.delete(who);
        if (wait !== undefined) this.#rules.gone(wait, effect);
        continue;
      }
      const what = `${effect.barrierKind} ${effect.scope} ${effect.barrier} ${effect.outcome}`;
      this.#options.complain("T1", `${node.name} tells ${who} of ${what}, who does not wait there`);
    }
    this.#rules.released(effect, this.#nodes);
  }

  #said(node: Node, link: Link, number: number, message: TreeMessage): void {
    const { scope, peer: to } = link;
    if (message.kind === "report") {
      for (const each of message.counts) this.#counts.said(node, scope, number, each);
      return;
    }
    this.#rules.said(node, { scope, to, message }, this.#metBelow(node, scope));
  }

  /** M7. What may have been taken back since it was said holds when it is said again. */
  #saidAgain(node: Node, { scope, peer: to }: Link, message: TreeMessage): void {
    if (message.kind !== "reached" && message.kind !== "roster-complete") return;
    this.#rules.said(node, { scope, to, message }, this.#metBelow(node, scope));
  }

  /** Those below whose word is needed, whatever of the entry came first. */
  #metBelow(node: Node, scope: string): readonly string[] {
    return [...node.links.values()]
      .filter((link) => link.scope === scope && link.side === "child" && link.isMet)
      .filter((link) => !node.justMet.has(link))
      .map(({ peer }) => peer);
  }
}

/** What is refused: to a connection, to a controller that has passed an order on, to the root. */
function refusalIn({ edge, incarnation, effect }: Applied["addressed"][number]): readonly string[] {
  if (effect.kind === "tree-left" && /^(another controller|a server)/.test(effect.reason)) {
    return effect.isMoved ? [] : [`${edge} ${incarnation} ${effect.scope} is not joined`];
  }
  if (effect.kind === "refused") return [`${edge} ${incarnation} ${effect.connection}`];
  if (effect.kind !== "tree-message") return [];
  const { scope, to, message } = effect;
  if (message.kind === "failed")
    return [`${scope} ${message.barrier} ${message.key} is not opened`];
  if (message.kind !== "answer" || message.refusal === undefined) return [];
  return [`${scope} ${to} ${message.id}`];
}

/** An order of a controller below: members come there, or below it, unless a path says where. */
function placed(path: string, order: TreeOrder): TreeOrder {
  if (order.kind !== "roster-open" && order.kind !== "roster-change") return order;
  const place = (member: RosterMember): RosterMember => {
    const { at } = member;
    if (at === undefined) return { ...member, at: path };
    return at.startsWith("/") ? member : { ...member, at: `${path}/${at}` };
  };
  if (order.kind === "roster-open") return { ...order, members: order.members.map(place) };
  return { ...order, add: order.add.map(place) };
}

function isAbove(link: Link, scope: string): boolean {
  return link.scope === scope && link.side === "parent";
}
