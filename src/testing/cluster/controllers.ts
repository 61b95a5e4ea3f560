// SPDX-License-Identifier: MIT
// The clusters of a run: one, or with the fault `trees` two or three that are the controllers of a
// tree, each with a log, servers, clients and faults of its own, joined as `muster serve --parent`
// joins them. Owns which of them is meant by a server or a session; a cluster is in
// cluster-world.ts, a link in controller-link.ts.
import { Random } from "../../core/random.ts";
import { admitChild, openUplink } from "../../edges/tree/index.ts";
import { LinkListener } from "../../host/link-listener.ts";
import { serverEdge } from "../../host/server-membership.ts";
import { Network } from "../network.ts";
import { VirtualClock } from "../virtual-clock.ts";
import type { OpenedServer, SimulatedServer, TreeDoor } from "./cluster-server.ts";
import { ClusterWorld, type Program, type WorldOptions } from "./cluster-world.ts";
import { ControllerLink } from "./controller-link.ts";
import type { ServerLinks } from "./controller-place.ts";
import { messageDelayMsMax } from "./old-doors.ts";
import type { Party } from "./party.ts";
import type { AskStep, DoorName } from "./script.ts";
import { TreeChecker } from "./tree-checker.ts";

/** Scopes that are joined: those of clients. */
const scopes = ["s1", "s2"] as const;
const secret = "the key of this tree";

/** One controller of the tree. */
interface Place {
  readonly name: string;
  /** Path of it below the root. */
  readonly path: string;
  /** Its place among the controllers, and that of the one above. */
  readonly index: number;
  readonly above: number | undefined;
  readonly servers: number;
  readonly firstServer: number;
}

