// SPDX-License-Identifier: MIT
// The simulator: obeys the events of `$ns`. It has one queue, so that reports and copies of logs
// come one after the other and delay no other event (fault 16); each completes with what came of it
// (fault 19). Does not own what a report says (make-report.ts). [EMULAB-EVENTS 2.8 SIMULATOR]
//
//   S1. Texts of MESSAGE and LOG are in the first report that begins after them, and in no other.
//   S2. What was told before the start of time has a wall time, what came later counts from it.
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { ErrorReport } from "../../core/agenda/effects.ts";
import type { Clock } from "../../host/clock.ts";
import { getArg } from "../../wire/event/args.ts";
import { cleanLogs } from "../logs/clean-logs.ts";
import type { ExperimentLogs } from "../logs/experiment-logs.ts";
import { syncLogs } from "../logs/sync-logs.ts";
import type { MadeReport, ReportWish } from "./make-report.ts";
import {
  begun,
  type Completion,
  completionOf,
  failed,
  ignored,
  type ObjectAgent,
  type Performed,
  type PerformOptions,
  succeeded,
} from "./performed.ts";
import { failedError, refused } from "./program-result.ts";
import { formatCtime } from "./program-status.ts";
import { reportLimits } from "./report-limits.ts";
import { splitWords } from "./split-words.ts";
import { WorkQueue } from "./work-queue.ts";

export interface SimulatorAgentOptions {
  readonly clock: Clock;
  /** Since time 0; undefined before it. */
  readonly elapsedUs: () => number | undefined;
  readonly logs: () => ExperimentLogs;
  /** Takes the errors of an agenda since they were last taken. Never rejects. */
  readonly takeErrors: (scope: string) => Promise<Pick<ErrorReport, "errors" | "dropped">>;
  /** Never rejects. */
  readonly makeReport: (wish: ReportWish) => Promise<MadeReport>;
  /** Ends the run. */
  readonly onTerminate: () => void;
  readonly onMessage: (text: string) => void;
  readonly onWarning: (text: string) => void;
}

export class SimulatorAgent implements ObjectAgent {
  readonly #options: SimulatorAgentOptions;
  readonly #queue = new WorkQueue();
  #messages: string[] = [];
  /** What automatic reports have taken since the last that was asked for: where that is. */
  #told: string[] = [];
  #log: string[] = [];

  constructor(options: SimulatorAgentOptions) {
    this.#options = options;
  }

