// SPDX-License-Identifier: MIT
// What a site knows and a file only names: node types, operating systems, thresholds, files. Data,
// so that another site is another value. [EMULAB-NS 17.13] read-catalogue.ts reads one from JSON.

/** Kinds of hardware that change what a file may do. */
export interface NodeType {
  /** Part of another node, such as a network processor: hosted by it, never the sync server. */
  readonly isSubnode: boolean;
  /** Somewhere on the internet: gets no experiment addresses. */
  readonly isRemote: boolean;
}

export interface Catalogue {
  /** Types by name; a name that ends in `*` stands for all that begin so. See `findType`. */
  readonly types: ReadonlyMap<string, NodeType>;
  /** Refuse types that are not listed. */
  readonly strictTypes: boolean;
  /** Operating system names; empty means that any name is accepted. */
  readonly osNames: ReadonlySet<string>;
  /** Machines of the site by name, with their types. */
  readonly machines: ReadonlyMap<string, string>;
  /** Type of a node that names none, and of one on a topography. */
  readonly defaultType: string;
  readonly mobileType: string;
  /** Areas that `load_area` knows. */
  readonly areas: ReadonlySet<string>;
  /** Milliseconds; a delay below it that is not zero is refused. */
  readonly delayMinMs: number;
  /** Kilobits per second; the range of a link. */
  readonly bandwidthMinKbps: number;
  readonly bandwidthMaxKbps: number;
  /** First octet of automatic addresses. */
  readonly addressBase: number;
  /** Largest `tb-set-delay-capacity`. */
  readonly delayCapacity: number;
  /** Directories that are shared between nodes: nothing is unpacked into them. */
  readonly sharedDirectories: readonly string[];
  /** Boot services of nodes; empty means that any name is accepted. */
  readonly services: ReadonlySet<string>;
  /** Files on the site's own disks; undefined means that nobody looks. */
  readonly files: ReadonlySet<string> | undefined;
  /** Experiment files that the site has for others to `source`, by name. */
  readonly includes: ReadonlyMap<string, string>;
  /** Values of `$::TBCOMPAT::sitevariables(name)`. */
  readonly siteVariables: ReadonlyMap<string, string>;
}

const plain: NodeType = { isSubnode: false, isRemote: false };
const subnode: NodeType = { isSubnode: true, isRemote: false };
const remote: NodeType = { isSubnode: false, isRemote: true };

function types(...rows: readonly (readonly [NodeType, string])[]): ReadonlyMap<string, NodeType> {
  return new Map(
    rows.flatMap(([type, names]) => names.split(" ").map((name) => [name, type] as const)),
  );
}

/** The type of that name, or the first one whose beginning it shares. */
export function findType(catalogue: Catalogue, name: string): NodeType | undefined {
  const exact = catalogue.types.get(name);
  if (exact !== undefined) return exact;
  for (const [known, type] of catalogue.types) {
    if (known.endsWith("*") && name.startsWith(known.slice(0, -1))) return type;
  }
  return undefined;
}

/** The catalogue used when the caller gives none. */
export const defaultCatalogue: Catalogue = {
  types: types(
    [plain, "pc pc600 pc850 pc2000 pc3000 pc2400c2 dnard shark pcvm garcia robot"],
    [subnode, "ixp-bv mica2"],
    [remote, "pcplab* pcvron* pcvwa*"],
  ),
  strictTypes: false,
  osNames: new Set(),
  machines: new Map(),
  defaultType: "pc",
  mobileType: "robot",
  areas: new Set(["MEB-ROBOTS"]),
  delayMinMs: 2,
  bandwidthMinKbps: 10,
  bandwidthMaxKbps: 1_000_000,
  addressBase: 10,
  delayCapacity: 2,
  sharedDirectories: ["/proj", "/groups", "/users", "/share"],
  services: new Set(),
  files: undefined,
  includes: new Map(),
  siteVariables: new Map(),
};

/**
 * The site that the recorded results come from: types are checked, and its disks are empty. Used
 * under `compat` when the caller gives none.
 */
export const referenceCatalogue: Catalogue = {
  ...defaultCatalogue,
  strictTypes: true,
  files: new Set(),
};