export class Controllers {
  readonly clock: VirtualClock;
  readonly worlds: readonly ClusterWorld[];
  readonly servers: readonly SimulatedServer[];
  readonly links: ControllerLink[] = [];
  readonly #options: WorldOptions;
  readonly #places: readonly Place[];
  readonly #network: Network | undefined;
  readonly #checker: TreeChecker | undefined;
  /** Where servers take links, as long as they live. */
  readonly #listeners = new Map<SimulatedServer, LinkListener>();
  #lastNumber = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { seed, servers, faults } = options;
    this.#places = (faults.trees ?? 0) > 0 ? placesOf(seed, servers) : [];
    if (this.#places.length < 2) {
      const world = new ClusterWorld(options);
      this.worlds = [world];
      this.clock = world.clock;
    } else {
      this.clock = new VirtualClock("ticks");
      const delayMsMax = (faults.delay ?? 0) > 0 ? messageDelayMsMax : 0;
      const random = new Random(seed ^ 0x7e7e);
      this.#network = new Network({ clock: this.clock, random, faults: { delayMsMax } });
      this.#checker = new TreeChecker({
        ...{ limits: options.limits, controllers: this.#places },
        complain: (rule, text) => this.complain(rule, text),
      });
      this.worlds = this.#places.map((place) => this.#createWorld(place));
      this.#createLinks(this.#network);
    }
    this.servers = this.worlds.flatMap((world) => world.servers);
  }

  get isTree(): boolean {
    return this.worlds.length > 1;
  }

  get problems(): readonly string[] {
    return this.worlds.flatMap(({ checker }) => checker.problems);
  }

  get crossings(): number {
    return this.#checker?.crossings ?? this.#first.checker.crossings;
  }

  get entries(): number {
    return this.worlds.reduce((sum, { checker }) => sum + checker.entries, 0);
  }

  get parties(): readonly Party[] {
    return this.#all(({ parties }) => parties);
  }

  get waiting(): readonly Party[] {
    return this.#all(({ waiting }) => waiting);
  }

  get hasWaiting(): boolean {
    return this.worlds.some(({ hasWaiting }) => hasWaiting);
  }

  complain(rule: string, text: string): void {
    this.#first.checker.complain(rule, text);
  }

  start(): void {
    for (const world of this.worlds) world.start();
  }

  end(): void {
    for (const world of this.worlds) world.end();
  }

  calm(): void {
    if (this.#network !== undefined) this.#network.faults = { delayMsMax: 0, pieces: 0 };
    for (const link of this.links) {
      link.mend();
      link.heal();
      link.includeAll();
    }
    for (const world of this.worlds) world.calm();
  }

  endSubscriptions(): void {
    for (const world of this.worlds) world.endSubscriptions();
  }

  finish(): void {
    for (const { checker, parties } of this.worlds) checker.finish(parties);
    this.#checker?.finish();
  }

  worldOf(server: SimulatedServer): ClusterWorld {
    return this.worlds.find(({ servers }) => servers.includes(server)) ?? this.#first;
  }

  /** Of the one that has the session, if one has. */
  worldOfSession(session: number): ClusterWorld | undefined {
    return this.worlds.find((world) => world.program(session) !== undefined);
  }

  program(session: number): Program | undefined {
    return this.worldOfSession(session)?.program(session);
  }

  openProgram(session: number, server: number, scope: string): void {
    const first = this.servers[server];
    if (first === undefined) return;
    const world = this.worldOf(first);
    world.openProgram(session, world.servers.indexOf(first), scope);
  }

  /** Members of rosters mostly ask at the controller that they come to. */
  askProgram(step: AskStep & { readonly id: number }, session: number): void {
    const world = this.worldOfSession(session);
    if (world === undefined) return;
    const { ask } = step;
    const home = ask.what === "roster-arrive" ? this.#homeWorld(ask.member) : undefined;
    if (home === undefined || home === world || step.id % 8 === 0) {
      world.askProgram(step, session);
      return;
    }
    const there = home.sessions;
    const other = there[step.id % Math.max(1, there.length)];
    if (other !== undefined) home.askProgram(step, other);
  }

  askDoor(step: AskStep & { readonly id: number }, door: DoorName, server: number): void {
    const at = this.servers[server];
    if (at === undefined) return;
    const world = this.worldOf(at);
    world.askDoor(step, door, world.servers.indexOf(at));
  }

  clear(server: number): void {
    const at = this.servers[server];
    if (at === undefined) return;
    const world = this.worldOf(at);
    world.clear(world.servers.indexOf(at));
  }

  get #first(): ClusterWorld {
    const [first] = this.worlds;
    if (first === undefined) throw new Error("a run has a cluster");
    return first;
  }

  /** Of all controllers, in the order in which they came. */
  #all(of: (world: ClusterWorld) => readonly Party[]): readonly Party[] {
    const { worlds } = this;
    return worlds.length === 1 ? of(this.#first) : worlds.flatMap(of);
  }

  #homeWorld(member: string): ClusterWorld | undefined {
    const path = this.#homeOf(member);
    return this.worlds[this.#places.findIndex((place) => place.path === path)];
  }

  /** m0 comes to the root, the others below it. */
  #homeOf(member: string): string {
    const place = this.#places[Number(member.slice(1)) % this.#places.length];
    return place?.path ?? "/";
  }

  #createWorld(place: Place): ClusterWorld {
    const { index, servers, name, firstServer } = place;
    const links: ServerLinks = {
      hold: (server) => this.#each(server, (link) => link.hold(server)),
      heal: (server) => this.#each(server, (link) => link.letGo(server)),
      cut: (server) => {
        this.#listeners.delete(server);
        this.#each(server, (link) => link.drop(server));
      },
    };
    return new ClusterWorld({
      ...this.#options,
      ...{ seed: this.#options.seed ^ (index * 0x51ed27), servers },
      controller: {
        ...{ name, clock: this.clock, firstServer, links },
        openTree: (server, opened) => this.#openTree(place, server, opened),
        onJudged: (entry, applied) => this.#checker?.onEntry(index, entry, applied),
        homeOf: (member) => this.#homeOf(member),
      },
    });
  }

  /** One server of each controller at a time has the link up; each takes those from below. */
  #createLinks(network: Network): void {
    for (const { above, index, name } of this.#places) {
      const parents = above === undefined ? undefined : this.worlds[above]?.servers;
      const children = this.worlds[index]?.servers;
      if (parents === undefined || children === undefined) continue;
      const listenerOf = (parent: SimulatedServer): LinkListener | undefined =>
        this.#listeners.get(parent);
      const trace = (what: string): void => this.#options.trace(name, what);
      this.links.push(new ControllerLink({ network, parents, children, listenerOf, trace }));
    }
  }

  /**
   * The server reaches none above it, and what it said on its way is lost. @returns what ends that
   */
  cutUplink(server: SimulatedServer): () => void {
    const ups = this.links.filter((link) => link.isBelow(server));
    if (ups.length > 0) this.#options.trace(server.name, "reaches no controller above");
    for (const link of ups) link.exclude(server);
    return () => {
      if (ups.length > 0) this.#options.trace(server.name, "may reach the controller above");
      for (const link of ups) link.include(server);
    };
  }

  #each(server: SimulatedServer, act: (link: ControllerLink) => void): void {
    for (const link of this.links) if (link.joins(server)) act(link);
  }

  /** As `muster serve` does (cli/commands/serve-tree.ts). */
  #openTree(place: Place, at: number, opened: OpenedServer): TreeDoor {
    const { index, name, above } = place;
    const { host, logger } = opened;
    const listener = new LinkListener({
      ...{ host, logger, admitted: [], asksForProof: true },
      admits: admitChild(name, secret),
    });
    const server = this.worlds[index]?.servers[at];
    if (server === undefined) throw new Error("a server of a tree is one of its controller's");
    this.#listeners.set(server, listener);
    const carrier = above === undefined ? undefined : this.#join(place, above, server, opened);
    return {
      close: async () => {
        listener.close();
        await carrier?.close();
      },
    };
  }

  #join(
    { index, name, servers }: Place,
    above: number,
    server: SimulatedServer,
    { host, process, logger }: OpenedServer,
  ): { readonly close: () => Promise<void> } {
    const { limits, trace, onStruck } = this.#options;
    const parent = this.#places[above]?.name ?? "";
    const { clock } = process;
    const newNumber = (): number => {
      this.#lastNumber += 1;
      return this.#lastNumber;
    };
    return openUplink({
      ...{ scopes, name, parent, limits, logger, clock, newLife: newNumber },
      ...{ isGroup: servers > 1, server: serverEdge(server.name), core: host },
      onJoined: () => {
        trace(name, `has joined ${parent}, by ${server.name}`);
        onStruck("trees");
      },
      way: {
        ...{ secret, newIncarnation: newNumber },
        open: () => {
          const link = this.links[index - 1];
          if (link === undefined) throw new Error("a controller below has a link");
          return link.dial(server);
        },
      },
    });
  }
}

/** Two or three, below the root or one below the other; each has one server or two. */
function placesOf(seed: number, servers: number): readonly Place[] {
  const random = new Random(seed ^ 0x7eee);
  const count = Math.min(servers, 2 + random.below(2));
  const isChain = random.chance(0.4);
  const names = ["top", "east", isChain ? "leaf" : "west"];
  const paths = ["/", "/east", isChain ? "/east/leaf" : "/west"];
  const above = [undefined, 0, isChain ? 1 : 0];
  let firstServer = 0;
  return Array.from({ length: count }, (_, index) => {
    const size = Math.min(2, Math.ceil((servers - index) / count));
    const place = {
      ...{ name: names[index] ?? "", path: paths[index] ?? "/", index, above: above[index] },
      ...{ servers: size, firstServer },
    };
    firstServer += size;
    return place;
  });
}
