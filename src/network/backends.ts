// SPDX-License-Identifier: MIT
// The back ends that shape links, by name: what each can carry, and how it is made. Which of them
// a machine gets is chosen in choose-backend.ts.
import type { Clock } from "../host/clock.ts";
import {
  DelayNodeBackend,
  type DelayNodePaths,
  delayNodeCapacity,
} from "./delay-node/delay-node-backend.ts";
import type { NamespaceCommands } from "./link-backend.ts";
import type { Capacity } from "./model.ts";
import { NetemBackend } from "./netem/netem-backend.ts";
import { netemCapacity } from "./netem/netem-commands.ts";
import type { ShapedLinks } from "./shaped-links.ts";

export interface ShapingOptions {
  readonly commands: NamespaceCommands;
  readonly clock: Clock;
  /** Of all that is random on links; the kernel's own randomness takes none. */
  readonly seed: number;
  /** Of the delay node; left out: as many as the links need. */
  readonly threads?: number | undefined;
  /** To other machines, which only the delay node has. */
  readonly paths?: DelayNodePaths;
}

export const capacities: Readonly<Record<"netem" | "delay-node", Capacity>> = {
  netem: netemCapacity,
  "delay-node": delayNodeCapacity,
};

export function createShapedLinks(
  kind: "netem" | "delay-node",
  options: ShapingOptions,
): ShapedLinks {
  return kind === "netem" ? new NetemBackend(options) : new DelayNodeBackend(options);
}
