// SPDX-License-Identifier: MIT
// Carries the link between a controller and the one above it: an edge of both cores, which tells
// each what the other has said. The cores number, keep and repeat what is said
// (core/barriers/tree); here it is only brought over. The same carrier serves two cores of one
// process and of two: what differs is how the upper one is reached.
//
//   T1. A side is told what the other says in the order in which it was said.
//   T2. When a core has given its edge up, the upper one after a cut, or the own one, whose other
//       servers took this process for ended, both sides join anew.
//   T4. Of a controller with several servers the own core says who carries the link: the other side
//       is joined with what it has said. Who has lost the own edge, or sees another one carry the
//       link, lets both go without a word, and says so (group-uplink.ts).
//   T3. A controller above that is away for longer than a lease is lost: whoever waits below for
//       what it has asked for is told so, and does not wait for it to come back.
import type { Command, TreeCommand } from "../../core/command.ts";
import type { EdgeEffect, TreeEffect } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { ConnectEdge, CoreLink } from "../../host/core-link.ts";
import type { Logger } from "../../host/logger.ts";
import { Outage, outagePaces } from "../../host/outage.ts";
import { Outbox } from "../outbox.ts";
import { type TreeTime, treeTime } from "../tree-time.ts";
import { commandOf } from "./command-of.ts";

export interface TreeCarrierOptions {
  /** The scopes that are joined. */
  readonly scopes: readonly string[];
  /** What this controller is called. */
  readonly name: string;
  /** What the one above is called. */
  readonly parent: string;
  readonly connectOwn: ConnectEdge;
  readonly connectParent: ConnectEdge;
  /** A number that was not used before. */
  readonly newLife: () => number;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Called each time both sides have been told that the other is there. */
  readonly onJoined?: () => void;
  /** It is one of several that may carry the link; called when another one is to do it (T4). */
  readonly onPassedOn?: () => void;
  readonly time?: TreeTime;
}

/**
 * Name of the edge by which a sub-controller is known to the core above it.
 * @param carrier a number of its own for each of those that carry the link in turn
 */
export function edgeOfChild(name: string, carrier?: number): string {
  return `child/${name}${carrier === undefined ? "" : `/${carrier}`}`;
}

export class TreeCarrier {
  readonly #options: TreeCarrierOptions;
  readonly #time: TreeTime;
  #own: TreeEnd;
  #above: TreeEnd;
  /** The own core has ended the edge: the next join takes a new one. */
  #isOwnEnded = false;
  #isClosed = false;
  #cancelLost: Cancel | undefined;
  #cancelRejoin: Cancel | undefined;
  readonly #refusals: Outage;
  /** Sides that have been told that the other is there, with their scope. */
  readonly #joined = new Set<string>();
  /** Scopes in which the other side has been told of this join. */
  readonly #asked = new Set<string>();

