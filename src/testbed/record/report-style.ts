// SPDX-License-Identifier: MIT
// The look of report.html: one style sheet, two colour schemes, no fonts or pictures from
// elsewhere.
import { type Html, trusted } from "./html.ts";

/** The style sheet of the report. */
export const reportStyle: Html = trusted(`
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --ink: #1d2129; --soft: #5c6470; --line: #dfe1e4;
  --good: #12753f; --good-wash: #e4f3ea; --bad: #b3261e; --bad-wash: #fbe9e7; --warn: #8a5a00;
  --warn-wash: #fdf1d8; --program: #4263b5; --idle: #97a3bd; --wait: #ecc87f; --cross: #12753f;
  --event: #7a3fa8; --stripe: #f2f3f5; --code: #f0f1f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --ink: #e8eaee; --soft: #a2aab6; --line: #343942;
    --good: #63d297; --good-wash: #17301f; --bad: #ff8a80; --bad-wash: #3a1c1b; --warn: #f0bd5c;
    --warn-wash: #33280f; --program: #7f9df0; --idle: #5b6680; --wait: #8a6d2f; --cross: #63d297;
    --event: #c79bf0; --stripe: #21252c; --code: #262a32;
  }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.05rem; margin: 2.4rem 0 .7rem; }
h2 small { font-weight: 400; color: var(--soft); margin-left: .6em; font-size: .85rem; }
p { margin: .4rem 0; }
a { color: var(--program); }
code, pre { font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono",
  monospace; }
code { background: var(--code); padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere; }
pre { margin: .3rem 0 .2rem; padding: .6rem .8rem; background: var(--code); border-radius: 6px;
  overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.verdict { display: flex; gap: 1rem; align-items: flex-start; padding: 1.2rem 1.4rem;
  border-radius: 12px; border: 1px solid var(--line); background: var(--card); }
.verdict .mark { flex: none; width: 2.6rem; height: 2.6rem; border-radius: 50%; }
.verdict.passed .mark { fill: none; stroke: var(--good); background: var(--good-wash); }
.verdict.failed .mark { fill: none; stroke: var(--bad); background: var(--bad-wash); }
.verdict.passed h1 strong { color: var(--good); }
.verdict.failed h1 strong { color: var(--bad); }
.verdict h1 span { font-weight: 400; }
.verdict > div { min-width: 0; flex: 1; }
.verdict ul { margin: .6rem 0 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px;
  margin: 1rem 0 0; background: var(--line); border: 1px solid var(--line); border-radius: 12px;
  overflow: hidden; }
.facts div { background: var(--card); padding: .6rem .9rem; min-width: 0; }
.facts dt { color: var(--soft); font-size: .78rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  overflow: hidden; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .45rem .9rem; vertical-align: top; }
th { font-size: .78rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody tr { border-top: 1px solid var(--line); }
tbody tr.tail { border-top: 0; }
tbody tr.tail td { padding-top: 0; }
td.num, th.num { text-align: right; white-space: nowrap; }
td.name { font-weight: 500; overflow-wrap: anywhere; min-width: 9rem; }
td.wide { overflow-wrap: anywhere; min-width: 10rem; }
.pill { display: inline-block; padding: 0 .55em; border-radius: 1em; font-size: .82rem;
  white-space: nowrap; background: var(--stripe); color: var(--soft); }
.pill.good { background: var(--good-wash); color: var(--good); }
.pill.bad { background: var(--bad-wash); color: var(--bad); }
.pill.warn { background: var(--warn-wash); color: var(--warn); }
.bad-text { color: var(--bad); }
.warn-text { color: var(--warn); }
details > summary { cursor: pointer; padding: .55rem .9rem; color: var(--soft); }
table + details, details + details { border-top: 1px solid var(--line); }
ul.plain { margin: 0; padding: .7rem 1rem .7rem 2rem; }
.timeline { max-height: 44rem; overflow: auto; }
.timeline .head, .timeline .lanes { display: grid; min-width: 860px;
  grid-template-columns: var(--labels) minmax(0, 1fr); padding-right: 1.2rem; }
.timeline .head { position: sticky; top: 0; z-index: 2; background: var(--card);
  border-bottom: 1px solid var(--line); }
.timeline .labels { font-size: 12px; line-height: 1; position: sticky; left: 0; z-index: 1;
  background: var(--card); }
.timeline .labels div { display: flex; align-items: center; justify-content: flex-end;
  padding: 0 .7rem 0 .9rem; overflow: hidden; }
.timeline .labels span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  line-height: 1.25; }
.timeline .head .labels { color: var(--soft); }
.timeline.dense .lanes .labels { font-size: 10.5px; }
.timeline svg, .overview svg { display: block; width: 100%; overflow: visible; }
.overview { padding: .8rem 1.2rem .8rem var(--labels); border-bottom: 1px solid var(--line); }
.overview p { margin: 0 0 .4rem; font-size: 12px; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; padding: .6rem .9rem; font-size: 12px;
  color: var(--soft); border-top: 1px solid var(--line); }
.legend svg { width: 26px; height: 12px; vertical-align: -1px; margin-right: .4em;
  overflow: visible; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft);
  font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); }
svg .zero { stroke: var(--soft); }
svg .modified { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 6 2; }
svg .stripe { fill: var(--stripe); width: calc(100% + 1.2rem); }
.timeline .lanes .labels div:nth-child(even) { background: var(--stripe); }
svg .program { fill: var(--program); stroke: var(--program); }
svg .program.stopped { fill: var(--idle); stroke: var(--idle); }
svg .program.failed { fill: var(--bad); stroke: var(--bad); }
svg text.inbar { fill: var(--card); font-size: 10px; }
svg .wait { fill: var(--wait); stroke: var(--wait); }
svg .wait.uncrossed { fill: var(--bad-wash); stroke: var(--bad); }
svg .absent { fill: none; stroke: var(--bad); stroke-dasharray: 2 3; }
svg .cross { stroke: var(--cross); stroke-width: 1.6; }
svg .cross.bad { stroke: var(--bad); stroke-dasharray: 5 3; }
svg .many { opacity: .45; }
svg circle.meet { fill: var(--cross); stroke: var(--card); }
svg text.crossing { fill: var(--cross); paint-order: stroke; stroke: var(--card);
  stroke-width: 3px; stroke-linejoin: round; }
svg text.crossing.bad { fill: var(--bad); }
svg .leader { stroke: var(--cross); opacity: .45; }
svg .leader.bad { stroke: var(--bad); }
svg .planned { stroke: var(--soft); }
svg .fired { stroke: var(--event); stroke-width: 2; }
svg .fired.late, svg .planned.late { stroke: var(--bad); }
svg .slip { stroke: var(--bad); }
.firing { position: relative; display: grid; grid-template-columns: var(--labels) minmax(0, 1fr);
  padding-right: 1.2rem; font-size: 12px; }
.firing.rows { grid-template-columns: var(--labels) minmax(0, 1fr) 6.5rem; padding-right: 0; }
.firing.measured { grid-template-columns: var(--labels) repeat(3, minmax(0, 1fr)); }
.firing > div:not(.levels) > div { height: 24px; line-height: 24px; padding: 0 .7rem;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: right; }
.firing > div > div:first-child, .firing .levels { color: var(--soft); }
.firing.rows > div > div:nth-child(odd):not(:first-child) { background: var(--stripe); }
.firing .late { font-variant-numeric: tabular-nums; }
.firing .levels { position: relative; }
.firing .levels div { position: absolute; right: .7rem; line-height: 16px; white-space: nowrap; }
.firing svg { display: block; width: 100%; overflow: visible; }
.firing.rows svg .stripe { width: 100%; }
.firing .planned { stroke: var(--ink); stroke-width: 1.4; }
.firing .slip { stroke: var(--event); stroke-width: 2; }
.firing .planned.late, .firing .slip.late { stroke: var(--bad); }
svg .shot { fill: var(--event); stroke: var(--card); }
svg .shot.late { fill: var(--bad); }
svg .shot.many { stroke: none; opacity: .55; }
@media (max-width: 720px) { .facts { grid-template-columns: repeat(2, 1fr); } }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .85rem; }
@media print {
  body { background: #fff; padding: 0; }
  .timeline { max-height: none; overflow: visible; }
  .timeline .head { position: static; }
}
`);
