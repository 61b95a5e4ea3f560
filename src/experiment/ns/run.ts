// SPDX-License-Identifier: MIT
// `$ns run`: the checks on the whole experiment, and its outcome. [EMULAB-NS 13, 15]

import { TclError } from "../tcl/error.ts";
import { type AddressFault, type AddressPlan, planAddresses, planNothing } from "./addresses.ts";
import type { NsContext } from "./context.ts";
import type { LinkObject, NodeObject } from "./objects.ts";
import { formatRows } from "./rows.ts";
import { includeSiteFile } from "./source.ts";
import { chooseSyncServer } from "./sync-server.ts";
import { toModel } from "./to-model.ts";
import { trafficFault } from "./traffic.ts";

const namePattern = /^[-0-9A-Za-z]+$/;
const nameMax = 32;

/**
 * Checks everything and, when nothing was wrong in the whole file, keeps the outcome. What is found
 * while the old system writes its rows refuses the file, but the rows are there. [EMULAB-NS 15]
 */
export function finishRun(context: NsContext): void {
  const { catalogue, compat, pid, eid, addresses, omitRows } = context.options;
  if (compat && !context.hasTestbedFile) {
    throw new TclError("NS_NO_TB_COMPAT", "the file never sources tb_compat.tcl", {
      hint: "Add the line: source tb_compat.tcl",
    });
  }
  includeInnerTestbed(context);
  includeFirewall(context);
  if (context.settings.usesMachineNames) fixByName(context);
  for (const node of context.all("node")) checkNode(context, node);
  for (const link of context.all("link")) checkLink(context, link);
  if (context.diagnostics.errors > 0) return;
  checkTraffic(context);
  for (const program of context.all("program")) {
    if (program.node === undefined) add(context, program.offset, homeless(program.name));
  }
  const { settings } = context;
  const legacy = (): AddressPlan =>
    settings.get("use_ipassign") !== "0"
      ? planNothing()
      : planAddresses(context.inTableOrder("link"), "legacy", catalogue, compat);
  const plan =
    addresses === "legacy"
      ? legacy()
      : planAddresses(context.all("link"), "stable", catalogue, compat);
  const rowPlan = addresses === "legacy" || omitRows ? plan : legacy();
  for (const fault of plan.faults) addAddressFault(context, fault);
  const explicit = settings.syncServer?.name;
  const syncServer = chooseSyncServer(explicit, context.all("node"), catalogue);
  context.outcome = {
    experiment: toModel(context, { pid, eid, syncServer: syncServer.node, plan }),
    rows: omitRows ? undefined : formatRows(context, rowPlan, syncServer.node),
    syncServer,
  };
}

function homeless(program: string): TclError {
  return new TclError("NS_PROGRAM", `[updatedb] ${program} has no node.`, {
    hint: `Put it on one: $${program} set node $node`,
  });
}

function checkTraffic(context: NsContext): void {
  for (const agent of context.all("agent")) {
    const fault = trafficFault(agent);
    if (fault === undefined) continue;
    if (agent.node !== undefined) add(context, agent.offset, fault);
    else {
      const message = `${agent.name} is on no node and does nothing`;
      const hint = "Attach it: $ns attach-agent $node $agent";
      context.diagnostics.add(agent.offset, {
        severity: "warning",
        code: "NS_TRAFFIC",
        message,
        hint,
      });
    }
  }
}

function add(context: NsContext, offset: number, fault: TclError): void {
  const { code, message, details } = fault;
  context.diagnostics.add(offset, { severity: "error", code, message, hint: details.hint });
}

function addAddressFault(context: NsContext, fault: AddressFault): void {
  const { link, severity, code, message, hint } = fault;
  context.diagnostics.add(link.offset, { severity, code, message, hint });
}

/** A file about an inner testbed without nodes of its own gets the site's standard ones. */
function includeInnerTestbed(context: NsContext): void {
  const { settings } = context;
  if (settings.get("elab_in_elab") !== "1" || context.all("node").length > 0) return;
  const topology = settings.innerTopology;
  includeSiteFile(context, topology === "" ? "elabinelab.ns" : `elabinelab-${topology}.ns`);
}

/** A security level brings a firewall, which the site describes. [EMULAB-NS 9] */
function includeFirewall(context: NsContext): void {
  if (Number(context.settings.get("security_level")) === 0) return;
  const own = context.all("firewall")[0];
  if (own === undefined) {
    includeSiteFile(context, "fw.ns");
    return;
  }
  const message = "a security level brings a firewall of its own";
  const hint = "Delete the firewall, or the tb-set-security-level.";
  add(context, own.offset, new TclError("NS_FIREWALL", message, { hint }));
}

/** tb-use-physnaming: a node named like a machine is that machine. */
function fixByName(context: NsContext): void {
  for (const node of context.all("node")) {
    if (node.fixed === "" && context.options.catalogue.machines.has(node.name)) {
      node.fixed = node.name;
    }
  }
}

function checkNode(context: NsContext, node: NodeObject): void {
  if (!namePattern.test(node.name)) {
    const message = invalidName("node", node.name, "due to DNS limitations.");
    add(
      context,
      node.offset,
      new TclError("NS_NAME", message, {
        hint: "The name is the variable it is first assigned to: choose another one.",
      }),
    );
  } else if (node.name.length > nameMax && !context.options.compat) {
    add(
      context,
      node.offset,
      new TclError("NS_NAME", `[run] the node name ${node.name} is longer than ${nameMax}`),
    );
  } else if (node.name === "ops") {
    const message = "You may not use the name for 'ops' for a node!";
    add(context, node.offset, new TclError("NS_NAME", message));
  }
}

function invalidName(what: string, name: string, why: string): string {
  return `[run] Invalid ${what} name ${name}.  Can only contain [-0-9A-Za-z] ${why}`;
}

function checkLink(context: NsContext, link: LinkObject): void {
  if (!namePattern.test(link.name)) {
    const message = invalidName("lan/link", link.name, "for symmetry with node DNS limitations.");
    add(
      context,
      link.offset,
      new TclError("NS_NAME", message, {
        hint: "The name is the variable it is first assigned to: choose another one.",
      }),
    );
  }
  if (link.members.length < 2) {
    const rule = "LANs must have at least 2 nodes in them.";
    const message = `[run] ${link.name} has only a single node.  ${rule}`;
    add(context, link.offset, new TclError("NS_SINGLE_NODE", message));
  }
}
