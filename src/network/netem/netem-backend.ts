// SPDX-License-Identifier: MIT
// The back end for kernels that have netem: the two ends of a link are one veth pair, and what a
// node sends is shaped where it leaves. A LAN is a bridge in the hub: what goes up is shaped at the
// node, what comes down at the bridge's end. There is no process of ours that packets depend on.
import { type Clock, sleep } from "../../host/clock.ts";
import { readDeviceDrops } from "../../host/kernel-drops.ts";
import {
  type GrownLink,
  type LinkEnd,
  type LinkEnds,
  type NamespaceCommands,
  type NetNamespace,
  NetworkError,
  removeInterfaces,
} from "../link-backend.ts";
import type { CountedWay } from "../link-report.ts";
import { type DirectionUpdate, LinkTable } from "../link-table.ts";
import type { LinkChange, ShapedLink } from "../model.ts";
import { addToTable, type ShapedLinks } from "../shaped-links.ts";
import { formatDirection, netemCapacity, netemProblem } from "./netem-commands.ts";
import { readNetemCounts } from "./netem-counts.ts";
import { NetemTracer } from "./netem-tracer.ts";
import { ReadyBatches } from "./ready-batches.ts";

export interface NetemOptions {
  readonly commands: NamespaceCommands;
  readonly clock: Clock;
}

/** Where a direction is shaped. */
interface Device {
  readonly namespace: NetNamespace;
  readonly name: string;
}

/** Lines of one namespace. */
interface Batch {
  readonly namespace: NetNamespace;
  readonly lines: string[];
}

export class NetemBackend implements ShapedLinks {
  readonly kind = "netem";
  readonly table: LinkTable = new LinkTable(netemCapacity);
  /** The kernel does not stop by itself. */
  readonly failed: Promise<string> = new Promise(() => undefined);
  readonly #commands: NamespaceCommands;
  readonly #clock: Clock;
  readonly #ready: ReadyBatches;
  /** By link; member by member. */
  readonly #ends = new Map<string, LinkEnds>();
  #last: Promise<void> = Promise.resolve();
  readonly tracer: NetemTracer;

