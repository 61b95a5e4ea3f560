// SPDX-License-Identifier: MIT
// The link up of a controller that is a group of servers of one log: one of them carries it, and
// when that one is dead or cut off another one does. Who carries it is in the state, which each
// server reads; nobody is elected (D1, D3).
//
//   U1. A server takes the link when no living server carries it, as the log has it. The one of
//       rank r waits r x 250 ms, in which the join of another comes.
//   U2. A server that sees another one carry the link, or its own life ended, lets it go without a
//       word, and is ready again. What was said and not heard is in the state of both controllers,
//       and the next carrier's join has it said again (M1, M2).
//   U3. Two that take it at once are put in order by their core; the one above takes the later
//       (M6).
import type { Cancel } from "../../host/clock.ts";
import { connectStreamEdge, type RemoteLinkOptions } from "../../host/remote-link.ts";
import type { Shards } from "../../host/shards.ts";
import { treeTime } from "../tree-time.ts";
import { TreeCarrier, type TreeCarrierOptions } from "./carrier.ts";

/**
 * Log time of the core above for which it waits for the next carrier: the servers below take the
 * one before for ended after its lease of 10 s, and the next has to reach the one above.
 */
const groupLeaseUs = 30_000_000;

export interface UplinkOptions extends Omit<GroupUplinkOptions, "shards" | "connectParent"> {
  /** Whether other servers of the log may carry the link as well. */
  readonly isGroup: boolean;
  readonly core: GroupUplinkOptions["shards"] & Pick<Shards, "connectEdge">;
  /** How the controller above is reached. */
  readonly way: Pick<RemoteLinkOptions, "secret" | "open" | "newIncarnation">;
}

/** Joins a controller to the one above, as one server or as one of several. */
export function openUplink(options: UplinkOptions): Pick<TreeCarrier, "close"> {
  const { isGroup, core: shards, way, clock, limits } = options;
  const lease = isGroup ? { leaseUs: groupLeaseUs } : {};
  const connectParent = connectStreamEdge({ ...way, proves: true, clock, limits, ...lease });
  if (isGroup) return new GroupUplink({ ...options, shards, connectParent });
  return new TreeCarrier({ ...options, connectOwn: shards.connectEdge, connectParent });
}

export interface GroupUplinkOptions extends Omit<TreeCarrierOptions, "connectOwn" | "onPassedOn"> {
  readonly shards: Pick<Shards, "connectPassedOn" | "facts" | "observe">;
  /** What this server is called among those of the log (server-membership.ts). */
  readonly server: string;
}

export class GroupUplink {
  readonly #options: GroupUplinkOptions;
  readonly #stopObserving: () => void;
  #carrier: TreeCarrier | undefined;
  #cancelTake: Cancel | undefined;
  #isClosed = false;

  constructor(options: GroupUplinkOptions) {
    this.#options = options;
    this.#stopObserving = options.shards.observe(() => this.#look());
    this.#look();
  }

  /** Whether this server carries the link. */
  get isCarrier(): boolean {
    return this.#carrier !== undefined;
  }

  /** Another server goes on with the link; when there is none, it ends. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopObserving();
    this.#cancelTake?.();
    const { shards, server } = this.#options;
    const others = shards.facts.servers().filter((name) => name !== server);
    if (others.length === 0) await this.#carrier?.close();
    else this.#carrier?.letGo();
  }

  /** U1. */
  #look(): void {
    if (this.#isClosed || this.#carrier !== undefined) return;
    if (this.#isCarried) {
      this.#cancelTake?.();
      this.#cancelTake = undefined;
      return;
    }
    const { clock, shards, server } = this.#options;
    const rank = Math.max(0, shards.facts.servers().indexOf(server));
    this.#cancelTake ??= clock.after(rank * treeTime.rankMs, () => {
      this.#cancelTake = undefined;
      if (!this.#isClosed && !this.#isCarried) this.#take();
    });
  }

  get #isCarried(): boolean {
    const { shards, scopes, parent } = this.#options;
    return scopes.every((scope) => shards.facts.isCarried(scope, parent));
  }

  /** U2. */
  #take(): void {
    const { clock, shards } = this.#options;
    this.#carrier = new TreeCarrier({
      ...this.#options,
      connectOwn: shards.connectPassedOn,
      onPassedOn: () => {
        this.#carrier = undefined;
        this.#cancelTake = clock.after(treeTime.rejoinMs, () => {
          this.#cancelTake = undefined;
          this.#look();
        });
      },
    });
  }
}
