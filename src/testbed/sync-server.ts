// SPDX-License-Identifier: MIT
// The sync server of a run: `emulab-syncd` started on the node that the experiment chose. There it
// is an edge of the run's core (D14): it holds the sockets, the core holds the barriers.
import { join } from "node:path";
import type { Clock } from "../host/clock.ts";
import type { Host } from "../host/host.ts";
import { readTail } from "./agents/output-tail.ts";
import type { NodeBackend } from "./nodes/index.ts";

export interface SyncServerOptions {
  readonly backend: NodeBackend;
  readonly host: Host;
  /** Node that runs it. */
  readonly node: string;
  readonly scope: string;
  readonly executable: string;
  readonly port: number;
  /** Where the core listens, and what it wants to hear. */
  readonly socket: string;
  readonly secret: string;
  readonly clock: Clock;
  /** The server ended though nobody stopped it; `message` says how. */
  readonly onUnexpectedEnd: (message: string) => void;
}

export interface SyncServer {
  /** Ends it; what it holds open is closed by its end. */
  stop(): void;
}

/** Longest wait for the server to listen. */
const startMsMax = 15_000;

/**
 * Starts the server and waits until it listens: it attaches to the core only then.
 * @throws Error with a sentence for the user.
 */
export async function startSyncServer(options: SyncServerOptions): Promise<SyncServer> {
  const { backend, node: name, executable, port } = options;
  const node = backend.nodes.get(name);
  if (node === undefined) throw new Error(`the sync server's node ${name} does not exist`);
  const addresses = Object.fromEntries(
    [...backend.nodes.values()].map((client) => [client.calledAt, client.name]),
  );
  const logFile = join(node.hostPath.localLogs, "emulab-syncd.log");
  const started = waitForEdge(options);
  const spawned = await node.spawn({
    name: "emulab-syncd",
    argv: [executable, "-d", "-p", String(port)],
    directory: "",
    environment: {
      MUSTER_CORE_SOCKET: options.socket,
      MUSTER_CORE_SECRET: options.secret,
      MUSTER_SYNCD_ADDRESSES: JSON.stringify(addresses),
      MUSTER_SCOPE: options.scope,
    },
    stdout: logFile,
    stderr: logFile,
  });
  if ("startError" in spawned) throw new Error(`the sync server: ${spawned.startError}`);
  let stopping = false;
  const describeEnd = (status: Awaited<typeof spawned.done>): string => {
    const how =
      status.signal === null
        ? `ended with exit code ${status.exitCode}: ${lastLine(readTail(logFile, 1_000))}`
        : `was ended by ${status.signal}`;
    return `the sync server on ${name} ${how}; what it said before: ${logFile}`;
  };
  const early = spawned.done.then((status) => Promise.reject(new Error(describeEnd(status))));
  early.catch(() => undefined);
  await Promise.race([started, early]);
  void spawned.done.then((status) => {
    if (!stopping) options.onUnexpectedEnd(describeEnd(status));
  });
  return {
    stop() {
      stopping = true;
      spawned.signal("SIGTERM", "process");
    },
  };
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/** Resolves when an edge of another process has attached to the core. */
function waitForEdge({ host, clock, node }: SyncServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(startMsMax, () => {
      stopObserving();
      reject(new Error(`the sync server on ${node} did not listen within ${startMsMax / 1000} s`));
    });
    const stopObserving = host.observe(({ entry }) => {
      const isHere = entry.batches.some(({ edge }) => edge.endsWith("/syncd"));
      if (!isHere) return;
      cancel();
      stopObserving();
      resolve();
    });
  });
}
