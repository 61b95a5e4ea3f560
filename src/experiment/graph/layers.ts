// SPDX-License-Identifier: MIT
// Blocks of a connected part in layers by distance from the largest hub: as a tree, each block over
// the middle of what hangs on it, or in rows when the tree would be too wide.

/** A point of the core, with its comb or as a comb. */
export interface Block {
  /** The point, or the name of a comb that stands apart from its hub; see `combOf`. */
  readonly point: number;
  readonly width: number;
  readonly height: number;
  readonly leaves: readonly number[];
}

export interface BlockPlaces {
  readonly places: readonly {
    readonly block: Block;
    readonly left: number;
    readonly top: number;
  }[];
  readonly width: number;
  readonly height: number;
}

/** A layer of blocks, and the block of the layer above that each hangs on. */
export interface Layer {
  readonly blocks: Block[];
  readonly parents: ReadonlyMap<number, number>;
}

export const layerGap = 76;

/** The number a comb has among the blocks when it stands apart from its hub. */
export function combOf(hub: number): number {
  return -1 - hub;
}

export function hubOf(comb: number): number {
  return -1 - comb;
}

type Neighbours = readonly ReadonlySet<number>[];

function near(point: number, neighbours: Neighbours): Iterable<number> {
  return point < 0 ? [hubOf(point)] : (neighbours[point] ?? []);
}

/** The point with most neighbours; layers are counted from there. */
export function rootOf(members: readonly number[], neighbours: Neighbours): number {
  const degree = (point: number): number => neighbours[point]?.size ?? 0;
  return members.reduce((best, point) => (degree(point) > degree(best) ? point : best));
}

/** Blocks by distance from the root, each layer in the order of its parents. */
export function layersOf(
  blocks: ReadonlyMap<number, Block>,
  root: number,
  neighbours: Neighbours,
): Layer[] {
  const parents = new Map<number, number>();
  const seen = new Set([root]);
  const layers: number[][] = [[root]];
  for (const layer of layers) {
    const next: number[] = [];
    for (const point of layer) {
      const comb = combOf(point);
      const hanging = point < 0 ? [] : [...(neighbours[point] ?? [])];
      // The comb stands in the middle of what else hangs on its hub.
      if (blocks.has(comb)) hanging.splice(hanging.length >> 1, 0, comb);
      for (const one of hanging) {
        if (seen.has(one) || !blocks.has(one)) continue;
        seen.add(one);
        parents.set(one, point);
        next.push(one);
      }
    }
    if (next.length > 0) layers.push(next);
  }
  sortLayers(layers, parents, neighbours);
  return layers.map((layer) => {
    return { blocks: layer.flatMap((point) => blocks.get(point) ?? []), parents };
  });
}

/** Brings neighbours of neighbouring layers together, children of one parent side by side. */
function sortLayers(
  layers: readonly number[][],
  parents: ReadonlyMap<number, number>,
  neighbours: Neighbours,
): void {
  for (let sweep = 0; sweep < 4; sweep += 1) {
    for (const [at, layer] of layers.entries()) {
      const above = layers[at - 1];
      const other = sweep % 2 === 0 ? above : layers[at + 1];
      if (other !== undefined) orderBy(layer, other, neighbours);
      if (above === undefined) continue;
      const place = new Map(above.map((point, index) => [point, index]));
      const parentPlace = (point: number): number => place.get(parents.get(point) ?? 0) ?? 0;
      layer.sort((a, b) => parentPlace(a) - parentPlace(b));
    }
  }
}

/** Orders a layer by the mean place of each point's neighbours in another one. */
function orderBy(layer: number[], other: readonly number[], neighbours: Neighbours): void {
  const place = new Map(other.map((point, index) => [point, (index + 0.5) / other.length]));
  const key = new Map(
    layer.map((point, index) => {
      const known: number[] = [];
      for (const one of near(point, neighbours)) {
        const at = place.get(one);
        if (at !== undefined) known.push(at);
      }
      const own = (index + 0.5) / layer.length;
      const sum = known.reduce((total, one) => total + one, 0);
      return [point, known.length === 0 ? own : sum / known.length];
    }),
  );
  layer.sort((a, b) => (key.get(a) ?? 0) - (key.get(b) ?? 0));
}

/** Each block over the middle of what hangs on it. */
export function treePlaces(layers: readonly Layer[], gap: number): BlockPlaces {
  const spans = new Map<number, { own: number; below: number }>();
  for (const { blocks } of layers) {
    for (const { point, width } of blocks) spans.set(point, { own: width, below: -gap });
  }
  const spanOf = (point: number): number => {
    const span = spans.get(point);
    return span === undefined ? 0 : Math.max(span.own, span.below);
  };
  for (const { blocks, parents } of layers.toReversed()) {
    for (const { point } of blocks) {
      const parent = spans.get(parents.get(point) ?? Number.NaN);
      if (parent !== undefined) parent.below += gap + spanOf(point);
    }
  }
  const next = new Map<number, number>();
  const places: { block: Block; left: number; top: number }[] = [];
  let top = 0;
  for (const { blocks, parents } of layers) {
    for (const block of blocks) {
      const parent = parents.get(block.point) ?? Number.NaN;
      const left = next.get(parent) ?? 0;
      const span = spanOf(block.point);
      next.set(parent, left + span + gap);
      const below = spans.get(block.point)?.below ?? 0;
      next.set(block.point, left + (span - Math.max(0, below)) / 2);
      places.push({ block, left: left + (span - block.width) / 2, top });
    }
    top += Math.max(...blocks.map(({ height }) => height)) + layerGap;
  }
  const root = layers[0]?.blocks[0]?.point ?? 0;
  return { places, width: spanOf(root), height: top - layerGap };
}

/** Layers one below the other, each in the middle; one that is too wide becomes several rows. */
export function rowPlaces(layers: readonly Layer[], gap: number, widthMax: number): BlockPlaces {
  const rows: Block[][] = [];
  for (const { blocks } of layers) {
    let row: Block[] = [];
    let width = 0;
    for (const block of blocks) {
      if (row.length > 0 && width + block.width > widthMax) {
        rows.push(row);
        row = [];
        width = 0;
      }
      row.push(block);
      width += block.width + gap;
    }
    rows.push(row);
  }
  const widthOf = (row: readonly Block[]): number => {
    return row.reduce((sum, { width }) => sum + width + gap, -gap);
  };
  const width = Math.max(...rows.map(widthOf));
  const places: { block: Block; left: number; top: number }[] = [];
  let top = 0;
  for (const row of rows) {
    let left = (width - widthOf(row)) / 2;
    for (const block of row) {
      places.push({ block, left, top });
      left += block.width + gap;
    }
    top += Math.max(...row.map(({ height }) => height)) + layerGap;
  }
  return { places, width, height: top - layerGap };
}
