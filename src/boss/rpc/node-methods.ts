// SPDX-License-Identifier: MIT
// Methods about nodes, and about the site: what this testbed has, and honest answers about what it
// has not. [EMULAB-EVENTS 2.3]
import { text } from "../../wire/xmlrpc/index.ts";
import { BossError } from "../boss-error.ts";
import type { ExperimentRow } from "../database.ts";
import type { NodeRow } from "../node-rows.ts";
import type { RestartHow } from "./control.ts";
import { findNode, type Method, type Methods, type RpcCall } from "./method.ts";
import { notYet, type Reply, success } from "./reply.ts";

/** Nodes that a caller could not name, or may not touch, are told of before what is not built. */
function about(call: RpcCall, argument: string): readonly string[] {
  return call.args.names(argument).map((name) => findNode(call, name, "modify").nodeId);
}

function cannot(what: string, nodes: readonly string[], instead: string): Reply {
  return notYet(`${what} (${nodes.join(", ")})`, instead);
}

const again = "swap the experiment out and in for fresh nodes: experiment.swapexp";

const reboot: Method = (call) => restart(call, "REBOOT", "wait");

const reload: Method = async (call) => {
  const { args } = call;
  const image = args.optionalText("imagename");
  if (image !== undefined) {
    const what = `nodes of this testbed have no disks to load ${image} on`;
    return cannot(what, about(call, "nodes"), "leave out `imagename` for a fresh node");
  }
  return await restart(call, "RELOAD", args.has("bootwait") ? "bootwait" : "wait");
};

/** All of them are judged before any is restarted. */
async function restart(
  call: RpcCall,
  event: RestartHow["event"],
  waitArgument: string,
): Promise<Reply> {
  const { context, args, signal } = call;
  const nodes = args.names("nodes").map((name) => findNode(call, name, "modify"));
  const waits = args.flag(waitArgument, false);
  const wanted = nodes.map((node) => ({ node, row: activeRow(call, node) }));
  const { nodes: control } = context.control;
  if (control === undefined) {
    const names = nodes.map(({ nodeId }) => nodeId);
    return cannot("nodes are not restarted by this server", names, again);
  }
  // Each on its own, and who fails is told when the others have had their turn.
  const ended = await Promise.allSettled(
    wanted.map(({ node, row }) => control.restart(row, node.vname, { event, waits, signal })),
  );
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return success(text("ok"), waits ? "they are up again" : "they are being restarted");
}

function activeRow({ context }: RpcCall, { exptidx, nodeId }: NodeRow): ExperimentRow {
  const row = context.database.experiments().find((one) => one.exptidx === exptidx);
  if (row?.state === "active") return row;
  const message = `${nodeId} cannot be restarted while its experiment is ${row?.state ?? "gone"}`;
  throw new BossError("WRONG_STATE", message);
}

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
