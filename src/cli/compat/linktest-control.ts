// SPDX-License-Identifier: MIT
// The program linktest_control, on boss: has the links of an experiment tested from ops, as who has
// swapped it in, and ends that. [LINKTEST 10] The daemon judges, reaches ops and remembers this
// process; when this process ends, however that comes, the linktest does.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { hostname } from "node:os";
import {
  connectDaemon,
  type DaemonLink,
  type LinktestEnded,
  type LinktestRunner,
  resolveStateDirectory,
  type StateDirectory,
} from "../../boss/index.ts";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { mailAbout } from "../../testbed/crash-mail.ts";
import { harmless } from "../output.ts";
import { StopSignals } from "../stop-signals.ts";
import { isBackground } from "./daemon.ts";
import { type Exit, performExit } from "./exit.ts";
import {
  type LinktestControlArguments,
  linktestControlUsage,
  parseLinktestControl,
} from "./linktest-control-arguments.ts";

/** It was not run. */
const failed = 255;
const canceled = 1;
/** Of what was said, for a mail. */
const keptCharacters = 65_536;

async function main(argv: readonly string[]): Promise<Exit> {
  const line = parseLinktestControl(argv);
  if (line.kind === "help") return { kind: "exit", code: 0, stdout: linktestControlUsage };
  if (line.kind === "misused") return refuse(`${line.complaint}\n${linktestControlUsage}`);
  const { value: given } = line;
  const { outputFile } = given;
  if (outputFile !== undefined && !isBackground(process.env)) {
    return goIntoBackground(argv, outputFile);
  }
  const state = resolveStateDirectory(given.state, process.env);
  const link = await connectDaemon(state, systemClock);
  if (link === undefined) {
    return refuse(`no daemon answers in ${state.path}; start one with: muster serve\n`);
  }
  try {
    return given.kills ? await kill(given, link, state) : await test(given, link, state);
  } finally {
    link.close();
  }
}

async function test(
  given: LinktestControlArguments,
  link: DaemonLink,
  state: StateDirectory,
): Promise<Exit> {
  const { experiment: id, level = null, timeoutS, reportOnly } = given;
  const signals = new StopSignals();
  const { interrupt } = signals;
  let said = "";
  const stopped = new Promise<undefined>((resolve) => {
    interrupt.addEventListener("abort", () => resolve(undefined));
  });
  const request = { kind: "linktest", id, level, timeoutSeconds: timeoutS } as const;
  const asked = link.request({ ...request, reportOnly, runner: process.pid }, (answer) => {
    if (answer.kind !== "output") return;
    said = (said + answer.text).slice(-keptCharacters);
    (answer.source === "stderr" ? process.stderr : process.stdout).write(answer.text);
  });
  try {
    const ended = (await Promise.race([asked, stopped])) as LinktestEnded | undefined;
    // That this process leaves is what ends it.
    if (ended === undefined)
      return { ...refuse(`the linktest of ${id} was canceled\n`), code: canceled };
    if (ended.level === 0) {
      const stdout = `the linktest level of ${id} is 0: nothing is tested\n`;
      return { kind: "exit", code: 0, stdout };
    }
    if (ended.exitCode !== 0 && given.mails) await mail(ended, said, state);
    return { kind: "exit", code: ended.exitCode };
  } finally {
    signals.dispose();
  }
}

/** [LINKTEST 10] Stale: there is nothing to end any more. */
async function kill(
  { experiment: id }: LinktestControlArguments,
  link: DaemonLink,
  state: StateDirectory,
): Promise<Exit> {
  const asked = { kind: "linktest-runner", id } as const;
  const { runner, wasStale } = (await link.request(asked)) as LinktestRunner;
  if (runner === null) {
    if (!wasStale) return refuse(`no linktest of ${id} is running from here\n`);
    const stdout = `the linktest of ${id} had ended with its process\n`;
    return { kind: "exit", code: 0, stdout };
  }
  try {
    process.kill(runner.pid, "SIGTERM");
    return { kind: "exit", code: 0, stdout: `the linktest of ${id} is being ended\n` };
  } catch (error) {
    const text = `process ${runner.pid}, which runs the linktest of ${id}, cannot be told to end: ${errorText(error)}`;
    await send({ swapper: null, subject: `Linktest of ${id} goes on`, text, state });
    return refuse(`${text}\n`);
  }
}

/** To who swapped in, and who keeps the testbed. */
async function mail(
  { experiment, level, exitCode, swapper }: LinktestEnded,
  said: string,
  state: StateDirectory,
): Promise<void> {
  const subject = `Linktest of ${experiment} failed on ${hostname()}`;
  const text = `level ${level}, status ${exitCode}\n\n${said}`;
  await send({ swapper, subject, text, state });
}

interface Letter {
  readonly swapper: string | null;
  readonly subject: string;
  readonly text: string;
  readonly state: StateDirectory;
}

async function send({ swapper, subject, text, state }: Letter): Promise<void> {
  const mailer = process.env["MUSTER_MAILER"];
  const user = swapper ?? undefined;
  const options = { mailer, user, directory: state.path, clock: systemClock };
  const problem = await mailAbout(options, subject, text);
  if (problem !== undefined) {
    process.stderr.write(`*** linktest_control: nobody was told by mail: ${harmless(problem)}\n`);
  }
}

/** What it says from there on goes to the file, also why it could not begin. */
function goIntoBackground(argv: readonly string[], outputFile: string): Exit {
  const [script = ""] = process.argv.slice(1);
  let output: number;
  try {
    output = openSync(outputFile, "w", 0o644);
  } catch (error) {
    return refuse(`cannot write ${outputFile}: ${errorText(error)}\n`);
  }
  const child = spawn(process.execPath, [...process.execArgv, script, ...argv], {
    ...{ detached: true, env: { ...process.env, MUSTER_BACKGROUND: "1" } },
    stdio: ["ignore", output, output],
  });
  child.unref();
  return { kind: "exit", code: 0, stdout: `process ${child.pid} tests; see ${outputFile}\n` };
}

function refuse(text: string): Exit {
  return { kind: "exit", code: failed, stderr: `*** linktest_control: ${text}` };
}

performExit(
  await main(process.argv.slice(2)).catch((error: unknown): Exit => {
    return refuse(`${harmless(errorText(error))}\n`);
  }),
);
