// SPDX-License-Identifier: MIT
// The tables of report.html. What went wrong is always listed first and in the open; where there is
// much that went well it is folded away. Pure.
import { type Html, html, joined } from "./html.ts";
import { type Measure, measures } from "./report-links.ts";
import { countPrograms, eventShare, partyName } from "./report-text.ts";
import { lateUs } from "./report-timeline.ts";
import { instanceFailed } from "./result-instances.ts";
import type {
  ResultBarrier,
  ResultEvent,
  ResultLink,
  ResultProgram,
  RunResult,
} from "./result-model.ts";
import { shellHint } from "./shell-hint.ts";
import { programPassed } from "./verdict.ts";
import {
  formatCount,
  formatDuration,
  formatInstant,
  joinNames,
  joinParties,
  outputDirectory,
  plural,
} from "./words.ts";

/** Rows of one kind shown unfolded. */
export const rowsOpenMax = 40;
/** Characters of standard error on the whole page; what is beyond is in nodes/ and result.json. */
export const stderrOnPageMax = 262_144;
/** Rows of one kind on the page at all; result.json holds all. */
export const rowsMax = 2_000;

/** Heads of columns; `#` marks those that hold numbers. */
function heads(names: string): Html {
  return joined(
    names
      .split("|")
      .map((name) =>
        name.startsWith("#") ? html`<th class="num">${name.slice(1)}</th>` : html`<th>${name}</th>`,
      ),
  );
}

/** How many of how many, for the title of a table. */
function share(part: number, total: number): string {
  return `${formatCount(part)} of ${formatCount(total)}`;
}

/** A table whose bad rows stay open and whose good rows fold when there are many. */
function table(
  head: Html,
  rows: { readonly bad: readonly Html[]; readonly good: readonly Html[] },
  what: string,
): Html {
  const make = (body: readonly Html[]): Html =>
    html`<table><thead><tr>${head}</tr></thead><tbody>${body.slice(0, rowsMax)}</tbody></table>${
      body.length > rowsMax &&
      html`<p class="legend">${body.length - rowsMax} rows more are in result.json.</p>`
    }`;
  const isFolded = rows.good.length > rowsOpenMax;
  const open = [...rows.bad.slice(0, rowsOpenMax), ...(isFolded ? [] : rows.good)];
  const badRest = rows.bad.slice(rowsOpenMax);
  return html`<div class="card scroll">${open.length > 0 && make(open)}${
    badRest.length > 0 &&
    html`<details><summary class="bad-text">${plural(badRest.length, "row")} more</summary>
${make(badRest)}</details>`
  }${
    isFolded &&
    html`<details><summary>${what} (${formatCount(rows.good.length)})</summary>
${make(rows.good)}</details>`
  }</div>`;
}

/** An instant as the whole page tells it. */
export type Instant = (us: number) => string;

/**
 * Of a run shorter than a second what is within a second of time 0 is told to the microsecond: what
 * comes before that, such as a linktest, takes longer than that would tell anything of.
 */
export function instantOf(result: Pick<RunResult, "endedUs">): Instant {
  const isShort = result.endedUs < 1_000_000;
  return (us) => formatInstant(us, isShort && Math.abs(us) < 1_000_000 ? 6 : 3);
}

function split<T>(all: readonly T[], isGood: (one: T) => boolean, row: (one: T) => Html) {
  return {
    bad: all.filter((one) => !isGood(one)).map(row),
    good: all.filter(isGood).map(row),
  };
}

/** Every barrier: who came first and last, who did not come. */
export function barrierTable(result: RunResult): Html | null {
  const { barriers } = result;
  if (barriers.length === 0) return null;
  const crossed = barriers.filter((one) => one.outcome === "crossed").length;
  const head = heads("Barrier|Outcome|#Arrived|#First|#Last|#Ended|Last to arrive|Missing");
  const rows = split(
    barriers,
    (one) => one.outcome === "crossed",
    (one) => barrierRow(one, instantOf(result)),
  );
  return html`<h2>Barriers<small>${share(crossed, barriers.length)} crossed</small></h2>
${table(head, rows, "Crossed barriers")}`;
}

