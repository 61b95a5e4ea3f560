// SPDX-License-Identifier: MIT
// `muster linktest ID|FILE`: probes the links of an experiment that is up, of a file for this
// alone, or shows what it would probe. Ctrl-C ends what it has started on every node. Exit status:
// 0 nothing is bad, 1 something is, or it did not come to an end, 64 wrong options, 66 unreadable,
// 69 no scheduler, 75 not over in time, 130 and 143 interrupted.
import { statSync } from "node:fs";
import { isYamlFile } from "../../boss/file-language.ts";
import { resolveStateDirectory } from "../../boss/state-directory.ts";
import { killLinktest, linktestRunning, requestLinktest } from "../../client/linktest-request.ts";
import { formatDiagnostic } from "../../experiment/index.ts";
import {
  describePlan,
  type Level,
  linktestLimits,
  planLinktest,
  type Verdict,
} from "../../linktest/index.ts";
import { NodeNetwork } from "../../testbed/node-network.ts";
import type { RunResult } from "../../testbed/record/result-model.ts";
import { type EventWorld, eventWorld, senderAddress, splitTime } from "../event-bus.ts";
import { describeAway, describeOutcome } from "../event-outcome.ts";
import {
  type EventPartyArguments,
  eventExitCodes,
  findCredentials,
  findParty,
  withEventBus,
} from "../event-party.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { findKeptRuns } from "../kept-runs.ts";
import { changedLinks, formatVerdicts } from "../linktest-table.ts";
import { harmless, joinNames } from "../output.ts";
import { StopSignals } from "../stop-signals.ts";
import { LoadError, loadExperiment } from "./parse.ts";
import { stuckAfterDefault } from "./run-arguments.ts";
import { planSeries } from "./series.ts";

/** Arguments of `muster linktest`. */
export interface LinktestArguments extends Omit<EventPartyArguments, "id"> {
  readonly target: string;
  /** First and last stage. */
  readonly startLevel: Level;
  readonly level: Level;
  readonly timeout?: number;
  /** Of an experiment that is up: `now` is with what was set of its links since. */
  readonly asked: "now" | "file";
  readonly kill: boolean;
  readonly plan: boolean;
  readonly json: boolean;
  readonly set: readonly string[];
  /** Of a file: the directory of its results, with the JSON and the page. */
  readonly out?: string;
}

/** @returns the exit status @throws CommandError */
export async function linktestCommand(
  argv: LinktestArguments,
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  const { target, startLevel, level, plan, kill, timeout, set, out } = argv;
  if (startLevel > level) {
    const message = `--start-level ${startLevel} is behind --level ${level}`;
    throw new CommandError(exitCodes.usage, message);
  }
  const isOfFile = plan || isFile(target);
  const stray = isOfFile
    ? [...(kill ? ["--kill"] : []), ...(timeout === undefined ? [] : ["--timeout"])]
    : [...(set.length > 0 ? ["--set"] : []), ...(out === undefined ? [] : ["--out"])];
  if (plan && out !== undefined) {
    throw new CommandError(exitCodes.usage, "--plan makes no results for --out: give one of them");
  }
  if (stray.length > 0) {
    const what = isOfFile ? "an experiment that is up" : "a file";
    const message = `${stray.join(" and ")} is for ${what}, and ${target} is none`;
    throw new CommandError(exitCodes.usage, message);
  }
  if (plan) return await showPlan(argv, io);
  if (isOfFile) return await testFile(argv, io);
  refuseNoFile(argv);
  return kill ? await killTest(argv, io, world) : await testExperiment(argv, io, world);
}

function isFile(target: string): boolean {
  return statSync(target, { throwIfNoEntry: false })?.isFile() === true;
}

/** Who means a file is not told of experiments. @throws CommandError */
function refuseNoFile({ target, state }: LinktestArguments): void {
  // One slash is in pid/eid, too.
  const isPath = /^\.{0,2}\//.test(target) || target.split("/").length > 2;
  if (!isPath && !isYamlFile(target) && !/\.(?:ns|tcl)$/i.test(target)) return;
  if (findKeptRuns(resolveStateDirectory(state, process.env), target).length > 0) return;
  const message = `there is no file ${target}, and no experiment of this name here`;
  throw new CommandError(exitCodes.noInput, message);
}