  constructor(options: TreeCarrierOptions) {
    this.#options = options;
    this.#time = options.time ?? treeTime;
    const { clock, logger, parent } = options;
    this.#refusals = new Outage({
      ...{ clock, logger, pace: outagePaces.patient },
      words: { failed: (why) => `controller ${parent} cannot be joined: ${why}; trying again` },
    });
    this.#own = this.#reachOwn();
    this.#above = this.#reach();
    this.#join();
  }

  /** Whether both sides have been told that the other is there, in every scope. */
  get isJoined(): boolean {
    return this.#joined.size === 2 * this.#options.scopes.length;
  }

  /** Ends nothing: what goes over the link waits for another carrier, within its lease (T4). */
  letGo(): void {
    this.#isClosed = true;
    this.#cancelLost?.();
    this.#cancelRejoin?.();
    this.#own.letGo();
    this.#above.letGo();
  }

  /** Ends the link for good: quorums that go over it fail. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLost?.();
    this.#cancelRejoin?.();
    const { scopes, name, parent } = this.#options;
    for (const scope of scopes) {
      this.#own.tell({ kind: "tree-leave", scope, peer: parent });
      this.#above.tell({ kind: "tree-leave", scope, peer: name });
    }
    await this.#own.close();
    // One that is away learns it by the end of the lease.
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(this.#time.farewellMs, resolve);
      void this.#above.close().then(() => {
        cancel();
        resolve();
      });
    });
  }

  #reachOwn(): TreeEnd {
    const { name, parent, connectOwn } = this.#options;
    const end: TreeEnd = new TreeEnd({
      ...{ connect: connectOwn, edge: this.#numbered(`parent/${parent}`) },
      ...{ self: name, other: parent },
      ...{ side: "parent", onSaid: (said) => this.#onSaid(said, this.#above) },
      onClosed: (reason) => {
        if (end === this.#own) this.#onOwnClosed(reason);
      },
    });
    return end;
  }

  #reach(): TreeEnd {
    const { name, parent, connectParent } = this.#options;
    const end: TreeEnd = new TreeEnd({
      ...{ connect: connectParent, edge: this.#numbered(edgeOfChild(name)) },
      ...{ self: parent, other: name },
      ...{ side: "child", onSaid: (said) => this.#onSaid(said, this.#own) },
      onLink: (up) => this.#onLink(up),
      onClosed: (reason) => {
        if (end === this.#above) this.#onClosed(reason);
      },
    });
    return end;
  }

  /** Of those that carry the link in turn each has edges of its own: a new one ends none. */
  #numbered(edge: string): string {
    const { onPassedOn, newLife } = this.#options;
    return onPassedOn === undefined ? edge : `${edge}/${newLife()}`;
  }

  /** T2. */
  #join(): void {
    const { scopes, newLife } = this.#options;
    if (this.#isOwnEnded) {
      this.#isOwnEnded = false;
      this.#own = this.#reachOwn();
    }
    this.#joined.clear();
    this.#asked.clear();
    for (const scope of scopes) this.#own.join(scope, newLife(), undefined);
  }

  /** T4. The own core takes this one for the carrier. */
  #joinAbove({ scope, life, term, origin, receivedOf }: TreeJoined): void {
    if (this.#asked.has(scope)) return;
    this.#asked.add(scope);
    const { onPassedOn, newLife } = this.#options;
    const isClaim = onPassedOn !== undefined && term !== undefined;
    const ofLog = origin === undefined ? {} : { origin };
    this.#above.join(scope, newLife(), isClaim ? { life, term, ...ofLog } : undefined);
    // Somebody may wait for what was asked for before.
    if (onPassedOn !== undefined && receivedOf !== undefined) this.#expectAbove();
  }

  #onSaid(said: TreeEffect, listener: TreeEnd): void {
    if (said.kind === "tree-left") {
      if (!this.#isClosed) this.#onLeft(said, listener);
      return;
    }
    if (said.kind === "tree-joined" && listener === this.#above) this.#joinAbove(said);
    const command = commandOf(listener.other, said);
    if (command !== undefined) listener.tell(command);
    if (said.kind !== "tree-joined") return;
    this.#joined.add(`${listener.other} ${said.scope}`);
    // The own core lets it in also while the one above does not.
    if (!this.isJoined) return;
    this.#refusals.over();
    this.#stopExpecting();
    this.#options.onJoined?.();
  }

  #onLeft({ reason, isMoved }: TreeLeft, listener: TreeEnd): void {
    // What has left by T3 joins when the other is back.
    if (reason === "left") return;
    if (isMoved && listener === this.#above && this.#passOn()) return;
    this.#refusals.failed(reason);
    this.#rejoinLater(() => this.#join());
  }

  /** T3. */
  #onLink(up: boolean): void {
    if (this.#isClosed) return;
    const { logger, parent } = this.#options;
    this.#stopExpecting();
    logger.log("warn", `controller ${parent} is ${up ? "back" : "away; waiting for it"}`);
    if (!up) this.#expectAbove();
  }

  /** T3. */
  #expectAbove(): void {
    const { clock, limits } = this.#options;
    this.#cancelLost ??= clock.after(limits.edgeLeaseUs / 1000, () => {
      this.#cancelLost = undefined;
      this.#lose("was lost");
    });
  }

  #stopExpecting(): void {
    this.#cancelLost?.();
    this.#cancelLost = undefined;
  }

  /** The own core is told; when the upper one is there again, both join. */
  #lose(reason: string): void {
    const { scopes, parent } = this.#options;
    for (const scope of scopes) this.#own.tell({ kind: "tree-leave", scope, peer: parent, reason });
    void this.#above.close();
    this.#above = this.#reach();
    this.#join();
  }

  /** The upper core has given this edge up, or does not let it in. */
  #onClosed(reason: string): void {
    if (this.#isClosed) return;
    this.#refusals.failed(reason);
    this.#stopExpecting();
    this.#rejoinLater(() => this.#lose("was lost"));
  }

  /** T2. The core has told whoever waited for the one above that it is lost. */
  #onOwnClosed(reason: string): void {
    if (this.#isClosed || this.#passOn()) return;
    this.#refusals.failed(`the own core refuses the link: ${reason}`);
    this.#isOwnEnded = true;
    this.#rejoinLater(() => this.#join());
  }

  /** T4. @returns false when there is nobody to do it */
  #passOn(): boolean {
    const { onPassedOn } = this.#options;
    if (onPassedOn === undefined) return false;
    this.letGo();
    onPassedOn();
    return true;
  }

  #rejoinLater(rejoin: () => void): void {
    this.#cancelRejoin?.();
    this.#cancelRejoin = this.#options.clock.after(this.#time.rejoinMs, rejoin);
  }
}

