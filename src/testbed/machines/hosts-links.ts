// SPDX-License-Identifier: MIT
// The links of nodes on several hosts as the run sees them: one table of what is asked, kept here;
// what is in force is made by the back end of the host, or hosts, that a link has ends on.
//
//   L1. A change of one instant is told to every host before it, as far as their clocks agree.
import { errorText } from "../../core/text.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import { capacities } from "../../network/backends.ts";
import { NetworkError } from "../../network/link-backend.ts";
import type { CountedWay, ShaperHealth, WayCounts } from "../../network/link-report.ts";
import { type DirectionPlace, type DirectionUpdate, LinkTable } from "../../network/link-table.ts";
import type { DirectionShape, LinkChange, ShapedLink } from "../../network/model.ts";
import { describeOverload } from "../../network/overload.ts";
import type { ShapedLinks } from "../../network/shaped-links.ts";
import {
  type LinksState,
  type NetworkAsk,
  readAtUs,
  readCounts,
  readState,
} from "./agent-network.ts";
import type { HostClock } from "./host-clock.ts";
import type { HostPaths } from "./host-paths.ts";
import type { NodeLink } from "./node-link.ts";

/** Between two looks at how the links of hosts are. */
const lookMs = 1_000;

/** A host that makes links. */
export interface ShapingHost {
  readonly name: string;
  readonly link: Pick<NodeLink, "ask">;
  readonly clock: Pick<HostClock, "aheadUs" | "toHost" | "toOwn">;
}

export interface HostsLinksOptions {
  readonly kind: "netem" | "delay-node";
  readonly shapes: readonly ShapedLink[];
  readonly clock: Clock;
  /** Those that have nodes. */
  readonly hosts: readonly ShapingHost[];
  /** Those that a link has ends on. */
  readonly hostsOf: (link: string) => readonly ShapingHost[];
  /** What lies between them, as far as links go there. */
  readonly paths: HostPaths;
}

export class HostsLinks implements ShapedLinks {
  readonly kind: "netem" | "delay-node";
  readonly table: LinkTable;
  readonly #options: HostsLinksOptions;
  readonly #failed = Promise.withResolvers<string>();
  readonly #states = new Map<ShapingHost, LinksState>();
  #cancel: Cancel = () => undefined;
  #isStopped = false;

  /** @throws NetworkError when a link is asked for what nothing here does */
  constructor(options: HostsLinksOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.table = new LinkTable(capacities[options.kind]);
    const [problem] = this.table.add(options.shapes);
    if (problem !== undefined) throw new NetworkError(problem);
    this.#lookLater();
  }

  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  /** The links of a host are no more what they should be. */
  fail(host: string, why: string): void {
    this.#failed.resolve(`on ${host}: ${why}`);
  }

