// SPDX-License-Identifier: MIT
// The hosts file of one node. Every (link, member) has the name `<node>-<link>` and the alias
// `<node>-<port>`; which of a node's addresses also gets its bare name depends on who looks.
// [EMULAB-NSFILE 12]
import { isIP } from "node:net";
import type { Link } from "../../experiment/model.ts";

export interface HostsRow {
  readonly address: string;
  /** `<node>-<link>` */
  readonly canonical: string;
  readonly aliases: readonly string[];
}

interface Entry {
  readonly node: string;
  readonly link: string;
  readonly port: number;
  readonly address: string;
}

/**
 * The link names as `viewpoint` sees them, in the order of the old generator: sorted by node and
 * link, then reversed.
 */
export function planHostsRows(links: readonly Link[], viewpoint: string): readonly HostsRow[] {
  const entries = entriesOf(links);
  const bare = chooseBareNames(entries, viewpoint);
  return entries.map((entry) => ({
    address: entry.address,
    canonical: `${entry.node}-${entry.link}`,
    aliases:
      bare.get(entry.node) === entry
        ? [`${entry.node}-${entry.port}`, entry.node]
        : [`${entry.node}-${entry.port}`],
  }));
}

/** Links do not change: every node of a run asks for the same. */
const sorted = new WeakMap<readonly Link[], readonly Entry[]>();

function entriesOf(links: readonly Link[]): readonly Entry[] {
  const known = sorted.get(links);
  if (known !== undefined) return known;
  const entries = links
    .flatMap((link) =>
      link.members.map(({ node, port, address }) => ({ node, link: link.name, port, address })),
    )
    .filter((entry) => entry.address !== "")
    .sort((a, b) => compareBytes(b.node, a.node) || compareBytes(b.link, a.link));
  sorted.set(links, entries);
  return entries;
}

/** Which entry of each node carries its bare name; `entries` are in processing order. */
function chooseBareNames(entries: readonly Entry[], viewpoint: string): ReadonlyMap<string, Entry> {
  const ownLinks = new Set(entries.filter((e) => e.node === viewpoint).map((e) => e.link));
  const chosen = new Map<string, Entry>();
  for (const entry of entries) {
    if (entry.node === viewpoint) {
      if (entry.port === 0) chosen.set(entry.node, entry);
      continue;
    }
    const present = chosen.get(entry.node);
    // The first entry stands unless a later one is on a link that both share.
    const better = present !== undefined && !ownLinks.has(present.link) && ownLinks.has(entry.link);
    if (present === undefined || better) chosen.set(entry.node, entry);
  }
  return chosen;
}

export interface HostsFileInput {
  readonly domain: string;
  /** `<eid>.<pid>.<domain>`, what control names end in. */
  readonly suffix: string;
  readonly rows: readonly HostsRow[];
  /** Control addresses of all nodes, in the order of the plan. */
  readonly control: readonly { readonly node: string; readonly address: string }[];
  /** The sync server's node and the address at which this node calls it. */
  readonly syncServer: { readonly node: string; readonly calledAt: string } | undefined;
  /** Where this node calls the bus of events. */
  readonly eventServer?: { readonly name: string; readonly calledAt: string };
  /** What the configuration server's certificate calls it, where the node calls it. */
  readonly boss?: { readonly name: string; readonly calledAt: string };
}

/** The text of the file. The first match wins in it, so that the sync server comes first. */
export function formatHostsFile(input: HostsFileInput): string {
  const named = new Set(input.rows.flatMap((row) => row.aliases));
  const lines = [`127.0.0.1\tlocalhost loghost localhost.${input.domain}`];
  if (input.syncServer !== undefined) {
    lines.push(`${input.syncServer.calledAt}\t${input.syncServer.node}.${input.suffix}`);
  }
  const { boss, eventServer } = input;
  if (eventServer !== undefined) lines.push(`${eventServer.calledAt}\t${eventServer.name}`);
  if (boss !== undefined && isIP(boss.name) === 0) lines.push(`${boss.calledAt}\t${boss.name}`);
  for (const row of input.rows) {
    lines.push(`${row.address}\t${[row.canonical, ...row.aliases].join(" ")}`);
  }
  for (const { node, address } of input.control) {
    const names: string[] = [];
    if (node !== input.syncServer?.node) names.push(`${node}.${input.suffix}`);
    // On the testbed the name server answers for a bare name that no link carries.
    if (!named.has(node)) names.push(node);
    if (names.length > 0) lines.push(`${address}\t${names.join(" ")}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Names are ASCII, so that comparing code units is comparing bytes. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
