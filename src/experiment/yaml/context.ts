// SPDX-License-Identifier: MIT
// What the readers of a document share: findings, names and what they stand for, limits.
//   Y1. A name stands for one thing, or for one group of nodes or programs; barriers aside.
//   Y2. A reference to something that failed elsewhere is no second finding.

import type { Catalogue } from "../catalogue.ts";
import { diagnosticsMax, eventsMax } from "../limits.ts";
import type { ExperimentNode, Link, PlannedEvent, Program, SourcePosition } from "../model.ts";
import { parseBandwidth, parseDuration, parsePercentage, type Quantity } from "../quantities.ts";
import { closest } from "../suggest.ts";
import type { Findings } from "./findings.ts";
import { repeatMax, waitsMax } from "./limits.ts";
import { child, type DocumentNode, type ScalarNode } from "./tree.ts";

export type ObjectKind =
  | "node"
  | "link"
  | "program"
  | "group"
  | "barrier"
  | "sequence"
  | "timeline"
  | "simulator";

interface Known {
  readonly kind: ObjectKind;
  readonly at: SourcePosition;
  /** What it stands for when it is several: the names of nodes or programs. */
  readonly members: readonly string[] | undefined;
}

const articles: Readonly<Record<ObjectKind, string>> = {
  node: "a node",
  link: "a link",
  program: "a program",
  group: "a group",
  barrier: "a barrier",
  sequence: "a sequence",
  timeline: "a timeline",
  simulator: "the experiment itself",
};

const shownKind = (kind: ObjectKind): string => (kind === "simulator" ? "experiment" : kind);

/** Barriers are never named where other objects are, so their names are their own. */
const barrierPrefix = "barrier ";

function keyOf(name: string, kind: ObjectKind): string {
  return kind === "barrier" ? barrierPrefix + name : name;
}

export class ReadContext {
  readonly findings: Findings;
  readonly catalogue: Catalogue;
  readonly nodes: ExperimentNode[] = [];
  readonly programs: Program[] = [];
  readonly programNames: Map<string, Program> = new Map();
  readonly linkKinds: Map<string, Link["kind"]> = new Map();
  readonly events: PlannedEvent[] = [];
  simulator = "ns";
  /** Sections whose key is written wrong, which is a finding: what they hold is not known (Y2). */
  misspelt: ReadonlySet<string> = new Set();
  readonly #known = new Map<string, Known>();
  readonly #linkEnds = new Set<string>();
  readonly #refused = new Set<string>();
  #eventCount = 0;
  #waitCount = 0;

  constructor(findings: Findings, catalogue: Catalogue) {
    this.findings = findings;
    this.catalogue = catalogue;
  }

  /** Y1. Takes a name; false, with a finding, when it is taken. */
  declare(
    name: string,
    kind: ObjectKind,
    at: SourcePosition,
    members?: readonly string[],
  ): boolean {
    const taken = this.#known.get(keyOf(name, kind));
    if (taken !== undefined) {
      const message = `"${name}" already is the name of ${articles[taken.kind]}`;
      const hint = `It is at line ${taken.at.line}; nodes, links, programs and so on share one set of names.`;
      this.findings.error(at, "YAML_NAME_TAKEN", message, hint);
      return false;
    }
    this.#known.set(keyOf(name, kind), { kind, at, members });
    return true;
  }

  /** Of an object that is there under a name that none can have: only that is said of it. */
  refuseName(name: string): void {
    this.#refused.add(name);
  }

  /** `LINK-NODE`, which events may be for; an object of that name comes first. */
  declareLinkEnd(link: string, node: string): void {
    this.#linkEnds.add(`${link}-${node}`);
  }

  isLinkEnd(name: string): boolean {
    return !this.#known.has(name) && this.#linkEnds.has(name);
  }

  kindOf(name: string): ObjectKind | undefined {
    return this.isLinkEnd(name) ? "link" : this.#known.get(name)?.kind;
  }

  /** The names of nodes or programs that a name or a range stands for, without a finding. */
  expand(name: string): readonly string[] {
    const known = this.#known.get(name);
    if (known !== undefined) return known.members ?? [name];
    return expandRange(name) ?? [name];
  }

  /** The objects that a reference names, all of these kinds; finds fault with any other. */
  resolve(reference: ScalarNode, kinds: readonly ObjectKind[], what: string): readonly string[] {
    const ofBarriers = kinds[0] === "barrier";
    const names = ofBarriers ? [reference.text] : this.expand(reference.text);
    for (const name of names) {
      const known = this.#known.get(ofBarriers ? keyOf(name, "barrier") : name);
      if (known !== undefined && kinds.includes(known.kind)) continue;
      if (known === undefined) this.#unknown(reference, name, kinds, what);
      else {
        const message = `${what}: "${name}" is ${articles[known.kind]}`;
        const wanted = kinds.map((kind) => articles[kind]).join(" or ");
        this.findings.error(reference.at, "YAML_REFERENCE", message, `It must be ${wanted}.`);
      }
      return [];
    }
    return names;
  }

