// SPDX-License-Identifier: MIT
// The links of the tree of controllers: who joins, meets, hears and leaves, and what the loss of a
// link means to the barriers of each kind. Links and their numbers are in tree.ts, what messages
// say in quorum-tree.ts, count-tree.ts and tree-asks.ts.
import { unreachable } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { Refusal } from "../refusal.ts";
import { invalid, overLimit } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import { utf8Length } from "../text.ts";
import type { Turn } from "../turn.ts";
import {
  groupsVersion,
  newLivesVersion,
  originsVersion,
  repeatsVersion,
  treesVersion,
} from "../version.ts";
import type {
  TreeAcknowledge,
  TreeClaim,
  TreeCommand,
  TreeJoin,
  TreeLeave,
  TreeMeet,
  TreeSaid,
} from "./commands.ts";
import type { Common } from "./common.ts";
import type { CountTree } from "./count-tree.ts";
import type { QuorumTree } from "./quorum-tree.ts";
import type { RosterTree } from "./roster-tree.ts";
import type { StateTree } from "./state-tree.ts";
import { TreeLink } from "./tree.ts";
import type { TreeAsks } from "./tree-asks.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { DownMessage, TreeMessage, UpMessage } from "./tree-messages.ts";
import type { ReportSources, TreeReports } from "./tree-reports.ts";

export interface TreeParts {
  readonly common: Common;
  readonly links: TreeLinks;
  readonly reports: TreeReports;
  readonly asks: TreeAsks;
  readonly quorums: QuorumTree;
  readonly counts: CountTree;
  readonly rosters: RosterTree;
  readonly states: StateTree;
}

export class TreeControl implements ReportSources {
  readonly #parts: TreeParts;

  constructor(parts: TreeParts) {
    this.#parts = parts;
  }

  apply(edge: EdgeState, command: TreeCommand, turn: Turn): void {
    if (command.kind === "tree-join") {
      this.#join(edge, command, turn);
      return;
    }
    const scope = this.#parts.common.scopes.get(command.scope);
    const name = command.kind === "tree-leave" ? command.peer : command.from;
    const link = scope?.tree.get(name);
    if (scope === undefined || link === undefined || !isCarriedBy(link, edge)) return;
    switch (command.kind) {
      case "tree-meet":
        this.#meet(scope, link, command, turn);
        return;
      case "tree-message":
        this.#hear(scope, link, command, turn);
        return;
      case "tree-acknowledge":
        this.#acknowledge(scope, link, command);
        return;
      case "tree-leave":
        this.#leave(scope, link, command, turn);
        return;
      default:
        unreachable(command);
    }
  }

  /** W2. The edge that carried links is gone for good. */
  edgeEnded(edge: EdgeState, turn: Turn): void {
    for (const scope of this.#parts.common.scopes.scopes.values()) {
      for (const link of [...scope.tree.links()]) {
        if (isCarriedBy(link, edge)) this.#lose(scope, link, "was lost", turn);
      }
    }
  }

  /** After every command: links that hold too much begin anew (M3). */
  dropOverflown(turn: Turn): void {
    if (!this.#parts.links.hasOverflown) return;
    for (const { scope, link } of this.#parts.links.takeOverflown()) {
      const { name: to, edge: name, incarnation } = link;
      const reason = `it has not taken ${this.#parts.common.limits.treeOutboxMax} messages`;
      if (name !== "") {
        turn.tell({ name, incarnation }, { kind: "tree-left", scope: scope.name, to, reason });
      }
      this.#lose(scope, link, "has left too much unread", turn);
      this.#beginAgain(scope, link);
      link.otherLife = undefined;
      link.life += 1;
    }
  }

  #join(edge: EdgeState, command: TreeJoin, turn: Turn): void {
    const { scope: scopeName, peer, side } = command;
    const scope = this.#parts.common.scopes.get(scopeName);
    const refusal =
      this.#parts.common.scopes.refusal(scopeName) ??
      this.#joinRefusal(scope, command) ??
      this.#claimRefusal(scope, edge, command);
    if (refusal !== undefined) {
      const { message: reason } = refusal;
      turn.tell(edge, { kind: "tree-left", scope: scopeName, to: peer, reason });
      return;
    }
    const joined = this.#parts.common.scopes.obtain(scopeName);
    const { tree } = joined;
    tree.name = command.name;
    const link = tree.get(peer) ?? new TreeLink(peer, side, command.life);
    if (tree.get(peer) === undefined) {
      tree.add(link);
      if (this.#parts.reports.isBelow(joined) && side === "parent") this.#adopt(joined);
    }
    if (this.#hasGroups) this.#claim(joined, link, { edge, command }, turn);
    const { common } = this.#parts;
    const isFirst = side === "parent" && common.scopes.origin === 0;
    if (isFirst && common.version() >= originsVersion) common.scopes.origin = command.life;
    link.edge = edge.name;
    link.incarnation = edge.incarnation;
    link.isMet = false;
    this.#tellJoined(joined, link, turn);
  }

  /** M6. */
  get #hasGroups(): boolean {
    return this.#parts.common.version() >= groupsVersion;
  }

  /** M6. Who carried it until now is told that it does not. */
  #claim(
    scope: Scope,
    link: TreeLink,
    { edge, command }: { readonly edge: EdgeState; readonly command: TreeJoin },
    turn: Turn,
  ): void {
    if (link.edge !== "" && !isCarriedBy(link, edge)) {
      const { name: to, edge: name, incarnation } = link;
      const reason = "another server carries the link now";
      const told = { kind: "tree-left", scope: scope.name, to, reason, isMoved: true } as const;
      turn.tell({ name, incarnation }, told);
    }
    if (link.side === "parent") {
      link.term += 1;
      return;
    }
    link.claim = command.claim;
    this.#forgetOther(scope, link, turn);
  }

