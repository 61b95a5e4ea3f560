// SPDX-License-Identifier: MIT
// What is asked of every direction of every link, and what changes make of it. Pure; back ends do
// what it says. Changes are planned whole before any is done: what is refused changes nothing.
//
//   T1. `plan` decides, `commit` changes; changes of one call see those before them.
import { closest } from "../experiment/suggest.ts";
import {
  type Capacity,
  changeShape,
  checkShape,
  type DirectionState,
  type LinkChange,
  type ShapedLink,
  unshaped,
} from "./model.ts";
import { networkLimits } from "./network-limits.ts";

/** A direction by its place. */
export interface DirectionPlace {
  readonly link: string;
  readonly member: number;
  readonly way: "up" | "down";
}

export interface DirectionUpdate extends DirectionPlace {
  readonly state: DirectionState;
  /** What the file asks from now on; left out: as before. */
  readonly asked?: DirectionState["shape"];
}

/** What is planned so far; nothing of it is in force. */
export interface LinkDraft {
  /** After what was added before. @returns why it cannot be; nothing of it is planned then */
  add(changes: readonly LinkChange[]): string | undefined;
  updates(): Iterable<DirectionUpdate>;
}

interface Row {
  readonly asked: ShapedLink;
  /** By `memberWay`. */
  readonly states: ReadonlyMap<string, DirectionState>;
}

