// SPDX-License-Identifier: MIT
// What the nodes of a run are not, said in sentences for the person who started it.
import type { NodeMode } from "./node-backend.ts";

/**
 * @param reasons why the mode is not `namespace`, one sentence each; empty when it was asked for.
 */
export function describeLosses(mode: NodeMode, reasons: readonly string[]): readonly string[] {
  const always =
    "nodes share the ports of this machine: listen on the node's own address ($NODEIP), because " +
    "two programs that listen on all addresses collide";
  if (mode === "namespace") return [always];
  return [
    ...reasons.map((reason) => `nodes have no namespaces of their own: ${reason}`),
    "absolute paths of the testbed (/proj, /users, /local/logs, /var/emulab/boot, /var/run, " +
      "/usr/testbed/bin) do not exist on the nodes: use $EXPDIR, $EXPFILES, $HOME, $LOGDIR, " +
      "$MUSTER_BOOT and the command names",
    "/tmp is the one of this machine, shared by all nodes: use $TMPDIR or the default directory",
    "nodes have no hosts file of their own: names of nodes do not resolve, addresses do",
    "nodes see each other's processes, and a program that clears its environment and leaves its " +
      "session can outlive the run",
    always,
  ];
}