async function showPlan(argv: LinktestArguments, io: CommandIo): Promise<number> {
  const { target, set, startLevel, level, json } = argv;
  const loaded = await loadExperiment(target, { set, forRun: true }).catch((error: unknown) => {
    if (!(error instanceof LoadError)) throw error;
    const hint = "; --plan is for a file: give the one that the experiment is of";
    const isAbsent = error.exitCode === exitCodes.noInput;
    throw new CommandError(error.exitCode, `${error.message}${isAbsent ? hint : ""}`);
  });
  for (const one of loaded.diagnostics) io.stderr(`${formatDiagnostic(one, loaded.source)}\n`);
  const { experiment, rows = {} } = loaded;
  if (experiment === undefined) return exitCodes.failed;
  const network = new NodeNetwork({ experiment, tables: rows, standIn: (address) => address });
  const levels = { first: startLevel, last: level };
  const plan = planLinktest(network.linktest(), levels, linktestLimits);
  io.stdout(json ? `${JSON.stringify(plan, null, 2)}\n` : `${describePlan(plan).join("\n")}\n`);
  return exitCodes.ok;
}

/** Its nodes and links without its programs and events: what is probed has the links for itself. */
async function testFile(argv: LinktestArguments, io: CommandIo): Promise<number> {
  const { target: file, set, level, startLevel, json, out } = argv;
  if (startLevel !== 1) {
    throw new CommandError(exitCodes.usage, "of a file, a linktest begins with stage 1");
  }
  const { runCommand } = await import("./run.ts");
  const where = out === undefined ? {} : { out };
  const run = { file, set, json, linktest: level, linksOnly: true, ...where };
  const rest = { duration: 0, stuckAfter: stuckAfterDefault, repeat: 1, limit: [] };
  const played = { first: startLevel, last: level };
  let verdicts: readonly Verdict[] = [];
  let told: Omit<Facts, "exitCode"> | undefined;
  const code = await runCommand({ ...run, ...rest }, io, {
    watch: (event) => {
      if (event.type === "links-tested") verdicts = event.verdicts;
    },
    ended: (result, directory) => {
      const { experiment, outcome } = result;
      const text = verdicts.length > 0 ? countsOf(verdicts) : withoutVerdicts(result);
      told = { experiment, startLevel, level, outcome, verdicts, text, results: directory };
      if (!json && verdicts.length > 0) io.stdout(formatVerdicts(verdicts, played));
      if (outcome === "failed") io.stderr(`muster: ${harmless(text)}\n`);
      else if (!json) io.stdout(`${harmless(text)}\n`);
      verdicts = [];
    },
  });
  // Of a series there is the table of its runs.
  if (!json || told === undefined || planSeries(set, 1, 0).length > 1) return code;
  const isOver = code === exitCodes.ok || code === exitCodes.failed;
  tell({ ...told, ...(isOver ? {} : { outcome: "cancelled" }), exitCode: code }, io);
  return code;
}

/** What `--json` prints. */
interface Facts {
  readonly experiment: string;
  readonly startLevel: Level;
  readonly level: Level;
  readonly outcome: Conclusion["outcome"];
  readonly verdicts: readonly Verdict[];
  readonly text: string;
  readonly exitCode: number;
  /** Of a file: where `result.json` is. */
  readonly results?: string;
}

function tell(facts: Facts, io: CommandIo): void {
  io.stdout(`${JSON.stringify(facts, null, 2)}\n`);
}

const noLinks = "there are no links to test";

function withoutVerdicts({ outcome, links, error, reasons }: RunResult): string {
  const why = error?.message ?? reasons[0]?.message;
  if (outcome === "failed" && why !== undefined) return why;
  return links.length === 0 ? noLinks : "nothing was tested";
}

function countsOf(verdicts: readonly Verdict[]): string {
  const of = (wanted: Verdict["verdict"]): number =>
    verdicts.filter(({ verdict }) => verdict === wanted).length;
  const counts = `${of("ok")} ok, ${of("bad")} bad, ${of("untestable")} untestable`;
  const changed = changedLinks(verdicts);
  if (changed.length === 0) return counts;
  const links = `${joinNames(changed)} ${changed.length === 1 ? "is" : "are"}`;
  return `${counts}; by the file, and ${links} something else since: --asked now tests what that is`;
}

async function killTest(
  argv: LinktestArguments,
  io: CommandIo,
  world: EventWorld,
): Promise<number> {
  const { party, experiment, common } = prepare(argv, io, world);
  const outcome = await withEventBus({ id: argv.target, ...argv }, party, world, (bus) =>
    killLinktest({ ...common, bus }),
  );
  const isAccepted = outcome.kind === "accepted";
  const request = { experiment, objname: "linktest", eventtype: "KILL" };
  const text = describeOutcome(outcome, {
    request: { ...request, args: "", at: { seconds: 0, microseconds: 0 } },
    timeoutS: undefined,
  });
  const isUnheard = ["no-scheduler", "no-answer", "failed"].includes(outcome.kind);
  const refused = isUnheard ? eventExitCodes.unavailable : exitCodes.failed;
  const code = isAccepted ? exitCodes.ok : refused;
  const said = isAccepted ? `the linktest of ${experiment} is being ended` : text;
  if (argv.json)
    io.stdout(`${JSON.stringify({ ...request, outcome: outcome.kind, text: said })}\n`);
  else if (isAccepted) io.stdout(`${said}\n`);
  else io.stderr(`muster: ${harmless(said)}\n`);
  return code;
}

