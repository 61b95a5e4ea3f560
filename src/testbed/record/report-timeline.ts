// SPDX-License-Identifier: MIT
// Draws the timeline of a report as SVG: lanes below a head with time, events and barriers. Places
// along the time axis are percentages, so that the picture follows the width of the page. Pure.
import { type Html, html, joined } from "./html.ts";
import { type Lane, type Meeting, planTimeline, type Span, type TimelineModel } from "./lanes.ts";
import type { ResultEvent, RunResult } from "./result-model.ts";
import { formatCount, formatInstant, plural } from "./words.ts";

/** Lanes drawn with a label; all of them are in the overview. */
export const lanesDrawnMax = 1_200;
/** Events drawn as ticks. */
export const ticksDrawnMax = 4_000;
/** An event later than this, or not fired, is marked. */
export const lateUs = 100_000;
/** Above this many lanes the overview comes first. */
export const overviewFrom = 60;
/** Above this many barriers their marks fade, so that the lanes stay visible behind them. */
const manyMeetings = 25;
/** The width of the plot that labels reckon with, in pixels; the true one is not known here. */
const nominalWidth = 960;

/** An instant as percent along the time axis. */
export type Scale = (us: number) => number;

interface LaneSizes {
  readonly barHeight: number;
  readonly waitHeight: number;
  readonly padding: number;
  readonly heightMin: number;
}

/** The picture, or nothing for a run in which nothing happened. */
export function renderTimeline(result: RunResult): Html {
  const model = planTimeline(result);
  if (model.lanes.length === 0) return html`<p class="soft">The run had no nodes.</p>`;
  const spanUs = model.toUs - model.fromUs;
  const scale: Scale = (us) => ((us - model.fromUs) / spanUs) * 100;
  const drawn = drawnLanes(model.lanes);
  const sizes = laneSizes(drawn.length);
  // The heads of the rows above the lanes need their room, too, however short the nodes' names.
  const longest = drawn.reduce((most, lane) => Math.max(most, lane.name.length), "barriers".length);
  const labels = Math.min(14, 2.4 + longest * 0.5);
  const dense = drawn.length > 200 ? " dense" : "";
  const size = plural(model.lanes.length, "node");
  const time = `${formatInstant(model.fromUs)} to ${formatInstant(model.toUs)}`;
  const label = `Timeline of ${size} from ${time}; the tables below say the same in words`;
  return html`<div class="card" style="--labels: ${labels}rem">
${model.lanes.length > overviewFrom && overview(model, scale)}
<div class="timeline${dense}" role="img" aria-label="${label}" tabindex="0">
${head(model, result.events, scale)}
${laneGrid(drawn, model, scale, sizes)}
</div>
${legend(model)}
${leftOut(model, drawn.length)}
</div>`;
}

/** Lanes with trouble come first where there are too many to look at all. */
function drawnLanes(lanes: readonly Lane[]): Lane[] {
  if (lanes.length <= overviewFrom) return [...lanes];
  const trouble = lanes.filter((lane) => lane.hasTrouble);
  return [...trouble, ...lanes.filter((lane) => !lane.hasTrouble)].slice(0, lanesDrawnMax);
}

function laneSizes(count: number): LaneSizes {
  if (count <= 40) return { barHeight: 12, waitHeight: 6, padding: 5, heightMin: 28 };
  if (count <= 200) return { barHeight: 7, waitHeight: 4, padding: 3, heightMin: 18 };
  return { barHeight: 6, waitHeight: 3, padding: 2, heightMin: 14 };
}

function rows(spans: readonly Span[]): number {
  return spans.reduce((most, span) => Math.max(most, span.row + 1), 0);
}

function laneHeight(lane: Lane, sizes: LaneSizes): number {
  const bars = rows(lane.programs) * (sizes.barHeight + 1);
  const waits = Math.max(rows(lane.waits), lane.absences.length > 0 ? 1 : 0);
  return Math.max(sizes.heightMin, bars + waits * (sizes.waitHeight + 1) + 2 * sizes.padding);
}

/** A vertical line at a percentage of the time axis. */
export function upright(tone: string, at: number, top: number, bottom: number): Html {
  const x = percent(at);
  return html`<line class="${tone}" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>`;
}

export const percent = (value: number): string => `${Number(value.toFixed(3))}%`;