  #unknown({ at }: ScalarNode, name: string, kinds: readonly ObjectKind[], what: string): void {
    if (kinds.some((kind) => this.misspelt.has(`${kind}s`))) return;
    if (this.#refused.has(name) || this.findings.hasErrorAt(at)) return;
    const message = `${what}: there is no ${kinds.map(shownKind).join(" or ")} "${name}"`;
    if (this.findings.errors >= diagnosticsMax) {
      // It will only be counted: looking for a near miss among all names would cost hours.
      this.findings.error(at, "YAML_UNKNOWN_NAME", message);
      return;
    }
    const able = [...this.#known].filter(([, { kind }]) => kinds.includes(kind));
    // The name of the simulator is one of NS files; here it is called what it is.
    const names = able.map(([key, { kind }]) =>
      kind === "simulator" ? shownKind(kind) : key.replace(barrierPrefix, ""),
    );
    const near = closest(name, names);
    const list = names.slice(0, 12).join(", ") + (names.length > 12 ? ", ..." : "");
    const nothing = `This file has no ${kinds.map(shownKind).join(" and no ")}.`;
    const ends = kinds.includes("link") ? this.#endsHint(name) : undefined;
    const known = ends ?? (names.length === 0 ? nothing : `Known: ${list}.`);
    const hint = near === undefined ? known : `Did you mean "${near}"?`;
    this.findings.error(at, "YAML_UNKNOWN_NAME", message, hint);
  }

  /** Of an end that a link has not: which it has. */
  #endsHint(name: string): string | undefined {
    const links = [...this.linkKinds.keys()].filter((link) => name.startsWith(`${link}-`));
    const [link] = links.toSorted((a, b) => b.length - a.length);
    if (link === undefined) return undefined;
    const ends = [...this.#linkEnds].filter((end) => end.startsWith(`${link}-`));
    return `Ends of ${link}: ${ends.slice(0, 12).join(", ")}${ends.length > 12 ? ", ..." : ""}.`;
  }

  /** The number of the next event; a finding at the one that is too many. */
  nextEvent(at: SourcePosition): number {
    this.#eventCount += 1;
    if (this.#eventCount === eventsMax + 1) {
      const message = `one experiment has at most ${eventsMax} events`;
      this.findings.error(at, "YAML_LIMIT", message, "Use fewer events, or several runs.");
    }
    return this.#eventCount - 1;
  }

  /**
   * Counts members of barriers and programs waited for; false, with a finding, beyond the limit.
   */
  countWaits(count: number, at: SourcePosition): boolean {
    this.#waitCount += count;
    if (this.#waitCount <= waitsMax) return true;
    const message = `members of barriers and programs waited for are more than ${waitsMax}`;
    this.findings.error(at, "YAML_LIMIT", message, "Wait for a barrier instead of each program.");
    return false;
  }

  /** True once no further event will be kept. */
  get isFull(): boolean {
    return this.#eventCount > eventsMax;
  }

  /** The names a node key stands for: `a`, `a{0..4}`; undefined after a finding. */
  names(key: string, at: SourcePosition): readonly string[] | undefined {
    if (!key.includes("{")) return [key];
    const names = expandRange(key);
    if (names === undefined) {
      const hint = `Write node{0..4}; at most ${repeatMax} nodes.`;
      this.findings.error(at, "YAML_RANGE", `"${key}" is no range of names`, hint);
    }
    return names;
  }
}

const range = /^([^{]*)\{([0-9]{1,6})\.\.([0-9]{1,6})\}([^{}]*)$/;

/** `a{0..2}` as a0, a1, a2; a leading zero sets the width. */
function expandRange(text: string): readonly string[] | undefined {
  const match = range.exec(text);
  if (match === null) return undefined;
  const [, before = "", first = "", last = "", after = ""] = match;
  const count = Number(last) - Number(first) + 1;
  if (count < 1 || count > repeatMax) return undefined;
  const width = first.startsWith("0") && first.length > 1 ? first.length : 0;
  return Array.from({ length: count }, (_, index) => {
    return `${before}${String(Number(first) + index).padStart(width, "0")}${after}`;
  });
}

/** Microseconds under a key; undefined when absent or wrong (checkShape has said so). */
export function durationIn(node: DocumentNode | undefined, key: string): number | undefined {
  return durationOf(child(node, key));
}

export function durationOf(node: DocumentNode | undefined): number | undefined {
  return quantityOf(node, parseDuration);
}

/** Bits a second under a key. */
export function bandwidthIn(node: DocumentNode | undefined, key: string): number | undefined {
  return quantityOf(child(node, key), parseBandwidth);
}

/** A probability under a key. */
export function percentageIn(node: DocumentNode | undefined, key: string): number | undefined {
  return quantityOf(child(node, key), parsePercentage);
}

function quantityOf(
  node: DocumentNode | undefined,
  parse: (text: string) => Quantity,
): number | undefined {
  if (node?.kind !== "text" && node?.kind !== "number") return undefined;
  const read = parse(node.text);
  return read.ok ? read.value : undefined;
}

/** A whole number under a key. */
export function integerIn(node: DocumentNode | undefined, key: string): number | undefined {
  const value = child(node, key);
  if (value?.kind !== "number") return undefined;
  const number = Number(value.text);
  return Number.isInteger(number) ? number : undefined;
}

/** Name and text of each entry of a map of scalars. */
export function scalarsOf(
  node: DocumentNode | undefined,
): readonly (readonly [name: string, value: string])[] {
  if (node?.kind !== "map") return [];
  return node.entries.flatMap(({ key, value }) => {
    const isScalar = value.kind !== "list" && value.kind !== "map" && value.kind !== "null";
    return isScalar ? [[key, value.text] as const] : [];
  });
}