function barrierRow(barrier: ResultBarrier, instant: Instant): Html {
  const { name, generation, outcome, error, endedUs, missing, slow } = barrier;
  const arrivals = [...barrier.participants].sort((a, b) => a.arrivedUs - b.arrivedUs);
  const [first, last] = [arrivals[0], arrivals.at(-1)];
  const isCrossed = outcome === "crossed";
  const again = generation > 1 && html` <span class="soft">#${generation}</span>`;
  // Who waits for a barrier that is cancelled is given an error too: that is the cancelling.
  const isReported = error !== 0 && outcome !== "cancelled";
  const errorPill = isReported && html` <span class="pill warn">error ${error}</span>`;
  const slowPill = slow !== null && html` <span class="pill warn">slow</span>`;
  const who =
    last === undefined
      ? "–"
      : html`${partyName(last)} <span class="soft">${lag(first, last)}</span>`;
  const absent = missing.length === 0 ? "–" : joinParties(missing, 20);
  return html`<tr><td class="name">${name}${again}</td>
<td><span class="pill ${isCrossed ? "good" : "bad"}">${
    barrier.givenUp ? "given up" : outcome
  }</span>${errorPill}${slowPill}</td>
<td class="num">${cameText(barrier)}</td>
<td class="num">${first === undefined ? "–" : instant(first.arrivedUs)}</td>
<td class="num">${last === undefined ? "–" : instant(last.arrivedUs)}</td>
<td class="num">${instant(endedUs)}</td>
<td class="wide">${who}</td>
<td class="wide${missing.length > 0 && " bad-text"}">${absent}</td></tr>`;
}

/** How long the first had to wait for the last. */
/** Who came, of how many; of a state that was reached how many waited, and for how many signals. */
function cameText({ kind, outcome, arrived, expected }: ResultBarrier): string {
  if (kind === "state" && outcome === "crossed") {
    return `${formatCount(arrived)} for ${plural(expected, "signal")}`;
  }
  return `${formatCount(arrived)} of ${expected > 0 ? formatCount(expected) : "?"}`;
}

function lag(
  first: { readonly arrivedUs: number } | undefined,
  last: { readonly arrivedUs: number },
): string {
  const us = last.arrivedUs - (first?.arrivedUs ?? last.arrivedUs);
  return us > 0 ? `${formatDuration(us)} after the first` : "";
}

/** Every program, with the last words of those that failed. */
export function programTable(result: RunResult): Html | null {
  const { programs, programsNotStarted: idle } = result;
  if (programs.length + idle.length === 0) return null;
  const head = heads("Program|Node|Result|#Exit (expected)|#Started|#Ran for|Output");
  let left = stderrOnPageMax;
  const rows = split(programs, programPassed, (program) => {
    left -= program.stderrTail.length;
    return programRow(result, program, left >= 0);
  });
  const { expected, stopped, stoppedWaiting: waited } = countPrograms(result);
  const note = [
    `${share(expected, programs.length)} as expected`,
    ...(stopped > 0 ? [`${formatCount(stopped)} stopped`] : []),
    ...(waited > 0 ? [`${formatCount(waited)} stopped while waiting`] : []),
    ...(idle.length > 0 ? [`${formatCount(idle.length)} never started`] : []),
  ].join(", ");
  const names = joinNames(
    idle.map(({ name, node }) => `${name} on ${node}`),
    20,
  );
  return html`<h2>Programs<small>${note}</small></h2>
${programs.length > 0 && table(head, rows, "Programs that did not fail")}
${idle.length > 0 && html`<p class="soft">Never started: ${names}</p>`}`;
}