  constructor({ commands, clock }: NetemOptions) {
    this.tracer = new NetemTracer({ commands, clock, endOf: (...at) => this.#endOf(...at) });
    this.#commands = commands;
    this.#clock = clock;
    this.#ready = new ReadyBatches(commands, clock);
  }

  async attach(links: readonly LinkEnds[], plans: ReadonlyMap<string, ShapedLink>): Promise<void> {
    addToTable(this.table, links, plans);
    for (const link of links) this.#ends.set(link.name, link);
    await this.#commands.ip(
      this.#commands.hub,
      links.flatMap((link) => (this.#isLan(link.name) ? lanLines(link) : linkLines(link))),
    );
    const states = links.flatMap(({ name }) => this.table.states(name));
    await this.#unbundle(states);
    await this.#apply(this.#batches(states));
  }

  async grow(links: readonly GrownLink[], plans: ReadonlyMap<string, ShapedLink>): Promise<void> {
    const asked = links.flatMap(({ name }) => plans.get(name) ?? []);
    const changed = this.table.grow(asked);
    if ("problem" in changed) throw new NetworkError(changed.problem);
    for (const link of links) this.#ends.set(link.name, link);
    await this.#commands.ip(
      this.#commands.hub,
      links.flatMap((link) => portLines(bridgeName(link), link.ends.slice(link.kept))),
    );
    const keptOf = new Map(links.map(({ name, kept }) => [name, kept]));
    await this.#unbundle(changed.filter(({ link, member }) => member >= (keptOf.get(link) ?? 0)));
    await this.#apply(this.#batches(changed));
  }

  async detach(links: readonly LinkEnds[]): Promise<void> {
    const names = links.map(({ name }) => name);
    const isLan = new Set(names.filter((name) => this.#isLan(name)));
    // Changes that are on their way are for devices that are there.
    const work = this.#last.then(async () => {
      await this.tracer.endTraces(names);
      this.table.remove(names);
      await this.#ready.end(links.flatMap(({ ends }) => ends.map(({ namespace }) => namespace)));
      await removeInterfaces(
        this.#commands,
        links.flatMap(({ name, ends }) => (isLan.has(name) ? ends : ends.slice(0, 1))),
      );
      const bridges = links.filter(({ name }) => isLan.has(name)).map(bridgeName);
      await this.#commands.ip(
        this.#commands.hub,
        bridges.map((bridge) => `link del dev ${bridge}`),
      );
      for (const name of names) this.#ends.delete(name);
    });
    this.#last = work.catch(() => undefined);
    await work;
  }

  async set(changes: readonly LinkChange[]): Promise<void> {
    await this.setAt(changes, 0);
  }

  /** What it starts waits for the next change in these places, whichever that is. */
  prepare(changes: readonly LinkChange[]): void {
    const planned = this.table.plan(changes);
    if ("problem" in planned) return;
    for (const update of planned) this.#ready.prepare(this.#device(update).namespace);
  }

  async setAt(changes: readonly LinkChange[], atUs: number): Promise<number> {
    const planned = this.table.plan(changes);
    if ("problem" in planned) throw new NetworkError(planned.problem);
    const batches = this.#batches(planned);
    this.table.commit(planned);
    const programs = batches.map((batch) => ({ batch, of: this.#ready.take(batch.namespace) }));
    // Told one after the other, so that the kernel ends with what was asked for last: also when one
    // before it waits for its instant.
    const applied = this.#last.then(async () => {
      const waitMs = (atUs - this.#clock.nowUs()) / 1_000;
      if (waitMs > 0) await sleep(this.#clock, waitMs);
      await Promise.all(programs.map(({ batch, of }) => of.run(batch.lines)));
    });
    this.#last = applied.catch(() => undefined);
    await applied;
    return this.#clock.nowUs();
  }

  /** A queue of another kind would take the place of one that holds packets, and lose them. */
  refusal(changes: readonly LinkChange[], on: LinkTable = this.table): string | undefined {
    const planned = on.plan(changes);
    if ("problem" in planned) return planned.problem;
    for (const update of planned) {
      const problem = netemProblem(update.state);
      if (problem !== undefined) return `link ${update.link}: ${problem}`;
      const [is, was] = [update.state, on.state(update)].map((it) => it?.shape.queue);
      if (is?.kind === was?.kind && is?.limitUnit === was?.limitUnit) continue;
      return `link ${update.link}: netem cannot make its queue one of another kind while it is up`;
    }
    return undefined;
  }

  refusalToMake(links: readonly ShapedLink[], gone: readonly string[]): string | undefined {
    const [problem] = this.table.check(links, gone);
    if (problem !== undefined) return problem;
    for (const { name, members } of links) {
      for (const shape of members.flatMap(({ up, down }) => [up, down ?? up])) {
        const why = netemProblem({ shape, isUp: true });
        if (why !== undefined) return `link ${name}: ${why}`;
      }
    }
    return undefined;
  }

  async lostByMachine(): Promise<number> {
    return readDeviceDrops();
  }

  async counts(link: string): Promise<readonly CountedWay[]> {
    return await Promise.all(
      this.table.states(link).map(async (update) => {
        const { namespace, name } = this.#device(update);
        const argv = ["tc", "-s", "-j", "qdisc", "show", "dev", name];
        const read = readNetemCounts(await this.#commands.run(namespace, argv));
        if (typeof read === "string") throw new NetworkError(read);
        return { member: update.member, way: update.way, ...read };
      }),
    );
  }

  /** The kernel tells nobody how late it is. */
  readonly health = undefined;

  trouble(): readonly string[] {
    return [];
  }

  async stop(): Promise<void> {
    await Promise.all([this.#ready.stop(), this.tracer.stop()]);
  }

  /** What is to be done in each namespace. @throws NetworkError when netem cannot do it */
  #batches(updates: readonly DirectionUpdate[]): readonly Batch[] {
    refuseWhatNetemCannot(updates);
    const batches = new Map<number, Batch>();
    for (const update of updates) {
      const { namespace, name } = this.#device(update);
      const batch = batches.get(namespace.pid) ?? { namespace, lines: [] };
      batches.set(namespace.pid, batch);
      batch.lines.push(...formatDirection(name, update.state));
    }
    return [...batches.values()];
  }

  /** Else losses and queues would be of bundles of packets. */
  async #unbundle(updates: readonly DirectionUpdate[]): Promise<void> {
    for (const { namespace, name } of updates.map((update) => this.#device(update))) {
      const off = "tso off gso off gro off".split(" ");
      await this.#commands.run(namespace, ["ethtool", "-K", name, ...off]);
    }
  }

  /** One process for each namespace, all at once. */
  async #apply(batches: readonly Batch[]): Promise<void> {
    await Promise.all(
      batches.map(({ namespace, lines }) =>
        this.#commands.run(namespace, ["tc", "-batch", "-"], `${lines.join("\n")}\n`),
      ),
    );
  }

  #isLan(name: string): boolean {
    return this.table.link(name)?.kind === "lan";
  }

  #endOf(link: string, member: number): LinkEnd {
    const end = this.#ends.get(link)?.ends[member];
    if (end === undefined) throw new NetworkError(`link ${link} has no end ${member}`);
    return end;
  }

  #device({ link, member, way }: DirectionUpdate): Device {
    const end = this.#endOf(link, member);
    return way === "up"
      ? { namespace: end.namespace, name: end.interfaceName }
      : { namespace: this.#commands.hub, name: portName(end) };
  }
}

function refuseWhatNetemCannot(updates: readonly DirectionUpdate[]): void {
  for (const { link, state } of updates) {
    const problem = netemProblem(state);
    if (problem !== undefined) throw new NetworkError(`link ${link}: ${problem}`);
  }
}

const portName = ({ slot }: LinkEnd): string => `p${slot}`;

const deviceWords = ({ interfaceName, namespace, mac, mtu }: LinkEnd): string =>
  `name ${interfaceName} netns ${namespace.pid} address ${mac} mtu ${mtu}`;

function linkLines({ name, ends }: LinkEnds): readonly string[] {
  const [first, second] = ends;
  if (first === undefined || second === undefined)
    throw new NetworkError(`${name} has not two ends`);
  return [`link add ${deviceWords(first)} type veth peer ${deviceWords(second)}`];
}

const bridgeName = ({ ends }: LinkEnds): string => `lan${ends[0]?.slot ?? 0}`;

function lanLines(link: LinkEnds): readonly string[] {
  const bridge = bridgeName(link);
  return [
    `link add name ${bridge} type bridge`,
    `link set ${bridge} up`,
    ...portLines(bridge, link.ends),
  ];
}

function portLines(bridge: string, ends: readonly LinkEnd[]): readonly string[] {
  return ends.flatMap((end) => [
    `link add ${deviceWords(end)} type veth peer name ${portName(end)} mtu ${end.mtu}`,
    `link set ${portName(end)} master ${bridge} up`,
  ]);
}
