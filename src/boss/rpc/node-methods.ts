// SPDX-License-Identifier: MIT
// Methods about nodes, and about the site: what this testbed has, and honest answers about what it
// has not. [EMULAB-EVENTS 2.3]
import { findNode, type Method, type Methods, type RpcCall } from "./method.ts";
import { notYet, type Reply } from "./reply.ts";

/** Nodes that a caller could not name, or may not touch, are told of before what is not built. */
function about(call: RpcCall, argument: string): readonly string[] {
  return call.args.names(argument).map((name) => findNode(call, name, "modify").nodeId);
}

function cannot(what: string, nodes: readonly string[], instead: string): Reply {
  return notYet(`${what} (${nodes.join(", ")})`, instead);
}

const again = "swap the experiment out and in for fresh nodes: experiment.swapexp";

const reboot: Method = async (call) => {
  return cannot("nodes of this testbed are not rebooted", about(call, "nodes"), again);
};

const reload: Method = async (call) => {
  return cannot("nodes of this testbed have no disks to reload", about(call, "nodes"), again);
};

const createImage: Method = async (call) => {
  const nodes = about(call, "node");
  const instead = "keep what is wanted in the results of the run: muster logs ID NODE";
  return cannot("nodes of this testbed have no disks to take an image of", nodes, instead);
};

const noRobots: Method = async () => {
  return notYet("this site has no cameras and obstacles", "robots are not part of this testbed");
};

export const nodeMethods: Methods = {
  "node.reboot": reboot,
  "node.reload": reload,
  "node.create_image": createImage,
  "emulab.vision_config": noRobots,
  "emulab.obstacle_config": noRobots,
};
