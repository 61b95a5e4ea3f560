// SPDX-License-Identifier: MIT
// What a cluster of a simulation has to know where it is one controller of a tree; how controllers
// are joined is in controllers.ts.
import type { LogEntry } from "../../core/command.ts";
import type { Applied } from "../../core/effect.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { OpenedServer, SimulatedServer, TreeDoor } from "./cluster-server.ts";

/** What a cluster has to know that is a controller of a tree. */
export interface ControllerPlace {
  readonly name: string;
  readonly clock: VirtualClock;
  /** Of its first server. */
  readonly firstServer: number;
  readonly links: ServerLinks;
  /** Joins the server of that place among its own to other controllers. */
  readonly openTree: (index: number, opened: OpenedServer) => TreeDoor | undefined;
  readonly onJudged: (entry: LogEntry, applied: Applied) => void;
  /** The path of the controller that a member of a roster comes to. */
  readonly homeOf: (member: string) => string;
}

/** What servers are connected to beside their clients. */
export interface ServerLinks {
  /** A server stands still: what comes for it waits. */
  readonly hold: (server: SimulatedServer) => void;
  readonly heal: (server: SimulatedServer) => void;
  /** It is gone. */
  readonly cut: (server: SimulatedServer) => void;
}
