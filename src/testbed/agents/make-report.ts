// SPDX-License-Identifier: MIT
// Makes a report of an experiment: copies the logs, writes the text into its directory, archives
// the logs, and mails the text where a mailer is configured. A report that was asked for and the
// automatic one after an error have files of their own (fault 34). [EMULAB-EVENTS 2.10]
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ErrorRecord } from "../../core/agenda/effects.ts";
import { errorText } from "../../core/text.ts";
import type { Experiment } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import { archiveLogs } from "../logs/archive-logs.ts";
import type { ExperimentLogs } from "../logs/experiment-logs.ts";
import { newPartialName, withDirectories } from "../logs/log-tree.ts";
import { syncLogs } from "../logs/sync-logs.ts";
import { validateLogs } from "../logs/validate-logs.ts";
import { experimentPath, filesPath } from "../nodes/node-view.ts";
import { STANDARD_PATH } from "../nodes/system-programs.ts";
import { currentUser } from "../nodes/views.ts";
import { describeError } from "./error-details.ts";
import { type CommandOutput, runLimited } from "./limited-command.ts";
import { type Completion, completionOf } from "./performed.ts";
import { formatReport } from "./report.ts";
import { reportLimits } from "./report-limits.ts";
import { splitWords } from "./split-words.ts";

export interface ReporterOptions {
  readonly clock: Clock;
  readonly experiment: () => Experiment;
  readonly logs: () => ExperimentLogs;
  /** Directory of the experiment file, which files know as `/proj/PID/data`. */
  readonly projectFiles: string;
  readonly domain: string;
  /** A command line that mails what it reads, headers first; undefined: nothing is mailed. */
  readonly mailer: string | undefined;
  /** Ends the commands of a report. */
  readonly interrupt: AbortSignal;
}

export interface ReportWish {
  readonly kind: "report" | "error-report";
  readonly errors: readonly ErrorRecord[];
  /** Errors whose records are lost. */
  readonly dropped: number;
  readonly messages: readonly string[];
  readonly log: readonly string[];
  /** A command line; `""` for none. */
  readonly digester: string;
  readonly archives: boolean;
}

export interface MadeReport extends Completion {
  /** Of this machine. */
  readonly path: string;
}

export class Reporter {
  readonly #options: ReporterOptions;
  #errorReports = 0;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Never rejects; what went wrong is its completion, and in the report as far as it was known. */
  async make(wish: ReportWish): Promise<MadeReport> {
    const logs = this.#options.logs();
    const name = this.#nameFor(wish.kind);
    const path = join(logs.experiment, "logs", name);
    try {
      const synced = await syncLogs({ logs, nodes: logs.nodes });
      const validated = await validateLogs(logs, logs.nodes);
      const digest = await this.#digest(wish.digester, logs);
      const notes = [...new Set([...synced.problems, ...validated.problems])];
      const faults = digest?.problem === undefined ? [] : [`digester: ${digest.problem}`];
      const text = formatReport({
        errorCount: wish.errors.length + wish.dropped,
        problems: [...notes, ...faults],
        ...{ messages: wish.messages, log: wish.log, digest: digest?.text },
        configuration: this.#options.experiment().environment,
        errors: await Promise.all(wish.errors.map((record) => this.#describe(record, logs))),
      });
      await writeNew(logs.experiment, name, text);
      const archive = wish.archives ? await this.#archive(logs) : undefined;
      faults.push(...(archive?.problems ?? []));
      faults.push(...(await this.#mail(wish, archive?.name, text)));
      return { path, ...completionOf(faults) };
    } catch (error) {
      return { path, ...completionOf([`the report cannot be written: ${errorText(error)}`]) };
    }
  }

  /** A second failure must not hide the first: each automatic report has a file of its own. */
  #nameFor(kind: ReportWish["kind"]): string {
    if (kind === "report") return "report.mail";
    this.#errorReports += 1;
    return this.#errorReports === 1
      ? "error-report.mail"
      : `error-report-${this.#errorReports}.mail`;
  }

  #describe(record: ErrorRecord, { experiment }: ExperimentLogs): ReturnType<typeof describeError> {
    const { programs } = this.#options.experiment();
    const nodeOf = (name: string): string | undefined =>
      programs.find((program) => program.name === name)?.node;
    return describeError(record, { experiment, nodeOf });
  }

  /** Its output is kept beside the report. */
  async #digest(line: string, logs: ExperimentLogs): Promise<CommandOutput | undefined> {
    if (line === "") return undefined;
    const output = await this.#run(line, logs, "");
    await writeNew(logs.experiment, "digest.out", output.text);
    return output;
  }

  /** As the user who runs the experiment, in its directory, and without a shell (fault 29). */
  async #run(line: string, logs: ExperimentLogs, input: string): Promise<CommandOutput> {
    const words = splitWords(line)?.map((word) => this.#ownPath(word, logs));
    if (words === undefined) return { text: "", problem: `a quote is not closed: ${line}` };
    if (words.length === 0) return { text: "", problem: "the command line is empty" };
    const { pid, eid, environment } = this.#options.experiment();
    const { user, home } = currentUser();
    return await runLimited({
      ...{ words, input, directory: logs.experiment, clock: this.#options.clock },
      interrupt: this.#options.interrupt,
      environment: {
        ...Object.fromEntries(environment),
        ...{ PATH: STANDARD_PATH, USER: user, HOME: home ?? logs.experiment },
        ...{ PID: pid, EID: eid, EXPDIR: logs.experiment },
      },
      msMax: reportLimits.commandMsMax,
      outputBytesMax: reportLimits.commandOutputBytesMax,
    });
  }

  /** Files name paths as nodes know them. */
  #ownPath(word: string, { experiment }: ExperimentLogs): string {
    const names = this.#options.experiment();
    const views: readonly (readonly [string, string])[] = [
      [experimentPath(names), experiment],
      [filesPath(names), this.#options.projectFiles],
    ];
    const view = views.find(([seen]) => word === seen || word.startsWith(`${seen}/`));
    return view === undefined ? word : view[1] + word.slice(view[0].length);
  }

  async #archive(
    logs: ExperimentLogs,
  ): Promise<{ readonly name: string; readonly problems: readonly string[] }> {
    const stamp = new Date(this.#options.clock.wallMs()).toISOString().replace(/\D/g, "");
    const name = `report-${stamp}`;
    const { problems } = await archiveLogs({ logs, name, deletes: true });
    return { name, problems };
  }

  /** @returns what went wrong */
  async #mail(
    { kind }: ReportWish,
    archive: string | undefined,
    text: string,
  ): Promise<readonly string[]> {
    const { mailer, domain } = this.#options;
    if (mailer === undefined) return [];
    const { pid, eid } = this.#options.experiment();
    const what = kind === "report" ? "experiment report" : "experiment error report";
    const subject = `${domain}: ${pid}/${archive ?? eid} ${what}`;
    const input = `To: ${currentUser().user}\nSubject: ${subject}\n\n${text}`;
    const { problem } = await this.#run(mailer, this.#options.logs(), input);
    return problem === undefined ? [] : [`the report is not mailed: ${problem}`];
  }
}

/** In one step, and never through a link that a program has put there. */
async function writeNew(experiment: string, name: string, text: string): Promise<void> {
  await withDirectories(experiment, ["logs"], ({ at }) => writeInto(at, name, text));
}

async function writeInto(folder: string, name: string, text: string): Promise<void> {
  const partial = join(folder, newPartialName());
  try {
    const file = await open(partial, "wx", 0o640);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(partial, join(folder, name));
  } finally {
    await rm(partial, { force: true });
  }
}
