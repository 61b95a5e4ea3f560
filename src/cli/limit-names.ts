// SPDX-License-Identifier: MIT
// What is said of a name behind `--limit` that the command does not know: that the limit is fixed,
// what was meant, or what there is.
import { eventLimits } from "../client/event-limits.ts";
import * as natsBusLimits from "../engine/nats-bus-limits.ts";
import * as natsLimits from "../engine/nats-limits.ts";
import { eventsLimits } from "../events/events-limits.ts";
import { closest } from "../experiment/index.ts";
import * as fileLimits from "../experiment/limits.ts";
import { networkLimits } from "../network/network-limits.ts";
import { topologyLimits } from "../network/topology-limits.ts";
import { programLimits } from "../testbed/agents/program-limits.ts";
import { trafficLimits } from "../testbed/agents/trafgen/traffic-limits.ts";
import * as notificationLimits from "../wire/event/limits.ts";
import { nodeLinkLimits } from "../wire/node-link/limits.ts";

/** Those that messages name, and that nobody can set. */
const fixed: ReadonlySet<string> = new Set(
  [
    ...[topologyLimits, networkLimits, nodeLinkLimits, eventsLimits, programLimits, trafficLimits],
    ...[eventLimits, natsBusLimits, natsLimits, fileLimits, notificationLimits],
  ].flatMap((table) => Object.keys(table)),
);

/** More than a person reads. */
const namesListedMax = 60;

/** @param known names that the command takes; the one given is none of them */
export function describeUnknownLimit(name: string, known: readonly string[]): string {
  if (fixed.has(name)) return "this limit is fixed and cannot be set; docs/reference/limits.md";
  const near = closest(name, known);
  if (near !== undefined) return `did you mean ${near}?`;
  const nearFixed = closest(name, fixed);
  if (nearFixed !== undefined) return `there is ${nearFixed}, which is fixed and cannot be set`;
  if (known.length <= namesListedMax) return `the names are ${known.join(", ")}`;
  return `none of the ${known.length} that can be set is like it; docs/reference/limits.md`;
}