export class LinkTable {
  readonly #capacity: Capacity;
  readonly #rows = new Map<string, Row>();
  #ends = 0;
  #changes = 0;
  /** Of links that are there, and of those that were. */
  readonly #lastChange = new Map<string, number>();

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  /** As it is now; what becomes of one is nothing to the other. */
  copy(): LinkTable {
    const copy = new LinkTable(this.#capacity);
    for (const [name, row] of this.#rows) copy.#rows.set(name, row);
    copy.#ends = this.#ends;
    return copy;
  }

  get names(): readonly string[] {
    return [...this.#rows.keys()];
  }

  link(name: string): ShapedLink | undefined {
    return this.#rows.get(name)?.asked;
  }

  state(place: DirectionPlace): DirectionState | undefined {
    return this.#rows.get(place.link)?.states.get(memberWay(place));
  }

  /** Everything of one link, members in order, up before down. */
  states(name: string): readonly DirectionUpdate[] {
    const row = this.#rows.get(name);
    if (row === undefined) return [];
    return placesOf(row.asked, {}).map((place) => ({
      ...place,
      state: row.states.get(memberWay(place)) as DirectionState,
    }));
  }

  /** So many times it was changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Which of all changes was the last one of this link; 0: there was none. */
  changesOf(link: string): number {
    return this.#lastChange.get(link) ?? 0;
  }

  /** @returns what is wrong with them; nothing: they are there now, all up. */
  add(links: readonly ShapedLink[]): readonly string[] {
    const problems = this.check(links, []);
    if (problems.length > 0) return problems;
    this.#ends += countEnds(links);
    for (const asked of links) {
      const states = new Map<string, DirectionState>();
      for (const place of placesOf(asked, {})) {
        states.set(memberWay(place), { shape: shapeAt(asked, place), isUp: true });
      }
      this.#setRow(asked.name, { asked, states });
    }
    return [];
  }

  /**
   * Links that are there have more members, behind those that they had. Of those, what is asked
   * otherwise than before is in force as asked.
   * @returns what is wrong with them, or what has become another state
   */
  grow(links: readonly ShapedLink[]): readonly DirectionUpdate[] | { readonly problem: string } {
    const names = links.map(({ name }) => name);
    const [problem] = this.check(links, names);
    if (problem !== undefined) return { problem };
    return links.flatMap((asked) => {
      const before = this.#rows.get(asked.name);
      const states = new Map(before?.states);
      const changed: DirectionUpdate[] = [];
      for (const place of placesOf(asked, {})) {
        const [key, shape] = [memberWay(place), shapeAt(asked, place)];
        const was = states.get(key);
        if (was !== undefined && before !== undefined) {
          const isSame = JSON.stringify(shapeAt(before.asked, place)) === JSON.stringify(shape);
          if (isSame) continue;
        }
        const state = { shape, isUp: was?.isUp ?? true };
        states.set(key, state);
        changed.push({ ...place, state });
      }
      this.#ends += asked.members.length - (before?.asked.members.length ?? 0);
      this.#setRow(asked.name, { asked, states });
      return changed;
    });
  }

  /** @returns why these links could not be added when those in `gone` are away. */
  check(links: readonly ShapedLink[], gone: readonly string[]): readonly string[] {
    const away = gone.flatMap((name) => this.link(name) ?? []);
    const problems = links.flatMap((link) => this.#problemsOf(link));
    for (const { name, kind } of links) {
      const isThere = this.#rows.has(name) && !gone.includes(name);
      if (isThere) problems.push(`${kind} ${name} is there already`);
    }
    const ends = this.#ends - countEnds(away) + countEnds(links);
    if (ends > networkLimits.linkEndsMax) {
      problems.push(
        `${ends} ends of links are more than ${networkLimits.linkEndsMax} (linkEndsMax)`,
      );
    }
    return problems;
  }

  remove(names: readonly string[]): void {
    for (const name of names) {
      this.#ends -= this.link(name)?.members.length ?? 0;
      this.#rows.delete(name);
      this.#changed(name);
    }
  }

  /** What the changes make of which directions; or why one of them cannot be. T1. */
  plan(changes: readonly LinkChange[]): readonly DirectionUpdate[] | { readonly problem: string } {
    const draft = this.draft();
    const problem = draft.add(changes);
    return problem === undefined ? [...draft.updates()] : { problem };
  }

  /** A plan that grows: what is added costs the same however much was added before. */
  draft(): LinkDraft {
    const before = new Map<string, DirectionUpdate>();
    return {
      add: (changes) => {
        const updates = new Map<string, DirectionUpdate>();
        const problem = this.#planAfter(before, changes, updates);
        if (problem === undefined) for (const [key, update] of updates) before.set(key, update);
        return problem;
      },
      updates: () => before.values(),
    };
  }

  commit(updates: readonly DirectionUpdate[]): void {
    for (const { state, asked, ...place } of updates) {
      const row = this.#rows.get(place.link);
      if (row === undefined) continue;
      const states = new Map(row.states).set(memberWay(place), state);
      const link = asked === undefined ? row.asked : askAt(row.asked, place, asked);
      this.#setRow(place.link, { asked: link, states });
    }
  }

  #setRow(link: string, row: Row): void {
    this.#rows.set(link, row);
    this.#changed(link);
  }

  #changed(link: string): void {
    this.#changes += 1;
    this.#lastChange.set(link, this.#changes);
  }

  /** @param updates gets what the changes make. @returns why one of them cannot be */
  #planAfter(
    earlier: ReadonlyMap<string, DirectionUpdate>,
    changes: readonly LinkChange[],
    updates: Map<string, DirectionUpdate>,
  ): string | undefined {
    for (const change of changes) {
      const places = this.#places(change);
      if ("problem" in places) return places.problem;
      for (const place of places) {
        const key = `${place.link} ${memberWay(place)}`;
        const last = updates.get(key) ?? earlier.get(key);
        const before = last?.state ?? this.state(place);
        const asked = this.#rows.get(place.link)?.asked;
        if (before === undefined || asked === undefined) continue;
        const now = last?.asked;
        const { what } = change;
        const next = what.kind === "ask" ? shapeAt(what, place) : (now ?? shapeAt(asked, place));
        const state = changeState(before, change, next);
        const [problem] = checkShape(state.shape, this.#capacity);
        if (problem !== undefined) return `link ${change.link}: ${problem}`;
        const isNew = what.kind === "ask" || now !== undefined;
        updates.set(key, { ...place, state, ...(isNew ? { asked: next } : {}) });
      }
    }
    return undefined;
  }

  #places(change: LinkChange): readonly DirectionPlace[] | { readonly problem: string } {
    const row = this.#rows.get(change.link);
    if (row === undefined) {
      return { problem: describeUnknownLink(change.link, this.names) };
    }
    const { members, kind } = row.asked;
    if (change.node !== undefined && !members.some(({ node }) => node === change.node)) {
      const nodes = members.map(({ node }) => node).join(", ");
      return { problem: `${change.node} is not on ${kind} ${change.link}; members: ${nodes}` };
    }
    if (change.way === "down" && kind === "link") {
      return { problem: `link ${change.link} has one way from each end; name the other node` };
    }
    return placesOf(row.asked, change);
  }

  #problemsOf(link: ShapedLink): string[] {
    const problems: string[] = [];
    const { name, members, kind } = link;
    const { lanMembersMax } = networkLimits;
    if (kind === "link" && members.length !== 2) {
      problems.push(`link ${name} has ${members.length} ends; what has not two is a LAN`);
    }
    if (members.length > lanMembersMax) {
      problems.push(
        `LAN ${name} has ${members.length} members, more than ${lanMembersMax} (lanMembersMax)`,
      );
    }
    const seen = new Set<string>();
    for (const { node, up, down } of members) {
      for (const shape of down === undefined ? [up] : [up, down]) {
        for (const problem of checkShape(shape, this.#capacity)) {
          const text = `${kind} ${name} at ${node}: ${problem}`;
          if (!seen.has(text)) problems.push(text);
          seen.add(text);
        }
      }
    }
    return problems;
  }
}

const countEnds = (links: readonly ShapedLink[]): number =>
  links.reduce((sum, { members }) => sum + members.length, 0);

function changeState(
  { shape, isUp }: DirectionState,
  { what }: LinkChange,
  asked: DirectionState["shape"],
): DirectionState {
  switch (what.kind) {
    case "up":
      return { shape, isUp: true };
    case "down":
      return { shape, isUp: false };
    case "reset":
      return { shape: asked, isUp: true };
    case "create":
      return { shape: asked, isUp };
    case "clear":
      return { shape: unshaped, isUp };
    case "ask":
      return { shape: asked, isUp };
    case "modify":
      return { shape: changeShape(shape, what.shape), isUp };
  }
}

const memberWay = ({ member, way }: { member: number; way: string }): string => `${member} ${way}`;

function askAt(
  link: ShapedLink,
  { member, way }: DirectionPlace,
  shape: DirectionState["shape"],
): ShapedLink {
  const members = link.members.map((one, index) =>
    index === member ? { ...one, [way]: shape } : one,
  );
  return { ...link, members };
}

function shapeAt(
  { members }: Pick<ShapedLink, "members">,
  place: DirectionPlace,
): DirectionState["shape"] {
  const member = members[place.member] as ShapedLink["members"][number];
  return place.way === "down" ? (member.down ?? member.up) : member.up;
}

/** Links that a message lists. */
const listedMax = 10;

/** What to say of a name that no link has. */
export function describeUnknownLink(name: string, known: readonly string[]): string {
  const near = closest(name, known);
  const meant = near === undefined ? "" : `, did you mean ${near}?`;
  const list = known.slice(0, listedMax).join(", ");
  return `there is no link ${name}${meant}; there are: ${list || "none"}`;
}

/** A member that is there twice is meant twice. */
function placesOf(
  { name: link, members }: ShapedLink,
  { node, way }: { readonly node?: string; readonly way?: "up" | "down" },
): readonly DirectionPlace[] {
  return members.flatMap((it, member) => {
    if (node !== undefined && it.node !== node) return [];
    const ways = it.down === undefined ? (["up"] as const) : (["up", "down"] as const);
    return ways
      .filter((one) => way === undefined || way === one)
      .map((one) => ({ link, member, way: one }));
  });
}
