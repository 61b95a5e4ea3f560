// SPDX-License-Identifier: MIT
// What nodes tell tmcd, said on boss's bus: `state` becomes TBNODESTATE, `reset` becomes TBCONTROL.
// [EMULAB-TMCD 9] [EMULAB-EVENTS 7.8]
import type { NodeWatch } from "../testbed/node-boot.ts";
import type { StateDaemon } from "./state-daemon.ts";

/** For each experiment, what watches its nodes. */
export function watchNodesFor(states: StateDaemon): (pid: string, eid: string) => NodeWatch {
  return (pid, eid) => ({
    boots: (node, address) => states.nodeBoots(pid, eid, node, address),
    report(node, report) {
      if (report.kind === "state") states.nodeReported(pid, eid, node, report.state);
      else if (report.kind === "upload" && report.command === "reset") {
        states.nodeReset(pid, eid, node);
      }
    },
  });
}
