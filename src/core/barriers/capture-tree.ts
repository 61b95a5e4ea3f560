// SPDX-License-Identifier: MIT
// What a snapshot keeps of a tree of controllers: links, reports, orders without an answer, and the
// parts that counts are made of. A log that has never been raised to `treesVersion` has nothing of
// the latter, and its digest no row for them.
import { assert } from "../assert.ts";
import type { Scope } from "../scope.ts";
import type { TreeClaim } from "./commands.ts";
import type { CountBarrier } from "./count-barrier.ts";
import { type CountRow, CountShares, type Layer } from "./count-shares.ts";
import type { RosterMember } from "./orders.ts";
import type { Waiter } from "./place.ts";
import type { RosterBarrier, RosterPart } from "./roster-barrier.ts";
import type { Deadline } from "./rules.ts";
import type { StateCounter } from "./state-counter.ts";
import { type OwnSegment, type Segment, StateShares, type Want } from "./state-shares.ts";
import { type Asker, TreeLink } from "./tree.ts";

type LinkSnapshot = Pick<
  TreeLink,
  | ("name" | "side" | "life" | "edge" | "incarnation" | "isMet")
  | ("lastSent" | "lastReceived" | "outbox")
> & {
  readonly otherLife: number | null;
  readonly speaks?: number;
  readonly term?: number;
  readonly claim?: TreeClaim;
};

interface ReportsSnapshot {
  readonly dirty: readonly string[];
  readonly onItsWay: number;
  readonly nextUs: number;
  readonly timer: number;
  readonly newsTimer: number;
  readonly asks: readonly (readonly [number, Asker])[];
  readonly lastAsk: number;
  readonly lastKey: number;
}

export interface TreeSnapshot {
  readonly name: string;
  readonly links: readonly LinkSnapshot[];
  readonly reports?: ReportsSnapshot;
}

interface LayerSnapshot {
  /** Their places in the list of those who wait. */
  readonly waiters: readonly number[];
  readonly asked: number;
  readonly error: number;
}

/** The part of a count that is not known above, and the parts below. */
export interface SharesSnapshot
  extends Pick<CountShares, "round" | "settled" | "lastChange" | "hasCome" | "freshNodes"> {
  readonly rows: readonly (Omit<CountRow, "nodes"> & {
    readonly child: string;
    readonly nodes: readonly string[];
  })[];
  readonly fresh: LayerSnapshot;
  readonly layers: readonly (LayerSnapshot & { readonly report: number })[];
  readonly deadline: Deadline | null;
  readonly nodes: readonly string[];
  readonly above: CountShares["above"] | null;
}

export interface StateSharesSnapshot extends Pick<StateShares, "isAdopted"> {
  readonly segments: readonly Segment[];
  readonly dirty: readonly number[];
  readonly wants: readonly (readonly [number, readonly (readonly [string, Want])[]])[];
}

export interface RosterTreeSnapshot
  extends Pick<RosterBarrier, "key" | "isWhole" | "isReported" | "changes" | "told"> {
  readonly opener: Asker | null;
  readonly missingAbove: readonly string[] | null;
  readonly parts: readonly (Omit<RosterPart, "members" | "missing"> & {
    readonly child: string;
    readonly members: readonly RosterMember[];
    readonly missing: readonly string[] | null;
  })[];
}

export function captureTree({ tree }: Scope): TreeSnapshot {
  const { reports, asks, lastAsk, lastKey } = tree;
  const links = [...tree.links()].map(captureLink);
  const { dirty, onItsWay, nextUs, timer, newsTimer } = reports;
  const numbers = [dirty.size, onItsWay, nextUs, timer, newsTimer, lastAsk, lastKey];
  if (numbers.every((one) => one === 0)) return { name: tree.name, links };
  const kept = { dirty: [...dirty], onItsWay, nextUs, timer, newsTimer };
  return { name: tree.name, links, reports: { ...kept, asks: [...asks], lastAsk, lastKey } };
}

