// SPDX-License-Identifier: MIT
// The loopback addresses of a run, as arithmetic. Every run owns one block 127.B.0.0/16 (who owns
// it is decided in address-block.ts); within it the third octet says what an address is for:
//   0-54     control addresses, one per node
//   60-99    one per instance of a Testground plan, where it calls its sync service
//   100-199  one per link address of the file
//   200-254  called-at addresses, one per node: all sources on loopback look like 127.0.0.1, so
//            the sync server tells nodes apart by the address they call
//   255      the lock
//   A1. The same plan and block give the same addresses.
//   A2. No address is given out twice.
import type { NodeAddress } from "../run-event.ts";
import type { NodePlan } from "./node-plan.ts";

/** Second octet of the blocks; below 64 and above 250 other software likes to listen. */
export const BLOCK_FIRST = 64;
export const BLOCK_LAST = 250;

const HOSTS_PER_OCTET = 250;
const INSTANCE_OCTET = 60;
const LINK_OCTET = 100;
const CALLED_AT_OCTET = 200;
const LOCK_OCTET = 255;

/** Nodes in one run: as many as there are called-at addresses. */
export const NODES_MAX: number = (LOCK_OCTET - CALLED_AT_OCTET) * HOSTS_PER_OCTET;
/** Instances in one run. */
export const INSTANCES_MAX: number = (LINK_OCTET - INSTANCE_OCTET) * HOSTS_PER_OCTET;
/** Link addresses in one run. */
export const LINK_ADDRESSES_MAX: number = (CALLED_AT_OCTET - LINK_OCTET) * HOSTS_PER_OCTET;

export interface NodeAddresses {
  readonly control: string;
  readonly calledAt: string;
  /** Control address first, then the link addresses in the order of the plan. */
  readonly all: readonly NodeAddress[];
}

/** The address that is listened on for as long as a run owns the block. */
export function lockAddress(block: number): string {
  return `127.${block}.${LOCK_OCTET}.254`;
}

/**
 * Gives every node its addresses.
 *
 * @param before how many nodes, and link addresses, have been given in this run (A2).
 * @returns addresses by node name, or the sentence that says which limit the plan exceeds.
 */
export function planAddresses(
  block: number,
  nodes: readonly NodePlan[],
  before: { readonly nodes: number; readonly links: number } = { nodes: 0, links: 0 },
): ReadonlyMap<string, NodeAddresses> | string {
  const count = before.nodes + nodes.length;
  if (count > NODES_MAX) {
    return `${count} nodes are more than the ${NODES_MAX} that one machine has addresses for`;
  }
  const result = new Map<string, NodeAddresses>();
  let linkCount = before.links;
  for (const [position, node] of nodes.entries()) {
    const index = before.nodes + position;
    const control = numbered(block, 0, index);
    const all: NodeAddress[] = [{ link: "", experiment: "", loopback: control }];
    for (const { link, experiment } of node.links) {
      if (experiment === "") continue;
      all.push({ link, experiment, loopback: numbered(block, LINK_OCTET, linkCount) });
      linkCount += 1;
    }
    result.set(node.name, { control, calledAt: numbered(block, CALLED_AT_OCTET, index), all });
  }
  if (linkCount > LINK_ADDRESSES_MAX) {
    return `${linkCount} link addresses are more than the ${LINK_ADDRESSES_MAX} of one machine`;
  }
  return result;
}

/** How many link addresses were given to nodes: what `planAddresses` wants to know. */
export function countLinkAddresses(nodes: Iterable<NodeAddresses>): number {
  return [...nodes].reduce((sum, { all }) => sum + all.length - 1, 0);
}

/**
 * The addresses of a node whose links have become others; its own stay.
 * @param linksBefore link addresses that have been given in this run (A2)
 */
export function readdress(
  block: number,
  before: NodeAddresses,
  { links }: NodePlan,
  linksBefore: number,
): NodeAddresses | string {
  const given = planAddresses(block, [{ name: "", links }], { nodes: 0, links: linksBefore });
  if (typeof given === "string") return given;
  const more = given.get("")?.all.slice(1) ?? [];
  const kept = new Map(before.all.map((one) => [`${one.link} ${one.experiment}`, one]));
  const all = more.map((one) => kept.get(`${one.link} ${one.experiment}`) ?? one);
  return { ...before, all: [...before.all.slice(0, 1), ...all] };
}

/** The block that an address of a run is in. */
export function blockOf(address: string): number {
  return Number(address.split(".")[1]);
}

/** Where instance `index` of a run calls its sync service; below `INSTANCES_MAX`. */
export function instanceAddress(block: number, index: number): string {
  return numbered(block, INSTANCE_OCTET, index);
}

function numbered(block: number, firstOctet: number, index: number): string {
  const octet = firstOctet + Math.trunc(index / HOSTS_PER_OCTET);
  return `127.${block}.${octet}.${(index % HOSTS_PER_OCTET) + 1}`;
}
