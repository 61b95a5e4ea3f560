// SPDX-License-Identifier: MIT
// Codec of the GNUnet testbed wire, as far as barriers and the registration of peers need it.
// [GNUNET-BARRIERS 2] [GNUNET-BARRIERS 6]
//
// Limitations: what only a controller that starts programs needs (hosts, links, configurations of
// peers, overlay connections) has a type and no layout here: `unknown`.
export {
  barrierPort,
  headerBytes,
  messageBytesMax,
  nameBytesMaxOnWire,
  quorumMax,
  testbedPort,
} from "./constants.ts";
export { type DecodeResult, decodeMessage } from "./decode.ts";
export { encodeMessage } from "./encode.ts";
export { type FramerResult, MessageFramer } from "./framer.ts";
export type {
  BarrierCancel,
  BarrierInit,
  BarrierStatus,
  BarrierWait,
  CreatePeer,
  GnunetMessage,
  OperationFailed,
  OperationSucceeded,
  PeerCreated,
  PeerRequest,
  RefusedMessage,
  TestbedInit,
  UnknownMessage,
} from "./messages.ts";
export { decodeName, encodeName } from "./names.ts";
