// SPDX-License-Identifier: MIT
// The edge of a host itself, by which it says in the log what it sees of others. Where several
// servers have the log, it is what the server is there: with its end the server's life ends.
import type { Command } from "../core/command.ts";
import type { Service } from "../core/service.ts";
import { coreVersionMax } from "../core/version.ts";
import type { Clock } from "./clock.ts";
import type { LimitTeller } from "./limit-teller.ts";
import { connectLocalEdge, type LocalLink } from "./local-link.ts";
import type { PortHost } from "./port.ts";
import { type ServerMembership, serverLeaseUs } from "./server-membership.ts";

export interface OwnEdgeOptions {
  readonly host: PortHost & { readonly newIncarnation: () => number };
  readonly clock: Clock;
  readonly core: Service;
  readonly membership: ServerMembership | undefined;
  readonly limits: LimitTeller;
  /** The log has ended it. */
  readonly onEnd: () => void;
}

export class OwnEdge {
  readonly #options: OwnEdgeOptions;
  #link: LocalLink | undefined;

  constructor(options: OwnEdgeOptions) {
    this.#options = options;
  }

  /** That of its present life; undefined before it has joined. */
  get link(): LocalLink | undefined {
    return this.#link;
  }

  /** Begins a life of it. */
  join(): void {
    const { host, clock, core, membership, limits, onEnd } = this.#options;
    const incarnation = host.newIncarnation();
    membership?.begin(incarnation, clock.nowUs());
    const asServer = {
      ...{ as: "server" as const, leaseUs: serverLeaseUs },
      ...{ offers: coreVersionMax, behind: core.sequence },
    };
    const life = { incarnation, ...(membership ? asServer : { as: "local" as const }) };
    const handler = { onEffects: () => undefined, onClosed: onEnd };
    this.#link = connectLocalEdge(host, membership?.edge ?? "host", handler, life);
    this.raiseVersion(coreVersionMax);
    limits.joined();
  }

  /** Whether all it has said is in the log. */
  get isQuiet(): boolean {
    return this.#link?.source.depth === 0;
  }

  /** D12. Decided in the log, where every server sees what each of them offers. */
  raiseVersion(version: number): void {
    const { core, limits } = this.#options;
    if (version <= core.version) return;
    const isTold = Object.keys(limits.told).length > 0;
    this.say({ kind: "version", version, ...(isTold ? { limits: limits.told } : {}) });
  }

  say(command: Command): void {
    this.#link?.source.submitAlways(command);
  }

  /** What the log says of it is not known here any more. */
  end(reason: string): void {
    this.#link?.end(reason, true);
  }

  /** Resolves when its end is in the log. */
  async close(): Promise<void> {
    await this.#link?.close();
  }
}
