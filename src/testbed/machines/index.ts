// SPDX-License-Identifier: MIT
// Nodes on other machines.

export { HostAgent, type HostAgentOptions } from "./host-agent.ts";
export { type AgentSource, type ConnectHost, connectStream, overShell } from "./host-connection.ts";
export { refusalForHosts } from "./host-refusal.ts";
export type { HostsNetwork } from "./network-share.ts";
export type { PlacedNode } from "./placement.ts";
export { type HostWish, type MachinesWish, startRemoteNodes } from "./remote-backend.ts";
