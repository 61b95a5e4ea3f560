// SPDX-License-Identifier: MIT
// What table rows and the nodes of a run call the kinds of routing. Pure.
import type { Routing } from "./model.ts";

/** [EMULAB-NS 6.1] What routers found among each other goes by the name of their protocol. */
export function routerType(routing: Routing | undefined): string {
  return routing === "session" ? "ospf" : (routing ?? "none");
}
