// SPDX-License-Identifier: MIT
// The link up of a controller that is a group of servers of one log: one of them carries it, and
// when that one is dead or cut off another one does. Who carries it is in the state, which each
// server reads; nobody is elected (D1, D3).
//
//   U1. A server takes the link when no living server carries it, as the log has it: the next by
//       name behind the last carrier, the one behind that 250 ms later, and so on, in which the
//       join of another comes.
//   U2. A server that sees another one carry the link, or its own life ended, lets it go without a
//       word, and is ready again. What was said and not heard is in the state of both controllers,
//       and the next carrier's join has it said again (M1, M2).
//   U3. Two that take it at once are put in order by their core; the one above takes the later
//       (M6).
//   U4. A carrier that nobody above answers lets the link go for another server, which the log says
//       (`detach`). When all have tried one of them keeps it for longer than a lease, so that who
//       waits is told that the controller above is lost (T3 of carrier.ts). One that is answered
//       keeps it, whatever the answer: who is refused is refused for the link of one before it, and
//       the next would be as well.
import type { Cancel } from "../../host/clock.ts";
import type { CoreLink, EdgeHandler } from "../../host/core-link.ts";
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
  const link = { ...way, proves: true, clock, limits, ...lease };
  if (!isGroup) {
    const connectParent = connectStreamEdge(link);
    return new TreeCarrier({ ...options, connectOwn: shards.connectEdge, connectParent });
  }
  return new GroupUplink({
    ...{ ...options, shards },
    connectParent: (edge, handler, onReach) =>
      connectStreamEdge({ ...link, onReach })(edge, handler),
  });
}

export interface GroupUplinkOptions
  extends Omit<TreeCarrierOptions, "connectOwn" | "connectParent" | "onPassedOn"> {
  /** @param onReach as of RemoteLinkOptions */
  readonly connectParent: (
    edge: string,
    handler: EdgeHandler,
    onReach: (isReached: boolean) => void,
  ) => CoreLink;
  readonly shards: Pick<Shards, "connectPassedOn" | "facts" | "observe">;
  /** What this server is called among those of the log (server-membership.ts). */
  readonly server: string;
}

export class GroupUplink {
  readonly #options: GroupUplinkOptions;
  readonly #stopObserving: () => void;
  #carrier: TreeCarrier | undefined;
  /** Of those to the controller above the last counts: one before it may end late. */
  #links = 0;
  #cancelTake: Cancel | undefined;
  #cancelPatience: Cancel | undefined;
  /** When it let the link go (U4), while nobody above has answered since. */
  #gaveUpUs: number | undefined;
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
    this.#stopPatience();
    if (this.#isAlone) await this.#carrier?.close();
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
    const { clock } = this.#options;
    this.#cancelTake ??= clock.after(this.#turn * treeTime.rankMs, () => {
      this.#cancelTake = undefined;
      if (!this.#isClosed && !this.#isCarried) this.#take();
    });
  }

  /** U1. How many have their turn before this server. */
  get #turn(): number {
    const { shards, scopes, parent, server } = this.#options;
    const servers = shards.facts.servers();
    const last = shards.facts.carrierOf(scopes[0] ?? "", parent);
    const before = servers.filter((name) => name <= last).length;
    const rank = Math.max(0, servers.indexOf(server));
    return (rank - before + servers.length) % Math.max(1, servers.length);
  }

  get #isAlone(): boolean {
    const { shards, server } = this.#options;
    return shards.facts.servers().every((name) => name === server);
  }

  get #isCarried(): boolean {
    const { shards, scopes, parent } = this.#options;
    return scopes.every((scope) => shards.facts.isCarried(scope, parent));
  }

  /** U2. */
  #take(): void {
    const { clock, shards, connectParent } = this.#options;
    this.#beginPatience();
    this.#carrier = new TreeCarrier({
      ...this.#options,
      connectOwn: shards.connectPassedOn,
      connectParent: (edge, handler) => {
        this.#links += 1;
        const link = this.#links;
        return connectParent(edge, handler, (isReached) => {
          if (link === this.#links) this.#onReach(isReached);
        });
      },
      onPassedOn: () => {
        this.#letGo();
        this.#cancelTake = clock.after(treeTime.rejoinMs, () => {
          this.#cancelTake = undefined;
          this.#look();
        });
      },
    });
  }

  #letGo(): void {
    this.#links += 1;
    this.#stopPatience();
    this.#carrier?.letGo();
    this.#carrier = undefined;
  }

  /** U4. */
  #onReach(isReached: boolean): void {
    if (this.#isClosed) return;
    if (isReached) {
      this.#gaveUpUs = undefined;
      this.#stopPatience();
    } else this.#beginPatience();
  }

  /** U4. */
  #beginPatience(): void {
    const { clock, limits, shards } = this.#options;
    const { patienceMs } = treeTime;
    const sinceMs = (clock.nowUs() - (this.#gaveUpUs ?? Number.NEGATIVE_INFINITY)) / 1000;
    // The others have had their turn since.
    const isLast = sinceMs <= (shards.facts.servers().length + 1) * patienceMs;
    const ms = patienceMs + (isLast ? limits.edgeLeaseUs / 1000 : 0);
    this.#cancelPatience ??= clock.after(ms, () => {
      this.#cancelPatience = undefined;
      if (this.#isAlone) this.#beginPatience();
      else this.#giveUp();
    });
  }

  #stopPatience(): void {
    this.#cancelPatience?.();
    this.#cancelPatience = undefined;
  }

  #giveUp(): void {
    const { clock, logger, parent } = this.#options;
    if (this.#gaveUpUs === undefined) {
      const why = `nobody answers this server as ${parent}`;
      logger.log("warn", `${why}; another one of its log is to try`);
    }
    this.#gaveUpUs = clock.nowUs();
    this.#letGo();
    this.#look();
  }
}
