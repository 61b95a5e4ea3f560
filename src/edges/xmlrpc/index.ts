// SPDX-License-Identifier: MIT
// The XML-RPC door.

export { answer } from "./answer.ts";
export { defaultPort } from "./bounds.ts";
export { type DoorIdentity, XmlRpcDoor } from "./https.ts";
export { type ServiceCall, ServiceFault, type XmlRpcService } from "./service.ts";
export { StdioError, serveStdio } from "./stdio.ts";
