// SPDX-License-Identifier: MIT
// The sync server of a run: `emulab-syncd` started on the node that the experiment chose. There it
// is an edge of the run's core (D14): it holds the sockets, the core holds the barriers. Nodes that
// come later are served by a further one beside it: the barriers are the same.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatMemberBarriers, type MemberBarriers } from "../edges/syncd/index.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { Host } from "../host/host.ts";
import { readTail } from "./agents/output-tail.ts";
import type { ExitStatus, NodeBackend, NodeProcess, RunningNode } from "./nodes/index.ts";
import { VIEW } from "./nodes/node-view.ts";

export interface SyncServerOptions {
  readonly backend: NodeBackend;
  readonly host: Host;
  /** Node that runs it. */
  readonly node: string;
  /** Name as an edge of the core. */
  readonly edge: string;
  /** Who calls it, each at its own address. */
  readonly clients: readonly RunningNode[];
  readonly scope: string;
  /** Those that are for members; all others are counts. */
  readonly memberBarriers: MemberBarriers;
  readonly executable: string;
  readonly port: number;
  /** Where the core listens, and what it wants to hear. */
  readonly socket: string;
  readonly secret: string;
  /** Resolves when a port is registered with the configuration server, which listens. */
  readonly registered: Promise<void>;
  readonly clock: Clock;
  /** The server ended though nobody stopped it; `message` says how. */
  readonly onUnexpectedEnd: (message: string) => void;
}

export interface SyncServer {
  /** Ends it; what it holds open is closed by its end, which resolves the promise. */
  stop(): Promise<void>;
}

/**
 * Longest wait for the server to listen: two programs start, each in 5 s in an emulated machine.
 */
const startMsMax = 60_000;
/** Bounded, so that a configuration server which does not answer is named as what failed. */
const registerCommand = "tmcc -i -t 30 portregister";
/** Hands the secret over: an environment can be read for as long as its process lives. */
const secretName = "core-secret";
/** Too long for an environment. */
const barriersName = "sync-barriers";
/** Changes while the server runs. */
const callersName = "sync-callers";

/**
 * Starts the server and waits until it listens, for it attaches to the core only then, and has
 * registered its port.
 * @throws Error with a sentence for the user.
 */
export async function startSyncServer(options: SyncServerOptions): Promise<SyncServer> {
  const { backend, node: name, clients, executable, port } = options;
  const node = backend.nodes.get(name);
  if (node === undefined) throw new Error(`the sync server's node ${name} does not exist`);
  const addresses = Object.fromEntries(clients.map(({ calledAt, name }) => [calledAt, name]));
  const logFile = join(node.hostPath.localLogs, "emulab-syncd.log");
  // No program of the experiment runs before the server has read the file and removed it.
  const secretFile = join(node.hostPath.boot, secretName);
  writeFileSync(secretFile, options.secret, { mode: 0o600, flag: "wx" });
  const hasMembers = options.memberBarriers.size > 0;
  if (hasMembers) {
    const text = formatMemberBarriers(options.memberBarriers);
    writeFileSync(join(node.hostPath.boot, barriersName), text);
  }
  if (backend.doors !== undefined) writeCallers(node, backend.nodes.values());
  const wait = waitForServer(options);
  try {
    const spawned = await node.spawn({
      name: "emulab-syncd",
      argv: [executable, "-d", "-p", String(port), "--register", registerCommand],
      directory: "",
      environment: {
        MUSTER_CORE_SOCKET: options.socket,
        MUSTER_CORE_SECRET_FILE: join(bootSeenBy(backend, node), secretName),
        MUSTER_SYNCD_ADDRESSES: JSON.stringify(addresses),
        ...(backend.doors === undefined
          ? {}
          : { MUSTER_SYNCD_CALLERS: join(bootSeenBy(backend, node), callersName) }),
        MUSTER_SCOPE: options.scope,
        MUSTER_SYNCD_EDGE: options.edge,
        ...(hasMembers
          ? { MUSTER_SYNCD_BARRIERS: join(bootSeenBy(backend, node), barriersName) }
          : {}),
      },
      stdout: logFile,
      stderr: logFile,
    });
    if ("startError" in spawned) throw new Error(`the sync server: ${spawned.startError}`);
    return await watchServer(spawned, { ...options, logFile, ready: wait.ready });
  } finally {
    wait.cancel();
    rmSync(secretFile, { force: true });
  }
}

/**
 * Nodes with a network of their own are known by the address they call from, any that they have.
 * Replaced whole, because the server may be reading it.
 */
export function writeCallers(server: RunningNode, clients: Iterable<RunningNode>): void {
  const callers = [...clients].flatMap(({ name, addresses }) =>
    addresses.map(({ loopback }) => [loopback, name] as const),
  );
  const file = join(server.hostPath.boot, callersName);
  writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(callers)));
  renameSync(`${file}.new`, file);
}

interface Watched extends SyncServerOptions {
  readonly logFile: string;
  readonly ready: Promise<void>;
}

async function watchServer(server: NodeProcess, watched: Watched): Promise<SyncServer> {
  const { node, logFile, ready, onUnexpectedEnd } = watched;
  let stopping = false;
  const describeEnd = (status: ExitStatus): string => {
    const how =
      status.signal === null
        ? `ended with exit code ${status.exitCode}: ${lastLine(readTail(logFile, 1_000))}`
        : `was ended by ${status.signal}`;
    return `the sync server on ${node} ${how}; what it said before: ${logFile}`;
  };
  const early = server.done.then((status) => Promise.reject(new Error(describeEnd(status))));
  early.catch(() => undefined);
  await Promise.race([ready, early]);
  void server.done.then((status) => {
    if (!stopping) onUnexpectedEnd(describeEnd(status));
  });
  return {
    stop() {
      stopping = true;
      server.signal("SIGTERM", "process");
      return server.done.then(() => undefined);
    },
  };
}

/** Where programs of the node see its boot directory. */
function bootSeenBy({ mode }: NodeBackend, node: RunningNode): string {
  return mode === "namespace" ? VIEW.boot : node.hostPath.boot;
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

interface ServerWait {
  /** Resolves when the server is attached and registered, rejects when it takes too long. */
  readonly ready: Promise<void>;
  /** Leaves neither a timer nor an observer; `ready` stays as it is. */
  readonly cancel: Cancel;
}

function waitForServer({
  host,
  clock,
  node,
  edge: own,
  registered,
}: SyncServerOptions): ServerWait {
  const attached = Promise.withResolvers<void>();
  const late = Promise.withResolvers<never>();
  let missing = "did not listen";
  const cancelTimer = clock.after(startMsMax, () => {
    late.reject(new Error(`the sync server on ${node} ${missing} within ${startMsMax / 1000} s`));
  });
  const stopObserving = host.observe(({ entry }) => {
    if (!entry.batches.some(({ edge }) => edge === own)) return;
    missing = "listens, but did not register its port with the configuration server";
    attached.resolve();
  });
  const done = Promise.all([attached.promise, registered]).then(() => undefined);
  const ready = Promise.race([done, late.promise]);
  // Nobody may be waiting yet when the time is over.
  ready.catch(() => undefined);
  const cancel = (): void => {
    cancelTimer();
    stopObserving();
  };
  return { ready, cancel };
}
