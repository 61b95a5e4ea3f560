// SPDX-License-Identifier: MIT
// Counts over a tree of controllers once more, plainly: at each controller a list of who has come,
// and for each controller below the list that its last report spoke of. What reports say of sums is
// compared with the lists, and what the root decides with what the sum over all lists is.
//
//   T2. A count crosses when the sum of all that the root has heard of is 0, and not otherwise; all
//       of those are told so, with one generation and one error, and nobody else is (B1, B3, B5).
//   T3. A report says the sum of what has come and has not left (B4, B6).
import type {
  CountEnded,
  CountNews,
  CountReport,
  LastChange,
} from "../../core/barriers/tree-messages.ts";
import type { Command } from "../../core/command.ts";
import type { Released } from "../../core/effect.ts";

/** One controller, as checkers of trees know it. */
export interface TreeNode {
  readonly name: string;
  /** Whether it has no controller above now, and decides by itself. */
  readonly isTop: (scope: string) => boolean;
}

/** Somebody who has come, or what an init asks for that goes on. */
interface Item {
  /** Edge, life and connection. */
  who: string;
  readonly brings: number;
  readonly error: number;
  readonly waits: boolean;
  /** How it has ended, by the one who decides. */
  due?: End;
  /** Its controller has lost the one above: it may be told that it failed. */
  isCut?: true;
}

interface End {
  readonly outcome: string;
  readonly generation: number;
  /** The largest that those have brought who wait. */
  readonly errorMin: number;
  /** What was told first. */
  error?: number;
}

interface Row {
  readonly items: ReadonlySet<Item>;
  readonly round: number;
  /** Which part this is: a link that begins anew gives the numbers of its rounds again. */
  readonly part: number;
  isLost: boolean;
}

interface Spoken {
  readonly items: ReadonlySet<Item>;
  /** The parts of the controllers below that it has in it. */
  readonly parts: ReadonlySet<number>;
}

interface Open {
  readonly own: Set<Item>;
  readonly rows: Map<string, Row>;
  readonly spoken: Map<number, Spoken>;
  round: number;
  /** What the one above calls it, once it has said so: an end that is found here is of that one. */
  generation?: number;
}

interface State {
  readonly open: Map<string, Open>;
  readonly ends: Map<string, number>;
  /** What its reports have spoken of, by their numbers. */
  readonly reports: Map<string, Spoken>;
}

type Arrival = Extract<Command, { kind: "count-init" | "count-wait" }>;
type Change = Extract<Command, { kind: "count-change" }>;
type Complain = (rule: string, text: string) => void;

export class TreeCounts {
  readonly #complain: Complain;
  readonly #states = new Map<TreeNode, State>();
  /** Who waits, or has waited, by controller. */
  readonly #items = new Map<string, Item>();
  #lastPart = 0;
  crossings = 0;

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  come(node: TreeNode, who: string, command: Arrival): void {
    const { scope, barrier, error } = command;
    const key = `${scope} ${barrier}`;
    const isInit = command.kind === "count-init";
    const item: Item = {
      ...{ who, brings: isInit ? command.count : -1, error },
      waits: !isInit || command.waits,
    };
    this.#open(node, key).own.add(item);
    if (item.waits) this.#items.set(`${node.name} ${who}`, item);
    this.#look(node, key, "came");
  }

  /** So many parties in all, at the one who decides. */
  change(node: TreeNode, { scope, barrier, expected }: Change): void {
    const key = `${scope} ${barrier}`;
    const open = this.#of(node).open.get(key);
    if (open === undefined) return;
    const brings = expected - expectedOf(itemsOf(open));
    open.own.add({ who: "", brings, error: 0, waits: false });
    this.#look(node, key, "came");
  }