type TreeClaim = Extract<TreeCommand, { kind: "tree-join" }>["claim"];
type TreeJoined = Extract<TreeEffect, { kind: "tree-joined" }>;
type TreeLeft = Extract<TreeEffect, { kind: "tree-left" }>;

interface TreeEndOptions {
  readonly connect: ConnectEdge;
  readonly edge: string;
  /** What the controller is called whose core this end is at, and the other one. */
  readonly self: string;
  readonly other: string;
  /** What the other one is to it. */
  readonly side: "parent" | "child";
  readonly onSaid: (said: TreeEffect) => void;
  readonly onLink?: (up: boolean) => void;
  readonly onClosed: (reason: string) => void;
}

/** One end of the link: an edge of one core. */
class TreeEnd {
  readonly other: string;
  readonly #options: TreeEndOptions;
  readonly #outbox: Outbox;
  readonly #link: CoreLink;
  #isAbandoned = false;

  constructor(options: TreeEndOptions) {
    this.#options = options;
    this.other = options.other;
    // What the core says is bounded by what it keeps for the other side (treeOutboxMax).
    this.#outbox = new Outbox({
      submit: (command) => this.#link.submit(command),
      onRoomChange: () => undefined,
    });
    this.#link = options.connect(options.edge, {
      onEffects: (effects) => this.#onEffects(effects),
      onRoom: () => this.#outbox.drain(),
      onLink: (up) => this.#isAbandoned || options.onLink?.(up),
      onClosed: (reason) => this.#isAbandoned || options.onClosed(reason),
    });
  }

  join(scope: string, life: number, claim: TreeClaim): void {
    const { self: name, other: peer, side } = this.#options;
    const shown = claim === undefined ? {} : { claim };
    this.tell({ kind: "tree-join", scope, name, peer, side, life, ...shown });
  }

  tell(command: Command): void {
    this.#outbox.send(command);
  }

  /** It says nothing more; what it was told before is still brought to its core. */
  close(): Promise<void> {
    this.#isAbandoned = true;
    return this.#link.close();
  }

  letGo(): void {
    this.#isAbandoned = true;
    this.#link.letGo?.();
  }

  #onEffects(effects: readonly EdgeEffect[]): void {
    if (this.#isAbandoned) return;
    for (const effect of effects) {
      if (isOfTree(effect) && effect.to === this.other) this.#options.onSaid(effect);
    }
  }
}

function isOfTree(effect: EdgeEffect): effect is TreeEffect {
  return effect.kind.startsWith("tree-");
}
