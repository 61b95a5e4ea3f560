// SPDX-License-Identifier: MIT
// The XML-RPC wire. docs/reference/xmlrpc.md describes what is spoken here.

export { decodeCall, decodeResponse } from "./decode.ts";
export { encodeCall, encodeResponse } from "./encode.ts";
export { messageBytesMax } from "./limits.ts";
export {
  type Fault,
  faultCodes,
  type Malformed,
  type MethodCall,
  type MethodResponse,
} from "./messages.ts";
export {
  array,
  double,
  flag,
  memberOf,
  struct,
  text,
  textRows,
  whole,
  type XmlRpcValue,
} from "./values.ts";