  /** So long before its instant a change has to be on its way. */
  get aheadUs(): number {
    return Math.max(0, ...this.#options.hosts.map(({ clock }) => clock.aheadUs));
  }

  get health(): ShaperHealth | undefined {
    const all = [...this.#states].flatMap(([{ clock }, { health }]) =>
      health === null ? [] : [{ ...health, lagMaxAtUs: clock.toOwn(health.lagMaxAtUs) }],
    );
    return all.length === 0 ? undefined : all.reduce(bothHealths);
  }

  trouble(): readonly string[] {
    return [...this.#states].flatMap(([{ name }, { trouble }]) =>
      trouble.map((text) => `on ${name}: ${text}`),
    );
  }

  attach(): Promise<void> {
    return Promise.reject(new NetworkError(noLinkComes));
  }

  detach(): Promise<void> {
    return Promise.reject(new NetworkError(noLinkComes));
  }

  async set(changes: readonly LinkChange[]): Promise<void> {
    await this.setAt(changes, 0);
  }

  /** L1. */
  async setAt(changes: readonly LinkChange[], atUs: number): Promise<number> {
    const planned = this.#plan(changes, this.table);
    if ("problem" in planned) throw new NetworkError(planned.problem);
    this.table.commit(planned);
    return await this.#tell(planned, atUs);
  }

  /**
   * Paths are known: makes links as long as they are to be. @throws NetworkError when one is not
   */
  async measured(names: readonly string[]): Promise<void> {
    const { paths, hostsOf } = this.#options;
    for (const name of names) {
      const problem = paths.share(name, this.#shapeAt);
      if (problem !== undefined) throw new NetworkError(problem);
    }
    const all = names.flatMap((name) => this.table.states(name));
    const problem = this.#problem(all, this.table);
    if (problem !== undefined) throw new NetworkError(problem);
    await Promise.all(
      names.flatMap((link) =>
        hostsOf(link).map(async (host) => {
          const holds = paths.holdsOn(host.name, link);
          if (holds !== undefined) await askOf(host, { kind: "hold", link, holds });
        }),
      ),
    );
    await this.#tell(all, 0);
  }

  async #tell(planned: readonly DirectionUpdate[], atUs: number): Promise<number> {
    const { paths } = this.#options;
    const byHost = new Map<ShapingHost, DirectionUpdate[]>();
    for (const update of planned) {
      for (const host of this.#options.hostsOf(update.link)) {
        byHost.set(host, [...(byHost.get(host) ?? []), paths.onHost(update)]);
      }
    }
    const times = await Promise.all([...byHost].map((one) => setOn(...one, atUs)));
    return Math.max(atUs, ...times);
  }

  refusal(changes: readonly LinkChange[], on: LinkTable = this.table): string | undefined {
    const planned = this.#plan(changes, on);
    return "problem" in planned ? planned.problem : undefined;
  }

  /** Of each host, as it was looked at last. */
  overload(on: LinkTable = this.table): readonly string[] {
    return [...this.#states].flatMap(([host, { carried }]) => {
      if (carried === null) return [];
      const names = on.names.filter((link) => this.#options.hostsOf(link).includes(host));
      const own = { names, states: (name: string) => on.states(name) };
      return describeOverload(own, carried).map((text) => `on ${host.name}: ${text}`);
    });
  }

  refusalToMake(): string | undefined {
    return noLinkComes;
  }

  /** Each way is counted by whoever shapes it; to others it is a way that nothing comes by. */
  async counts(link: string): Promise<readonly CountedWay[]> {
    const all = await Promise.all(
      this.#options.hostsOf(link).map(async (host) => {
        const counts = readCounts(await askOf(host, { kind: "count", link }));
        return counts ?? noAnswer(host);
      }),
    );
    const ways = new Map<string, CountedWay>();
    for (const one of all.flat()) {
      const key = `${one.member} ${one.way}`;
      const before = ways.get(key);
      ways.set(key, before === undefined ? one : bothCounts(before, one));
    }
    return [...ways.values()];
  }

  async lostByMachine(): Promise<number> {
    await this.refresh();
    const lost = [...this.#states.values()].map((state) => state.lost);
    if (lost.some((one) => one < 0))
      throw new NetworkError("a host does not know what it has lost");
    return lost.reduce((sum, one) => sum + one, 0);
  }

  /** How they are now. @throws NetworkError when a host does not say */
  async refresh(): Promise<void> {
    await Promise.all(
      this.#options.hosts.map(async (host) => {
        this.#states.set(host, readState(await askOf(host, { kind: "state" })) ?? noAnswer(host));
      }),
    );
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    return Promise.resolve();
  }

  #plan(
    changes: readonly LinkChange[],
    on: LinkTable,
  ): readonly DirectionUpdate[] | { readonly problem: string } {
    const planned = on.plan(changes);
    const problem = "problem" in planned ? undefined : this.#problem(planned, on);
    return problem === undefined ? planned : { problem };
  }

  #problem(updates: readonly DirectionUpdate[], on: LinkTable): string | undefined {
    return this.#options.paths.problem(updates, (place) => on.state(place)?.shape);
  }

  readonly #shapeAt = (place: DirectionPlace): DirectionShape | undefined =>
    this.table.state(place)?.shape;

  #lookLater(): void {
    if (this.#isStopped) return;
    // A host that has not made its links yet does not say; one that is lost ends the run.
    const again = (): void => this.#lookLater();
    this.#cancel = this.#options.clock.after(lookMs, () => {
      this.refresh().then(again, again);
    });
  }
}

const noLinkComes = "links of other machines neither come nor go while the run goes on";

async function setOn(
  host: ShapingHost,
  updates: readonly DirectionUpdate[],
  atUs: number,
): Promise<number> {
  const at = atUs === 0 ? 0 : host.clock.toHost(atUs);
  const doneUs = readAtUs(await askOf(host, { kind: "set", updates, atUs: at })) ?? noAnswer(host);
  return host.clock.toOwn(doneUs);
}

/** @throws NetworkError */
async function askOf(host: ShapingHost, ask: NetworkAsk): Promise<unknown> {
  try {
    return await host.link.ask({ kind: "network", ask });
  } catch (error) {
    const why = errorText(error);
    throw new NetworkError(`${host.name}: ${why}`, { cause: error });
  }
}

function noAnswer({ name }: ShapingHost): never {
  throw new NetworkError(`${name} does not say what became of its links`);
}

function bothHealths(a: ShaperHealth, b: ShaperHealth): ShaperHealth {
  const latest = a.lagMaxUs >= b.lagMaxUs ? a : b;
  return {
    packets: a.packets + b.packets,
    lagMaxUs: latest.lagMaxUs,
    lagMaxAtUs: latest.lagMaxAtUs,
    lagRecentUs: Math.max(a.lagRecentUs, b.lagRecentUs),
    late: a.late + b.late,
    dropped: a.dropped + b.dropped,
    priority: a.priority === b.priority ? a.priority : "usual",
  };
}

function bothCounts(a: CountedWay, b: CountedWay): CountedWay {
  const sum = (name: keyof WayCounts): number | null => {
    const [one, other] = [a.counts[name], b.counts[name]];
    return one === null || other === null ? null : one + other;
  };
  const known = (name: keyof WayCounts): number => sum(name) ?? 0;
  return {
    ...{ member: a.member, way: a.way, size: a.size + b.size },
    counts: {
      ...{ arrived: sum("arrived"), arrivedBytes: sum("arrivedBytes") },
      ...{ delivered: known("delivered"), deliveredBytes: known("deliveredBytes") },
      ...{ duplicated: sum("duplicated"), down: sum("down"), lost: known("lost") },
      ...{ queueDrops: known("queueDrops"), overflow: sum("overflow") },
    },
  };
}
