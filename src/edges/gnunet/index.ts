// SPDX-License-Identifier: MIT
// The two services of GNUnet's testbed that barriers need, as an edge of a core.

export { gnunetTime } from "../gnunet-time.ts";
export { defaultGnunetBounds, type GnunetBounds, resolveGnunetBounds } from "./bounds.ts";
export {
  controllerConfigVariable,
  formatClientConfig,
  type ServiceAddresses,
} from "./client-config.ts";
export { GnunetController, type GnunetControllerOptions } from "./controller.ts";
export type { GnunetService } from "./doors.ts";
export {
  formatGnunetAddress,
  type GnunetAddress,
  GnunetListenError,
  type GnunetListenErrorCode,
  listenGnunet,
  socketPathBytesMax,
} from "./listen.ts";
