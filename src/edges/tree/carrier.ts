// SPDX-License-Identifier: MIT
// Carries the link between a controller and the one above it: an edge of both cores, which tells
// each what the other has said. The cores number, keep and repeat what is said
// (core/barriers/tree); here it is only brought over. The same carrier serves two cores of one
// process and of two: what differs is how the upper one is reached.
//
//   T1. A side is told what the other says in the order in which it was said.
//   T2. After a cut in which the upper core has given this edge up, both sides join anew.
//   T3. A controller above that is away for longer than a lease is lost: whoever waits below for
//       what it has asked for is told so, and does not wait for it to come back.
import type { Command } from "../../core/command.ts";
import type { EdgeEffect, TreeEffect } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { ConnectEdge, CoreLink } from "../../host/core-link.ts";
import type { Logger } from "../../host/logger.ts";
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
  readonly time?: TreeTime;
}

/** Name of the edge by which a sub-controller is known to the core above it. */
export function edgeOfChild(name: string): string {
  return `child/${name}`;
}

export class TreeCarrier {
  readonly #options: TreeCarrierOptions;
  readonly #time: TreeTime;
  readonly #own: TreeEnd;
  #above: TreeEnd;
  #isClosed = false;
  #cancelLost: Cancel | undefined;
  #cancelRejoin: Cancel | undefined;
  #lastComplaint = "";
  /** Sides that have been told that the other is there, with their scope. */
  readonly #joined = new Set<string>();

  constructor(options: TreeCarrierOptions) {
    this.#options = options;
    this.#time = options.time ?? treeTime;
    const { name, parent, connectOwn } = options;
    this.#own = new TreeEnd({
      ...{ connect: connectOwn, edge: `parent/${parent}`, self: name, other: parent },
      ...{ side: "parent", onSaid: (said) => this.#onSaid(said, this.#above) },
      onClosed: (reason) => this.#complain(`the own core refuses the link: ${reason}`),
    });
    this.#above = this.#reach();
    this.#join();
  }

  /** Whether both sides have been told that the other is there, in every scope. */
  get isJoined(): boolean {
    return this.#joined.size === 2 * this.#options.scopes.length;
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

  #reach(): TreeEnd {
    const { name, parent, connectParent } = this.#options;
    const end: TreeEnd = new TreeEnd({
      ...{ connect: connectParent, edge: edgeOfChild(name), self: parent, other: name },
      ...{ side: "child", onSaid: (said) => this.#onSaid(said, this.#own) },
      onLink: (up) => this.#onLink(up),
      onClosed: (reason) => {
        if (end === this.#above) this.#onClosed(reason);
      },
    });
    return end;
  }

  /** T2. */
  #join(): void {
    const { scopes, newLife } = this.#options;
    this.#joined.clear();
    for (const scope of scopes) {
      for (const end of [this.#own, this.#above]) end.join(scope, newLife());
    }
  }

  #onSaid(said: TreeEffect, listener: TreeEnd): void {
    if (said.kind === "tree-left") {
      if (!this.#isClosed) this.#onLeft(said.reason);
      return;
    }
    const command = commandOf(listener.other, said);
    if (command !== undefined) listener.tell(command);
    if (said.kind !== "tree-joined") return;
    this.#lastComplaint = "";
    this.#joined.add(`${listener.other} ${said.scope}`);
    if (this.isJoined) this.#options.onJoined?.();
  }

  #onLeft(reason: string): void {
    // What has left by T3 joins when the other is back.
    if (reason === "left") return;
    this.#complain(reason);
    this.#rejoinLater(() => this.#join());
  }

  /** T3. */
  #onLink(up: boolean): void {
    if (this.#isClosed) return;
    const { clock, limits, logger, parent } = this.#options;
    this.#cancelLost?.();
    this.#cancelLost = undefined;
    logger.log("warn", `controller ${parent} is ${up ? "back" : "away; waiting for it"}`);
    if (up) return;
    this.#cancelLost = clock.after(limits.edgeLeaseUs / 1000, () => this.#lose("was lost"));
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
    this.#complain(reason);
    this.#cancelLost?.();
    this.#cancelLost = undefined;
    this.#rejoinLater(() => this.#lose("was lost"));
  }

  #rejoinLater(rejoin: () => void): void {
    this.#cancelRejoin?.();
    this.#cancelRejoin = this.#options.clock.after(this.#time.rejoinMs, rejoin);
  }

  /** Once for each reason: it is tried again every second. */
  #complain(reason: string): void {
    if (reason === this.#lastComplaint) return;
    this.#lastComplaint = reason;
    const { logger, parent } = this.#options;
    logger.log("warn", `controller ${parent} cannot be joined: ${reason}; trying again`);
  }
}

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

  join(scope: string, life: number): void {
    const { self: name, other: peer, side } = this.#options;
    this.tell({ kind: "tree-join", scope, name, peer, side, life });
  }

  tell(command: Command): void {
    this.#outbox.send(command);
  }

  /** It says nothing more; what it was told before is still brought to its core. */
  close(): Promise<void> {
    this.#isAbandoned = true;
    return this.#link.close();
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
