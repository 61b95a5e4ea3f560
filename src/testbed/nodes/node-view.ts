// SPDX-License-Identifier: MIT
// What a node with a file system of its own sees where: the testbed's paths, in front of the
// machine's. Pure; the machine's directories come as a listing.
import {
  bindLine,
  directoriesToList,
  type HostListing,
  type MountLine,
  planRoot,
  type RootPlan,
} from "./mount-plan.ts";
import type { NodeDirectories, RunDirectories } from "./node-files.ts";
import { resolverPath } from "./resolver-file.ts";

export interface ViewInput {
  readonly pid: string;
  readonly eid: string;
  readonly user: string;
  /** Directories of this machine. */
  readonly out: string;
  readonly run: RunDirectories;
  readonly home: string;
  readonly projectFiles: string | undefined;
  /** Paths below `/tmp` and `/var/tmp` that programs need: the tools, the output. */
  readonly needed: readonly string[];
  /** Directories of their own that nodes get besides, for what is unpacked there. */
  readonly archives?: readonly string[];
  /** Whether nodes can have a resolver file in front of the machine's. */
  readonly hasResolver: boolean;
}

/** Where programs of such a node find things. */
export const VIEW = {
  localLogs: "/local/logs",
  boot: "/var/emulab/boot",
  temporary: "/tmp",
  tools: ["/usr/testbed/bin", "/usr/local/etc/emulab"],
} as const;

/** Holds the sources of the nodes' own mounts; hidden once a node is up. */
const HIDDEN = "/.muster";
/** What nodes do not see of this machine's file system, whatever a run is. */
export const unseenDirectories: readonly string[] = ["/tmp", "/var/tmp", "/var/run", "/var/emulab"];
/** Private to each node. `/run` stays the machine's: the name service lives there. */
const PRIVATE_TEMPORARY = ["/tmp", "/var/tmp"];

export function experimentPath(input: { readonly pid: string; readonly eid: string }): string {
  return `/proj/${input.pid}/exp/${input.eid}`;
}

export function filesPath(input: { readonly pid: string }): string {
  return `/proj/${input.pid}/data`;
}

export function homePath(input: { readonly user: string }): string {
  return `/users/${input.user}`;
}

/** The directories of this machine that `planTemplate` wants to know. */
export function listingNeeded(input: ViewInput): readonly string[] {
  return directoriesToList(privatePaths(input));
}

export interface TemplatePlan extends RootPlan {
  readonly table: readonly MountLine[];
  /** Mounts to be made read-only when the kernel lets us. */
  readonly readOnly: readonly string[];
}

/** The root that all nodes of the run share. */
export function planTemplate(listing: HostListing, input: ViewInput): TemplatePlan {
  const kept = keptEntries(input.needed);
  const root = planRoot(listing, [
    ...privatePaths(input),
    ...kept.map((_entry, index) => `${HIDDEN}/keep/${index}`),
  ]);
  const table = root.binds.map(({ source, target }) => bindLine(source, target));
  table.push(bindLine(input.out, `${HIDDEN}/out`));
  table.push(bindLine(input.run.shared, `${HIDDEN}/run`));
  table.push(bindLine(input.run.experiment, experimentPath(input)));
  table.push(bindLine(input.home, homePath(input)));
  for (const path of VIEW.tools) table.push(bindLine(input.run.tools, path));
  for (const [index, path] of kept.entries()) {
    table.push(bindLine(path, `${HIDDEN}/keep/${index}`));
  }
  const files = input.projectFiles;
  if (files !== undefined) table.push(bindLine(files, filesPath(input)));
  return { ...root, table, readOnly: files === undefined ? [] : [filesPath(input)] };
}

/** The mounts of one node on top of the template, the last of which hides where they come from. */
export function planNodeTable(
  node: string,
  directories: NodeDirectories,
  input: ViewInput,
  archives: readonly string[] = [],
): readonly MountLine[] {
  const fromOut = (path: string): string => `${HIDDEN}/out${path.slice(input.out.length)}`;
  const fromRun = (path: string): string => `${HIDDEN}/run${path.slice(input.run.shared.length)}`;
  const lines = [
    bindLine(fromRun(directories.temporary), "/tmp"),
    bindLine(fromRun(directories.varTemporary), "/var/tmp"),
    bindLine(fromRun(directories.varRun), "/var/run"),
    bindLine(fromOut(directories.emulab), "/var/emulab"),
    bindLine(fromOut(directories.localLogs), VIEW.localLogs),
    bindLine(fromOut(directories.hostsFile), "/etc/hosts"),
  ];
  if (input.hasResolver) lines.push(bindLine(fromOut(directories.resolverFile), resolverPath));
  for (const [index, path] of keptEntries(input.needed).entries()) {
    lines.push(bindLine(`${HIDDEN}/keep/${index}`, path));
  }
  for (const [index, path] of archives.entries()) {
    lines.push(bindLine(fromRun(archiveDirectory(directories, index)), path));
  }
  // A source of another name: mount skips what it takes for mounted already, as the machine's is.
  lines.push({ source: `${node}-proc`, target: "/proc", type: "proc", options: "nosuid,nodev" });
  lines.push({ source: `${node}-hidden`, target: HIDDEN, type: "tmpfs", options: "ro,size=4k" });
  return lines;
}

/** Of this machine, behind the node's own directory number `index`. */
export function archiveDirectory({ temporary }: NodeDirectories, index: number): string {
  return `${temporary.slice(0, -"tmp".length)}archives/${index}`;
}

/**
 * The entries of the temporary directories that stay visible, because Muster itself, the output or
 * the experiment's files lie in them.
 */
export function keptEntries(needed: readonly string[]): readonly string[] {
  const kept = needed.flatMap((path) =>
    PRIVATE_TEMPORARY.filter((parent) => path.startsWith(`${parent}/`)).map(
      (parent) => `${parent}/${path.slice(parent.length + 1).split("/")[0]}`,
    ),
  );
  return [...new Set(kept)];
}

function privatePaths(input: ViewInput): readonly string[] {
  return [
    ...(input.archives ?? []),
    ...PRIVATE_TEMPORARY,
    "/var/run",
    "/var/emulab",
    VIEW.localLogs,
    experimentPath(input),
    ...(input.projectFiles === undefined ? [] : [filesPath(input)]),
    homePath(input),
    ...VIEW.tools,
    `${HIDDEN}/old`,
    `${HIDDEN}/out`,
    `${HIDDEN}/run`,
  ];
}
