// SPDX-License-Identifier: MIT
// The nodes of a run: what the back end and the boot are told about the experiment. Decides
// nothing; both get the same names, port and environment from here.
import type { Experiment } from "../experiment/model.ts";
import type { NamespaceCommands } from "../network/link-backend.ts";
import { createUnshapedLinks } from "../network/unshaped-links.ts";
import { bootNodes, type NodeBoot, type NodeBootOptions } from "./node-boot.ts";
import {
  type LinkShaping,
  type NodeBackend,
  type NodePlan,
  startProcessNodes,
} from "./nodes/index.ts";
import { planNetwork } from "./plan-network.ts";
import type { RunEventBody } from "./run-event.ts";
import type { RunOptions } from "./run-options.ts";

/** Port of the sync server, on addresses that belong to the run. [EMULAB-SYNC 1] */
export const syncPort = 16534;
/** The last part of the names of a run. */
export const domain = "muster.local";

/** Where the core of a run listens for its edges. */
export const linkAddress = (runId: string): string => `@muster-${runId}`;

type Say = (body: RunEventBody) => void;

/**
 * Machines, without what they learn when they boot.
 * @param more variables that programs see and nobody is told who asks. @throws NodesError
 */
export function startRunNodes(
  options: RunOptions,
  more: Experiment["environment"],
  say: Say,
): Promise<NodeBackend> {
  const { experiment, runId, seed, out, tools, clock, projectFiles, nodeMode } = options;
  const { tables, network: wanted } = options;
  const network = planNetwork({ experiment, tables, wanted, shapeLinks });
  const { pid, eid, links, syncServer } = experiment;
  const environment = [
    ...environmentOf(options),
    // On loopback addresses cannot say whether a node is the server's own. [EMULAB-SYNC 4 -m]
    ["MUSTER_SYNC_NODE", syncServer ?? ""] as const,
    ...more,
  ];
  return startProcessNodes({
    ...{ runId, pid, eid, domain, seed, out, environment, links, syncServer, tools, clock },
    ...{ projectFiles, network },
    nodes: experiment.nodes.map(({ name }) => planNode(experiment, name)),
    ...(nodeMode === undefined ? {} : { mode: nodeMode }),
    onMessage: (level, node, text) => say({ type: "message", level, node, text }),
  });
}

/** What connects the nodes of a run. */
function shapeLinks(commands: NamespaceCommands): LinkShaping {
  return { backend: createUnshapedLinks(commands), plans: new Map() };
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
