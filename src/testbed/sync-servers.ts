// SPDX-License-Identifier: MIT
// The sync servers of a run, all on the node that the experiment chose: one for the nodes it begins
// with, and one more for each modification that brings nodes at addresses nobody serves yet. They
// are edges of one core: it is one barrier wherever one comes from.
import { newSecret } from "../host/ids.ts";
import type { LinkListener } from "../host/link-listener.ts";
import type { RunningNode } from "./nodes/index.ts";
import { within } from "./nodes/within.ts";
import {
  type SyncServer,
  type SyncServerOptions,
  startSyncServer,
  writeCallers,
} from "./sync-server.ts";

/** Longest wait for a server to end. */
const stopMsMax = 5_000;

export interface SyncServersOptions extends Omit<SyncServerOptions, "edge" | "clients" | "secret"> {
  /** Where the servers attach to the core. */
  readonly listener: LinkListener;
}

export class SyncServers {
  readonly #options: SyncServersOptions;
  readonly #servers = new Set<SyncServer>();
  readonly #served = new Set<string>();
  #started = 0;

  constructor(options: SyncServersOptions) {
    this.#options = options;
  }

  /**
   * Serves these nodes too; one that comes back is served already.
   * @returns what ends that again. @throws Error with a sentence for the user
   */
  async serve(nodes: readonly RunningNode[]): Promise<() => Promise<void>> {
    const clients = nodes.filter(({ calledAt }) => !this.#served.has(calledAt));
    if (clients.length === 0) return () => Promise.resolve();
    const { node, scope, listener, clock, backend } = this.#options;
    const own = backend.doors === undefined ? undefined : backend.nodes.get(node);
    if (own !== undefined && this.#started > 0) {
      // The server listens at all addresses of its node, and is told who else calls.
      writeCallers(own, backend.nodes.values());
      return () => Promise.resolve();
    }
    this.#started += 1;
    const edge = this.#started === 1 ? `${node}/syncd` : `${node}/syncd/${this.#started}`;
    const secret = newSecret();
    listener.admit({ edge, secret, rights: { kind: "sync", scope } });
    const server = await startSyncServer({ ...this.#options, edge, clients, secret }).catch(
      (error: unknown) => {
        listener.dismiss(edge);
        throw error;
      },
    );
    this.#servers.add(server);
    for (const { calledAt } of clients) this.#served.add(calledAt);
    return async () => {
      listener.dismiss(edge);
      this.#servers.delete(server);
      for (const { calledAt } of clients) this.#served.delete(calledAt);
      // The next one may want the same addresses.
      await within(clock, server.stop(), stopMsMax);
    };
  }

  /** Ends all of them; nobody waits for it. */
  stop(): void {
    for (const server of this.#servers) void server.stop();
  }
}