  /** Those are gone, at one instant. */
  leave(node: TreeNode, isIt: (who: string) => boolean, how: LastChange): void {
    for (const [key, open] of [...this.#of(node).open]) {
      const gone = [...open.own].filter(({ waits, who }) => waits && isIt(who));
      for (const item of gone) open.own.delete(item);
      if (gone.length > 0) this.#look(node, key, how);
    }
  }

  /** Who has come as the one waits as the other from now on. */
  move(node: TreeNode, from: string, to: string): void {
    const item = this.#items.get(`${node.name} ${from}`);
    if (item === undefined) return;
    this.#items.delete(`${node.name} ${from}`);
    this.#items.set(`${node.name} ${to}`, item);
    item.who = to;
  }

  /** It has said this to the one above. */
  said(node: TreeNode, scope: string, number: number, report: CountReport): void {
    const key = `${scope} ${report.barrier}`;
    const mark = `${number} ${key}`;
    const { reports, open: all } = this.#of(node);
    const open = all.get(key);
    const items = open === undefined ? new Set<Item>() : itemsOf(open);
    const parts = new Set([...(open?.rows.values() ?? [])].map(({ part }) => part));
    const spoken = { items, parts };
    reports.set(mark, spoken);
    const sum = sumOf(items);
    const waiting = [...items].filter(({ waits }) => waits).length;
    if (sum !== report.count || waiting !== report.waiting) {
      const should = `has ${sum}, ${waiting} waiting`;
      const says = `says ${report.count}, ${report.waiting} waiting`;
      this.#complain("T3", `${node.name} ${says} of count ${key}, ${should}`);
    }
    if (open === undefined) return;
    if (open.round === 0) open.round = number;
    open.spoken.set(number, spoken);
  }

  /** It hears that of one below. */
  take(
    node: TreeNode,
    child: TreeNode,
    { scope, number }: { readonly scope: string; readonly number: number },
    report: CountReport,
  ): void {
    const key = `${scope} ${report.barrier}`;
    const row = this.#of(node).open.get(key)?.rows.get(child.name);
    // What is said of a round that is over means nothing.
    if (report.round !== 0 && row?.round !== report.round) return;
    const items = this.#of(child).reports.get(`${number} ${key}`)?.items;
    if (items === undefined) {
      this.#complain("T3", `${node.name} takes report ${number} of ${child.name} on ${key}`);
      return;
    }
    if (report.round === 0) this.#lastPart += 1;
    const { round, part } =
      report.round !== 0 && row !== undefined ? row : { round: number, part: this.#lastPart };
    this.#open(node, key).rows.set(child.name, { items, round, part, isLost: false });
    this.#look(node, key, report.last);
  }

  /** It hears from above how it has ended. */
  ended(node: TreeNode, scope: string, { barrier, round, upTo, generation }: CountEnded): void {
    const key = `${scope} ${barrier}`;
    const { open: all, ends } = this.#of(node);
    const open = all.get(key);
    if (open === undefined || open.round === 0 || open.round !== round) return;
    const spoken = open.spoken.get(upTo) ?? [...open.spoken].findLast(([at]) => at <= upTo)?.[1];
    for (const item of [...open.own]) if (item.due !== undefined) open.own.delete(item);
    for (const [child, row] of [...open.rows]) {
      if (row.isLost || spoken?.parts.has(row.part) === true) open.rows.delete(child);
    }
    ends.set(key, generation);
    delete open.generation;
    open.round = 0;
    open.spoken.clear();
    if (open.own.size + open.rows.size === 0) all.delete(key);
  }

  /** It hears from above how it stands. */
  news(node: TreeNode, scope: string, { barrier, round, generation }: CountNews): void {
    const open = this.#of(node).open.get(`${scope} ${barrier}`);
    if (open === undefined || open.round === 0 || open.round !== round) return;
    open.generation = generation;
  }

  /** Somebody ends it, at the one who decides. @param barrier undefined: all of the scope */
  end(
    node: TreeNode,
    scope: string,
    barrier: string | undefined,
    outcome: "cancelled" | "failed",
  ): void {
    for (const key of [...this.#of(node).open.keys()]) {
      const isIt =
        barrier === undefined ? key.startsWith(`${scope} `) : key === `${scope} ${barrier}`;
      if (isIt) this.#decide(node, key, outcome);
    }
  }

  childLost(node: TreeNode, scope: string, child: string): void {
    for (const [key, { rows }] of [...this.#of(node).open]) {
      const row = rows.get(child);
      if (row !== undefined && key.startsWith(`${scope} `)) this.#lose(node, key, row);
    }
  }

  /** A controller below says that it has lost one of those below it, or this one. */
  failedBelow(node: TreeNode, scope: string, child: string, barrier: string, round: number): void {
    const key = `${scope} ${barrier}`;
    const row = this.#of(node).open.get(key)?.rows.get(child);
    if (row?.round === round) this.#lose(node, key, row);
  }

  #lose(node: TreeNode, key: string, row: Row): void {
    row.isLost = true;
    const isKnownAbove = (this.#of(node).open.get(key)?.round ?? 0) !== 0;
    if (isTop(node, key) || !isKnownAbove) this.#decide(node, key, "failed");
  }

  /** What the one above was told of has failed; the rest waits for it to come back. */
  parentLost(node: TreeNode, scope: string): void {
    for (const [key, open] of [...this.#of(node).open]) {
      if (!key.startsWith(`${scope} `) || open.round === 0) continue;
      for (const item of itemsOf(open)) item.isCut = true;
      this.#decide(node, key, "failed");
    }
  }

  /** Nobody is above it any more. */
  isAlone(node: TreeNode, scope: string): void {
    for (const key of [...this.#of(node).open.keys()]) {
      if (key.startsWith(`${scope} `)) this.#look(node, key, "came");
    }
  }

  /** Somebody is told how it ended. */
  told(node: TreeNode, life: string, effect: Released): void {
    const { outcome, generation, error, scope, barrier } = effect;
    if (outcome === "timeout") return;
    for (const connection of effect.connections) {
      const who = `${life} ${connection}`;
      const item = this.#items.get(`${node.name} ${who}`);
      this.#items.delete(`${node.name} ${who}`);
      const due = item?.due;
      const isCut = item?.isCut === true && outcome === "failed";
      const isDue = due?.outcome === outcome && (outcome !== "crossed" || fits(due, effect));
      if (isDue || isCut) continue;
      const says = `says ${outcome} ${generation} with ${error} to ${who} at count ${scope} ${barrier}`;
      this.#complain("T2", `${node.name} ${says}, decided was ${JSON.stringify(due ?? "nothing")}`);
    }
  }

  /**
   * B10, where it is known: what is missing of those that are asked for.
   * @param isGone who waits no more
   */
  missing(
    node: TreeNode,
    scope: string,
    barrier: string,
    isGone: (who: string) => boolean,
  ): string {
    const open = this.#of(node).open.get(`${scope} ${barrier}`);
    const items = open === undefined ? [] : [...itemsOf(open)];
    const sum = sumOf(new Set(items.filter(({ who, waits }) => !(waits && isGone(who)))));
    if (sum === 0) return "";
    return sum > 0 ? `${sum} more, anonymous` : `somebody to open it for ${-sum}`;
  }

  /** T2. Whoever was decided about has heard of it. @param isThere whether it still waits */
  finish(isThere: (at: string) => boolean): void {
    for (const [at, { due }] of this.#items) {
      if (due === undefined || !isThere(at)) continue;
      this.#complain("T2", `${at} has not heard that it ended: ${JSON.stringify(due)}`);
    }
  }

  /** The question: is it complete? Where somebody is above, it is for that one to say. */
  #look(node: TreeNode, key: string, how: LastChange): void {
    const open = this.#of(node).open.get(key);
    if (open === undefined || !isTop(node, key)) return;
    const items = itemsOf(open);
    if (sumOf(items) !== 0) return;
    const isDeserted = how !== "came" && ![...items].some(({ waits }) => waits);
    const emptied = how === "left" ? "cancelled" : "timeout";
    this.#decide(node, key, isDeserted ? emptied : "crossed");
  }

  #decide(node: TreeNode, key: string, outcome: string): void {
    const { open: all, ends } = this.#of(node);
    const open = all.get(key);
    if (open === undefined) return;
    all.delete(key);
    const { generation = (ends.get(key) ?? 0) + 1 } = open;
    ends.set(key, generation);
    if (outcome === "crossed") this.crossings += 1;
    const items = [...itemsOf(open)];
    const errorMin = Math.max(0, ...items.map(({ waits, error }) => (waits ? error : 0)));
    const end: End = { outcome, generation, errorMin };
    for (const item of items) item.due ??= end;
  }

  #open(node: TreeNode, key: string): Open {
    const { open } = this.#of(node);
    const known = open.get(key);
    if (known !== undefined) return known;
    const made: Open = { own: new Set(), rows: new Map(), spoken: new Map(), round: 0 };
    open.set(key, made);
    return made;
  }

  #of(node: TreeNode): State {
    const known = this.#states.get(node);
    if (known !== undefined) return known;
    const made: State = { open: new Map(), ends: new Map(), reports: new Map() };
    this.#states.set(node, made);
    return made;
  }
}

/** Who has left may have brought a larger error than those who are there. */
function fits(due: End, { generation, error }: Released): boolean {
  due.error ??= error;
  return due.generation === generation && due.error === error && error >= due.errorMin;
}

function itemsOf({ own, rows }: Open): Set<Item> {
  const all = new Set(own);
  for (const { items } of rows.values()) for (const item of items) all.add(item);
  return all;
}

function sumOf(items: ReadonlySet<Item>): number {
  let sum = 0;
  for (const { brings } of items) sum += brings;
  return sum;
}

/** Parties asked for, initialisers that wait included. */
function expectedOf(items: ReadonlySet<Item>): number {
  let sum = 0;
  for (const { brings, waits } of items) sum += waits ? brings + 1 : brings;
  return sum;
}

function isTop(node: TreeNode, key: string): boolean {
  return node.isTop(key.split(" ", 1)[0] ?? "");
}
