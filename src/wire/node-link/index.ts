// SPDX-License-Identifier: MIT
// The link between a run and the agent of another machine.

export { encodeData, encodeMessage, type LinkFrame, LinkFramer, preamble } from "./frames.ts";
export { nodeLinkLimits } from "./limits.ts";
export {
  type AgentMessage,
  type FileMessage,
  hostsPath,
  hostsProtocol,
  type LinkMessage,
  nodeLinkFormat,
  parseLinkMessage,
  partsOfPath,
  partsOfResult,
  pieceBytes,
  type RunMessage,
  type StreamMessage,
} from "./messages.ts";
