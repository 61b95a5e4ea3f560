// SPDX-License-Identifier: MIT
// The directories and files of the nodes on this machine. What is kept lies below the output
// directory, the rest in the temporary directory of the run:
//   <out>/proj                         the experiment's shared directory
//   <out>/nodes/<node>/local/logs      output of the node's programs
//   <out>/nodes/<node>/var/emulab      boot files, logs of the old tools
//   <out>/nodes/<node>/etc/hosts and resolv.conf
//   <tmp>/shared/tools/<name>          links to the old tools
//   <tmp>/shared/nodes/<node>/...      the node's own /tmp, /var/tmp and /var/run
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NodeAddresses } from "./addresses.ts";
import { formatHostsFile, type HostsRow, planHostsRows } from "./hosts-file.ts";
import type { BackendOptions } from "./node-backend.ts";
import type { NodePlan } from "./node-plan.ts";

/** Directories of one node, as paths of this machine. */
export interface NodeDirectories {
  readonly root: string;
  readonly emulab: string;
  readonly boot: string;
  readonly localLogs: string;
  readonly hostsFile: string;
  readonly resolverFile: string;
  readonly temporary: string;
  readonly varTemporary: string;
  readonly varRun: string;
}

/** Directories of the run. */
export interface RunDirectories {
  /** What nodes may see of the temporary directory. */
  readonly shared: string;
  readonly tools: string;
  /** A home for an account that has none. */
  readonly home: string;
  /** `<out>/proj` */
  readonly experiment: string;
}

/** What the old testbed put into an experiment's directory. */
const EXPERIMENT_DIRECTORIES = ["tbdata", "logs", "tmp", "bin"];

/**
 * In the experiment's directory, names the output directory: a node sees the one at another path,
 * not beside the other.
 */
export const runDirectoryFile = "tbdata/run-directory";

export function planRunDirectories(out: string, temporary: string): RunDirectories {
  const shared = join(temporary, "shared");
  return {
    shared,
    tools: join(shared, "tools"),
    home: join(shared, "home"),
    experiment: join(out, "proj"),
  };
}

export function planNodeDirectories(
  out: string,
  run: RunDirectories,
  node: string,
): NodeDirectories {
  const root = join(out, "nodes", node);
  const emulab = join(root, "var/emulab");
  const temporary = join(run.shared, "nodes", node);
  return {
    root,
    emulab,
    boot: join(emulab, "boot"),
    localLogs: join(root, "local/logs"),
    hostsFile: join(root, "etc/hosts"),
    resolverFile: join(root, "etc/resolv.conf"),
    temporary: join(temporary, "tmp"),
    varTemporary: join(temporary, "vartmp"),
    varRun: join(temporary, "run"),
  };
}

/** Creates what the nodes share. @throws Error of the file system. */
export function createRunFiles(run: RunDirectories, tools: Readonly<Record<string, string>>): void {
  mkdirSync(run.tools, { recursive: true });
  mkdirSync(run.home);
  for (const [name, target] of Object.entries(tools)) symlinkSync(target, join(run.tools, name));
  for (const name of EXPERIMENT_DIRECTORIES) {
    mkdirSync(join(run.experiment, name), { recursive: true });
  }
  writeFileSync(join(run.experiment, runDirectoryFile), `${dirname(run.experiment)}\n`);
}

/** The texts that a node begins with. */
export interface NodeTexts {
  readonly hosts: string;
  readonly resolver: string;
  /** By name. */
  readonly boot: Readonly<Record<string, string>>;
}

/**
 * Creates the directories of one node and its files, each once and parents first: of 200 nodes they
 * are most of what Muster itself does before a run. @throws Error of the file system.
 */
export function createNodeFiles(
  directories: NodeDirectories,
  { hosts, resolver, boot: bootFiles }: NodeTexts,
): void {
  const { root, boot, emulab, localLogs, hostsFile, temporary, varTemporary, varRun } = directories;
  mkdirSync(dirname(root), { recursive: true });
  mkdirSync(dirname(dirname(temporary)), { recursive: true });
  const own = [root, dirname(emulab), emulab, boot, join(emulab, "logs"), dirname(localLogs)];
  for (const path of [...own, localLogs, dirname(hostsFile), dirname(temporary), varRun]) {
    makeDirectory(path);
  }
  for (const path of [temporary, varTemporary]) {
    makeDirectory(path);
    chmodSync(path, 0o1777); // A program may become another user.
  }
  writeFileSync(hostsFile, hosts);
  writeFileSync(directories.resolverFile, resolver);
  for (const [name, text] of Object.entries(bootFiles)) writeFileSync(join(boot, name), text);
}

/** Of a node that comes back there are some. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** Removes what a node loses with its end: its temporary directories. */
export function removeNodeFiles({ temporary }: NodeDirectories): void {
  rmSync(join(temporary, ".."), { recursive: true, force: true });
}

/** What a node is given when it is installed; the rest it asks for. [EMULAB-TMCD 5] */
export function planBootFiles(
  options: BackendOptions,
  node: string,
  server: string,
): Readonly<Record<string, string>> {
  return {
    bossnode: `${server}\n`,
    realname: `${node}\n`,
    mydomain: `${options.domain}\n`,
  };
}

/** The hosts file of a node, and the address its own bare name stands for. */
export function planHosts(
  options: BackendOptions,
  node: NodePlan,
  how: {
    readonly addresses: ReadonlyMap<string, NodeAddresses>;
    /** What `linkAddresses` says of them. */
    readonly onLinks: ReadonlyMap<string, string>;
    /** Where the node calls the sync server. */
    readonly syncAt: string | undefined;
  },
): { readonly text: string; readonly nodeAddress: string } {
  const { addresses, onLinks, syncAt } = how;
  const own = addresses.get(node.name);
  const rows = mapRows(planHostsRows(options.links, node.name), onLinks);
  const text = formatHostsFile({
    domain: options.domain,
    suffix: controlSuffix(options),
    rows,
    control: options.nodes.map(({ name }) => ({
      node: name,
      address: addresses.get(name)?.control ?? "",
    })),
    syncServer:
      options.syncServer === undefined || syncAt === undefined
        ? undefined
        : { node: options.syncServer, calledAt: syncAt },
  });
  const bare = rows.find((row) => row.aliases.includes(node.name));
  return { text, nodeAddress: bare?.address ?? own?.control ?? "" };
}

/** `<eid>.<pid>.<domain>` */
export function controlSuffix(options: BackendOptions): string {
  return `${options.eid}.${options.pid}.${options.domain}`;
}

/** By `<node>-<link>`, what stands for the address of the file. */
export function linkAddresses(
  { nodes }: Pick<BackendOptions, "nodes">,
  addresses: ReadonlyMap<string, NodeAddresses>,
): ReadonlyMap<string, string> {
  const loopback = new Map<string, string>();
  for (const { name } of nodes) {
    for (const entry of addresses.get(name)?.all ?? []) {
      if (entry.link !== "") loopback.set(`${name}-${entry.link}`, entry.loopback);
    }
  }
  return loopback;
}

/** Puts those in the place of the file's. */
function mapRows(
  rows: readonly HostsRow[],
  onLinks: ReadonlyMap<string, string>,
): readonly HostsRow[] {
  return rows.flatMap((row) => {
    const address = onLinks.get(row.canonical);
    return address === undefined ? [] : [{ ...row, address }];
  });
}
