// SPDX-License-Identifier: MIT
// The node configuration edge.
export { TmcdListenError } from "./listen.ts";
export type {
  Identity,
  NodeFacts,
  NodeReport,
  PortRow,
  Reservation,
  Site,
  TmcdSource,
} from "./source.ts";
export type { TlsIdentity } from "./tls.ts";
export { Tmcd, type TmcdOptions } from "./tmcd.ts";
