// SPDX-License-Identifier: MIT
// The barriers of all kinds, as the service sees them: finds the scope and the kind that a command,
// a leave or a timer is about. What a kind does with it is in its own file.
import { assert, unreachable } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { BarrierKind, EdgeEffect } from "../effect.ts";
import type { Refusal } from "../refusal.ts";
import { overLimit } from "../refusal.ts";
import type { Barrier, Scope } from "../scope.ts";
import type { ScopeTable } from "../scope-table.ts";
import { utf8Length } from "../text.ts";
import type { TimerPurpose } from "../timers.ts";
import type { Addressee, Turn } from "../turn.ts";
import type {
  BarrierCommand,
  CancelAll,
  CancelBarrier,
  FailBarrier,
  PeerRegister,
  PeersSet,
  QuorumChange,
  QuorumEcho,
  QuorumInit,
  QuorumWait,
  RosterCommand,
  StateCommand,
  TreeOrder,
} from "./commands.ts";
import type { CommonParts } from "./common.ts";
import { Common } from "./common.ts";
import { CountKind } from "./count.ts";
import { CountTree } from "./count-tree.ts";
import { KeyedArrivals } from "./keyed-arrivals.ts";
import type { Holder } from "./keyed-table.ts";
import { changePeers, Peers, peersRefusal } from "./peers.ts";
import type { Failure, PlaceKey, Waiter } from "./place.ts";
import { QuorumKind } from "./quorum.ts";
import { QuorumTree } from "./quorum-tree.ts";
import { RosterKind } from "./roster.ts";
import { RosterParts } from "./roster-parts.ts";
import { RosterTree } from "./roster-tree.ts";
import { StateKind } from "./state.ts";
import { StateTree } from "./state-tree.ts";
import { TreeAsks } from "./tree-asks.ts";
import { TreeControl } from "./tree-control.ts";
import { TreeLinks } from "./tree-links.ts";
import { TreeReports } from "./tree-reports.ts";

/** What timers of barriers are for. */
type BarrierTimer = Exclude<
  TimerPurpose,
  { readonly kind: "wait-timeout" | "edge-lease" | "agenda" }
>;

/** Kinds whose barriers are those of the whole tree, beside quorums, which are made at its root. */
const overTrees: ReadonlySet<BarrierKind> = new Set(["count", "state", "roster"] as const);

/** Where a controller above is: one that was opened before it joined is this controller's own. */
function isDecidedAbove(barrier: Barrier): boolean {
  return barrier.kind === "roster" ? barrier.key !== 0 : overTrees.has(barrier.kind);
}

export class Barriers {
  readonly #common: Common;
  readonly #scopes: ScopeTable;
  readonly #count: CountKind;
  readonly #state: StateKind;
  readonly #quorum: QuorumKind;
  readonly #tree: TreeControl;
  readonly #reports: TreeReports;
  readonly #asks: TreeAsks;
  readonly #roster: RosterKind;
  readonly #keyed: KeyedArrivals;

