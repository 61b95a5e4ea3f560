// SPDX-License-Identifier: MIT
// Draws what links were asked for and what a linktest has measured, each direction in a row. What
// was asked for is in the middle, 100 %, so that links of any speed can be compared. Pure.
import { type Html, html } from "./html.ts";
import { percent, upright } from "./report-timeline.ts";
import type { ResultLink, RunResult } from "./result-model.ts";
import { formatDuration, plural } from "./words.ts";

/** Directions with a row each; bad ones first. */
export const linkRowsMax = 40;

const rowHeight = 24;
const headHeight = 24;
/** The scale: from nothing to twice of what was asked for; what is beyond is drawn at its end. */
const ratioMax = 2;
/** Room of a plot for the figure at its right, percent. */
const plotWidth = 66;

export interface Measure {
  readonly name: string;
  /** First word of the reasons that are about it. */
  readonly stage: string;
  readonly asked: (link: ResultLink) => number;
  readonly found: (link: ResultLink) => number | null;
  readonly text: (value: number) => string;
}

const digits = (value: number): string => String(Number(value.toPrecision(4)));

export const measures: readonly Measure[] = [
  {
    ...{ name: "bandwidth", stage: "bandwidth" },
    asked: ({ asked }) => asked.bandwidthBps,
    found: ({ measured }) => measured?.bandwidthBps ?? null,
    text: (bps) => `${digits(bps / 1e6)} Mb/s`,
  },
  {
    ...{ name: "delay", stage: "latency" },
    asked: ({ asked }) => asked.delayUs,
    found: ({ measured }) => measured?.delayUs ?? null,
    text: formatDuration,
  },
  {
    ...{ name: "loss", stage: "loss" },
    asked: ({ asked }) => asked.loss,
    found: ({ measured }) => measured?.loss ?? null,
    text: (loss) => `${digits(100 * loss)} %`,
  },
];

/** The picture, or nothing where nothing was measured. */
export function renderMeasured({ links }: RunResult): Html | null {
  const tested = links.filter(({ measured }) => measured !== null);
  if (tested.length === 0) return null;
  const isBad = ({ verdict }: ResultLink): boolean => verdict === "bad";
  const sorted = [...tested.filter(isBad), ...tested.filter((one) => !isBad(one))];
  const drawn = sorted.slice(0, linkRowsMax);
  const longest = drawn.reduce((most, one) => Math.max(most, nameOf(one).length), 8);
  const names = drawn.map((link) => {
    const name = nameOf(link);
    return html`<div class="${isBad(link) && "bad-text"}"><span title="${name}">${name}</span></div>`;
  });
  const left = tested.length - drawn.length;
  return html`<h2>Asked and measured<small>each direction, by the last linktest</small></h2>
<div class="card"><div class="firing measured" style="--labels: ${Math.min(20, 2.4 + longest * 0.5)}rem"
 role="img" aria-label="${plural(drawn.length, "direction")}; result.json says the same in figures">
<div class="names" aria-hidden="true"><div>direction</div>${names}</div>
${measures.map((measure) => plot(measure, drawn))}
</div>${legend()}${
    left > 0 &&
    html`<p class="legend">${plural(left, "direction")} more in the table and in result.json.</p>`
  }</div>`;
}

const nameOf = ({ name, from, to }: ResultLink): string => `${name}: ${from} to ${to}`;

function plot(measure: Measure, links: readonly ResultLink[]): Html {
  const height = headHeight + links.length * rowHeight;
  const middle = percent(plotWidth / ratioMax);
  const rows = links.map((link, at) => row(measure, link, headHeight + (at + 0.5) * rowHeight));
  const stripes = links.flatMap((_, at) =>
    at % 2 === 0
      ? []
      : [
          html`<rect class="stripe" x="0" y="${headHeight + at * rowHeight}" width="100%"
 height="${rowHeight}"/>`,
        ],
  );
  return html`<svg height="${height}">${stripes}<text x="${middle}" y="15"
 text-anchor="middle">${measure.name}</text>${rows}</svg>`;
}

/** Asked for is a tick across the row, measured a dot; between them is how far off it is. */
function row({ name, stage, asked, found, text }: Measure, link: ResultLink, y: number): Html {
  const [wanted, value] = [asked(link), found(link)];
  const isBad = link.why?.some((why) => why.startsWith(`${stage}:`)) === true;
  const tone = isBad && link.verdict === "bad" ? " late" : "";
  const wantedText = name === "bandwidth" && wanted === 0 ? "any" : text(wanted);
  const at = (share: number): number => (Math.min(share, ratioMax) / ratioMax) * plotWidth;
  // Where nothing was asked for there is no scale: nothing is on the tick, all else at the end.
  const share = value === null ? 0 : wanted > 0 ? value / wanted : value === 0 ? 1 : ratioMax;
  const title = `${nameOf(link)}: ${name} asked ${wantedText}, measured ${value === null ? "nothing" : text(value)}`;
  const tick = upright(`planned${tone}`, at(1), y - 8, y + 8);
  const [x, one] = [percent(at(share)), percent(at(1))];
  const dot =
    value === null
      ? null
      : html`<line class="slip${tone}" x1="${one}" x2="${x}" y1="${y}" y2="${y}"/>${tick}<circle
 class="shot${tone}" cx="${x}" cy="${y}" r="4"/><text x="100%" dx="-6" y="${y + 4}"
 text-anchor="end">${text(value)}</text>`;
  return html`<g><title>${title}</title>${dot ?? tick}</g>`;
}

function legend(): Html {
  const asked = html`<svg aria-hidden="true"><line class="planned" x1="8" x2="8" y1="0"
 y2="12"/></svg>`;
  const found = html`<svg aria-hidden="true"><circle class="shot" cx="8" cy="6" r="4"/></svg>`;
  return html`<div class="legend"><span>${asked}asked for</span><span>${found}measured: on the tick
it is what was asked for, at the left nothing, at the right twice as much or more</span></div>`;
}
