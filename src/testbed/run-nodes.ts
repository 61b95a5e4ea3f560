// SPDX-License-Identifier: MIT
// The nodes of a run: what the back end and the boot are told about the experiment. Decides
// nothing; both get the same names, port and environment from here.
import type { Experiment } from "../experiment/model.ts";
import { shapeLink } from "../network/model.ts";
import {
  type HostsNetwork,
  type PlacedNode,
  refusalForHosts,
  startRemoteNodes,
} from "./machines/index.ts";
import { bootNodes, type NodeBoot, type NodeBootOptions } from "./node-boot.ts";
import {
  type BackendOptions,
  type NodeBackend,
  type NodePlan,
  NodesError,
  startProcessNodes,
} from "./nodes/index.ts";
import { findNetworkFault, planNetwork } from "./plan-network.ts";
import type { RunEventBody } from "./run-event.ts";
import { chooseRunLinks } from "./run-links.ts";
import type { RunOptions } from "./run-options.ts";

/** Port of the sync server, on addresses that belong to the run. [EMULAB-SYNC 1] */
export const syncPort = 16534;
/** The last part of the names of a run. */
export const domain = "muster.local";

/** Where the core of a run listens for its edges. */
export const linkAddress = (runId: string): string => `@muster-${runId}`;

type Say = (body: RunEventBody) => void;

/** What is heard of nodes while they are set up and taken down. */
export interface NodesWatch {
  readonly say: Say;
  /** Something that they wrote did not come; a sentence. */
  readonly onOutputLost: (text: string) => void;
}

/**
 * Machines, without what they learn when they boot.
 * @param more variables that programs see and nobody is told who asks. @throws NodesError
 */
export async function startRunNodes(
  options: RunOptions,
  more: Experiment["environment"],
  { say, onOutputLost }: NodesWatch,
): Promise<NodeBackend> {
  const { experiment, runId, seed, out, tools, clock, projectFiles, nodeMode } = options;
  const { machines, interrupt } = options;
  const { network, shapedBy } = await planRunNetwork(options);
  // Ctrl-C ends also what was tried there: what came of it says nothing of this machine.
  if (interrupt.aborted) throw new NodesError("the run was interrupted while it was set up");
  const { pid, eid, links, syncServer } = experiment;
  const environment = [
    ...environmentOf(options),
    // On loopback addresses cannot say whether a node is the server's own. [EMULAB-SYNC 4 -m]
    ["MUSTER_SYNC_NODE", syncServer ?? ""] as const,
    ...more,
  ];
  const planned: BackendOptions = {
    ...{ runId, pid, eid, domain, seed, out, environment, links, syncServer, tools, clock },
    ...{ projectFiles, network, interrupt },
    nodes: experiment.nodes.map(({ name }) => planNode(experiment, name)),
    ...(nodeMode === undefined ? {} : { mode: nodeMode }),
    onMessage: (level, node, text) => say({ type: "message", level, node, text }),
  };
  if (machines !== undefined) {
    const refusal = refusalForHosts(options);
    if (refusal !== undefined) throw new NodesError(refusal);
    const placed = placedNodes(options);
    return await startRemoteNodes({
      ...{ wish: machines, placed, syncPort, interrupt, onOutputLost },
      network: planHostsNetwork(options),
      options: speaksOfFiles(experiment) ? planned : withoutFiles(planned),
    });
  }
  const backend = await startProcessNodes(planned);
  if (shapedBy !== undefined && !interrupt.aborted && backend.doors !== undefined) {
    say({ type: "message", level: "info", node: null, text: shapedBy });
  }
  return backend;
}

interface PlannedNetwork {
  readonly network: BackendOptions["network"];
  /** What shapes its links and why, if that network can be made. */
  readonly shapedBy?: string;
}

/** With what connects its nodes: tried only where there is something to connect. */
async function planRunNetwork(options: RunOptions): Promise<PlannedNetwork> {
  const { experiment, network: wanted, links: asked, linkThreads: threads } = options;
  const { seed, clock, interrupt } = options;
  if (options.machines !== undefined) return { network: undefined };
  if (wanted === "shared" || (wanted === undefined && experiment.links.length === 0)) {
    return { network: undefined };
  }
  const fault = findNetworkFault({ experiment, wanted });
  if (fault !== undefined) throw new NodesError(fault);
  const chosen = await chooseRunLinks({ experiment, asked, threads, seed, clock, interrupt });
  if (typeof chosen === "string") {
    if (wanted === "own" || asked !== undefined) throw new NodesError(chosen);
    return { network: { refused: chosen } };
  }
  const { shapeLinks, text } = chosen;
  const network = planNetwork({ experiment, wanted, shapeLinks });
  return { network, ...(experiment.links.length > 0 ? { shapedBy: text } : {}) };
}

/** Only where it is asked for: nodes of other machines share theirs else. @throws NodesError */
function planHostsNetwork(options: RunOptions): HostsNetwork | undefined {
  const { experiment, network: wanted, links: asked, linkThreads } = options;
  if (wanted !== "own") return undefined;
  const plan = planNetwork({ experiment, wanted, shapeLinks: () => notHere() });
  if (plan === undefined) return undefined;
  return { plan, shapes: experiment.links.map(shapeLink), asked, threads: linkThreads ?? null };
}

function notHere(): never {
  throw new NodesError("links of other machines are not made on this one");
}

/** The boot; says `node-up` for each node that reports that it is up. @throws Error */
export function bootRunNodes(
  options: RunOptions,
  backend: NodeBackend,
  asked: Pick<NodeBootOptions, "startSyncServer" | "eventKey"> & { readonly say: Say },
): Promise<NodeBoot> {
  const { experiment, tables, clock, logger, interrupt, tls, nodeWatch } = options;
  const { say, startSyncServer, eventKey } = asked;
  return bootNodes({
    ...{ backend, experiment, domain, clock, logger, interrupt, startSyncServer, nodeWatch },
    ...(tables === undefined ? {} : { tables }),
    ...(tls === undefined ? {} : { tls }),
    eventKey,
    environment: environmentOf(options),
    onUp: (node) => say({ type: "node-up", node }),
  });
}

/** What programs see besides what the node gives them, and `userenv` answers. */
function environmentOf({ experiment, seed }: RunOptions): (readonly [string, string])[] {
  return [...experiment.environment, ["MUSTER_SEED", String(seed)]];
}

/** Whether a command may need what is beside the experiment file. */
function speaksOfFiles(experiment: Experiment): boolean {
  return JSON.stringify(experiment).includes("EXPFILES");
}

function withoutFiles({ projectFiles: _, ...options }: BackendOptions): BackendOptions {
  return options;
}

/** What decides where nodes go: the rows say what is fixed, which the model does not hold. */
function placedNodes({ experiment }: RunOptions): readonly PlacedNode[] {
  return experiment.nodes.map(({ name, hardwareType: type, machine: fixed = "" }) => ({
    ...{ name, type, fixed },
  }));
}

/** One node as the back end is told of it. */
export function planNode(experiment: Experiment, node: string): NodePlan {
  const links = experiment.links
    .flatMap((link) => link.members.map((member) => ({ link: link.name, member })))
    .filter(({ member }) => member.node === node)
    .sort((a, b) => a.member.port - b.member.port)
    .map(({ link, member }) => ({ link, experiment: member.address }));
  const { archives } = experiment.nodes.find(({ name }) => name === node) ?? {};
  return { name: node, links, archives };
}