export function restoreTree({ tree }: Scope, snapshot: TreeSnapshot): void {
  tree.name = snapshot.name;
  for (const row of snapshot.links) tree.add(restoreLink(row));
  if (snapshot.reports === undefined) return;
  const { dirty, asks, lastAsk, lastKey, ...numbers } = snapshot.reports;
  Object.assign(tree.reports, numbers);
  for (const key of dirty) tree.reports.dirty.add(key);
  for (const [id, asker] of asks) tree.asks.set(id, asker);
  [tree.lastAsk, tree.lastKey] = [lastAsk, lastKey];
}

function captureLink(link: TreeLink): LinkSnapshot {
  const { name, side, life, otherLife, edge, incarnation, isMet, speaks } = link;
  const { lastSent, lastReceived, outbox, term, claim } = link;
  return {
    ...{ name, side, life, otherLife: otherLife ?? null, edge, incarnation, isMet },
    ...{ lastSent, lastReceived, outbox: [...outbox] },
    ...(speaks === 0 ? {} : { speaks }),
    ...(term === 0 ? {} : { term }),
    ...(claim === undefined ? {} : { claim }),
  };
}

function restoreLink(snapshot: LinkSnapshot): TreeLink {
  const { name, side, life, otherLife, outbox, ...rest } = snapshot;
  const link = new TreeLink(name, side, life);
  Object.assign(link, rest);
  link.otherLife = otherLife ?? undefined;
  link.outbox = [...outbox];
  return link;
}

export function captureShares({ shares, waiters }: CountBarrier): SharesSnapshot | undefined {
  if (shares === undefined) return undefined;
  const places = new Map([...waiters].map((waiter, index) => [waiter, index]));
  const layer = ({ waiters: those, asked, error }: Layer): LayerSnapshot => {
    const still = [...those].flatMap((one) => places.get(one) ?? []);
    return { waiters: still, asked, error };
  };
  const { round, settled, lastChange, hasCome, freshNodes } = shares;
  return {
    ...{ round, settled, lastChange, hasCome, freshNodes: [...freshNodes] },
    rows: [...shares.rows].map(captureRow),
    fresh: layer(shares.fresh),
    layers: shares.layers.map((each) => ({ ...layer(each), report: each.report })),
    ...{ deadline: shares.deadline ?? null, nodes: [...shares.nodes] },
    above: shares.above ?? null,
  };
}

/** Always in the same order: a digest is made of it. */
function captureRow([child, row]: readonly [string, CountRow]): SharesSnapshot["rows"][number] {
  const { round, number, report, included, nodes, lost, told } = row;
  const facts = { child, round, number, report, included: [...included] };
  return { ...facts, nodes: [...nodes], lost, told };
}

/** The waiters of the barrier have been restored. */
export function restoreShares(barrier: CountBarrier, snapshot: SharesSnapshot | undefined): void {
  if (snapshot === undefined) return;
  const waiting = [...barrier.waiters];
  const layer = ({ waiters, asked, error }: LayerSnapshot): Layer => {
    const those = new Set<Waiter>();
    for (const index of waiters) {
      const waiter = waiting[index];
      assert(waiter !== undefined, "a snapshot with a layer of nobody");
      those.add(waiter);
    }
    return { waiters: those, asked, error };
  };
  const { rows, fresh, layers, deadline, nodes, above, freshNodes, ...numbers } = snapshot;
  const shares = new CountShares();
  Object.assign(shares, numbers);
  [shares.fresh, shares.freshNodes] = [layer(fresh), [...freshNodes]];
  shares.layers = layers.map((each) => ({ ...layer(each), report: each.report }));
  [shares.deadline, shares.above] = [deadline ?? undefined, above ?? undefined];
  for (const node of nodes) shares.nodes.add(node);
  for (const { child, nodes: seen, ...row } of rows) {
    shares.rows.set(child, { ...row, included: [...row.included], nodes: new Set(seen) });
    barrier.waitingBelow += row.report.waiting;
  }
  barrier.shares = shares;
}

