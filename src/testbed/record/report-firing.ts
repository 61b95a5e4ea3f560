// SPDX-License-Identifier: MIT
// Draws when events were planned and when they fired. Few events have a row each, with both
// instants on one axis; many are points, by when they were planned and how late they were. Lateness
// is drawn on a logarithmic scale: microseconds and seconds are both of interest. Pure.
import { type Html, html } from "./html.ts";
import {
  anchor,
  lateUs,
  percent,
  type Scale,
  tickLabel,
  ticks,
  ticksDrawnMax,
  upright,
} from "./report-timeline.ts";
import type { ResultEvent, RunResult } from "./result-model.ts";
import { formatDuration, formatInstant, plural } from "./words.ts";

/** Up to so many events have a row each. */
export const firingRowsMax = 40;

const rowHeight = 24;
const headHeight = 24;
/** Pixels for each power of ten, and room above and below. */
const decadeHeight = 26;
const edge = 10;

interface Firing extends ResultEvent {
  readonly plannedUs: number;
}

/** The picture, or nothing when nothing was planned that could have fired. */
export function renderFiring(result: RunResult): Html | null {
  const planned = result.events.filter((one): one is Firing => one.plannedUs !== null);
  // What was planned for after the end of the run has no place in the picture.
  const shown = planned.filter(
    ({ firedUs, plannedUs }) => firedUs !== null || plannedUs <= result.endedUs,
  );
  if (shown.length === 0) return null;
  const drawn = shown.slice(0, ticksDrawnMax);
  const picture = drawn.length <= firingRowsMax ? rows(drawn) : points(drawn);
  const left = planned.length - drawn.length;
  return html`<h2>Planned and fired<small>${punctuality(shown)}</small></h2>
<div class="card">${picture}${
    left > 0 &&
    html`<p class="legend">${plural(left, "event")} more in the table and in result.json.</p>`
  }</div>`;
}

/** In words what the picture shows. */
function punctuality(events: readonly Firing[]): string {
  const fired = events.filter(({ firedUs }) => firedUs !== null).sort((a, b) => late(a) - late(b));
  const [worst, middle] = [fired.at(-1), fired[Math.floor((fired.length - 1) / 2)]];
  if (worst === undefined || middle === undefined) return "none fired";
  if (fired.length === 1) return `late by ${formatDuration(late(worst))}`;
  const most = `the latest by ${formatDuration(late(worst))}: ${nameOf(worst)}`;
  return `half of them late by ${formatDuration(late(middle))} or less, ${most}`;
}

function late({ latenessUs }: Firing): number {
  return Math.max(0, latenessUs ?? 0);
}

const nameOf = ({ object, event }: Firing): string => `${object} ${event}`;

/** Whether it needs a look. */
function isBad({ firedUs, latenessUs, outcome }: Firing): boolean {
  return firedUs === null || (latenessUs ?? 0) > lateUs || outcome.startsWith("failed");
}

function describe(event: Firing): string {
  const { plannedUs, firedUs, skewUs, outcome } = event;
  const plan = `${nameOf(event)}: planned ${formatInstant(plannedUs)}`;
  if (firedUs === null) return `${plan}, ${outcome}`;
  const lateBy = `late by ${formatDuration(late(event))}`;
  const skew = skewUs ? `, ${formatDuration(skewUs)} from its first member to its last` : "";
  return `${plan}, fired ${formatInstant(firedUs)}, ${lateBy}${skew}`;
}

interface Extent {
  readonly fromUs: number;
  readonly toUs: number;
}

function extentOf(events: readonly Firing[]): Extent {
  let [fromUs, toUs] = [0, 0];
  for (const { plannedUs, firedUs } of events) {
    fromUs = Math.min(fromUs, plannedUs, firedUs ?? plannedUs);
    toUs = Math.max(toUs, plannedUs, firedUs ?? plannedUs);
  }
  const room = Math.max(1_000, (toUs - fromUs) * 0.03);
  return { fromUs: fromUs - room, toUs: toUs + room };
}

function scaleOf({ fromUs, toUs }: Extent): Scale {
  return (us) => ((us - fromUs) / (toUs - fromUs)) * 100;
}

/** Labels of the axis of time, with lines down through the plot. */
function timeAxis(extent: Extent, scale: Scale, height: number): Html[] {
  return ticks(extent).map((us) => {
    const x = scale(us);
    return html`<text x="${percent(x)}" y="15" text-anchor="${anchor(x)}">${tickLabel(us)}</text>
${upright(us === 0 ? "zero" : "grid", x, headHeight - 5, height)}`;
  });
}