  async perform(event: AgendaEvent, { scope = "" }: PerformOptions): Promise<Performed> {
    const { clock } = this.#options;
    const nowUs = clock.nowUs();
    const queued = (work: () => Promise<Completion>): Performed =>
      begun(nowUs, this.#queue.add(work));
    const { args } = event;
    switch (event.event) {
      case "HALT":
      case "SWAPOUT":
        this.#options.onTerminate();
        return begun(nowUs, Promise.resolve(succeeded));
      case "STOPRUN":
        return queued(() => this.#stopRun());
      case "MESSAGE":
      case "LOG":
      case "DEBUG":
        this.#note(event.event, args);
        return begun(nowUs, Promise.resolve(succeeded));
      case "REPORT":
        return queued(() => this.#report(args, scope));
      case "SNAPSHOT":
        return queued(() => this.#snapshot(getArg(args, "LOGHOLE_ARGS") ?? ""));
      case "RESET":
        return queued(() => this.#reset());
      case "MODIFY":
        return refused(nowUs, "stabilize is not built: nodes are not remapped");
      default:
        return ignored(nowUs, `SIMULATOR ${event.event} is not performed yet`);
    }
  }

  /** Where the run has come to, for the next report. [EMULAB-EVENTS 2.5] */
  log(text: string): void {
    keep(this.#log, `${this.#stamp()} - ${text}`);
  }

  /** A sequence or group that nobody waited for has failed: the automatic report. */
  reportError({ errors, dropped }: ErrorReport): void {
    void this.#queue.add(async () => {
      const { messages, log } = this.#takeTexts();
      const plain = { digester: "", archives: false } as const;
      const wish = { kind: "error-report", errors, dropped, messages, log, ...plain } as const;
      const made = await this.#options.makeReport(wish);
      keep(this.#told, `${errors.length + dropped} error(s) were told before: ${made.path}`);
      this.#sayMade(made);
    });
  }

  /** Resolves when no work is under way. */
  async settle(): Promise<void> {
    await this.#queue.settle();
  }

  #note(kind: "MESSAGE" | "LOG" | "DEBUG", text: string): void {
    const stamped = kind === "LOG" ? `${this.#stamp()} - ${text}` : text;
    if (kind === "MESSAGE") keep(this.#messages, text);
    if (kind === "LOG") keep(this.#log, stamped);
    this.#options.onMessage(kind === "DEBUG" ? `debug: ${text}` : stamped);
  }

  async #report(args: string, scope: string): Promise<Completion> {
    const { takeErrors, makeReport } = this.#options;
    const archive = getArg(args, "ARCHIVE");
    const taken = await takeErrors(scope);
    const { messages, log } = this.#takeTexts();
    const told = this.#told;
    this.#told = [];
    const made = await makeReport({
      ...{ kind: "report", ...taken, messages: [...told, ...messages], log },
      digester: getArg(args, "DIGESTER") ?? "",
      archives: archive === undefined || archive === "true",
    });
    this.#sayMade(made);
    return made;
  }

  #sayMade({ path, text }: MadeReport): void {
    if (text !== "") this.#options.onWarning(`report: ${text}`);
    this.#options.onMessage(`report: ${path}`);
  }

  /** S1. */
  #takeTexts(): Pick<ReportWish, "messages" | "log"> {
    const [messages, log] = [this.#messages, this.#log];
    [this.#messages, this.#log] = [[], []];
    return { messages, log };
  }

  /** The arguments are those of `loghole sync`: options without effect here, and nodes. */
  async #snapshot(line: string): Promise<Completion> {
    const logs = this.#options.logs();
    const words = splitWords(line);
    if (words === undefined) return failed(`a quote is not closed in LOGHOLE_ARGS: ${line}`);
    const options = words.filter((word) => word.startsWith("-"));
    const wrong = options.find((word) => !/^-[sqv]+$|^--quiet$/.test(word));
    if (wrong !== undefined) {
      return {
        error: failedError,
        text: `LOGHOLE_ARGS: ${wrong} is no option of a snapshot; use -s`,
      };
    }
    const nodes = words.filter((word) => !word.startsWith("-"));
    const unknown = nodes.find((node) => !logs.nodes.includes(node));
    if (unknown !== undefined) {
      return { error: failedError, text: `LOGHOLE_ARGS: there is no node ${unknown}` };
    }
    const chosen = nodes.length === 0 ? logs.nodes : [...new Set(nodes)];
    return completionOf((await syncLogs({ logs, nodes: chosen })).problems);
  }

  async #reset(): Promise<Completion> {
    const logs = this.#options.logs();
    const all = { logs, nodes: logs.nodes, force: true, nodesOnly: false };
    return completionOf((await cleanLogs(all)).problems);
  }

  /** The logs are safe before the run ends, and whoever waits is told before. */
  async #stopRun(): Promise<Completion> {
    const logs = this.#options.logs();
    const { problems } = await syncLogs({ logs, nodes: logs.nodes });
    this.#options.clock.endOfTurn(this.#options.onTerminate);
    return completionOf(problems);
  }

  /** S2. */
  #stamp(): string {
    const elapsedUs = this.#options.elapsedUs();
    return elapsedUs === undefined
      ? formatCtime(this.#options.clock.wallMs())
      : formatElapsed(elapsedUs);
  }
}

/** `1h2m3s` */
function formatElapsed(us: number): string {
  const seconds = Math.max(0, Math.floor(us / 1_000_000));
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return `${hours}h${minutes}m${seconds % 60}s`;
}

function keep(texts: string[], text: string): void {
  texts.push(text);
  if (texts.length > reportLimits.textsMax) texts.shift();
}
