// SPDX-License-Identifier: MIT
// The way between two controllers of a simulated tree: the streams that the carriers of the lower
// one open to servers of the upper one. May be cut, held back, or lead to nobody; what is said on
// it is the shipped code's.
import type { Duplex } from "node:stream";
import type { LinkListener } from "../../host/link-listener.ts";
import type { Network, Pipe } from "../network.ts";
import type { SimulatedServer } from "./cluster-server.ts";

export interface ControllerLinkOptions {
  readonly network: Network;
  /** Servers of the controllers that it joins. */
  readonly parents: readonly SimulatedServer[];
  readonly children: readonly SimulatedServer[];
  /** Where one of the upper ones takes links, as long as it does. */
  readonly listenerOf: (parent: SimulatedServer) => LinkListener | undefined;
  readonly trace: (what: string) => void;
}

/** A stream, and the servers that it joins. */
interface Call {
  readonly pipe: Pipe;
  readonly child: SimulatedServer;
  readonly parent: SimulatedServer;
}

export class ControllerLink {
  readonly #options: ControllerLinkOptions;
  #calls: Call[] = [];
  #callCount = 0;
  #isDown = false;
  #isParted = false;
  /** Ends that stand still. */
  readonly #asleep = new Set<SimulatedServer>();
  /** Lower ones that reach none above; one may be so for two reasons. */
  #excluded: SimulatedServer[] = [];

  constructor(options: ControllerLinkOptions) {
    this.#options = options;
  }

  /** What a server of the lower controller gets that calls the next server of the upper one. */
  dial(child: SimulatedServer): Duplex {
    const { network, parents, listenerOf } = this.#options;
    const parent = parents[this.#callCount % parents.length];
    this.#callCount += 1;
    const isThere = parent?.doors !== undefined && parent.state !== "draining";
    const isOut = this.#isDown || this.#excluded.includes(child);
    if (isOut || parent === undefined || !isThere) return network.refuse();
    const pipe = network.connect();
    const call = { pipe, child, parent };
    this.#calls = [...this.#calls.filter(({ pipe: one }) => !isOver(one)), call];
    if (!this.#passes(call)) pipe.partition();
    const { life } = parent;
    parent.whenAwake(() => {
      const taker = parent.life === life ? listenerOf(parent) : undefined;
      if (taker === undefined) pipe.cut();
      else if (!pipe.isCut) taker.accept(pipe.server);
    });
    return pipe.client;
  }

  joins(server: SimulatedServer): boolean {
    const { parents, children } = this.#options;
    return parents.includes(server) || children.includes(server);
  }

  /** What is on its way is lost, and nobody is reached until it is mended. */
  cut(): void {
    this.#options.trace("its link is cut");
    this.#isDown = true;
    for (const { pipe } of this.#calls.splice(0)) pipe.cut();
  }

  mend(): void {
    if (!this.#isDown) return;
    this.#options.trace("its link may be opened again");
    this.#isDown = false;
  }

  isBelow(server: SimulatedServer): boolean {
    return this.#options.children.includes(server);
  }

  /** Of the lower ones one reaches nobody, as cut. */
  exclude(child: SimulatedServer): void {
    this.#excluded.push(child);
    for (const { pipe } of this.#calls.filter((call) => call.child === child)) pipe.cut();
  }

  include(child: SimulatedServer): void {
    const at = this.#excluded.indexOf(child);
    if (at >= 0) this.#excluded.splice(at, 1);
  }

  includeAll(): void {
    this.#excluded = [];
  }

  /** Nothing gets through, and nobody is told. */
  part(): void {
    if (this.#isParted) return;
    this.#options.trace("nothing gets through its link");
    this.#isParted = true;
    for (const { pipe } of this.#calls) pipe.partition();
  }

  heal(): void {
    if (!this.#isParted) return;
    this.#options.trace("its link lets through what was held back");
    this.#isParted = false;
    this.#carry();
  }

  /** An end of it stands still. */
  hold(end: SimulatedServer): void {
    this.#asleep.add(end);
    for (const { pipe } of this.#callsOf(end)) pipe.partition();
  }

  /** It goes on, when what has come for it meanwhile is read. */
  letGo(end: SimulatedServer): void {
    this.#asleep.delete(end);
    this.#carry();
  }

  /** An end of it is gone. */
  drop(end: SimulatedServer): void {
    this.#asleep.delete(end);
    for (const { pipe } of this.#callsOf(end)) pipe.cut();
  }

  #callsOf(end: SimulatedServer): readonly Call[] {
    return this.#calls.filter(({ child, parent }) => child === end || parent === end);
  }

  #passes({ child, parent }: Call): boolean {
    return !this.#isParted && !this.#asleep.has(child) && !this.#asleep.has(parent);
  }

  #carry(): void {
    for (const call of this.#calls) if (this.#passes(call)) call.pipe.heal();
  }
}

/** Both ends know it: what is held back may be the end of it, which the other has not heard. */
function isOver({ client, server }: Pipe): boolean {
  return client.destroyed && server.destroyed;
}
