// SPDX-License-Identifier: MIT
// What of the core is asked without a command.
import type { Service } from "./service.ts";

/** What is there, as who lets somebody in asks. */
export type CoreFacts = Pick<
  Service,
  | ("waitersOfEdge" | "isAlive" | "hasScope" | "hasBarrier" | "placeOf")
  | ("carrierOf" | "isCarried" | "livingEdges" | "servers")
  | ("version" | "serversBefore")
>;