function prepare(argv: LinktestArguments, io: CommandIo, world: EventWorld) {
  const party = findParty({ ...argv, id: argv.target });
  const experiment = `${party.pid}/${party.eid}`;
  const credentials = findCredentials({ ...argv, id: argv.target }, party, world);
  const common = {
    ...{ credentials, experiment, runtime: world.runtime, sender: senderAddress(process.env) },
    now: () => splitTime(world.wallUs()),
    onAway: (ms: number) => io.stderr(`muster: ${describeAway(experiment, ms)}\n`),
  };
  return { party, experiment, common };
}

async function testExperiment(
  argv: LinktestArguments,
  io: CommandIo,
  world: EventWorld,
): Promise<number> {
  const { startLevel, level, timeout } = argv;
  const { party, experiment, common } = prepare(argv, io, world);
  const signals = new StopSignals();
  const verdicts: Verdict[] = [];
  try {
    const ending = await withEventBus({ id: argv.target, ...argv }, party, world, (bus) =>
      requestLinktest({
        ...{ ...common, bus, interrupt: signals.interrupt },
        args: `STARTAT=${startLevel} STOPAT=${level} ${argv.asked === "now" ? "ASKED=now " : ""}`,
        ...(timeout === undefined ? {} : { timeoutMs: 1_000 * timeout }),
        onReport: (text, told) => {
          verdicts.push(...(told as readonly Verdict[]));
          // What is in the table comes there.
          if (told.length === 0) io.stderr(`muster: ${harmless(text)}\n`);
        },
      }),
    );
    const judged = conclude(ending, verdicts, { experiment, argv });
    const code = signals.exitStatus ?? judged.code;
    const { outcome, text } = judged;
    const facts = { experiment, startLevel, level, outcome, verdicts, text, exitCode: code };
    const isOver = outcome === "passed" || outcome === "failed";
    const played = { first: startLevel, last: isOver ? level : 1 };
    if (argv.json) tell(facts, io);
    else if (verdicts.length > 0) io.stdout(formatVerdicts(verdicts, played));
    if (!argv.json && code === exitCodes.ok) io.stdout(`${harmless(text)}\n`);
    if (code !== exitCodes.ok) io.stderr(`muster: ${harmless(text)}\n`);
    return code;
  } finally {
    signals.dispose();
  }
}

interface Conclusion {
  readonly outcome: "passed" | "failed" | "cancelled" | "timeout" | "refused" | "unknown";
  readonly text: string;
  readonly code: number;
}

function conclude(
  { outcome, why }: Awaited<ReturnType<typeof requestLinktest>>,
  verdicts: readonly Verdict[],
  { experiment, argv }: { readonly experiment: string; readonly argv: LinktestArguments },
): Conclusion {
  const over = outcome.kind === "completed";
  if (why === "timeout") {
    const text = `it was not over after ${argv.timeout} s and was ended; --timeout S gives it longer`;
    return { outcome: "timeout", text, code: eventExitCodes.timeout };
  }
  if (why !== "over") {
    const who = why === "killed" ? "by somebody else" : "by a signal";
    return { outcome: "cancelled", text: `the linktest was ended ${who}`, code: exitCodes.failed };
  }
  if (!over) {
    const request = { experiment, objname: "linktest", eventtype: "START", args: "" };
    const at = { seconds: 0, microseconds: 0 };
    const text = describeOutcome(outcome, { request: { ...request, at }, timeoutS: undefined });
    const isUnheard = ["no-scheduler", "no-answer", "failed"].includes(outcome.kind);
    const code = isUnheard ? eventExitCodes.unavailable : exitCodes.failed;
    return { outcome: "unknown", text, code };
  }
  const { error, why: reason = "" } = outcome;
  if (error < 0) {
    const hint =
      reason === linktestRunning ? `; muster linktest ${argv.target} --kill ends it` : "";
    return { outcome: "refused", text: `${reason}${hint}`, code: exitCodes.failed };
  }
  const counts = verdicts.length === 0 ? noLinks : countsOf(verdicts);
  if (error === 0) return { outcome: "passed", text: counts, code: exitCodes.ok };
  const isTold = verdicts.some(({ verdict }) => verdict === "bad") || reason === "";
  return { outcome: "failed", text: isTold ? counts : reason, code: exitCodes.failed };
}
