// SPDX-License-Identifier: MIT
// The sync server edge.
export { boundMax, defaultBounds, resolveBounds, type SyncdBounds } from "./bounds.ts";
export { ListenError, type ListenErrorCode } from "./listen.ts";
export {
  formatMemberBarriers,
  type MemberBarrier,
  type MemberBarriers,
  parseMemberBarriers,
} from "./members.ts";
export { Syncd, type SyncdCounters, type SyncdOptions } from "./syncd.ts";
export type { Peer } from "./tcp.ts";
export type { UdpCounters } from "./udp.ts";
