// SPDX-License-Identifier: MIT
// Process nodes: the nodes of an experiment as groups of processes of this machine.

export {
  enterNode,
  findEntrances,
  isRunNamed,
  type LivingRun,
  type NodeEntrance,
  type RunEntrances,
} from "./entrances.ts";
export { createHostNode, type HostNodeOptions } from "./host-node.ts";
export type {
  LinkShaping,
  NetworkDoors,
  NetworkPlan,
  NodeLinks,
  Relinking,
} from "./network-plan.ts";
export type {
  BackendOptions,
  ExitStatus,
  NodeBackend,
  NodeElsewhere,
  NodeMode,
  NodeProcess,
  PreparedProcess,
  ProgramUsage,
  RemoteStart,
  RunningNode,
  SpawnSpec,
  StartError,
  StartTrigger,
} from "./node-backend.ts";
export type { NodePlan } from "./node-plan.ts";
export { NodesError } from "./nodes-error.ts";
export { type NodesProbe, probeNodes } from "./probe.ts";
export { type KernelPart, type NetworkProbe, probeNetwork } from "./probe-network.ts";
export { startProcessNodes } from "./process-nodes.ts";
export {
  findLeftovers,
  type Leftover,
  refuseRunDirectory,
  removeLeftovers,
} from "./run-directory.ts";
