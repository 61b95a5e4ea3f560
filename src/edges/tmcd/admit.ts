// SPDX-License-Identifier: MIT
// Who may ask what, in the order of the old server. [EMULAB-TMCD 4] Whoever may not is told
// nothing; the reason is for the log, and never holds a key.
import { assert } from "../../core/assert.ts";
import type { TmcdCommand, TmcdRequest } from "../../wire/tmcd/index.ts";
import { callerAddress, identityOf, type Route } from "./caller.ts";
import type { NodeFacts, TmcdSource } from "./source.ts";

export type Admission =
  | { readonly kind: "admitted"; readonly node: NodeFacts }
  | { readonly kind: "dropped"; readonly why: string };

export interface AdmitOptions {
  readonly source: TmcdSource;
  /** Control nodes may use plain connections. */
  readonly isInsecure: boolean;
}

export async function admit(
  request: TmcdRequest,
  route: Route,
  { source, isInsecure }: AdmitOptions,
): Promise<Admission> {
  const caller = callerAddress(route);
  const node = await source.findNode(identityOf(request, request.redirect ?? caller));
  if (node === undefined) return drop("no such node");
  // Not merely "not boss": a site without a boss has nobody who may act for others.
  if (request.redirect !== undefined && caller !== source.site.bossAddress) {
    return drop("REDIRECT from somebody else than boss");
  }
  const isOpen = route.transport === "tcp" && !route.isTls;
  if (isOpen && node.isControl && !isInsecure) return drop("a control node must use TLS");
  const why = whyNot(request.command, node, route);
  return why === undefined ? { kind: "admitted", node } : drop(why);
}

/** Why this node may not ask this command this way; undefined when it may. */
export function whyNot(command: TmcdCommand, node: NodeFacts, route: Route): string | undefined {
  const { transport, isTls } = route;
  if (transport === "udp" && node.isRemote && !command.remoteUdp) {
    return "not over UDP from a remote node";
  }
  if (!isTls && node.isRemote && command.remoteNeedsTls) return "a remote node must use TLS for it";
  if (command.needsReservation && node.reservation === undefined) {
    return "invalid request from free node";
  }
  if (command.needsTpm) return "it needs a registered TPM certificate";
  if (command.connectionOnly && transport === "udp") return "not over UDP";
  return undefined;
}

function drop(why: string): Admission {
  assert(why !== "", "a dropped request has a reason");
  return { kind: "dropped", why };
}
