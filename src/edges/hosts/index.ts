// SPDX-License-Identifier: MIT
// Machines that join a server, for experiments that it brings up.

export { createHostsEndpoint, type HostsTeller, mountHosts } from "./endpoint.ts";
export {
  hostsLimits,
  isHostName,
  type JoinedHost,
  JoinedHosts,
  noHostName,
} from "./joined-hosts.ts";
