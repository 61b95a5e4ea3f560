// SPDX-License-Identifier: MIT
// Codec of the Testground sync service: JSON messages, one a WebSocket message. [TESTGROUND 2-4]
//
// Limitations: payloads come back as they were sent, where the old server sorts keys, escapes `<`,
// `>`, `&` and rounds numbers; a target beyond 2^53 is refused.
export {
  badJsonCode,
  badJsonReason,
  defaultPort,
  deflateFromBytes,
  depthMax,
  goMessageBytesMax,
} from "./constants.ts";
export { decodeRequest, decodeResponse } from "./decode.ts";
export { encodeMessage, encodeRequest, encodeResponse, quotePayload } from "./encode.ts";
export {
  isEventsTopic,
  type Key,
  type NetworkTopic,
  nameState,
  parseKey,
  parseNetworkTopic,
  parseRunEvent,
} from "./keys.ts";
export type { DecodeResult, Operation, Request, Response, RunEvent } from "./messages.ts";
export {
  type ConfigRefused,
  decodeNetworkConfig,
  type EgressShape,
  type NetworkConfig,
} from "./network-config.ts";