export function captureSignals({ shares }: StateCounter): StateSharesSnapshot | undefined {
  if (shares === undefined) return undefined;
  const { segments, isAdopted, dirty, wants } = shares;
  const ofTargets = [...wants].map(([target, those]) => [target, [...those]] as const);
  const kept = { segments: segments.map((one) => ({ ...one })), isAdopted, dirty: [...dirty] };
  return { ...kept, wants: ofTargets };
}

/** The targets of the state have been restored. */
export function restoreSignals(counter: StateCounter, kept: StateSharesSnapshot | undefined): void {
  if (kept === undefined) return;
  const shares = new StateShares();
  const { segments, isAdopted, dirty, wants } = kept;
  shares.segments = segments.map((one) => ({ ...one }));
  shares.isAdopted = isAdopted;
  for (const target of dirty) shares.dirty.add(target);
  for (const [target, those] of wants) {
    shares.wants.set(target, new Map(those));
    const place = counter.targets.get(target);
    if (place !== undefined) place.waitingBelow = shares.below(target).waiting;
  }
  restoreUnnumbered(counter, shares);
  counter.shares = shares;
}

/** Who waits for a number, by their segments (G2). */
function restoreUnnumbered({ targets }: StateCounter, shares: StateShares): void {
  const own = shares.segments.filter((one): one is Segment & OwnSegment => "edge" in one);
  if (!own.some(({ waits }) => waits !== undefined)) return;
  const waiting = new Map<string, Waiter>();
  for (const { waiters } of targets.values()) {
    for (const one of waiters) waiting.set(`${one.edge.name} ${one.connection}`, one);
  }
  for (const segment of own) {
    if (segment.waits === undefined) continue;
    const waiter = waiting.get(`${segment.edge} ${segment.connection}`);
    assert(waiter?.barrier.kind === "state", "a snapshot with a signal of nobody who waits");
    shares.awaitNumber(waiter, segment, segment.waits);
    if (segment.waits.isOver) waiter.barrier.held += 1;
  }
}

/** What a roster is of a tree; undefined for one of this controller alone. */
export function captureParts(roster: RosterBarrier): RosterTreeSnapshot | undefined {
  const { key, parts, isWhole, isReported, changes, opener, missingAbove, told } = roster;
  if (key === 0 && parts.size === 0 && told === "") return undefined;
  return {
    ...{ key, isWhole, isReported, changes, opener: opener ?? null, told },
    missingAbove: missingAbove ?? null,
    parts: [...parts].map(([child, part]) => {
      const { key: known, state, reason, size, changes: sent, missing, told: heard } = part;
      const facts = { child, key: known, state, reason, size, changes: sent, told: heard };
      return { ...facts, missing: missing ?? null, members: [...part.members.values()] };
    }),
  };
}

export function restoreParts(roster: RosterBarrier, kept: RosterTreeSnapshot | undefined): void {
  if (kept === undefined) return;
  const { key, isWhole, isReported, changes, opener, told, missingAbove, parts } = kept;
  Object.assign(roster, { key, isWhole, isReported, changes, told });
  roster.opener = opener ?? undefined;
  roster.missingAbove = missingAbove ?? undefined;
  for (const { child, members, missing, ...part } of parts) {
    const byName = new Map(members.map((member) => [member.name, member]));
    roster.parts.set(child, { ...part, missing: missing ?? undefined, members: byName });
  }
}

/** What decides of the trees of a scope, beside its name. */
export function treeRows(scope: Scope): readonly (readonly [string, unknown])[] {
  const { links, reports } = captureTree(scope);
  const rows: (readonly [string, unknown])[] = links.map((link) => ["link", link]);
  if (reports !== undefined) rows.push(["reports", reports]);
  for (const barrier of scope.counts.values()) {
    const shares = captureShares(barrier);
    if (shares !== undefined) rows.push(["shares", [barrier.name, shares]]);
  }
  for (const counter of scope.states.values()) {
    const shares = captureSignals(counter);
    if (shares !== undefined) rows.push(["signals", [counter.name, shares]]);
  }
  for (const roster of scope.rosters.values()) {
    const parts = captureParts(roster);
    if (parts !== undefined) rows.push(["parts", [roster.name, parts]]);
  }
  return rows;
}
