// SPDX-License-Identifier: MIT
// The HTTP door. Others add to it with `defineRoute` and a `SocketEndpoint`; see door.ts.

export type { TlsFiles } from "../tls.ts";
export { type Caller, chooseScope, defaultScope } from "./access.ts";
export { formatAudit } from "./audit.ts";
export { defaultHttpBounds, type HttpBounds, resolveHttpBounds } from "./bounds.ts";
export {
  type BoundDoor,
  createHttpDoor,
  defaultHttpPort,
  type HttpDoor,
  type HttpDoorOptions,
} from "./door.ts";
export { type ErrorBody, type HttpCode, HttpError } from "./errors.ts";
export type { MetricFamily, Metrics } from "./metrics.ts";
export { mountCore } from "./mount-core.ts";
export { type Call, defineRoute, type Reply, type ReplyStream, type Route } from "./route.ts";
export { closeCodes, type DoorSocket, type SocketEndpoint, type SocketHandler } from "./socket.ts";
export { changeTokens, readTokens, TokenFile, TokenFileError, tokensMax } from "./token-file.ts";
export { formatToken, hashSecret, isLive, type TokenRow, type TokenSource } from "./tokens.ts";
