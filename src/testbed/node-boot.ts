// SPDX-License-Identifier: MIT
// The boot of the nodes of a run: a configuration server on the addresses that nodes call, and each
// node's boot files and hosts file made from what it answers there. Nothing the server tells
// reaches these files by another way.
//
//   B1. A node is up once, when it has reported ISUP; programs that report it again change nothing.
//   B2. When a boot fails, or the run is interrupted, no other boot is left at work.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Ask,
  askFrom,
  type BootFacts,
  bootNode,
  syncServiceName,
} from "../client/tmcc-boot.ts";
import { type NodeReport, Tmcd } from "../edges/tmcd/index.ts";
import type { Tables } from "../experiment/index.ts";
import type { Experiment } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import { mainPort } from "../wire/tmcd/index.ts";
import { NodeConfig } from "./node-config.ts";
import { formatHostsFile } from "./nodes/hosts-file.ts";
import type { NodeBackend, RunningNode } from "./nodes/node-backend.ts";
import { currentUser } from "./nodes/views.ts";

export interface NodeBootOptions {
  readonly backend: NodeBackend;
  readonly experiment: Experiment;
  readonly tables?: Tables;
  readonly domain: string;
  readonly eventKey: string;
  /** Port of the sync server, which listens already where the experiment has one. */
  readonly syncPort: number;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts no further boots; the promise resolves nevertheless. */
  readonly interrupt: AbortSignal;
  readonly onUp: (node: string) => void;
}

export interface NodeBoot {
  /** Swap-out: what was registered is gone, the ports are given back. */
  stop(): void;
}

/** How long one answer may take. */
const answerMs = 10_000;
/** Nodes that boot at once. */
const bootsMax = 32;

/** Boots all nodes. @throws Error with a sentence for the user; nothing listens then. */
export async function bootNodes(options: NodeBootOptions): Promise<NodeBoot> {
  const { backend, clock, logger } = options;
  const config = configOf(options);
  const addresses = [...backend.nodes.values()].map(({ calledAt }) => calledAt);
  const tmcd = new Tmcd({ source: config, clock, logger, addresses });
  await tmcd.listen();
  try {
    await registerSyncServer(options);
    await bootAll(options);
  } catch (error) {
    tmcd.close();
    throw error;
  }
  return {
    stop() {
      config.clear();
      tmcd.close();
    },
  };
}

function configOf(options: NodeBootOptions): NodeConfig {
  const { backend, experiment, tables, domain, eventKey, environment, onUp } = options;
  const { user } = currentUser();
  const up = new Set<string>();
  return new NodeConfig({
    ...{ experiment, domain, eventKey, environment, creator: user, swapper: user },
    ...(tables === undefined ? {} : { tables }),
    nodes: [...backend.nodes.values()],
    onReport(node: string, report: NodeReport) {
      if (report.kind !== "state" || report.state !== "ISUP" || up.has(node)) return;
      up.add(node); // B1.
      onUp(node);
    },
  });
}

function askAs({ calledAt }: RunningNode, { clock }: NodeBootOptions): Ask {
  return askFrom({ kind: "tcp", address: calledAt, port: mainPort }, clock, answerMs);
}

/** What `emulab-syncd` does on a node of the testbed once it listens. [EMULAB-TMCD 12] */
async function registerSyncServer(options: NodeBootOptions): Promise<void> {
  const server = options.backend.nodes.get(options.experiment.syncServer ?? "");
  if (server === undefined) return;
  await askAs(server, options)(["portregister", syncServiceName, String(options.syncPort)]);
}

async function bootAll(options: NodeBootOptions): Promise<void> {
  const { backend, interrupt } = options;
  const left = [...backend.nodes.values()];
  let failure: unknown;
  const bootOneByOne = async (): Promise<void> => {
    for (let node = left.shift(); node !== undefined; node = left.shift()) {
      if (interrupt.aborted || failure !== undefined) return; // B2.
      await boot(node, options).catch((error: unknown) => {
        failure ??= error;
      });
    }
  };
  await Promise.all(Array.from({ length: bootsMax }, bootOneByOne));
  if (failure !== undefined) throw failure;
}

async function boot(node: RunningNode, options: NodeBootOptions): Promise<void> {
  const ask = askAs(node, options);
  const hasOwnHosts = options.backend.mode === "namespace";
  const result = await bootNode({
    ask,
    syncService: syncServiceName,
    // Without a hosts file of its own the node finds nothing by the server's name.
    ...(hasOwnHosts ? {} : { syncServerHost: () => node.calledAt }),
  });
  if (result.kind === "free") throw new Error(`the node ${node.name} is not of this experiment`);
  for (const [name, text] of Object.entries(result.facts.files)) {
    const mode = name === "eventkey" ? 0o600 : 0o644;
    writeFileSync(join(node.hostPath.boot, name), text, { mode });
  }
  writeFileSync(join(node.hostPath.root, "etc/hosts"), hostsFile(node, options, result.facts));
  await ask(["state", "ISUP"]);
}

function hostsFile(node: RunningNode, options: NodeBootOptions, facts: BootFacts): string {
  const { backend, experiment, domain } = options;
  const { syncServer } = experiment;
  return formatHostsFile({
    domain,
    suffix: `${facts.eid}.${facts.pid}.${domain}`,
    rows: facts.hosts.map(({ name, address, aliases }) => ({ address, canonical: name, aliases })),
    // The testbed's name server knows these.
    control: [...backend.nodes.values()].map(({ name, addresses }) => ({
      node: name,
      address: addresses[0]?.loopback ?? "",
    })),
    syncServer:
      syncServer === undefined ? undefined : { node: syncServer, calledAt: node.calledAt },
  });
}
