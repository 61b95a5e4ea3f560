// SPDX-License-Identifier: MIT
// One line for everything that somebody does to experiments, projects and the daemon: who, and
// what. What only looks is not told. The lines of the HTTP door are in edges/http/audit.ts.
import type { ServiceCall } from "../edges/xmlrpc/index.ts";
import type { XmlRpcValue } from "../wire/xmlrpc/index.ts";
import type { Request } from "./protocol.ts";

/** @returns undefined for what changes nothing. */
export function auditRequest(request: Request, user: string): string | undefined {
  const what = describe(request);
  return what === undefined ? undefined : `audit: ${what}, by user ${user}`;
}

/** @param code of the reply, 0 for done. */
export function auditCall(call: Pick<ServiceCall, "method" | "user" | "params">, code: number) {
  const [, given] = call.params;
  const fields = given?.kind === "struct" ? given.value : new Map<string, XmlRpcValue>();
  const named = ["proj", "pid", "exp", "eid", "nodes", "op", "direction", "action"].flatMap(
    (name) => {
      const value = fields.get(name);
      return value?.kind === "string" ? [`${name} ${quote(value.value.slice(0, 255))}`] : [];
    },
  );
  const how = code === 0 ? "done" : `refused (${code})`;
  return `audit: ${[call.method, ...named].join(" ")} by XML-RPC: ${how}, by user ${call.user}`;
}

function describe(request: Request): string | undefined {
  switch (request.kind) {
    case "up":
      return `up ${quote(request.file)}`;
    case "modify":
      return `modify ${quote(request.id)} by ${quote(request.file)}`;
    case "down":
      return `down ${quote(request.id)}`;
    case "add-member":
    case "set-trust":
      return `${request.kind} ${quote(request.user)} of ${quote(request.pid)} as ${request.trust}`;
    case "remove-member":
      return `remove-member ${quote(request.user)} of ${quote(request.pid)}`;
    case "set-link":
      return `set-link ${quote(request.link)} of ${quote(request.id)}`;
    case "linktest":
      return `linktest ${quote(request.id)}`;
    case "stop":
      return "stop the daemon";
    case "status":
    case "logs":
    case "links":
    case "linktest-runner":
    case "members":
    case "xmlrpc":
      return undefined;
  }
}

/** A name in one line of a log, whatever is in it. */
function quote(name: string): string {
  return JSON.stringify(name);
}