/** What the instances of a Testground plan said of their ends. */
export function instanceTable({ instances = [] }: RunResult): Html | null {
  if (instances.length === 0) return null;
  const rows = split(
    instances,
    (instance) => !instanceFailed(instance),
    ({ name, node, group, number, outcome, error, outputs }) => {
      const href = `${outputs}/`;
      const tone = { success: " good", none: "", failure: " bad", crash: " bad" }[outcome];
      return html`<tr><td class="name">${name}</td><td>${node}</td>
<td>${group}</td><td class="num">${number}</td>
<td><span class="pill${tone}">${outcome}</span></td><td class="wide">${error}</td>
<td><a href="${href}">${outputs}</a></td></tr>`;
    },
  );
  const good = instances.filter(({ outcome }) => outcome === "success").length;
  const head = heads("Instance|Node|Group|#Number|Outcome|Error|Outputs");
  return html`<h2>Instances<small>${share(good, instances.length)} succeeded</small></h2>
${table(head, rows, "Instances that did not fail")}`;
}

function programRow(result: RunResult, program: ResultProgram, hasRoom: boolean): Html {
  const instant = instantOf(result);
  const hint = shellHint(result.backend.shell, program.stderrTail);
  const { name, node, command, startedUs, endedUs, exitCode, expectedExitCode, signal } = program;
  const passed = programPassed(program);
  const tone = passed ? (program.stopped ? "" : " good") : " bad";
  const href = outputDirectory(encodeURIComponent(node.toWellFormed()));
  const exit = exitCode ?? signal ?? "none";
  const tail = program.startError ?? (hasRoom ? program.stderrTail.trimEnd() : "");
  return html`<tr><td class="name">${name}</td><td>${node}</td>
<td><span class="pill${tone}">${programState(program)}</span></td>
<td class="num">${exit} (${expectedExitCode})</td>
<td class="num">${instant(startedUs)}</td>
<td class="num">${endedUs === null ? "–" : formatDuration(Math.max(0, endedUs - startedUs))}</td>
<td>${outputLinks(program, href)}</td></tr>
${
  !passed &&
  html`<tr class="tail"><td colspan="7"><code>${command}</code>${
    tail !== "" && html`<pre>${tail}</pre>`
  }${hint !== null && html`<p class="warn-text">${hint}</p>`}</td></tr>`
}`;
}

/** Links to what a program printed; a file with nothing in it is not worth a click. */
function outputLinks(program: ResultProgram, href: string): Html {
  const { name, token, stdoutBytes, stderrBytes } = program;
  if (stdoutBytes === 0 && stderrBytes === 0) {
    return html`<span class="soft">(printed nothing)</span>`;
  }
  const file = encodeURIComponent(name.toWellFormed());
  const run = token === undefined ? "" : `.${token}`;
  const link = (ending: string): Html =>
    html`<a href="${href}${file}.${ending}${run}">.${ending}</a>`;
  return joined(
    [stdoutBytes !== 0 && link("out"), stderrBytes !== 0 && link("err")].filter(Boolean),
    " ",
  );
}

function programState(program: ResultProgram): string {
  if (program.startError !== null) return "not started";
  if (program.endedUs === null) return "not ended";
  if (program.timedOut) return "out of time";
  if (program.stopped) return "stopped";
  return programPassed(program) ? "as expected" : "failed";
}

/** Every event of the main timeline, and all others that fired. */
export function eventTable(result: RunResult): Html | null {
  const { events } = result;
  if (events.length === 0) return null;
  const head = heads("#Number|Event|For|#Planned|#Fired|#Late by|Outcome");
  const isGood = (one: ResultEvent): boolean =>
    one.outcome === "done" && (one.latenessUs ?? 0) <= lateUs;
  return html`<h2>Events<small>${eventShare(events)}</small></h2>
${table(
  head,
  split(events, isGood, (one) => eventRow(one, instantOf(result))),
  "Events that fired as planned",
)}`;
}

