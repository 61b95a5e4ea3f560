// SPDX-License-Identifier: MIT
// Codec of the Emulab sync wire, both request sizes, both byte orders. [EMULAB-SYNC 2]
//
// Limitations: a request of version 2 whose first 72 bytes arrive alone cannot be told from one of
// version 1; whoever holds the connection decides how long to wait for the rest (`hold`). Unknown
// flag bits are ignored, as they always were.
export {
  clientErrorMax,
  defaultPort,
  describeBytesMax,
  errorCleared,
  nameBytesMax,
  releasedV1,
  replyBytes,
  requestBytesV1,
  requestBytesV2,
  requestDescribe,
  requestLeave,
} from "./constants.ts";
export {
  type DecodeResult,
  decodeDescribeReply,
  decodeLeave,
  decodeReply,
  decodeRequest,
  type FrameResult,
  RequestFramer,
} from "./decode.ts";
export {
  encodeDescribeReply,
  encodeLeave,
  encodeReply,
  encodeRequest,
  type RequestFormat,
} from "./encode.ts";
export type {
  ByteOrder,
  DescribeRequest,
  InitRequest,
  RefusedFrame,
  RequestFrame,
  SyncRequest,
  Version,
  WaitRequest,
} from "./messages.ts";
