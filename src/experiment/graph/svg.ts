// SPDX-License-Identifier: MIT
// The topology as one SVG file: boxes for nodes, bars for LANs, light or dark as the reader likes.

import type { Experiment } from "../model.ts";
import {
  type Comb,
  type Layout,
  labelledLinesMax,
  layOut,
  type PlacedPoint,
  textWidth,
} from "./layout.ts";
import { type GraphLine, type GraphPoint, type Topology, topologyOf } from "./topology.ts";

const titleHeight = 44;

const style = `
svg { --paper: #fff; --ink: #1c2733; --faint: #5b6b7c; --line: #8a9aab; --box: #eef3f8;
  --edge: #7d93a8; --mark: #0b7285; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #12181f; --ink: #e4ebf2; --faint: #9fb0c0; --line: #64788b; --box: #202b36;
    --edge: #6d8499; --mark: #4dc4d9; } }
.paper { fill: var(--paper); }
text { font: 12px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.title { font-size: 16px; font-weight: 600; }
.label { font-size: 10.5px; fill: var(--faint); paint-order: stroke; stroke: var(--paper);
  stroke-width: 4px; stroke-linejoin: round; }
.middle { text-anchor: middle; dominant-baseline: central; }
.box { fill: var(--box); stroke: var(--edge); }
.server { stroke: var(--mark); stroke-width: 2.5; }
.bar { fill: var(--mark); }
.line { fill: none; stroke: var(--line); stroke-width: 1.4; }
`;

