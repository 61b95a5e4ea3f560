// SPDX-License-Identifier: MIT
// Links between controllers, as edges of both their cores.

export { edgeOfChild, TreeCarrier, type TreeCarrierOptions } from "./carrier.ts";
export { commandOf } from "./command-of.ts";