function laneGrid(
  lanes: readonly Lane[],
  model: TimelineModel,
  scale: Scale,
  sizes: LaneSizes,
): Html {
  const middles = new Map<string, number>();
  const names: Html[] = [];
  const stripes: Html[] = [];
  const shapes: Html[] = [];
  let top = 0;
  for (const [at, lane] of lanes.entries()) {
    const height = laneHeight(lane, sizes);
    middles.set(lane.name, top + height / 2);
    const tone = lane.hasTrouble ? "bad-text" : "";
    names.push(
      html`<div style="height:${height}px"><span class="${tone}" title="${lane.name}">${
        lane.name
      }</span></div>`,
    );
    if (at % 2 === 1) {
      stripes.push(html`<rect class="stripe" x="0" y="${top}" width="100%" height="${height}"/>`);
    }
    shapes.push(laneShapes(lane, top, height, scale, sizes));
    top += height;
  }
  const grid = ticks(model).map((us) => upright(us === 0 ? "zero" : "grid", scale(us), 0, top));
  const modified = model.modifications.map(({ atUs, title }) => {
    const line = upright("modified", scale(atUs), 0, top);
    return html`<g><title>${title}, ${formatInstant(atUs)}</title>${line}</g>`;
  });
  const isMany = model.meetings.length > manyMeetings;
  const crossings = model.meetings.map((one) =>
    meetingMark(one, middles, scale, isMany ? Number.POSITIVE_INFINITY : lanes.length),
  );
  return html`<div class="lanes"><div class="labels" aria-hidden="true">${names}</div>
<svg height="${top}">${stripes}${grid}${modified}${shapes}
<g class="${isMany && "many"}">${crossings}</g></svg></div>`;
}

function laneShapes(lane: Lane, top: number, height: number, scale: Scale, sizes: LaneSizes): Html {
  const barsTop = top + sizes.padding;
  const waitsBottom = top + height - sizes.padding;
  const bars = lane.programs.map((span) => {
    const y = barsTop + span.row * (sizes.barHeight + 1);
    const tone = { ok: "program", stopped: "program stopped", bad: "program failed" }[span.state];
    const bar = spanRect(span, tone, y, sizes.barHeight, scale);
    return joined([bar, barLabel(span, y, sizes, scale)]);
  });
  const waits = lane.waits.map((span) => {
    const y = waitsBottom - (span.row + 1) * (sizes.waitHeight + 1);
    return spanRect(
      span,
      span.state === "ok" ? "wait" : "wait uncrossed",
      y,
      sizes.waitHeight,
      scale,
    );
  });
  const absences = lane.absences.map((span) =>
    spanRect(span, "absent", waitsBottom - sizes.waitHeight - 1, sizes.waitHeight, scale),
  );
  return joined([...waits, ...absences, ...bars]);
}

function spanRect(span: Span, tone: string, y: number, height: number, scale: Scale): Html {
  const [from, to] = [scale(span.fromUs), scale(span.toUs)];
  // The stroke keeps what is shorter than a pixel visible.
  const width = percent(Math.max(0, to - from));
  const title = `${span.title}, ${formatInstant(span.fromUs)} to ${formatInstant(span.toUs)}`;
  return html`<rect class="${tone}" x="${percent(from)}" y="${y}" width="${width}"
 height="${height}" rx="1.5"><title>${title}</title></rect>`;
}

function barLabel(span: Span, y: number, sizes: LaneSizes, scale: Scale): Html | null {
  if (sizes.barHeight < 10) return null;
  const roomPx = ((scale(span.toUs) - scale(span.fromUs)) / 100) * nominalWidth * 0.6;
  if (span.label.length * 6 + 8 > roomPx) return null;
  const x = percent(scale(span.fromUs));
  const bottom = y + sizes.barHeight - 2.5;
  return html`<text class="inbar" x="${x}" dx="5" y="${bottom}">${span.label}</text>`;
}

function meetingMark(
  meeting: Meeting,
  middles: ReadonlyMap<string, number>,
  scale: Scale,
  lanes: number,
): Html | null {
  const places = [...meeting.lanes].flatMap((name) => middles.get(name) ?? []);
  if (places.length === 0) return null;
  const at = scale(meeting.atUs);
  const x = percent(at);
  const top = places.reduce((least, y) => Math.min(least, y));
  const bottom = places.reduce((most, y) => Math.max(most, y));
  const dots =
    lanes > 200
      ? []
      : places.map(
          (y) => html`<circle class="meet" cx="${x}" cy="${y}" r="${lanes > 40 ? 2.5 : 3.5}"/>`,
        );
  const tone = meeting.isCrossed ? "" : " bad";
  return html`<g><title>${meeting.title}, ${formatInstant(meeting.atUs)}</title>${[
    upright(`leader${tone}`, at, 0, top),
    upright(`cross${tone}`, at, top - 5, bottom + 5),
    meeting.isCrossed && dots,
  ]}</g>`;
}

