// SPDX-License-Identifier: MIT
// The program run_linktest: START to the nodes of an experiment, its reports, COMPLETE, and the
// errors of each node. [LINKTEST 9] The quirks: it listens before it starts (the old one after), a
// status never wraps to 0, and errors come over the bus, so that no file system has to be shared.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { requestLinktest } from "../../client/linktest-request.ts";
import { formatErrorRecord, type Verdict } from "../../linktest/index.ts";
import { eventWorld, senderAddress, splitTime } from "../event-bus.ts";
import { describeOutcome } from "../event-outcome.ts";
import { harmless } from "../output.ts";
import { StopSignals } from "../stop-signals.ts";
import { type Exit, performExit } from "./exit.ts";
import { type LinktestParty, openLinktestPlace } from "./linktest-place.ts";
import {
  parseRunLinktest,
  type RunLinktestArguments,
  runLinktestUsage,
} from "./run-linktest-arguments.ts";

const failed = 1;
/** A process cannot end with more. */
const statusMax = 255;

async function main(argv: readonly string[]): Promise<Exit> {
  const line = parseRunLinktest(argv);
  if (line.kind === "help") return { kind: "exit", code: 0, stdout: runLinktestUsage };
  if (line.kind === "misused") return refuse(`${line.complaint}\n${runLinktestUsage}`);
  const { value: given } = line;
  if (process.geteuid?.() === 0 && !given.asRoot) {
    return refuse("root must not run this: be the user of the experiment, or give --as-root\n");
  }
  if (given.logFile !== undefined) rmSync(given.logFile, { force: true });
  const party = await openLinktestPlace(given);
  if (typeof party === "string") return refuse(`${party}\n`);
  const signals = new StopSignals();
  // Who asked may be gone, and the probes are ended all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    return await test(given, party, signals.interrupt);
  } finally {
    signals.dispose();
    party.bus.close();
  }
}

async function test(
  given: RunLinktestArguments,
  { experiment, credentials, bus }: LinktestParty,
  interrupt: AbortSignal,
): Promise<Exit> {
  const { startAt, stopAt, reportOnly, timeoutS, logFile } = given;
  const verdicts: Verdict[] = [];
  const isLoud = given.verbose || given.debug > 0;
  const report = reportOnly ? "REPORTONLY=1 " : "";
  const { outcome, why } = await requestLinktest({
    ...{ bus, credentials, experiment, interrupt, runtime: eventWorld.runtime },
    sender: senderAddress(process.env),
    now: () => splitTime(eventWorld.wallUs()),
    args: `STARTAT=${startAt} STOPAT=${stopAt} DOARP=0 COMPAT=1.1 ${report}`,
    ...(timeoutS === 0 ? {} : { timeoutMs: 1_000 * timeoutS }),
    onReport(text, told) {
      const some = told as readonly Verdict[];
      verdicts.push(...some);
      // With a report only its figures are all that is wanted.
      const said = reportOnly ? text : isLoud ? withoutErrors(text, some) : "";
      if (said !== "") process.stdout.write(`${lines(said)}\n`);
    },
  });
  const bad = reportOnly ? [] : verdicts.filter(({ verdict }) => verdict === "bad");
  const errors = bad.map(formatErrorRecord).join("");
  if (logFile !== undefined && errors !== "") {
    mkdirSync(dirname(logFile), { recursive: true });
    writeFileSync(logFile, errors);
  }
  const head = why === "over" ? "" : "*** It did not come to its end; what was found until then:\n";
  const stdout = errors === "" ? "" : `${head}${lines(errors)}`;
  if (why !== "over") {
    return { ...refuse(`${endings[why]}\n`), stdout };
  }
  if (outcome.kind !== "completed" || outcome.error < 0) {
    const request = { experiment, objname: "linktest", eventtype: "START", args: "" };
    const at = { seconds: 0, microseconds: 0 };
    const text = describeOutcome(outcome, { request: { ...request, at }, timeoutS: undefined });
    return { ...refuse(`${harmless(text)}\n`), stdout };
  }
  const nodes = new Set(bad.map(({ edge }) => edge.from)).size;
  // What was lost on the way here has made the test no better.
  const code = Math.min(statusMax, Math.max(nodes, reportOnly ? 0 : Math.sign(outcome.error)));
  return { kind: "exit", code, stdout };
}

const endings = {
  timeout: "the time is over, and the linktest was ended",
  killed: "the linktest was ended by somebody else",
  interrupt: "the linktest was ended by a signal",
} as const;

/** Errors are printed in the end, once, however much else is said meanwhile. */
function withoutErrors(text: string, verdicts: readonly Verdict[]): string {
  const errors = new Set(
    verdicts
      .filter(({ verdict }) => verdict === "bad")
      .map((bad) => formatErrorRecord(bad).trimEnd()),
  );
  return text
    .split("\n")
    .filter((line) => !errors.has(line))
    .join("\n");
}

/** Text of several lines, each made harmless. */
function lines(text: string): string {
  return text.split("\n").map(harmless).join("\n");
}

function refuse(text: string): Exit {
  return { kind: "exit", code: failed, stderr: `*** run_linktest: ${text}` };
}

performExit(await main(process.argv.slice(2)));