  /** M9. */
  #forgetOther(scope: Scope, link: TreeLink, turn: Turn): void {
    const { otherLife, claim } = link;
    if (this.#parts.common.version() < newLivesVersion || claim === undefined) return;
    if (otherLife === undefined || otherLife === claim.life) return;
    this.#lose(scope, link, "has started anew", turn, { keepsEdge: true });
    this.#beginAgain(scope, link);
    link.otherLife = undefined;
    link.life += 1;
  }

  /** The log has been raised: the others are told what this controller can say and hear now. */
  versionRaised(turn: Turn): void {
    for (const scope of this.#parts.common.scopes.scopes.values()) {
      for (const link of scope.tree.links()) {
        if (link.side === "parent" && scope.tree.isBelow) this.#adopt(scope);
        if (link.edge !== "") this.#tellJoined(scope, link, turn);
      }
    }
  }

  #adopt(scope: Scope): void {
    this.#parts.counts.adopt(scope);
    this.#parts.states.adopt(scope);
  }

  #tellJoined(scope: Scope, link: TreeLink, turn: Turn): void {
    const { life, otherLife, lastReceived: received, edge: name, incarnation } = link;
    const said = { kind: "tree-joined", scope: scope.name, to: link.name, life, received } as const;
    const speaks = this.#parts.common.version();
    const of = otherLife === undefined ? {} : { receivedOf: otherLife };
    const more = speaks < treesVersion ? {} : { ...of, speaks };
    const term = link.term === 0 ? {} : { term: link.term };
    const { origin } = this.#parts.common.scopes;
    const ofLog = link.side === "child" || origin === 0 ? {} : { origin };
    turn.tell({ name, incarnation }, { ...said, ...more, ...term, ...ofLog });
  }

  #joinRefusal(scope: Scope | undefined, command: TreeJoin): Refusal | undefined {
    const { limits } = this.#parts.common;
    const { name, peer, side } = command;
    if (name === "" || peer === "" || name === peer) {
      return invalid("two controllers have names, and not the same");
    }
    if (utf8Length(name) > limits.nameBytesMax || utf8Length(peer) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the name of a controller is too long");
    }
    if (scope === undefined) return undefined;
    const { tree } = scope;
    if (tree.name !== "" && tree.name !== name) {
      return invalid(`this controller is called ${tree.name} here, not ${name}`);
    }
    const known = tree.get(peer);
    if (known !== undefined && known.side !== side) return invalid(`${peer} is its ${known.side}`);
    if (known !== undefined) return undefined;
    if (side === "parent" && tree.parent !== undefined) {
      return invalid(`the controller above is ${tree.parent.name}`);
    }
    if (side === "child" && tree.children.size >= limits.childrenPerScopeMax) {
      return overLimit(limits, "childrenPerScopeMax", "too many sub-controllers");
    }
    return undefined;
  }

  /** M6. */
  #claimRefusal(
    scope: Scope | undefined,
    edge: EdgeState,
    { peer, side, claim }: TreeJoin,
  ): Refusal | undefined {
    const link = scope?.tree.get(peer);
    if (!this.#hasGroups || link === undefined || side === "parent") return undefined;
    if (isCarriedBy(link, edge)) return undefined;
    if (link.claim?.life !== claim?.life) {
      const carrier = this.#parts.common.edges.get(link.edge);
      if (carrier?.incarnation !== link.incarnation) return undefined;
      const logs = this.#otherLog(link, claim);
      if (!carrier.attached && logs === undefined) return undefined;
      const name = scope?.tree.name ?? "";
      const who = `another controller has joined ${name} as ${peer}`;
      return invalid(`${who}${logs ?? ""}; give each its own name`);
    }
    if (link.claim === undefined || claim === undefined || claim.term >= link.claim.term) {
      return undefined;
    }
    return invalid(`a server of ${peer} that joined later carries the link`);
  }

  /** M8. What tells the logs of two groups apart; undefined when it is one, or not known. */
  #otherLog(link: TreeLink, claim: TreeClaim | undefined): string | undefined {
    const [first, next] = [link.claim?.origin ?? 0, claim?.origin ?? 0];
    if (this.#parts.common.version() < originsVersion) return undefined;
    if (first === 0 || next === 0 || first === next) return undefined;
    return ` with a log of origin ${first}, this one is of ${next}`;
  }

  /** The other side is there, and has said what it remembers. */
  #meet(scope: Scope, link: TreeLink, command: TreeMeet, turn: Turn): void {
    const { life, speaks = 1, receivedOf = link.life } = command;
    // It may not know yet that this side has begun a new life.
    const isOfThisLife = receivedOf === link.life || this.#parts.common.version() < treesVersion;
    const received = isOfThisLife ? command.received : 0;
    const wasKnown = link.otherLife !== undefined;
    if (wasKnown && link.otherLife !== life) {
      // M3. What it had taken over the link it does not know any more.
      this.#lose(scope, link, "has started anew", turn, { keepsEdge: true });
      this.#beginAgain(scope, link);
    }
    const isNew = link.otherLife !== life;
    link.otherLife = life;
    link.acknowledge(isNew ? 0 : received);
    link.isMet = true;
    link.speaks = speaks;
    this.#parts.links.repeat(scope, link, (message) => this.#renewed(scope, message), turn);
    this.#parts.reports.met(scope, link, isNew ? 0 : received);
    if (link.side !== "child") return;
    this.#parts.quorums.askAnew(scope, link.name, turn);
    this.#parts.rosters.childMet(scope, link.name, turn);
  }

  /** M7. */
  #renewed(scope: Scope, message: TreeMessage): TreeMessage {
    if (this.#parts.common.version() < repeatsVersion) return message;
    if (message.kind === "reached") return this.#parts.quorums.renewed(scope, message);
    if (message.kind === "roster-complete") return this.#parts.rosters.renewed(scope, message);
    return message;
  }

  /** M3. */
  #beginAgain(scope: Scope, link: TreeLink): void {
    link.beginAgain();
    if (link.side === "parent") this.#parts.reports.forget(scope);
    else this.#parts.counts.childForgot(scope, link.name);
  }

  /** M1: one that comes again is only answered. */
  #hear(scope: Scope, link: TreeLink, command: TreeSaid, turn: Turn): void {
    if (!link.isMet) return;
    if (link.takes(command.number)) this.#take(scope, link, command, turn);
    const { edge: name, incarnation, lastReceived: number, name: to } = link;
    turn.tell({ name, incarnation }, { kind: "tree-received", scope: scope.name, to, number });
  }

  #acknowledge(scope: Scope, link: TreeLink, { number }: TreeAcknowledge): void {
    if (!link.isMet || number > link.lastSent) return;
    link.acknowledge(number);
    this.#parts.reports.acknowledged(scope, link, number);
  }

  #leave(scope: Scope, link: TreeLink, { reason }: TreeLeave, turn: Turn): void {
    const { name: to, edge: name, incarnation } = link;
    this.#lose(scope, link, reason ?? "has left", turn);
    this.#beginAgain(scope, link);
    scope.tree.remove(link);
    turn.tell({ name, incarnation }, { kind: "tree-left", scope: scope.name, to, reason: "left" });
  }

  /** W2. */
  #lose(
    scope: Scope,
    link: TreeLink,
    what: string,
    turn: Turn,
    { keepsEdge }: { readonly keepsEdge: boolean } = { keepsEdge: false },
  ): void {
    link.isMet = false;
    if (!keepsEdge) link.edge = "";
    const { name, side } = link;
    const { quorums, counts, rosters, states, asks } = this.#parts;
    if (side === "parent") {
      const reason = `the controller above, ${name}, ${what}`;
      quorums.parentLost(scope, reason, turn);
      counts.parentLost(scope, reason, turn);
      rosters.parentLost(scope, reason, turn);
      states.parentLost(scope, reason, turn);
      asks.parentLost(scope, reason, turn);
    } else {
      const reason = `the sub-controller ${name} ${what}`;
      quorums.childLost(scope, name, reason, turn);
      counts.childLost(scope, name, reason, turn);
      rosters.childLost(scope, name, reason, turn);
      states.childLost(scope, name, reason, turn);
    }
  }

  #take(scope: Scope, link: TreeLink, { number, message }: TreeSaid, turn: Turn): void {
    if (isFromAbove(message)) {
      if (link.side === "parent") this.#takeFromAbove(scope, message, turn);
    } else if (link.side === "child")
      this.#takeFromBelow(scope, link.name, { number, message }, turn);
  }

  #takeFromAbove(scope: Scope, message: DownMessage, turn: Turn): void {
    const { quorums, counts, rosters, states, asks } = this.#parts;
    switch (message.kind) {
      case "count-ended":
        counts.ended(scope, message, turn);
        return;
      case "news":
        counts.hearNews(scope, message.counts);
        rosters.hearAbove(scope, message.rosters ?? []);
        return;
      case "state-told":
        states.told(scope, message, turn);
        return;
      case "answer":
        asks.answered(scope, message, turn);
        return;
      case "roster-open":
      case "roster-change":
      case "roster-dead":
      case "roster-crossed":
      case "roster-ended":
        rosters.takeFromAbove(scope, message, turn);
        return;
      default:
        quorums.takeFromAbove(scope, message, turn);
        return;
    }
  }

  #takeFromBelow(
    scope: Scope,
    child: string,
    { number, message }: { readonly number: number; readonly message: UpMessage },
    turn: Turn,
  ): void {
    const { quorums, counts, rosters, states, asks } = this.#parts;
    switch (message.kind) {
      case "report":
        for (const each of message.counts) counts.take(scope, child, number, each, turn);
        for (const each of message.states ?? []) states.take(scope, child, number, each, turn);
        return;
      case "count-failed":
        counts.failedBelow(scope, child, message, turn);
        return;
      case "ask":
        asks.take(scope, child, message, turn);
        return;
      case "roster-opened":
      case "roster-complete":
      case "roster-incomplete":
      case "roster-failed":
      case "roster-left":
      case "roster-lost":
      case "roster-news":
        rosters.takeFromBelow(scope, child, message, turn);
        return;
      default:
        quorums.takeFromBelow(scope, child, message, turn);
        return;
    }
  }

  // -- reports -----------------------------------------------------------------------------------

  report(
    scope: Scope,
    keys: readonly string[],
    number: number,
  ): Extract<UpMessage, { kind: "report" }> {
    const { counts, states } = this.#parts;
    const ofCounts = counts.report(scope, namesOf("count", keys), number);
    const ofStates = states.report(scope, namesOf("state", keys), number);
    const more = ofStates.length === 0 ? {} : { states: ofStates };
    return { kind: "report", counts: ofCounts, ...more };
  }

  settle(scope: Scope, keys: readonly string[], turn: Turn): void {
    this.#parts.counts.settle(scope, namesOf("count", keys), turn);
    this.#parts.states.settle(scope, namesOf("state", keys), turn);
  }

  tellNews(scope: Scope, turn: Turn): boolean {
    const ofCounts = this.#parts.counts.newsFor(scope);
    const ofRosters = this.#parts.rosters.tellNews(scope, turn);
    for (const child of scope.tree.children.keys()) {
      const [counts = [], rosters = []] = [ofCounts?.get(child), ofRosters?.get(child)];
      if (counts.length + rosters.length === 0) continue;
      const news = { kind: "news", counts, ...(rosters.length === 0 ? {} : { rosters }) } as const;
      this.#parts.links.sayDown(scope, child, news, turn);
    }
    return ofCounts !== undefined || ofRosters !== undefined;
  }
}

/** Of `KIND NAME` the names of one kind. */
function namesOf(kind: string, keys: readonly string[]): readonly string[] {
  const start = `${kind} `;
  return keys.filter((key) => key.startsWith(start)).map((key) => key.slice(start.length));
}

const fromAbove: Readonly<Record<TreeMessage["kind"], boolean>> = {
  ...{ init: true, change: true, released: true, ended: true, "count-ended": true },
  ...{ news: true, answer: true, initialised: false, reached: false, unreached: false },
  ...{ failed: false, report: false, "count-failed": false, ask: false },
  ...{ "roster-open": true, "roster-change": true, "roster-dead": true, "roster-crossed": true },
  ...{ "roster-ended": true, "roster-opened": false, "roster-complete": false },
  ...{ "roster-incomplete": false, "roster-failed": false, "roster-lost": false },
  ...{ "state-told": true, "roster-left": false, "roster-news": false },
};

function isFromAbove(message: TreeMessage): message is DownMessage {
  return fromAbove[message.kind];
}

function isCarriedBy(link: TreeLink, { name, incarnation }: EdgeState): boolean {
  return link.edge === name && link.incarnation === incarnation;
}