/** Time, events and barrier names, above the lanes and always in sight. */
function head(model: TimelineModel, events: readonly ResultEvent[], scale: Scale): Html {
  const labels = placeLabels(model.meetings, scale);
  const labelRows = labels.reduce((most, one) => Math.max(most, one.row + 1), 1);
  const hasEvents = events.length > 0;
  const [timeHeight, eventHeight, barrierHeight] = [24, hasEvents ? 26 : 0, labelRows * 15 + 5];
  const height = timeHeight + eventHeight + barrierHeight;
  const times = ticks(model).map((us) => {
    const x = scale(us);
    const side = anchor(x);
    return html`<text x="${percent(x)}" y="15" text-anchor="${side}">${tickLabel(us)}</text>
${upright("grid", x, 19, height)}`;
  });
  const marks = events.slice(0, ticksDrawnMax).map((event) => eventTick(event, timeHeight, scale));
  const names = labels.map(({ meeting, row, text }) => {
    const x = scale(meeting.atUs);
    const y = timeHeight + eventHeight + row * 15 + 12;
    const side = anchor(x, 88);
    const shift = side === "start" ? 4 : side === "end" ? -4 : 0;
    const tone = meeting.isCrossed ? "" : " bad";
    return html`${upright(`leader${tone}`, x, y - 9, height)}
<text class="crossing${tone}" x="${percent(x)}" dx="${shift}" y="${y}" text-anchor="${side}">
<title>${meeting.title}</title>${text}</text>`;
  });
  const rowLabel = (text: string, px: number): Html =>
    html`<div style="height:${px}px"><span>${text}</span></div>`;
  return html`<div class="head"><div class="labels" aria-hidden="true">${[
    rowLabel("time", timeHeight),
    hasEvents && rowLabel("events", eventHeight),
    rowLabel("barriers", barrierHeight),
  ]}</div>
<svg height="${height}">${times}${marks}${names}</svg></div>`;
}

/** Planned above, fired below; what is late leans over and is red. */
function eventTick(event: ResultEvent, top: number, scale: Scale): Html | null {
  const { plannedUs, firedUs } = event;
  const at = firedUs ?? plannedUs;
  // What was planned for after the end of the run has no place in the picture.
  if (at === null || scale(at) > 100) return null;
  const isLate = firedUs === null || (event.latenessUs ?? 0) > lateUs;
  const late = isLate ? " late" : "";
  const said = firedUs === null ? event.outcome : `${event.outcome}, ${formatInstant(firedUs)}`;
  const title = `${event.object} ${event.event}: ${said}`;
  const planned =
    plannedUs !== null && upright(`planned${late}`, scale(plannedUs), top + 2, top + 10);
  const slip =
    isLate &&
    plannedUs !== null &&
    firedUs !== null &&
    html`<line class="slip" x1="${percent(scale(plannedUs))}" x2="${percent(scale(firedUs))}"
 y1="${top + 10}" y2="${top + 14}"/>`;
  const fired = firedUs !== null && upright(`fired${late}`, scale(firedUs), top + 12, top + 22);
  return html`<g><title>${title}</title>${planned}${slip}${fired}</g>`;
}

interface PlacedLabel {
  readonly meeting: Meeting;
  readonly row: number;
  readonly text: string;
}

/** Names of barriers in up to four rows; a name without room is left to the table. */
function placeLabels(meetings: readonly Meeting[], scale: Scale): PlacedLabel[] {
  const ends: number[] = [];
  const placed: PlacedLabel[] = [];
  for (const meeting of [...meetings].sort((a, b) => a.atUs - b.atUs)) {
    const text = meeting.name.length > 24 ? `${meeting.name.slice(0, 23)}…` : meeting.name;
    const x = scale(meeting.atUs);
    const width = ((text.length * 6.4 + 12) / nominalWidth) * 100;
    const from = anchor(x, 88) === "end" ? x - width : x;
    const free = ends.findIndex((end) => end <= from);
    const row = free === -1 ? ends.length : free;
    if (row > 3) continue;
    ends[row] = Math.max(x, from + width);
    placed.push({ meeting, row, text });
  }
  return placed;
}

/** Which end of a label stands at a percentage of the axis, so that it stays within. */
export function anchor(x: number, endFrom = 96): "start" | "middle" | "end" {
  if (endFrom !== 96) return x > endFrom ? "end" : "start";
  return x < 3 ? "start" : x > endFrom ? "end" : "middle";
}

