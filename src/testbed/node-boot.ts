// SPDX-License-Identifier: MIT
// The boot of the nodes of a run: a configuration server on the addresses that nodes call, and each
// node's boot files and hosts file made from what it answers there. Nothing the server tells
// reaches these files by another way.
//
//   B1. A node is up once, when it has reported ISUP; programs that report it again change nothing.
//   B2. When a boot fails, or the run is interrupted, no other boot is left at work.
import { closeSync, constants, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  type Ask,
  askFrom,
  type BootFacts,
  bootNode,
  syncServiceName,
} from "../client/tmcc-boot.ts";
import { errorText } from "../core/text.ts";
import { type NodeReport, type TlsIdentity, Tmcd } from "../edges/tmcd/index.ts";
import { eventServerName } from "../events/index.ts";
import type { Tables } from "../experiment/index.ts";
import type { Experiment } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import { mainPort, parseHosts } from "../wire/tmcd/index.ts";
import { NodeConfig } from "./node-config.ts";
import { formatHostsFile } from "./nodes/hosts-file.ts";
import type { NodeBackend, RunningNode } from "./nodes/node-backend.ts";
import { currentUser } from "./nodes/views.ts";

/** Told at once what nodes do, long before the run says it. Must not throw. */
export interface NodeWatch {
  /** It begins to boot, perhaps again, and is called at this address. */
  boots(node: string, address: string): void;
  report(node: string, report: NodeReport): void;
}

export interface NodeBootOptions {
  readonly backend: NodeBackend;
  readonly experiment: Experiment;
  readonly tables?: Tables;
  readonly domain: string;
  readonly eventKey: string;
  /**
   * Starts the sync server's program, where the experiment has one; resolves when it listens and
   * has `registered` its port as a node of the testbed does.
   */
  readonly startSyncServer: (registered: Promise<void>) => Promise<void>;
  /** Lets clients in over TLS, too. */
  readonly tls?: TlsIdentity;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts no further boots; the promise resolves nevertheless. */
  readonly interrupt: AbortSignal;
  readonly onUp: (node: string) => void;
  readonly nodeWatch?: NodeWatch | undefined;
}

/** What nodes are told. */
export interface Told {
  readonly experiment: Experiment;
  readonly tables: Tables | undefined;
}

export interface NodeBoot {
  /**
   * Boots nodes that the back end has brought up since, for the experiment as it is to be.
   * @throws Error with a sentence for the user
   */
  bootMore(nodes: readonly RunningNode[], told: Told): Promise<void>;
  /** What nodes are told from now on. */
  tell(told: Told): void;
  /** Makes the hosts files anew, from what nodes are told. @returns what went wrong */
  nameOthers(): Promise<readonly string[]>;
  /** Swap-out: what was registered is gone, the ports are given back. */
  stop(): void;
}

/** How long one answer may take. */
const answerMs = 10_000;
/** Nodes that boot at once. */
const bootsMax = 32;

/** Boots all nodes. @throws Error with a sentence for the user; nothing listens then. */
export async function bootNodes(options: NodeBootOptions): Promise<NodeBoot> {
  const boot = new Boot(options);
  await boot.start();
  return boot;
}

class Boot implements NodeBoot {
  #options: NodeBootOptions;
  readonly #config: NodeConfig;
  readonly #tmcd: Tmcd;
  /** Nodes that are up. B1. */
  readonly #up = new Set<string>();
  /** Where the configuration server listens: nodes that go leave their address behind. */
  readonly #calledAt: Set<string>;
  /** Resolves when the sync server has told where it is. */
  readonly #registration = Promise.withResolvers<void>();

