// SPDX-License-Identifier: MIT
// Links between controllers, as edges of both their cores.

export { admitChild, sayChildren, whenStrange } from "./admit-child.ts";
export { edgeOfChild, TreeCarrier, type TreeCarrierOptions } from "./carrier.ts";
export { commandOf } from "./command-of.ts";
export { GroupUplink, type GroupUplinkOptions, openUplink } from "./group-uplink.ts";