function eventRow(event: ResultEvent, instant: Instant): Html {
  const { latenessUs, outcome } = event;
  const isLate = (latenessUs ?? 0) > lateUs;
  const colon = outcome.indexOf(": ");
  const word = colon === -1 ? outcome : outcome.slice(0, colon);
  const why = colon === -1 ? null : ` ${outcome.slice(colon + 2)}`;
  const tone = outcome === "done" ? " good" : outcome.startsWith("failed") ? " bad" : " warn";
  const given = event.args !== "" && html` <code>${event.args.slice(0, 300)}</code>`;
  const late = latenessUs === null ? "–" : formatDuration(latenessUs);
  return html`<tr><td class="num">${event.id}</td><td class="name">${event.event}${given}</td>
<td>${event.object} <span class="soft">${event.type.toLowerCase()}</span></td>
<td class="num">${event.plannedUs === null ? "at the end" : instant(event.plannedUs)}</td>
<td class="num">${event.firedUs === null ? "–" : instant(event.firedUs)}</td>
<td class="num${isLate && " bad-text"}">${late}</td>
<td class="wide"><span class="pill${tone}">${word}</span>${why}</td></tr>`;
}

/** What was asked of each direction of each link, beside what was measured. */
export function linkTable(result: RunResult): Html | null {
  const { links } = result;
  if (links.length === 0) return null;
  const head = heads("Link|From|To|#Bandwidth|#Delay|#Loss|Check");
  const tones = { ok: " good", bad: " bad", untestable: "", skipped: "" };
  const rows = split(
    links,
    (one) => one.verdict !== "bad",
    ({
      name,
      from,
      to,
      ...link
    }) => html`<tr><td class="name">${name}</td><td>${from}</td><td>${to}</td>
${measures.map((measure) => linkCell(measure, { name, from, to, ...link }))}
<td class="wide"><span class="pill${tones[link.verdict]}">${link.verdict}</span>${
      link.removedUs !== undefined && ` removed ${instantOf(result)(link.removedUs)}`
    }${link.why !== undefined && ` ${link.why.join("; ")}`}</td></tr>`,
  );
  return html`<h2>Links<small>${askedBy(result)}, each direction</small></h2>
${table(head, rows, "Links")}`;
}

/** What is asked is the file's, whatever events have made of it. */
function askedBy({ events, links, modifications }: RunResult): string {
  const file = modifications.length === 0 ? "the file asks" : "the file asked last";
  const isChange = ({ type, outcome }: ResultEvent): boolean =>
    type === "LINK" && outcome === "done";
  const changed = events.some(isChange) ? "; events changed some, see there" : "";
  const isMeasured = links.some(({ measured }) => measured !== null);
  const found = isMeasured ? ", and as the last linktest measured them" : "";
  return `as ${file}${found}${changed}`;
}

/** What was asked, and below it what was measured. */
function linkCell({ name, asked, found, text }: Measure, link: ResultLink): Html {
  const [wanted, value] = [asked(link), found(link)];
  const wantedText = name === "bandwidth" && wanted === 0 ? "any" : text(wanted);
  return html`<td class="num">${wantedText}${
    value !== null && html`<br><span class="soft">${text(value)}</span>`
  }</td>`;
}

/** Nodes and their addresses, folded: rarely looked at, but wanted when a connection is refused. */
export function nodeTable(result: RunResult): Html | null {
  const { nodes } = result;
  if (nodes.length === 0) return null;
  const rows = nodes.slice(0, rowsMax).map(({ name, addresses, host, upUs }) => {
    const up = upUs === null ? html`<span class="bad-text">never</span>` : instantOf(result)(upUs);
    const places = addresses.map(({ link, experiment, loopback }) => {
      if (experiment === loopback) return html`${link} <code>${loopback}</code>`;
      const what = link === "" ? "control" : `${link} ${experiment}`;
      return html`${what} <span class="soft">is</span> <code>${loopback}</code>`;
    });
    const at = host === undefined ? "" : html` <span class="soft">on</span> ${host}`;
    return html`<tr><td class="name">${name}${at}</td>
<td class="num">${up}</td><td class="wide">${joined(places, ", ")}</td></tr>`;
  });
  return html`<h2>Nodes</h2>
<div class="card scroll"><details>
<summary>${plural(nodes.length, "node")} and their addresses</summary>
<table><thead><tr>${heads("Node|#Up|Addresses")}</tr></thead><tbody>${rows}</tbody></table>
</details></div>`;
}
