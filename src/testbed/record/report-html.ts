// SPDX-License-Identifier: MIT
// report.html: what happened in a run, on one page that needs nothing but itself. Verdict first,
// then the picture, then the tables that say the same in words and figures. Pure.
import { type Html, html, trusted } from "./html.ts";
import { describeModification } from "./modified.ts";
import { renderFiring } from "./report-firing.ts";
import { renderMeasured } from "./report-links.ts";
import { reportStyle } from "./report-style.ts";
import {
  barrierTable,
  eventTable,
  instanceTable,
  instantOf,
  linkTable,
  nodeTable,
  programTable,
} from "./report-tables.ts";
import { accomplished, failedShare, repeatCommand } from "./report-text.ts";
import { overviewFrom, renderTimeline } from "./report-timeline.ts";
import type { RunResult } from "./result-model.ts";
import { shellName } from "./shell-hint.ts";
import { pickReasons } from "./verdict.ts";
import { formatCount, formatDuration, plural } from "./words.ts";

/** Nothing is loaded, run or sent, whatever a name in the run may contain. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** Reasons of a failure told in the headline; the tables hold the rest. */
export const reasonsInHeadlineMax = 6;

/** The whole page. */
export function renderReport(result: RunResult): string {
  const verdict = result.outcome === "passed" ? "Passed" : "Failed";
  const isSorted = result.nodes.length > overviewFrom && result.reasons.length > 0;
  const order = isSorted ? ", trouble first" : "";
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${verdict}: ${result.experiment}</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
${headline(result)}
${facts(result)}
<h2>Timeline<small>one lane per node, time from left to right${order}</small></h2>
${renderTimeline(result)}
${barrierTable(result)}
${programTable(result)}
${instanceTable(result)}
${renderFiring(result)}
${eventTable(result)}
${modifications(result)}
${linkTable(result)}
${renderMeasured(result)}
${notes(result)}
${nodeTable(result)}
${again(result)}
</main>
</body>
</html>
`;
  return page.markup;
}

const tick = trusted(
  '<path d="M12 21l6 6 11-12" stroke-width="3.2" stroke-linecap="round" stroke-linejoin="round"/>',
);
const cross = trusted(
  '<path d="M14 14l12 12M26 14l-12 12" stroke-width="3.2" stroke-linecap="round"/>',
);

function headline(result: RunResult): Html {
  const passed = result.outcome === "passed";
  const failed = passed ? failedShare(result.events) : null;
  const shown = pickReasons(result.reasons, reasonsInHeadlineMax);
  const rest = result.reasons.length - shown.length;
  const reasons = html`<ul>${shown.map(({ message }) => html`<li>${message}</li>`)}${
    rest > 0 && html`<li class="soft">and ${plural(rest, "reason")} more, in the tables below</li>`
  }</ul>`;
  return html`<header class="verdict ${result.outcome}">
<svg class="mark" viewBox="0 0 40 40" aria-hidden="true">${passed ? tick : cross}</svg>
<div><h1><strong>${passed ? "Passed" : "Failed"}</strong>${failed && `, but ${failed}`} <span>${result.experiment}</span></h1>
<p class="soft">${sentence(result)}</p>
${!passed && reasons}</div>
</header>`;
}

const endings: Readonly<Record<RunResult["endedBy"], string>> = {
  idle: "nothing was left to do",
  terminate: "an event of the experiment ended the run",
  duration: "the time given for the run was over",
  failure: "the run was ended by a failure",
  interrupt: "the run was interrupted",
};

function sentence(result: RunResult): string {
  const words = `${accomplished(result)}; ${endings[result.endedBy]}.`;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function facts(result: RunResult): Html {
  const fact = (name: string, value: string | Html): Html =>
    html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const setUp =
    result.startedUs < 0 ? `, after ${formatDuration(-result.startedUs)} of set-up` : "";
  return html`<dl class="facts">
${fact("Started", result.startedAt.replace("T", " ").replace(/\.\d+Z$/, " UTC"))}
${fact("Duration", `${formatDuration(Math.max(0, result.endedUs))}${setUp}`)}
${fact("Nodes", `${formatCount(result.nodes.length)} (${result.backend.nodes})`)}
${fact("Links", linksFact(result))}
${fact("Commands run in", shellName(result.backend.shell) || "no shell")}
${fact("Sync server", result.syncServer ?? "none")}
${fact("Seed", String(result.seed))}
${fact("Run", html`<code>${result.runId}</code>`)}
</dl>`;
}

function linksFact(result: RunResult): string {
  const names = new Set(result.links.map((link) => link.name)).size;
  if (names === 0) return "none";
  const how = result.backend.links === "none" ? "not shaped" : result.backend.links;
  return `${formatCount(names)} (${how})`;
}

function notes(result: RunResult): Html {
  const warnings = result.warnings.map(({ atUs, level, node, text }) => {
    const tone = level === "error" ? "bad-text" : "warn-text";
    const where = node === null ? "" : ` on ${node}`;
    return html`<li><span class="${tone}">${level}</span>
${instantOf(result)(atUs)}${where}: ${text}</li>`;
  });
  const { warningsDropped: dropped, messagesDropped } = result;
  const messages = result.messages.map(({ atUs, node, text }) => {
    const where = node === null ? "" : ` on ${node}`;
    return html`<li>${instantOf(result)(atUs)}${where}: ${text}</li>`;
  });
  return html`${
    result.lost.length > 0 &&
    html`<h2>What this machine could not give</h2>
<div class="card"><ul class="plain">${result.lost.map((text) => html`<li>${text}</li>`)}</ul></div>`
  }${
    messages.length > 0 &&
    html`<h2>Messages</h2>
<div class="card"><ul class="plain">${messages}${
      messagesDropped > 0 &&
      html`<li class="soft">and ${messagesDropped} more, in record.ndjson</li>`
    }</ul></div>`
  }${
    warnings.length > 0 &&
    html`<h2>Warnings</h2>
<div class="card"><ul class="plain">${warnings}${
      dropped > 0 && html`<li class="soft">and ${dropped} more, in record.ndjson</li>`
    }</ul></div>`
  }`;
}

function modifications(result: RunResult): Html | null {
  if (result.modifications.length === 0) return null;
  const items = result.modifications.map((one) => {
    const lost = one.nodesLost.map(({ name, why }) => `; node ${name} lost: ${why}`);
    return html`<li>${instantOf(result)(one.atUs)}: ${describeModification(one)}${lost.join("")}</li>`;
  });
  return html`<h2>Modified<small>while it went on</small></h2>
<div class="card"><ul class="plain">${items}</ul></div>`;
}

function again(result: RunResult): Html {
  const times = result.modifications.length;
  const what =
    times === 0
      ? "The same run, with the same seed:"
      : `The run as it began, with the same seed; it was modified ${plural(times, "time")} later:`;
  const command = repeatCommand(result);
  const repeat = html`<h2>Again</h2>
<p>${what}</p>
<pre>${command ?? ""}</pre>
`;
  return html`${command !== undefined && repeat}<footer>Beside this page: <a href="result.json">result.json</a> (the same as data),
<a href="record.ndjson">record.ndjson</a> (everything that happened), <a href="nodes/">nodes/</a>
(what the programs printed). Times are seconds after time 0, the instant <code>$ns at 0</code>
means.</footer>`;
}