/** Round instants for the axis: 1, 2 or 5 times a power of ten apart, five to ten of them. */
export function ticks(extent: { readonly fromUs: number; readonly toUs: number }): number[] {
  const { fromUs, toUs } = extent;
  const rough = (toUs - fromUs) / 7;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const found: number[] = [];
  for (let us = Math.ceil(fromUs / step) * step; us <= toUs; us += step)
    found.push(us === 0 ? 0 : us);
  return found;
}

export function tickLabel(us: number): string {
  if (us === 0) return "0";
  if (Math.abs(us) < 1_000) return `${us} us`;
  if (Math.abs(us) < 1_000_000) return `${Number((us / 1_000).toFixed(3))} ms`;
  return `${Number((us / 1_000_000).toFixed(3))} s`;
}

/** Every lane, a pixel or a few high: the shape of the whole run at a glance. */
function overview(model: TimelineModel, scale: Scale): Html {
  const count = model.lanes.length;
  const height = Math.max(120, Math.min(260, count));
  // Gaps between rows thinner than a pixel would only draw bands of their own.
  const rowHeight = count > 130 ? 1 : 0.9;
  const paths = { wait: "", program: "", stopped: "", bad: "" };
  for (const [at, lane] of model.lanes.entries()) {
    for (const span of lane.programs) {
      paths[span.state === "ok" ? "program" : span.state] += block(span, at, rowHeight, scale);
    }
    for (const span of lane.waits) paths.wait += block(span, at, rowHeight, scale);
    for (const span of lane.absences) paths.bad += block(span, at, rowHeight, scale);
  }
  const lines = model.meetings.map((one) =>
    upright(one.isCrossed ? "cross" : "cross bad", scale(one.atUs), 0, height),
  );
  const path = (colour: string, d: string): Html => html`<path fill="var(--${colour})" d="${d}"/>`;
  const all = `All ${formatCount(count)} nodes`;
  return html`<div class="overview">
<p>${all} at a glance, one row each, in the order of the file.</p>
<svg height="${height}" role="img" aria-label="${all}, one row each">
<svg width="100%" height="${height}" viewBox="0 0 1000 ${count}" preserveAspectRatio="none">${[
    path("idle", paths.stopped),
    path("program", paths.program),
    path("wait", paths.wait),
    path("bad", paths.bad),
  ]}</svg>${lines}</svg></div>`;
}

function block(span: Span, row: number, height: number, scale: Scale): string {
  const from = scale(span.fromUs) * 10;
  const width = Math.max(0.8, scale(span.toUs) * 10 - from);
  return `M${from.toFixed(1)} ${row}h${width.toFixed(1)}v${height}h-${width.toFixed(1)}z`;
}

function legend(model: TimelineModel): Html {
  const uncrossed = model.lanes.some(({ waits }) => waits.some(({ state }) => state === "bad"));
  const bar = (tone: string, text: string): Html =>
    item(html`<rect class="${tone}" y="2" width="26" height="8" rx="1.5"/>`, text);
  const dot = html`<circle class="meet" cx="13" cy="6" r="3.5"/>`;
  const tick = html`<line class="planned" x1="8" x2="8" y1="0" y2="6"/>
<line class="fired" x1="8" x2="8" y1="6" y2="12"/>`;
  return html`<div class="legend">${[
    bar("program", "program"),
    bar("program stopped", "stopped by an event or the end"),
    bar("program failed", "failed"),
    bar("wait", "waits at a barrier"),
    uncrossed && bar("wait uncrossed", "waits at one that is not crossed"),
    item(html`<line class="cross" x1="13" x2="13" y1="-1" y2="13"/>${dot}`, "crossing"),
    bar("absent", "missing at a barrier"),
    item(tick, "event planned, fired"),
    model.modifications.length > 0 &&
      item(html`<line class="modified" x1="13" x2="13" y1="-1" y2="13"/>`, "modified"),
  ]}</div>`;
}

function item(shape: Html, text: string): Html {
  return html`<span><svg aria-hidden="true">${shape}</svg>${text}</span>`;
}

function leftOut(model: TimelineModel, drawn: number): Html | null {
  const notes: string[] = [];
  if (drawn < model.lanes.length) {
    notes.push(`${drawn} of ${model.lanes.length} lanes are drawn, those with trouble first.`);
  }
  if (model.waitsLeftOut > 0) {
    notes.push(`${plural(model.waitsLeftOut, "wait")} more at barriers are in result.json only.`);
  }
  return notes.length === 0 ? null : html`<p class="legend">${notes.join(" ")}</p>`;
}