/** A whole SVG document. */
export function drawSvg(experiment: Experiment): string {
  const topology = topologyOf(experiment);
  const layout = layOut(topology);
  const width = Math.ceil(Math.max(layout.width, textWidth(topology.title) * 1.4 + 48, 240));
  const height = Math.ceil(layout.height) + titleHeight;
  const body = [
    ...drawLines(topology, layout),
    ...topology.points.map((point, index) => drawPoint(point, layout.points[index], layout, index)),
  ];
  const about = summaryOf(experiment);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
      `height="${height}" role="img" aria-label="${escaped(`${topology.title}: ${about}`)}">`,
    `<style>${style}</style>`,
    `<rect class="paper" width="100%" height="100%"/>`,
    `<text class="title" x="24" y="30">${escaped(topology.title)}</text>`,
    `<g transform="translate(0 ${titleHeight - 10})">`,
    ...body,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function summaryOf({ nodes, links, syncServer }: Experiment): string {
  const server = syncServer === undefined ? "" : `, sync server on ${syncServer}`;
  return `${nodes.length} nodes, ${links.length} links${server}`;
}

function drawLines({ lines, points }: Topology, layout: Layout): string[] {
  const onComb = new Set<string>();
  const out: string[] = [];
  for (const comb of layout.combs) {
    for (const { point } of comb.teeth) onComb.add(pairOf(point, comb.hub));
    out.push(drawComb(comb, layout));
  }
  const parallel = new Map<string, number>();
  const isLabelled = lines.length <= labelledLinesMax;
  for (const line of lines) {
    const pair = pairOf(line.from, line.to);
    const nth = parallel.get(pair) ?? 0;
    parallel.set(pair, nth + 1);
    const onlyTooth = onComb.has(pair) && nth === 0;
    const isLan = points[line.to]?.kind === "lan";
    out.push(
      drawLine(line, layout, { nth, isHidden: onlyTooth, isLabelled: isLabelled && !isLan }),
    );
  }
  return out;
}

function pairOf(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** One path of all verticals and stubs, and of the rail that joins their tops. */
function drawComb({ hub, rail, columns, teeth }: Comb, layout: Layout): string {
  const place = layout.points[hub];
  if (place === undefined) return "";
  const xs = columns.map(({ x }) => x);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const isNear = rail < place.y + 40;
  const isOver = place.x - place.width / 2 <= left && place.x + place.width / 2 >= right;
  const isBar = isNear && isOver;
  const top = isBar ? place.y : rail;
  const parts = columns.map(({ x, bottom }) => `M${x} ${top}V${bottom}`);
  if (!isBar) {
    // The rail of a comb that stands apart is met at its middle.
    const meet = isNear ? place.x : (left + right) / 2;
    parts.push(`M${place.x} ${place.y}L${meet} ${rail}`);
    parts.push(`M${Math.min(left, meet)} ${rail}H${Math.max(right, meet)}`);
  }
  for (const { point, x } of teeth) {
    const tooth = layout.points[point];
    if (tooth !== undefined) parts.push(`M${x} ${tooth.y}H${tooth.x - tooth.width / 2}`);
  }
  return `<path class="line" d="${parts.join("")}"/>`;
}

interface LineStyle {
  /** Which of several lines between the same two points. */
  readonly nth: number;
  /** The comb has drawn it. */
  readonly isHidden: boolean;
  readonly isLabelled: boolean;
}

function drawLine(
  line: GraphLine,
  layout: Layout,
  { nth, isHidden, isLabelled }: LineStyle,
): string {
  const from = layout.points[line.from];
  const to = layout.points[line.to];
  if (from === undefined || to === undefined) return "";
  const text = line.label === "" ? line.name : `${line.name} ${line.label}`;
  const title = `<title>${escaped(text)}</title>`;
  if (isHidden) return "";
  const bend = bendOf(from, to, nth);
  // Labels of parallel lines stand at different parts of them.
  const part = [0.5, 0.3, 0.7][nth % 3] ?? 0.5;
  const pull = 2 * part * (1 - part);
  const middle = {
    x: from.x + (to.x - from.x) * part + bend.x * pull,
    y: from.y + (to.y - from.y) * part + bend.y * pull,
  };
  const curve = `Q${(from.x + to.x) / 2 + bend.x} ${(from.y + to.y) / 2 + bend.y} ${to.x} ${to.y}`;
  const path = `<path class="line" d="M${from.x} ${from.y}${curve}">${title}</path>`;
  if (!isLabelled || line.label === "") return path;
  const [x, y] = [middle.x, middle.y];
  const first = `<text class="label middle" x="${x}" y="${y - 6}">${escaped(line.name)}</text>`;
  return `${path}${first}<text class="label middle" x="${x}" y="${y + 7}">${escaped(line.label)}</text>`;
}

/** Side by side, lines bend down around what stands between; parallel ones bend apart. */
function bendOf(from: PlacedPoint, to: PlacedPoint, nth: number): { x: number; y: number } {
  const apart = (nth % 2 === 0 ? -1 : 1) * Math.ceil(nth / 2) * 70;
  if (Math.abs(from.y - to.y) >= from.height) return { x: apart, y: 0 };
  const distance = Math.abs(from.x - to.x);
  const isNext = distance < (from.width + to.width) / 2 + 60;
  return { x: 0, y: isNext && nth === 0 ? 0 : 46 + Math.min(60, distance / 12) + Math.abs(apart) };
}

function drawPoint(
  { name, kind, label, about, isSyncServer }: GraphPoint,
  place: PlacedPoint | undefined,
  layout: Layout,
  index: number,
): string {
  if (place === undefined) return "";
  const { x, y, width, height } = place;
  const title = `<title>${escaped(isSyncServer ? `${about}\nsync server` : about)}</title>`;
  if (kind === "node") {
    const frame = `x="${x - width / 2}" y="${y - height / 2}" width="${width}" height="${height}"`;
    const kindOf = isSyncServer ? "box server" : "box";
    const text = `<text class="middle" x="${x}" y="${y}">${escaped(name)}</text>`;
    return `<g>${title}<rect class="${kindOf}" ${frame} rx="6"/>${text}</g>`;
  }
  const hasComb = layout.combs.some(({ hub }) => hub === index);
  const caption = label === "" ? name : `${name}  ${label}`;
  const bar = `<rect class="bar" x="${x - width / 2}" y="${y - 3}" width="${width}" height="6" rx="3"/>`;
  const above = `y="${hasComb ? y - 12 : y - 13}"`;
  return `<g>${title}${bar}<text class="label middle" x="${x}" ${above}>${escaped(caption)}</text></g>`;
}

/** Text for an element or an attribute, without characters that XML does not have. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "?")
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