  constructor(parts: CommonParts) {
    const common = new Common(parts);
    this.#common = common;
    this.#scopes = common.scopes;
    const links = new TreeLinks(common.limits);
    const reports = new TreeReports({ ...parts, links });
    this.#reports = reports;
    this.#count = new CountKind(common, reports, links);
    this.#state = new StateKind(common, reports, links);
    this.#quorum = new QuorumKind(common, links);
    const rosterParts = new RosterParts(common, links);
    this.#roster = new RosterKind(common, rosterParts);
    const obey = (edge: EdgeState, order: TreeOrder, turn: Turn): void => {
      this.#apply(edge, order, turn);
    };
    this.#asks = new TreeAsks({ common, links, reports, obey });
    this.#tree = new TreeControl({
      ...{ common, links, reports, asks: this.#asks },
      quorums: new QuorumTree(common, links, this.#quorum),
      counts: new CountTree({ common, counts: this.#count, reports, links }),
      states: new StateTree({ common, states: this.#state, reports, links }),
      rosters: new RosterTree({
        ...{ common, rosters: this.#roster, parts: rosterParts, links, reports },
      }),
    });
    this.#keyed = new KeyedArrivals({
      common,
      apply: (edge, command, turn) => this.#obey(edge, command, turn),
      move: (scope, barrier, from, to) => this.#move(scope, barrier, from, to),
      rejoin: (scope, edge, arrival, generation) => {
        this.#roster.rejoin(scope, edge, arrival, generation);
      },
    });
  }

  apply(edge: EdgeState, command: BarrierCommand, turn: Turn): void {
    if (this.#keyed.takes(command)) this.#keyed.apply(edge, command, turn);
    else this.#obey(edge, command, turn);
    this.#tree.dropOverflown(turn);
  }

  #obey(edge: EdgeState, command: BarrierCommand, turn: Turn): void {
    if (!this.#isForRoot(edge, command, turn)) this.#apply(edge, command, turn);
  }

  /** Whatever an edge is told, by whomever. */
  told(edge: Addressee, effect: EdgeEffect, nowUs: number): void {
    this.#keyed.told(edge, effect, nowUs);
  }

  scopeClosed(scope: Scope): void {
    this.#keyed.scopeClosed(scope);
  }

  /** The scopes are there, out of a snapshot. */
  restored(): void {
    this.#keyed.restored(this.#scopes.scopes.values());
  }

  /** The entry ends: what has changed is reported to controllers above. */
  flush(turn: Turn): void {
    this.#reports.flush(this.#tree, turn);
    this.#tree.dropOverflown(turn);
  }

  /** D12. */
  versionRaised(turn: Turn): void {
    this.#tree.versionRaised(turn);
  }

  /** Orders about barriers that a controller above decides go there. */
  #isForRoot(edge: EdgeState, command: BarrierCommand, turn: Turn): boolean {
    if (!isOrder(command)) return false;
    const scope = this.#scopes.get(command.scope);
    if (scope === undefined || !this.#reports.isBelow(scope)) return false;
    const kind = kindOf(command);
    if (kind !== undefined && !overTrees.has(kind)) return false;
    if (command.kind === "cancel-all") {
      for (const one of overTrees) {
        if (kind !== undefined && kind !== one) continue;
        this.#asks.give(scope, edge, { ...command, barrierKind: one }, turn);
      }
      // Those of this controller alone end here.
      return false;
    }
    if (command.kind === "roster-dead") {
      if (this.#reasonRefusal(command) === undefined) this.#roster.dead(scope, command, turn);
    } else if (kind === "roster" && scope.rosters.get(command.barrier)?.key === 0) return false;
    this.#asks.give(scope, edge, command, turn);
    return true;
  }

  /** Why the arrival would be refused, if it would be; its scope may be one that does not exist. */
  stateRefusal(edge: EdgeState, command: StateCommand): Refusal | undefined {
    return this.#state.refusal(this.#scopes.get(command.scope), edge, command);
  }

  #apply(edge: EdgeState, command: BarrierCommand, turn: Turn): void {
    switch (command.kind) {
      case "count-init":
      case "count-wait": {
        const scope = this.#admit(edge, command, turn, (known) =>
          this.#count.refusal(known, edge, command),
        );
        if (scope !== undefined) this.#count.arrive(scope, edge, command, turn);
        return;
      }
      case "state-signal":
      case "state-wait":
      case "state-signal-and-wait": {
        const scope = this.#admit(edge, command, turn, (known) =>
          this.#state.refusal(known, edge, command),
        );
        if (scope !== undefined) this.#state.arrive(scope, edge, command, turn);
        return;
      }
      case "quorum-init":
      case "quorum-wait":
      case "quorum-echo":
      case "quorum-change":
        this.#applyToQuorum(edge, command, turn);
        return;
      case "peer-register":
      case "peer-deregister":
      case "peers-set":
        this.#applyToPeers(edge, command, turn);
        return;
      case "roster-open":
      case "roster-arrive":
      case "roster-change":
      case "roster-dead":
        this.#applyToRoster(edge, command, turn);
        return;
      case "count-change":
        this.#count.change(this.#scopes.get(command.scope), edge, command, turn);
        return;
      case "tree-join":
      case "tree-meet":
      case "tree-message":
      case "tree-acknowledge":
      case "tree-leave":
        this.#tree.apply(edge, command, turn);
        return;
      case "cancel":
      case "fail":
        this.#end(edge, command, turn);
        return;
      case "cancel-all": {
        const scope = this.#scopes.get(command.scope);
        if (scope !== undefined) this.cancelAll(scope, command, turn);
        return;
      }
      default:
        unreachable(command);
    }
  }

  #applyToQuorum(
    edge: EdgeState,
    command: QuorumInit | QuorumWait | QuorumEcho | QuorumChange,
    turn: Turn,
  ): void {
    switch (command.kind) {
      case "quorum-init": {
        const scope = this.#admit(edge, command, turn, (known) =>
          this.#quorum.initRefusal(known, edge, command),
        );
        if (scope !== undefined) this.#quorum.init(scope, edge, command, turn);
        return;
      }
      case "quorum-wait": {
        const scope = this.#admit(edge, command, turn, (known) =>
          this.#quorum.waitRefusal(known, edge, command),
        );
        if (scope !== undefined) this.#quorum.wait(scope, edge, command, turn);
        return;
      }
      case "quorum-echo":
        this.#quorum.echo(this.#scopes.get(command.scope), edge, command, turn);
        return;
      case "quorum-change":
        this.#quorum.change(this.#scopes.get(command.scope), edge, command, turn);
        return;
      default:
        unreachable(command);
    }
  }

  #applyToRoster(edge: EdgeState, command: RosterCommand, turn: Turn): void {
    switch (command.kind) {
      case "roster-open": {
        const scope = this.#admit(edge, command, turn, (known) =>
          this.#roster.openRefusal(known, edge, command),
        );
        if (scope !== undefined) this.#roster.open(scope, edge, command, turn);
        return;
      }
      case "roster-arrive": {
        const scope = this.#admit(edge, command, turn, (known) =>
          this.#roster.arriveRefusal(known, edge, command),
        );
        if (scope !== undefined) this.#roster.arrive(scope, edge, command, turn);
        return;
      }
      case "roster-change":
        this.#roster.change(this.#scopes.get(command.scope), edge, command, turn);
        return;
      case "roster-dead": {
        const { connection } = command;
        const refusal = this.#reasonRefusal(command);
        const scope = this.#scopes.get(command.scope);
        if (connection !== undefined && refusal !== undefined) {
          turn.tell(edge, { kind: "refused", connection, ...refusal });
          return;
        }
        // Who cannot be told that the reason is too long still has somebody dead.
        const reason = refusal === undefined ? command.reason : "";
        if (scope !== undefined) this.#roster.dead(scope, { ...command, reason }, turn);
        if (connection !== undefined) turn.tell(edge, { kind: "acknowledged", connection });
        return;
      }
      default:
        unreachable(command);
    }
  }

  #applyToPeers(edge: EdgeState, command: PeerRegister | PeersSet, turn: Turn): void {
    const { connection } = command;
    const scope = this.#admit(edge, command, turn, (known) =>
      peersRefusal(known?.peers ?? new Peers(), command, this.#common.limits),
    );
    if (scope === undefined) return;
    changePeers(scope.peers, command);
    turn.tell(edge, { kind: "acknowledged", connection });
    this.#quorum.peersChanged(scope, turn);
  }

  /** What is due of a barrier or a tree itself, not of one who waits there. */
  due(purpose: BarrierTimer, turn: Turn): void {
    switch (purpose.kind) {
      case "wait-warning": {
        const { scope, barrier: name, barrierKind: kind, part } = purpose;
        this.#warn(scope, { kind, name, part }, turn);
        return;
      }
      case "barrier-deadline": {
        const { scope, barrier: name, barrierKind: kind, part } = purpose;
        this.#due(scope, { kind, name, part }, purpose.kind, turn);
        return;
      }
      case "quorum-init":
      case "quorum-echo": {
        const { scope, barrier: name } = purpose;
        this.#due(scope, { kind: "quorum", name, part: 0 }, purpose.kind, turn);
        return;
      }
      case "tree-report":
      case "tree-news": {
        const scope = this.#scopes.get(purpose.scope);
        if (scope === undefined) return;
        if (purpose.kind === "tree-report") this.#reports.reportDue(scope);
        else this.#reports.newsDue(scope, this.#tree, turn);
        return;
      }
      default:
        unreachable(purpose);
    }
  }

  #due(
    scopeName: string,
    { kind, name, part }: PlaceKey,
    what: "barrier-deadline" | "quorum-init" | "quorum-echo",
    turn: Turn,
  ): void {
    const place = this.#scopes.get(scopeName)?.place({ kind, name, part });
    if (place === undefined) return;
    if (place.kind === "count") this.#count.expire(place, turn);
    if (place.kind === "roster") this.#roster.expire(place, turn);
    if (place.kind !== "quorum") return;
    if (what === "quorum-init") this.#quorum.initDue(place, turn);
    else if (what === "quorum-echo") this.#quorum.echoDue(place, turn);
    else this.#quorum.expire(place, turn);
    this.#tree.dropOverflown(turn);
  }

  /** B4. A connection that waits nowhere is ignored: it was released before it left. */
  leave(edge: EdgeState, connection: number, turn: Turn): void {
    this.#leave(edge, connection, turn);
    this.#keyed.left(edge, connection, turn.nowUs);
    this.#tree.dropOverflown(turn);
  }

  #leave(edge: EdgeState, connection: number, turn: Turn): void {
    const waiter = edge.waiters.get(connection);
    if (waiter === undefined) {
      this.#driverLost(edge, connection, turn);
      return;
    }
    switch (waiter.barrier.kind) {
      case "count":
        this.#count.leave(waiter, turn);
        return;
      case "state":
        this.#state.leave(waiter);
        return;
      case "quorum":
        this.#quorum.leave(waiter, turn);
        return;
      case "roster":
        this.#roster.leave(waiter, turn);
        return;
      default:
        unreachable(waiter.barrier);
    }
  }

  /** B4 for all parties of an edge that ended, at one instant. */
  leaveTogether(edge: EdgeState, turn: Turn): void {
    const waiters = [...edge.waiters.values()];
    const of = (kind: BarrierKind): readonly Waiter[] =>
      waiters.filter(({ barrier }) => barrier.kind === kind);
    this.#count.leaveTogether(of("count"), turn);
    this.#state.leaveTogether(of("state"));
    this.#quorum.leaveTogether(of("quorum"), turn);
    this.#roster.edgeEnded(edge, of("roster"), turn);
    for (const connection of [...edge.creators.keys()]) this.#driverLost(edge, connection, turn);
    this.#tree.edgeEnded(edge, turn);
    this.#keyed.edgeEnded(edge, turn.nowUs);
    this.#tree.dropOverflown(turn);
  }

  /** X1. */
  #move(scope: Scope, barrier: string, from: Holder, to: Holder): void {
    const { edges } = this.#common;
    const [source, target] = [edges.get(from.edge), edges.get(to.edge)];
    assert(target?.incarnation === to.incarnation, "who asks lives");
    const isThere = source?.incarnation === from.incarnation;
    const waiter = isThere ? source.waiters.get(from.connection) : undefined;
    if (waiter !== undefined) this.#common.move(waiter, target, to.connection);
    if (waiter?.barrier.kind === "roster") this.#roster.moved(waiter);
    scope.states.get(barrier)?.shares?.move(from, to);
  }

  #driverLost(edge: EdgeState, connection: number, turn: Turn): void {
    const made = edge.creators.get(connection);
    const barrier = made && this.#scopes.get(made.scope)?.quorums.get(made.barrier);
    if (barrier !== undefined) this.#quorum.driverLost(barrier, turn);
  }

  /** B9. */
  timeOut(edge: EdgeState, connection: number, turn: Turn): void {
    const waiter = edge.waiters.get(connection);
    if (waiter === undefined) return;
    switch (waiter.barrier.kind) {
      case "count":
        this.#count.timeOut(waiter, turn);
        return;
      case "state":
        this.#state.timeOut(waiter, turn);
        return;
      case "quorum":
        this.#quorum.timeOut(waiter, turn);
        return;
      case "roster":
        this.#roster.timeOut(waiter, turn);
        return;
      default:
        unreachable(waiter.barrier);
    }
  }

  /** B10. */
  #warn(scope: string, where: PlaceKey, turn: Turn): void {
    const place = this.#scopes.get(scope)?.place(where);
    if (place !== undefined) this.#common.warn(place, turn);
  }

  /**
   * Ends every barrier of the scope for everybody, or those of one kind.
   * @param withAll also those that a controller above decides: the scope itself ends here.
   */
  cancelAll(
    scope: Scope,
    { barrierKind, error, reason }: Pick<CancelAll, "error" | "reason" | "barrierKind">,
    turn: Turn,
    withAll = false,
  ): void {
    // Nobody is there to be told that it is too long.
    const failure = { error, reason: this.#reasonRefusal({ reason }) ? undefined : reason };
    const isBelow = this.#reports.isBelow(scope);
    for (const barrier of [...scope.open()]) {
      if (isBelow && !withAll && isDecidedAbove(barrier)) continue;
      if (barrierKind !== undefined && barrierKind !== barrier.kind) continue;
      this.#endOne(barrier, "cancelled", failure, turn);
    }
  }

  #end(edge: EdgeState, command: CancelBarrier | FailBarrier, turn: Turn): void {
    const { connection, barrier: name, barrierKind = "count" } = command;
    const refusal = this.#reasonRefusal(command);
    const barrier = this.#scopes.get(command.scope)?.barrier(barrierKind, name);
    if (refusal === undefined && barrier !== undefined) {
      const outcome = command.kind === "fail" ? "failed" : "cancelled";
      const { error, reason } = command;
      this.#endOne(barrier, outcome, reason === undefined ? { error } : { error, reason }, turn);
      if (connection !== undefined) turn.tell(edge, { kind: "acknowledged", connection });
    } else if (connection !== undefined) {
      const message = `no ${barrierKind} barrier ${name} is open`;
      const unknown = { code: "unknown", message } as const;
      turn.tell(edge, { kind: "refused", connection, ...(refusal ?? unknown) });
    }
  }

  #reasonRefusal({ reason = "" }: { readonly reason?: string | undefined }): Refusal | undefined {
    const { limits } = this.#common;
    if (utf8Length(reason) <= limits.reasonBytesMax) return undefined;
    return overLimit(limits, "reasonBytesMax", "the reason is too long");
  }

  #endOne(
    barrier: Barrier,
    outcome: "cancelled" | "failed",
    { error, reason }: Failure,
    turn: Turn,
  ): void {
    const failure = reason === undefined ? { error } : { error, reason };
    switch (barrier.kind) {
      case "count":
        this.#count.end(barrier, outcome, failure, turn);
        return;
      case "state":
        this.#state.end(barrier, outcome, failure, turn);
        return;
      case "quorum":
        this.#quorum.end(barrier, outcome, failure, turn);
        return;
      case "roster":
        this.#roster.end(barrier, outcome, failure, turn);
        return;
      default:
        unreachable(barrier);
    }
  }

  /**
   * Refuses an arrival before its scope is made: a refusal has no effect, and leaves no scope.
   * @returns the scope, when it is not refused.
   */
  #admit(
    edge: EdgeState,
    { scope, connection }: { readonly scope: string; readonly connection: number },
    turn: Turn,
    refusalOfKind: (scope: Scope | undefined) => Refusal | undefined,
  ): Scope | undefined {
    const refusal = this.#scopes.refusal(scope) ?? refusalOfKind(this.#scopes.get(scope));
    if (refusal === undefined) return this.#scopes.obtain(scope);
    turn.tell(edge, { kind: "refused", connection, ...refusal });
    return undefined;
  }
}

function isOrder(command: BarrierCommand): command is TreeOrder {
  return orders.has(command.kind);
}

const orders: ReadonlySet<BarrierCommand["kind"]> = new Set<TreeOrder["kind"]>([
  ...(["count-change", "cancel", "fail", "cancel-all"] as const),
  ...(["roster-open", "roster-change", "roster-dead"] as const),
]);

/** The kind that an order is about; undefined for all. */
function kindOf(order: TreeOrder): BarrierKind | undefined {
  switch (order.kind) {
    case "count-change":
      return "count";
    case "roster-open":
    case "roster-change":
    case "roster-dead":
      return "roster";
    case "cancel-all":
      return order.barrierKind;
    default:
      return order.barrierKind ?? "count";
  }
}
