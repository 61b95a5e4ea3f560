// SPDX-License-Identifier: MIT
// `musterd/client`: what programs import, in browsers and in Node. Nothing that this file reaches
// is of a server or of Node; test/unit/client/imports.test.ts proves it.

export type { BarrierDescription, ScopeDescription } from "../core/description.ts";
export { type ConnectOptions, connect } from "./connect.ts";
export type { ArrivalOptions, CountBarrier, Crossing, WaitOptions } from "./count-barrier.ts";
export { MusterError, type MusterErrorCode } from "./muster-error.ts";
export type { ClientPlatform, WebSocketLike } from "./platform.ts";
export type { ClientRuntime } from "./runtime.ts";
export type { Session } from "./session.ts";