function rows(events: readonly Firing[]): Html {
  const extent = extentOf(events);
  const scale = scaleOf(extent);
  const height = headHeight + events.length * rowHeight;
  const longest = events.reduce((most, one) => Math.max(most, nameOf(one).length), 8);
  const shapes = events.map((event, at) => {
    const middle = headHeight + at * rowHeight + rowHeight / 2;
    return html`<g><title>${describe(event)}</title>${rowShape(event, middle, scale)}</g>`;
  });
  const stripes = events.flatMap((_, at) =>
    at % 2 === 0
      ? []
      : [
          html`<rect class="stripe" x="0" y="${headHeight + at * rowHeight}" width="100%"
 height="${rowHeight}"/>`,
        ],
  );
  const names = events.map((event) => {
    const tone = isBad(event) && "bad-text";
    return html`<div class="${tone}"><span title="${nameOf(event)}">${nameOf(event)}</span></div>`;
  });
  const lateness = events.map((event) => {
    const text = event.firedUs === null ? event.outcome : formatDuration(late(event));
    return html`<div class="${isBad(event) && "bad-text"}"><span title="${text}">${text}</span></div>`;
  });
  return html`<div class="firing rows" style="--labels: ${Math.min(16, 2.4 + longest * 0.5)}rem"
 role="img" aria-label="${plural(events.length, "event")}; the table below says the same in words">
<div class="names" aria-hidden="true"><div>event</div>${names}</div>
<svg height="${height}">${stripes}${timeAxis(extent, scale, height)}${shapes}</svg>
<div class="late" aria-hidden="true"><div>late by</div>${lateness}</div>
</div>${legend()}`;
}

/** Planned is a tick across the row, fired a dot; what is between them is how late it was. */
function rowShape(event: Firing, middle: number, scale: Scale): Html {
  const { plannedUs, firedUs } = event;
  const tone = isBad(event) ? " late" : "";
  const planned = upright(`planned${tone}`, scale(plannedUs), middle - 8, middle + 8);
  if (firedUs === null) return planned;
  const x = percent(scale(firedUs));
  return html`<line class="slip${tone}" x1="${percent(scale(plannedUs))}" x2="${x}"
 y1="${middle}" y2="${middle}"/>${planned}<circle class="shot${tone}" cx="${x}" cy="${middle}"
 r="4"/>`;
}

function points(events: readonly Firing[]): Html {
  const extent = extentOf(events);
  const scale = scaleOf(extent);
  const worstUs = events.reduce((most, one) => Math.max(most, late(one)), 1_000);
  const decades = Math.ceil(decadesBelow(worstUs));
  const bottom = headHeight + edge + decades * decadeHeight;
  const yOf = (us: number): number => bottom - decadesBelow(us) * decadeHeight;
  const height = bottom + edge;
  const levels = Array.from({ length: decades + 1 }, (_, power) => 10 ** power);
  const lines = levels.map(
    (us) => html`<line class="grid" x1="0" x2="100%" y1="${yOf(us)}" y2="${yOf(us)}"/>`,
  );
  const labels = levels.map((us) => html`<div style="top:${yOf(us) - 8}px">${tickLabel(us)}</div>`);
  const dots = events.map((event) => {
    const x = percent(scale(event.plannedUs));
    const title = html`<title>${describe(event)}</title>`;
    if (event.firedUs === null) {
      return html`<g>${title}${upright("planned late", scale(event.plannedUs), 20, 32)}</g>`;
    }
    const y = Number(yOf(late(event)).toFixed(1));
    const tone = isBad(event) ? " late" : "";
    return html`<circle class="shot many${tone}" cx="${x}" cy="${y}" r="3">${title}</circle>`;
  });
  return html`<div class="firing points" style="--labels: 5rem" role="img"
 aria-label="${plural(events.length, "event")}; the table below says the same in words">
<div class="levels" aria-hidden="true"><div style="top:4px">late by</div>${labels}</div>
<svg height="${height}">${timeAxis(extent, scale, height)}${lines}${dots}</svg>
</div>
<div class="legend">Each point is an event: when it was planned from left to right, how late it
fired upwards, ten times more with each line. A red mark at the top did not fire.</div>`;
}

/** How many powers of ten above one microsecond; 0 for less. */
function decadesBelow(us: number): number {
  return us <= 1 ? 0 : Math.log10(us);
}

function legend(): Html {
  const planned = html`<svg aria-hidden="true"><line class="planned" x1="8" x2="8" y1="0"
 y2="12"/></svg>`;
  const fired = html`<svg aria-hidden="true"><circle class="shot" cx="8" cy="6" r="4"/></svg>`;
  return html`<div class="legend"><span>${planned}planned</span><span>${fired}fired</span></div>`;
}
