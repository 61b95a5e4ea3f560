// SPDX-License-Identifier: MIT
// The tree of controllers (D1): cores with logs of their own, joined by messages. Owns the links of
// a scope to the controller above and to those below: what was said to them and is not known to be
// in their log, and how far what they said has been taken.
//
//   M1. Messages of a link are numbered 1, 2, 3, ... and taken in that order, each once.
//   M2. A message is kept until the other side has said that it is in its log.
//   M3. A link whose other side has lost its memory, or whose own outbox was dropped, begins a new
//       life: numbers start again at both sides, and what went over it before is over.
//   M4. What a link carries is told to the edge that has joined it last; while none has, it is
//       kept.
//   M6. Of a controller with several servers each may carry the link up, one at a time. Its own
//       core counts their joins, and the one above takes none that is older than one it has taken:
//       what a server says too late that others took for ended does not take the link from them.
//   M7. What is kept says what held when it was kept; what is told of it holds when it is told. Of
//       a part that was complete and is not any more, a repeat says that it is not: its number is
//       the same, so that the other side takes one of the two (M1).
//   M8. A log that joins a controller above has an origin, given once. Of two groups of one name
//       and key the one above has that which came first, until its link is given up: it has left,
//       or its lease is over.
//   M9. Lives of a group have no order: a join of one that is over may come after those of the
//       next. So who forgets one life for another takes a new life of its own, at the join and
//       before it says so: the life that was forgotten begins anew if it comes back (M3).
//  M10. Changes of a quorum are numbered for each controller below, and what it says of one that is
//       changed has the number: what was on its way, or had been said before, is of another quorum.
import { assert } from "../assert.ts";
import { treesVersion } from "../version.ts";
import type { TreeClaim } from "./commands.ts";
import type { TreeMessage } from "./tree-messages.ts";

/** What the other controller is to this one. */
export type Side = "parent" | "child";

interface Numbered {
  readonly number: number;
  readonly message: TreeMessage;
}

export class TreeLink {
  readonly name: string;
  readonly side: Side;
  /** What the other side must have heard to know that this memory is the one it spoke to. */
  life: number;
  /** The other side's, once it has said so. */
  otherLife: number | undefined;
  /** The edge that carries it, 0 when none does. */
  edge = "";
  incarnation = 0;
  /** The other side is there: messages are told as they come. */
  isMet = false;
  /** The version of the other side's log; 0 as long as it has not said it. */
  speaks = 0;
  lastSent = 0;
  lastReceived = 0;
  outbox: Numbered[] = [];
  /** Joins of a link up (M6). */
  term = 0;
  /** What the carrier of a link down has shown. */
  claim: TreeClaim | undefined;

  constructor(name: string, side: Side, life: number) {
    this.name = name;
    this.side = side;
    this.life = life;
  }

  /** M2. */
  keep(message: TreeMessage): number {
    this.lastSent += 1;
    this.outbox.push({ number: this.lastSent, message });
    return this.lastSent;
  }

  /** M2. The other side has everything up to `number`. */
  acknowledge(number: number): void {
    this.outbox = this.outbox.filter((row) => row.number > number);
  }

  /**
   * Of a link that was never met, of which the other side has heard nothing.
   *
   * @param anew what is said in place of a message; undefined: that message
   * @returns whether anything is
   */
  revise(anew: (message: TreeMessage) => TreeMessage | undefined): boolean {
    let isAny = false;
    this.outbox = this.outbox.map((row) => {
      const message = anew(row.message);
      isAny ||= message !== undefined;
      return message === undefined ? row : { ...row, message };
    });
    return isAny;
  }

  /** M1. @returns whether it is the next, and so to be taken. */
  takes(number: number): boolean {
    if (number !== this.lastReceived + 1) return false;
    this.lastReceived = number;
    return true;
  }

  /** M3. */
  beginAgain(): void {
    this.lastSent = 0;
    this.lastReceived = 0;
    this.outbox = [];
  }
}

/**
 * What is to be reported to the controller above, and what is on its way.
 *
 *   M5. At most one report is on its way: the next goes when it is known to be in the log above,
 *       and not sooner than `treeFlushUs` after it.
 */
export class Reports {
  /** What has changed since the last one, `KIND NAME`. */
  readonly dirty: Set<string> = new Set();
  /** Number of the message that is on its way, 0 for none. */
  onItsWay = 0;
  /** No report goes before this, in log time. */
  nextUs = 0;
  /** Timer id of the next one, 0 when none is set. */
  timer = 0;
  /** Timer id of the next news for those below, 0 when none is set. */
  newsTimer = 0;
}

/** Who wants to hear what the root says to an order. */
export type Asker =
  | { readonly edge: string; readonly incarnation: number; readonly connection: number }
  | { readonly child: string; readonly id: number };

export class Tree {
  /** What this controller is called; empty as long as it has joined no other. */
  name = "";
  parent: TreeLink | undefined;
  readonly children: Map<string, TreeLink> = new Map();
  readonly reports: Reports = new Reports();
  /** By the number under which the controller above knows the question. */
  readonly asks: Map<number, Asker> = new Map();
  lastAsk = 0;
  /** Of the parts of rosters that were told of; each telling has its own. */
  lastKey = 0;

  /** Whether a controller above decides, as far as is known: it may be one that knows no counts. */
  get isBelow(): boolean {
    const { speaks = 1 } = this.parent ?? {};
    return speaks === 0 || speaks >= treesVersion;
  }

  get(name: string): TreeLink | undefined {
    return this.parent?.name === name ? this.parent : this.children.get(name);
  }

  *links(): Iterable<TreeLink> {
    if (this.parent !== undefined) yield this.parent;
    yield* this.children.values();
  }

  add(link: TreeLink): void {
    assert(this.get(link.name) === undefined, "a link is added once");
    if (link.side === "parent") this.parent = link;
    else this.children.set(link.name, link);
  }

  remove(link: TreeLink): void {
    if (this.parent === link) this.parent = undefined;
    else this.children.delete(link.name);
  }
}
