// SPDX-License-Identifier: MIT
// Nodes on other machines.

export { HostAgent, type HostAgentOptions } from "./host-agent.ts";
export type { AgentSource } from "./host-connection.ts";
export type { PlacedNode } from "./placement.ts";
export { type HostWish, type MachinesWish, startRemoteNodes } from "./remote-backend.ts";
