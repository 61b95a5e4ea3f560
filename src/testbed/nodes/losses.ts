// SPDX-License-Identifier: MIT
// What the nodes of a run are not, said in sentences for the person who started it.
import { joinNames } from "../record/words.ts";

export type NodeSituation =
  /**
   * `asUser`: in a user namespace, because the user is not root of this machine. `noNetwork`: why
   * nodes that were to have a network of their own share this machine's.
   */
  | {
      readonly kind: "namespace";
      readonly asUser: boolean;
      readonly noNetwork?: string;
    }
  /** `reasons`: why there are no namespaces, one sentence each; empty when they were not wanted. */
  | {
      readonly kind: "environment";
      readonly reasons: readonly string[];
      /** Another option has decided it, and its guide says what is lost: one sentence is enough. */
      readonly implied?: string;
      readonly noNetwork?: string;
    };

/** The sentences, the most important first. */
export function describeLosses(situation: NodeSituation): readonly string[] {
  const { noNetwork } = situation;
  const shared =
    noNetwork === undefined ? [] : [`nodes share the network of this machine: ${noNetwork}`];
  if (situation.kind === "namespace") {
    const root =
      "programs see themselves as root and are you: the machine gives them no more rights";
    return situation.asUser ? [...shared, root] : shared;
  }
  const { implied } = situation;
  if (implied !== undefined) {
    const instead = "use $EXPDIR, $EXPFILES, $LOGDIR, $TMPDIR, and addresses for names of nodes";
    return [
      ...shared,
      `nodes have no namespaces of their own, ${implied}, and no /proj, /tmp or hosts file: ` +
        instead,
    ];
  }
  return [
    ...shared,
    situation.reasons.length === 0
      ? "nodes have no namespaces of their own, as was asked for"
      : `nodes have no namespaces of their own here: ${situation.reasons.join("; ")}`,
    "absolute paths of the testbed (/proj, /users, /local/logs, /var/emulab/boot, /var/run, " +
      "/usr/testbed/bin) do not exist on the nodes: use $EXPDIR, $EXPFILES, $HOME, $LOGDIR, " +
      "$MUSTER_BOOT and the command names",
    "/tmp is the one of this machine, shared by all nodes: use $TMPDIR or the default directory",
    "nodes have no hosts file of their own: names of nodes do not resolve, addresses do",
    "nodes see each other's processes, and a program that clears its environment and leaves its " +
      "session can outlive the run",
  ];
}

/** Nodes whose pid 1 is gone, by whoever killed it. */
export function describeLost(names: readonly string[]): string {
  const which =
    names.length === 1 ? `the process that holds node` : "the processes that hold nodes";
  const help = "start it again, and see who uses kill there, or whether memory ran out (dmesg)";
  return `somebody has ended ${which} ${joinNames(names)}, with all that ran there; ${help}`;
}