  constructor(options: NodeBootOptions) {
    const { backend, clock, logger } = options;
    this.#options = options;
    this.#config = this.#configOf(options);
    this.#calledAt = new Set([...backend.nodes.values()].map(({ calledAt }) => calledAt));
    const addresses = [...this.#calledAt];
    const tls = options.tls === undefined ? {} : { tls: options.tls };
    this.#tmcd = new Tmcd({ source: this.#config, clock, logger, addresses, ...tls });
  }

  async start(): Promise<void> {
    await this.#tmcd.listen();
    try {
      // The nodes read its port from the door when they boot. [EMULAB-TMCD 12]
      await this.#options.startSyncServer(this.#registration.promise);
      await bootAll([...this.#options.backend.nodes.values()], this.#options);
    } catch (error) {
      this.#tmcd.close();
      throw error;
    }
  }

  async bootMore(nodes: readonly RunningNode[], told: Told): Promise<void> {
    this.tell(told);
    for (const { name } of nodes) {
      this.#up.delete(name);
      this.#config.resetNode(name);
    }
    const fresh = nodes.map(({ calledAt }) => calledAt).filter((one) => !this.#calledAt.has(one));
    await this.#tmcd.listenAlso(fresh);
    for (const address of fresh) this.#calledAt.add(address);
    await bootAll(nodes, this.#options);
  }

  tell({ experiment, tables }: Told): void {
    const { tables: _, ...rest } = this.#options;
    const told = { experiment, ...(tables === undefined ? {} : { tables }) };
    this.#options = { ...rest, ...told };
    const nodes = [...rest.backend.nodes.values()];
    this.#config.replace({ experiment, tables: tables ?? {}, nodes });
  }

  async nameOthers(): Promise<readonly string[]> {
    const failures: string[] = [];
    for (const node of this.#options.backend.nodes.values()) {
      await nameOthers(node, this.#options).catch((error: unknown) => {
        const why = errorText(error);
        failures.push(`the node ${node.name} does not know the names of the others: ${why}`);
      });
    }
    return failures;
  }

  stop(): void {
    this.#config.clear();
    this.#tmcd.close();
  }

  #configOf(options: NodeBootOptions): NodeConfig {
    const { backend, experiment, tables, domain, eventKey, environment, onUp, nodeWatch } = options;
    const { user } = currentUser();
    return new NodeConfig({
      ...{ experiment, domain, eventKey, environment, creator: user, swapper: user },
      ...(tables === undefined ? {} : { tables }),
      nodes: [...backend.nodes.values()],
      onReport: (node: string, report: NodeReport) => {
        nodeWatch?.report(node, report);
        if (report.kind !== "state" || report.state !== "ISUP" || this.#up.has(node)) return;
        this.#up.add(node); // B1.
        onUp(node);
      },
      onRegister: (service) => {
        if (service === syncServiceName) this.#registration.resolve();
      },
    });
  }
}

function askAs({ calledAt }: RunningNode, { clock }: NodeBootOptions): Ask {
  return askFrom({ kind: "tcp", address: calledAt, port: mainPort }, clock, answerMs);
}

async function bootAll(nodes: readonly RunningNode[], options: NodeBootOptions): Promise<void> {
  const { interrupt } = options;
  const left = [...nodes];
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
  options.nodeWatch?.boots(node.name, node.calledAt);
  const ask = askAs(node, options);
  const hasOwnHosts = options.backend.mode === "namespace";
  const result = await bootNode({
    ask,
    syncService: syncServiceName,
    // Without a hosts file of its own the node finds nothing by the server's name.
    ...(hasOwnHosts ? {} : { syncServerHost: () => serversSeenBy(node, options) }),
  });
  if (result.kind === "free") throw new Error(`the node ${node.name} is not of this experiment`);
  for (const [name, text] of Object.entries(result.facts.files)) {
    const mode = name === "eventkey" ? 0o600 : 0o644;
    if (node.elsewhere === undefined) writeFileSync(join(node.hostPath.boot, name), text, { mode });
    else await node.elsewhere.put({ place: "boot", name, text, mode });
  }
  await writeHosts(node, hostsFile(node, options, result.facts));
  await ask(["state", "ISUP"]);
}

/** A node that is up learns which others there are now. */
async function nameOthers(node: RunningNode, options: NodeBootOptions): Promise<void> {
  const { pid, eid } = options.experiment;
  const hosts = parseHosts(await askAs(node, options)(["hostnames"]));
  await writeHosts(node, hostsFile(node, options, { pid, eid, hosts }));
}

/** In place, because the node has the file itself mounted; and never empty, because it is read. */
async function writeHosts({ hostPath, elsewhere }: RunningNode, text: string): Promise<void> {
  if (elsewhere !== undefined) {
    await elsewhere.put({ place: "hosts", name: "hosts", text, mode: 0o644 });
    return;
  }
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const file = openSync(join(hostPath.root, "etc/hosts"), O_RDWR | O_CREAT | O_NOFOLLOW, 0o644);
  try {
    const bytes = Buffer.from(text);
    writeSync(file, bytes, 0, bytes.length, 0);
    ftruncateSync(file, bytes.length);
  } finally {
    closeSync(file);
  }
}

/** Where its programs call the servers of the run. */
function serversSeenBy(node: RunningNode, { backend }: NodeBootOptions): string {
  return node.elsewhere?.serversAt ?? backend.doors?.seen(node.calledAt) ?? node.calledAt;
}

type HostsFacts = Pick<BootFacts, "pid" | "eid" | "hosts">;

function hostsFile(node: RunningNode, options: NodeBootOptions, facts: HostsFacts): string {
  const { backend, experiment, domain, tls } = options;
  const { syncServer } = experiment;
  const calledAt = serversSeenBy(node, options);
  // Where nodes share a network, the sync server tells them apart by what they call.
  const server = backend.doors && backend.nodes.get(syncServer ?? "");
  const syncAt = server?.addresses[0]?.loopback ?? calledAt;
  return formatHostsFile({
    domain,
    suffix: `${facts.eid}.${facts.pid}.${domain}`,
    rows: facts.hosts.map(({ name, address, aliases }) => ({ address, canonical: name, aliases })),
    // The testbed's name server knows these.
    control: [...backend.nodes.values()].map(({ name, addresses }) => ({
      node: name,
      address: addresses[0]?.loopback ?? "",
    })),
    syncServer: syncServer === undefined ? undefined : { node: syncServer, calledAt: syncAt },
    eventServer: { name: eventServerName, calledAt },
    ...(tls?.name === undefined ? {} : { boss: { name: tls.name, calledAt } }),
  });
}
