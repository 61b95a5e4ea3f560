// SPDX-License-Identifier: MIT
// A host under virtual time, with edges that write down what they are told.
import type { Command } from "../../../src/core/command.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import type { Limits } from "../../../src/core/limits.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import type { Log } from "../../../src/engine/log.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import type { CoreLink } from "../../../src/host/core-link.ts";
import { Host } from "../../../src/host/host.ts";
import { LinkListener } from "../../../src/host/link-listener.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { connectStreamEdge } from "../../../src/host/remote-link.ts";
import type { LogFaults } from "../../../src/testing/delaying-log.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import type { Pipe } from "../../../src/testing/network.ts";
import { Network } from "../../../src/testing/network.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

export const secret = "the secret";

/** Edges of other processes. */
const admitted = ["e", "direct", "node0/syncd"].map((edge) => ({
  edge,
  secret,
  rights: { kind: "all" as const },
}));
/** One that a second life of does not end. */
const lasting = { edge: "lasting", secret, rights: { kind: "all" }, whenTaken: "taken" } as const;
export const syncSecret = "the secret of the sync server";
const syncEdge = {
  edge: "n/syncd",
  secret: syncSecret,
  rights: { kind: "sync", scope: "s" },
} as const;

export interface Recorder {
  readonly link: CoreLink;
  /** Every effect, as text. */
  readonly effects: string[];
  readonly events: string[];
}

export class HostBench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: Network;
  readonly limits: Limits;
  readonly inner: Log;
  host: Host;
  listener: LinkListener;
  /** The pipes of remote links, in order of connecting. */
  readonly pipes: Pipe[] = [];
  /** Set on each pipe that is made: it is cut after so many chunks. */
  nextChunksLeft: number | undefined;
  isDown = false;
  readonly #faults: Partial<LogFaults>;
  readonly #random: Random;

  constructor(
    options: {
      readonly limits?: Partial<Limits>;
      readonly faults?: Partial<LogFaults>;
      readonly inner?: (nowUs: () => number) => Log;
      readonly seed?: number;
    } = {},
  ) {
    this.#random = new Random(options.seed ?? 1);
    this.#faults = options.faults ?? {};
    this.limits = resolveLimits(options.limits);
    const { clock } = this;
    this.network = new Network({ clock, random: this.#random, faults: {} });
    const nowUs = (): number => clock.nowUs();
    this.inner = options.inner?.(nowUs) ?? new MemoryLog({ nowUs });
    [this.host, this.listener] = this.#create(this.inner);
  }

  /** Starts the host; virtual time passes meanwhile. */
  async start(): Promise<void> {
    const started = this.host.start();
    await this.clock.pass(1_000_000);
    await started;
  }

  /** The host dies; a new one reads the same log, or another. */
  async restart(inner: Log = this.inner): Promise<void> {
    this.crash();
    [this.host, this.listener] = this.#create(inner);
    this.isDown = false;
    await this.start();
  }

  crash(): void {
    this.host.abandon();
    this.isDown = true;
    for (const pipe of this.pipes) pipe.cut();
  }

  local(name: string): Recorder {
    return record((handler) => this.host.connectEdge(name, handler));
  }

  remote(name: string, options: { readonly secret?: string } = {}): Recorder {
    const connect = connectStreamEdge({
      secret: options.secret ?? secret,
      clock: this.clock,
      limits: this.limits,
      open: () => this.open(),
    });
    return record((handler) => connect(name, handler));
  }

  /** A raw connection to the listener. */
  open() {
    if (this.isDown) return this.network.refuse();
    const pipe = this.network.connect();
    pipe.chunksLeft = this.nextChunksLeft;
    this.nextChunksLeft = undefined;
    this.pipes.push(pipe);
    this.listener.accept(pipe.server);
    return pipe.client;
  }

  /** All commands in the log, of batches that counted, as `edge kind connection`. */
  async commands(): Promise<readonly string[]> {
    const seen = new Set<string>();
    const commands: string[] = [];
    const reader = this.inner.read(1, (entries) => {
      for (const { edge, incarnation, number, commands: some } of entries.flatMap(
        ({ entry }) => entry.batches,
      )) {
        const before = number === 1 || seen.has(`${edge} ${incarnation} ${number - 1}`);
        if (!before || seen.has(`${edge} ${incarnation} ${number}`)) continue;
        seen.add(`${edge} ${incarnation} ${number}`);
        for (const command of some) commands.push(`${edge} ${describeCommand(command)}`);
      }
    });
    await this.clock.settle();
    reader.stop();
    return commands;
  }

  #create(inner: Log): [Host, LinkListener] {
    const { clock, limits } = this;
    const faults = this.#faults;
    const log = new DelayingLog({ inner, clock, random: this.#random, faults });
    const host = new Host({ log, clock, limits, logger: silentLogger });
    return [
      host,
      new LinkListener({ host, admitted: [...admitted, syncEdge, lasting], logger: silentLogger }),
    ];
  }
}

function describeCommand(command: Command): string {
  return "connection" in command ? `${command.kind} ${command.connection}` : command.kind;
}

function record(
  connect: (handler: {
    onEffects(effects: readonly EdgeEffect[]): void;
    onRoom(): void;
    onLink(up: boolean): void;
    onClosed(reason: string, isMomentary?: boolean): void;
  }) => CoreLink,
): Recorder {
  const effects: string[] = [];
  const events: string[] = [];
  const link = connect({
    onEffects: (some) => {
      for (const effect of some) effects.push(describeEffect(effect));
    },
    onRoom: () => void events.push("room"),
    onLink: (up) => void events.push(up ? "up" : "down"),
    onClosed: (reason, isMomentary) => {
      events.push(`closed${isMomentary === true ? " for now" : ""}: ${reason}`);
    },
  });
  return { link, effects, events };
}

export function describeEffect(effect: EdgeEffect): string {
  if (effect.kind === "released") {
    const { outcome, barrier, generation, error, connections } = effect;
    return `${outcome} ${barrier}.${generation} ${error} [${connections}]`;
  }
  return "connection" in effect ? `${effect.kind} ${effect.connection}` : effect.kind;
}
