// SPDX-License-Identifier: MIT
// Places of a topology on a plane, the same on every machine: no forces, no randomness, no angles.
// Points that hang on one hub alone stand in columns below it, as teeth of a comb; what is left of
// a connected part is laid out in layers by distance from its largest hub; parts stand side by
// side.

import {
  type Block,
  type BlockPlaces,
  combOf,
  hubOf,
  layerGap,
  layersOf,
  rootOf,
  rowPlaces,
  treePlaces,
} from "./layers.ts";
import type { Topology } from "./topology.ts";

/** A point's box, by its middle and size. */
export interface PlacedPoint {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A hub's comb: where its vertical lines run. */
export interface Comb {
  readonly hub: number;
  readonly rail: number;
  readonly columns: readonly { readonly x: number; readonly bottom: number }[];
  /** Points on the comb, and the x of the line each is on. */
  readonly teeth: readonly { readonly point: number; readonly x: number }[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly points: readonly PlacedPoint[];
  readonly combs: readonly Comb[];
}

export const boxHeight = 30;
const rowGap = 12;
const columnGap = 34;
const pointGap = 36;
const margin = 24;
const layerWidthMax = 1_500;
/** Leaves from which on a hub gets a comb. */
const combMin = 4;
/** Points of a connected part from which on two leaves are enough for one. */
const manyPoints = 40;
/** From a hub to its first leaf. */
const combGap = 26;
/** A tree may be wider than a tangle before it is broken into rows. */
const treeWidthMax = 8_000;
/** Lines up to which each carries its label; beyond, it is shown when pointed at. */
export const labelledLinesMax = 60;

interface Part {
  readonly width: number;
  readonly height: number;
  /** Middle of each point, from the part's upper left corner. */
  readonly places: ReadonlyMap<number, PlacedPoint>;
  readonly combs: readonly Comb[];
}

/** Width of text in the font of the drawing, by its characters. */
export function textWidth(text: string): number {
  return Math.ceil([...text].length * 7.4);
}

/** Places every point. */
export function layOut(topology: Topology): Layout {
  const neighbours = neighboursOf(topology);
  const parts = [...componentsOf(neighbours)].map((members) => {
    return layOutPart(topology, members, neighbours);
  });
  const alone = topology.points.map((_, index) => index).filter((at) => neighbours[at]?.size === 0);
  if (alone.length > 0) parts.push(layOutGrid(topology, alone));
  return pack(parts, topology.points.length);
}

function neighboursOf({ points, lines }: Topology): readonly Set<number>[] {
  const neighbours = points.map(() => new Set<number>());
  for (const { from, to } of lines) {
    if (from === to) continue;
    neighbours[from]?.add(to);
    neighbours[to]?.add(from);
  }
  return neighbours;
}

/** Connected parts of more than one point. */
function* componentsOf(neighbours: readonly ReadonlySet<number>[]): Generator<number[]> {
  const seen = new Set<number>();
  for (const [start, near] of neighbours.entries()) {
    if (seen.has(start) || near.size === 0) continue;
    const members = [start];
    seen.add(start);
    for (let at = 0; at < members.length; at += 1) {
      for (const next of neighbours[members[at] ?? 0] ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        members.push(next);
      }
    }
    yield members;
  }
}

function boxWidth(topology: Topology, point: number): number {
  const { name = "", kind, label = "" } = topology.points[point] ?? {};
  const text = kind === "lan" ? Math.max(textWidth(name), textWidth(label)) : textWidth(name);
  return Math.max(kind === "lan" ? 60 : 44, text + 22);
}

/** Columns for `count` boxes, so that the block is about twice as wide as it is high. */
function columnsFor(count: number, width: number): number {
  let columns = 1;
  while (columns * width < 2 * Math.ceil(count / columns) * (boxHeight + rowGap)) columns += 1;
  return Math.min(columns, count);
}

function layOutGrid(topology: Topology, members: readonly number[]): Part {
  const cell = Math.max(...members.map((point) => boxWidth(topology, point)));
  const columns = columnsFor(members.length, cell + rowGap);
  const places = new Map<number, PlacedPoint>();
  members.forEach((point, index) => {
    const x = (index % columns) * (cell + rowGap) + cell / 2;
    const y = Math.floor(index / columns) * (boxHeight + rowGap) + boxHeight / 2;
    places.set(point, { x, y, width: cell, height: boxHeight });
  });
  const rows = Math.ceil(members.length / columns);
  return {
    width: columns * (cell + rowGap) - rowGap,
    height: rows * (boxHeight + rowGap) - rowGap,
    places,
    combs: [],
  };
}

function layOutPart(
  topology: Topology,
  members: readonly number[],
  neighbours: readonly ReadonlySet<number>[],
): Part {
  const blocks = blocksOf(topology, members, neighbours);
  const layers = layersOf(blocks, rootOf(members, neighbours), neighbours);
  const gap = gapFor(topology);
  const tree = treePlaces(layers, gap);
  const isTree = topology.lines.length < topology.points.length;
  const isNarrow = tree.width <= (isTree ? treeWidthMax : layerWidthMax * 1.6);
  return placeBlocks(topology, isNarrow ? tree : rowPlaces(layers, gap, layerWidthMax));
}

/** Room between blocks: labels stand in the middle of lines and want not to meet. */
function gapFor({ lines }: Topology): number {
  if (lines.length > labelledLinesMax) return pointGap;
  const widest = Math.max(0, ...lines.map(({ label }) => textWidth(label)));
  return Math.max(pointGap, Math.ceil(widest * 0.9));
}

function blocksOf(
  topology: Topology,
  members: readonly number[],
  neighbours: readonly ReadonlySet<number>[],
): Map<number, Block> {
  const leavesOf = new Map<number, number[]>();
  for (const point of members) {
    const near = neighbours[point] ?? new Set();
    const [hub] = near;
    // Of two points that only have each other, one must stay in the core.
    if (near.size !== 1 || hub === undefined || neighbours[hub]?.size === 1) continue;
    const leaves = leavesOf.get(hub) ?? [];
    leavesOf.set(hub, leaves);
    leaves.push(point);
  }
  const least = members.length > manyPoints ? 2 : combMin;
  const hung = new Set([...leavesOf.values()].filter(({ length }) => length >= least).flat());
  const root = rootOf(members, neighbours);
  const blocks = new Map<number, Block>();
  for (const point of members) {
    if (hung.has(point)) continue;
    const leaves = (leavesOf.get(point) ?? []).filter((leaf) => hung.has(leaf));
    const own = { point, width: boxWidth(topology, point), height: boxHeight, leaves: [] };
    if (leaves.length === 0) blocks.set(point, own);
    else if (leaves.length >= (neighbours[point]?.size ?? 0) - (point === root ? 0 : 1)) {
      blocks.set(point, combBlock(topology, point, leaves, boxHeight));
    } else {
      // Lines to other points would cross a comb right below: it stands beside them instead.
      blocks.set(point, own);
      blocks.set(combOf(point), combBlock(topology, combOf(point), leaves, 0));
    }
  }
  return blocks;
}

function combBlock(
  topology: Topology,
  point: number,
  leaves: readonly number[],
  above: number,
): Block {
  const { columns, cell } = combSize(topology, leaves);
  const rows = Math.ceil(leaves.length / columns);
  const width = Math.max(above === 0 ? 0 : boxWidth(topology, point), columns * (cell + columnGap));
  return { point, width, height: above + combGap + rows * (boxHeight + rowGap), leaves };
}

function combSize(topology: Topology, leaves: readonly number[]) {
  const cell = Math.max(...leaves.map((leaf) => boxWidth(topology, leaf)));
  // A few leaves stand one below the other: a tree of many such hubs stays narrow.
  const columns = leaves.length <= combMin ? 1 : columnsFor(leaves.length, cell + columnGap);
  return { cell, columns };
}

function placeBlocks(topology: Topology, { places: blocks, width, height }: BlockPlaces): Part {
  const places = new Map<number, PlacedPoint>();
  const combs: Comb[] = [];
  for (const { block, left, top } of blocks) {
    placeBlock(topology, block, left, top, places, combs);
  }
  return { width, height, places, combs };
}

function placeBlock(
  topology: Topology,
  { point, width, leaves }: Block,
  left: number,
  top: number,
  places: Map<number, PlacedPoint>,
  combs: Comb[],
): void {
  const isApart = point < 0;
  if (!isApart) {
    const isLan = topology.points[point]?.kind === "lan";
    const own = isLan && leaves.length > 0 ? width : boxWidth(topology, point);
    const y = top + boxHeight / 2;
    places.set(point, { x: left + width / 2, y, width: own, height: boxHeight });
  }
  if (leaves.length === 0) return;
  const { columns, cell } = combSize(topology, leaves);
  const rows = Math.ceil(leaves.length / columns);
  const first = left + (width - columns * (cell + columnGap)) / 2;
  const below = isApart ? top : top + boxHeight;
  const teeth = leaves.map((leaf, index) => {
    const line = first + Math.floor(index / rows) * (cell + columnGap) + 10;
    const middle = below + combGap + (index % rows) * (boxHeight + rowGap) + boxHeight / 2;
    places.set(leaf, { x: line + 12 + cell / 2, y: middle, width: cell, height: boxHeight });
    return { point: leaf, x: line };
  });
  const xs = [...new Set(teeth.map(({ x }) => x))];
  const lines = xs.map((x) => {
    const last = teeth.filter((tooth) => tooth.x === x).at(-1);
    return { x, bottom: places.get(last?.point ?? 0)?.y ?? below };
  });
  combs.push({ hub: isApart ? hubOf(point) : point, rail: below + 10, columns: lines, teeth });
}

/** Parts side by side in shelves about as wide as the widest needs. */
function pack(parts: readonly Part[], count: number): Layout {
  const points: PlacedPoint[] = Array.from({ length: count }, () => {
    return { x: 0, y: 0, width: 0, height: 0 };
  });
  const combs: Comb[] = [];
  const shelf = Math.max(900, ...parts.map(({ width }) => width));
  let left = margin;
  let top = margin;
  let height = 0;
  let right = 0;
  for (const part of parts) {
    if (left > margin && left + part.width > margin + shelf) {
      left = margin;
      top += height + layerGap;
      height = 0;
    }
    for (const [point, { x, y, ...size }] of part.places) {
      points[point] = { x: x + left, y: y + top, ...size };
    }
    for (const { hub, rail, columns, teeth } of part.combs) {
      combs.push({
        hub,
        rail: rail + top,
        columns: columns.map(({ x, bottom }) => ({ x: x + left, bottom: bottom + top })),
        teeth: teeth.map(({ point, x }) => ({ point, x: x + left })),
      });
    }
    right = Math.max(right, left + part.width);
    left += part.width + layerGap;
    height = Math.max(height, part.height);
  }
  return { width: right + margin, height: top + height + margin, points, combs };
}
