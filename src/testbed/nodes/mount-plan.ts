// SPDX-License-Identifier: MIT
// The file system of the nodes, as a list of steps made from a listing of this machine's
// directories: a tmpfs root with everything of the machine bound in, except where the nodes have
// something of their own. All nodes share one such root (the template); each adds a few mounts.
//
// A directory that must hold something private (`/var` for `/var/run`) cannot be bound as a whole:
// it becomes a directory of the tmpfs, and its other entries are bound one by one.
//   M1. Every entry of a listed directory is in the root: bound, copied as a link, or replaced.
//   M2. Steps are in an order in which each finds what it needs.

/** One entry of a directory of this machine. */
export interface HostEntry {
  readonly name: string;
  readonly kind: "directory" | "link" | "other";
  /** Where a link points, `""` otherwise. */
  readonly target: string;
}

/** Entries by absolute path; a path that is missing is not a directory of this machine. */
export type HostListing = ReadonlyMap<string, readonly HostEntry[]>;

export interface Bind {
  readonly source: string;
  readonly target: string;
}

export interface RootPlan {
  /** To be created in the tmpfs, parents before children. */
  readonly directories: readonly string[];
  /** To be created empty: a file can be bound over a file only. */
  readonly files: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly binds: readonly Bind[];
}

/**
 * Which directories of this machine the plan must know: the ancestors of the private paths.
 *
 * @param privates absolute, without a trailing slash.
 */
export function directoriesToList(privates: readonly string[]): readonly string[] {
  return [...new Set(privates.flatMap(ancestors))].sort(compareText);
}

/**
 * Plans the root.
 *
 * @param privates paths that become empty directories, whatever the machine has there.
 * @param hidden paths that are left out.
 */
export function planRoot(
  listing: HostListing,
  privates: readonly string[],
  hidden: readonly string[] = [],
): RootPlan {
  const own = new Set(privates);
  const opened = new Set(directoriesToList(privates));
  const without = new Set(hidden);
  const directories: string[] = [...opened].filter((path) => path !== "/");
  const files: string[] = [];
  const links: { path: string; target: string }[] = [];
  const binds: Bind[] = [];
  for (const parent of opened) {
    for (const entry of listing.get(parent) ?? []) {
      const path = parent === "/" ? `/${entry.name}` : `${parent}/${entry.name}`;
      if (own.has(path) || opened.has(path) || without.has(path)) continue;
      if (entry.kind === "link") {
        links.push({ path, target: entry.target });
        continue;
      }
      (entry.kind === "directory" ? directories : files).push(path);
      binds.push({ source: path, target: path });
    }
  }
  directories.push(...privates);
  return {
    directories: directories.sort(compareText),
    files: files.sort(compareText),
    links,
    binds,
  };
}

/** `/a/b/c` -> `/`, `/a`, `/a/b`. */
function ancestors(path: string): readonly string[] {
  const parts = path.split("/").slice(1, -1);
  return ["/", ...parts.map((_part, index) => `/${parts.slice(0, index + 1).join("/")}`)];
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One line of a file that `mount --all --fstab` reads. */
export interface MountLine {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

/** Binds with everything mounted below: a part of a locked tree cannot be bound alone. */
export function bindLine(source: string, target: string): MountLine {
  return { source, target, type: "none", options: "rbind" };
}

/** @param prefix put before every target. */
export function formatMountTable(lines: readonly MountLine[], prefix = ""): string {
  return lines
    .map((line) => `${formatMountFields({ ...line, target: prefix + line.target })} 0 0\n`)
    .join("");
}

/** What is mounted, where, the type and the options; fields are as in that file. */
export function formatMountFields({ source, target, type, options }: MountLine): string {
  return [escapeField(source), escapeField(target), type, options].join(" ");
}

/** Blanks and backslashes separate fields or start an escape there. [fstab(5)] */
function escapeField(text: string): string {
  return text.replace(
    /[ \t\n\v\f\r\\#]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}
