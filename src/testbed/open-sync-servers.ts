// SPDX-License-Identifier: MIT
// Opens the sync servers of a run on the node that the file chose for them.
import type { Host } from "../host/host.ts";
import type { LinkListener } from "../host/link-listener.ts";
import { memberBarriersOf } from "./declared-barriers.ts";
import type { NodeBackend } from "./nodes/index.ts";
import { linkAddress, syncPort } from "./run-nodes.ts";
import type { RunOptions } from "./run-options.ts";
import { SyncServers } from "./sync-servers.ts";

export interface OpenSyncServersOptions {
  readonly run: RunOptions;
  readonly scope: string;
  readonly host: Host;
  readonly listener: LinkListener;
  readonly backend: NodeBackend;
  /** Settles when the nodes have said who they are. */
  readonly registered: Promise<void>;
  readonly onUnexpectedEnd: (message: string) => void;
}

/** @returns nothing where the file names no node for a server. @throws Error for the user */
export async function openSyncServers(
  options: OpenSyncServersOptions,
): Promise<SyncServers | undefined> {
  const { run, scope, host, listener, backend, registered, onUnexpectedEnd } = options;
  const { experiment, clock, runId, tools } = run;
  const { syncServer: node } = experiment;
  if (node === undefined) return undefined;
  const socket = linkAddress(runId);
  // Names of such sockets are those of a network: a node that has its own sees no other.
  await backend.doors?.listenOn(node, socket.slice(1), (client) => listener.accept(client));
  const servers = new SyncServers({
    ...{ backend, node, clock, scope, port: syncPort, socket, host, listener, registered },
    memberBarriers: memberBarriersOf(experiment),
    executable: tools["emulab-syncd"] ?? "emulab-syncd",
    onUnexpectedEnd,
  });
  try {
    await servers.serve([...backend.nodes.values()]);
  } catch (error) {
    servers.stop();
    throw error;
  }
  return servers;
}
