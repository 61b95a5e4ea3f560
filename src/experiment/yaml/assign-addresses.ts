// SPDX-License-Identifier: MIT
// Addresses of the links of a document, by the rules that NS files have in their stable order: the
// same topology gets the same addresses in either language.

import type { Catalogue } from "../catalogue.ts";
import type { ExperimentNode, Link } from "../model.ts";
import { planAddresses } from "../ns/addresses.ts";
import type { LinkObject, MemberObject, NodeObject, QueueObject, Shape } from "../ns/objects.ts";
import { closest } from "../suggest.ts";
import type { Findings } from "./findings.ts";
import type { DraftLink } from "./read-links.ts";

/** Gives every member an address, unless it has one or its link has none. */
export function assignAddresses(
  nodes: readonly ExperimentNode[],
  drafts: readonly DraftLink[],
  catalogue: Catalogue,
  findings: Findings,
): readonly Link[] {
  const objects = new Map(nodes.map((node) => [node.name, nodeObject(node)]));
  const byDraft = new Map<DraftLink, LinkObject>();
  const draftOf = new Map<LinkObject, DraftLink>();
  for (const draft of drafts) {
    // A member that is to have none takes its link out of the plan.
    if (draft.members.some(({ address }) => address === "")) continue;
    const link = linkObject(draft, objects);
    byDraft.set(draft, link);
    draftOf.set(link, draft);
  }
  const plan = planAddresses([...draftOf.keys()], "stable", catalogue, false);
  const full = new Set(
    plan.faults.flatMap(({ code, link }) => (code === "NS_HOSTS" ? [link] : [])),
  );
  for (const { link, severity, code, message } of plan.faults) {
    const at = draftOf.get(link)?.at;
    if (at === undefined) continue;
    // The old parser goes on with an address that is none, and finds fault with it.
    if (code === "NS_HOST_PART" && full.has(link)) continue;
    const finding = {
      severity,
      code: code.replace(/^NS_/, "YAML_"),
      message: plainly(message),
      at,
    };
    findings.add({ ...finding, hint: hintFor(code) });
  }
  return drafts.map((draft) => {
    const members = byDraft.get(draft)?.members;
    return {
      ...draft,
      members: draft.members.map((member, index) => {
        const object = members?.[index];
        const address = object === undefined ? (member.address ?? "") : plan.of(object);
        return { ...member, address };
      }),
    };
  });
}

function plainly(message: string): string {
  return message.replace(/^\[[a-z-]+\] /, "");
}

const hints: Readonly<Record<string, string>> = {
  NS_SUBNETS: "Give links less room each: netmask: 255.255.255.248. Or write the addresses.",
  NS_HOSTS: "Give the LAN more room: netmask: 255.255.0.0.",
  NS_REMOTE_LAN: "Write the addresses if the nodes have some on this LAN.",
  NS_HOST_PART: "Write another address.",
  NS_NO_HOST: "Write one that is neither loopback (127) nor multicast or beyond (224 to 255).",
  NS_TWO_SUBNETS: "Write addresses of one subnet, or leave them out.",
  NS_SAME_ADDRESS: "Give one of them another address, or leave it out.",
};

function hintFor(code: string): string {
  const known = closest(code, Object.keys(hints)) ?? code;
  return hints[code] ?? hints[known] ?? "Write the addresses.";
}

function nodeObject({ name, hardwareType }: ExperimentNode): NodeObject {
  return {
    kind: "node",
    name,
    isNamed: true,
    offset: 0,
    isBridge: false,
    type: hardwareType,
    osName: "",
    commandLine: "",
    rpms: "",
    startup: "",
    failureAction: "fatal",
    fixed: "",
    ports: [],
    agents: [],
    nextAgentPort: 0,
    desires: new Map(),
    extra: new Map(),
    topography: undefined,
    location: new Map(),
    routes: [],
  };
}

const noShape: Shape = {
  delay: "0",
  bandwidth: "0",
  backfill: "0",
  estimate: undefined,
  loss: "0",
};

function linkObject(draft: DraftLink, nodes: ReadonlyMap<string, NodeObject>): LinkObject {
  const link: LinkObject = {
    kind: "link",
    name: draft.name,
    isNamed: true,
    offset: 0,
    isLan: draft.kind === "lan",
    members: [],
    netmask: draft.netmask,
    mustDelay: false,
    failureAction: "fatal",
    columns: new Map(),
    trace: undefined,
    settings: new Map(),
  };
  for (const { node: name, address } of draft.members) {
    const node = nodes.get(name);
    if (node === undefined) continue;
    // The plan looks a member's own address up by its port, so ports are those of the objects.
    const port = node.ports.length;
    node.ports.push({ link, address: address ?? "" });
    link.members.push(memberObject(node, port));
  }
  return link;
}

function memberObject(node: NodeObject, port: number): MemberObject {
  const queue: QueueObject = {
    kind: "queue",
    name: "",
    isNamed: true,
    offset: 0,
    link: undefined,
    node,
    fields: new Map(),
  };
  return { node, port, toLink: noShape, fromLink: noShape, queue, extra: new Map() };
}
