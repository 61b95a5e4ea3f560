// SPDX-License-Identifier: MIT
// The sync server edge.
export { ListenError, type ListenErrorCode } from "./listen.ts";
export { Syncd, type SyncdCounters, type SyncdOptions } from "./syncd.ts";
export type { Peer } from "./tcp.ts";
export type { UdpCounters } from "./udp.ts";
