// SPDX-License-Identifier: MIT
// The linktest of a run: obeys its LINKTEST events, and runs one before time 0 where that is asked
// for. Leaves the error files of the old system, and the verdicts as JSON. [LINKTEST 7]
//
//   A1. One test at a time: a START while one runs is refused, and that one goes on.
//   A2. KILL, and the end of the run, end every probe at once.
import { join } from "node:path";
import { linktestRunning } from "../../client/linktest-request.ts";
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import { errorText } from "../../core/text.ts";
import type { Experiment } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import {
  describeLeast,
  type Level,
  type LinktestMap,
  linktestLimits,
  planLinktest,
} from "../../linktest/index.ts";
import { getArg } from "../../wire/event/args.ts";
import {
  begun,
  type Completion,
  ignored,
  type ObjectAgent,
  type Performed,
} from "../agents/performed.ts";
import { completed, refused } from "../agents/program-result.ts";
import type { Told } from "../node-boot.ts";
import { NodeNetwork } from "../node-network.ts";
import type { NodeBackend } from "../nodes/index.ts";
import type { Announcement } from "../run-bus.ts";
import type { RunEventBody } from "../run-event.ts";
import {
  changesSince,
  edgesSince,
  explainSince,
  linksAskedNow,
  type ProbedEdges,
  probedEdges,
} from "./links-now.ts";
import { LinktestReports } from "./linktest-reports.ts";
import { createNodeProbes } from "./node-probes.ts";
import { type LinktestOutcome, runLinktest } from "./run-linktest.ts";
import { verdictsFile, writeVerdictFiles } from "./verdict-files.ts";

export interface LinktestAgentOptions {
  readonly backend: NodeBackend;
  readonly clock: Clock;
  /** Directory of the results of the run. */
  readonly out: string;
  readonly syncPort: number;
  /** What the run is now. */
  readonly told: () => Told;
  /** With what the old tools have set of links since; left out: they have set nothing. */
  readonly linksAsked?: ((experiment: Experiment) => Experiment) | undefined;
  readonly say: (body: RunEventBody) => void;
  /** Over the bus, to whoever listens. */
  readonly announce: (what: Announcement) => void;
}

/** First and last stage. */
export interface Levels {
  readonly first: Level;
  readonly last: Level;
  /** Figures, and no verdict of the run. */
  readonly reportOnly?: boolean;
  /**
   * `now`: links are asked for what events and users made of them last. Left out: what the file
   * says, and the old tools that change that. [LINKTEST 3.1]
   */
  readonly asked?: "now";
}

export class LinktestAgent implements ObjectAgent {
  readonly #options: LinktestAgentOptions;
  #cancel: AbortController | undefined;
  #tested: Promise<unknown> = Promise.resolve();
  #sessions = 0;

  constructor(options: LinktestAgentOptions) {
    this.#options = options;
  }

  async perform({ event, args }: AgendaEvent): Promise<Performed> {
    const nowUs = this.#options.clock.nowUs();
    switch (event) {
      case "START": {
        const levels = readLevels(args);
        if (typeof levels === "string") return refused(nowUs, levels);
        if (this.#cancel !== undefined) return refused(nowUs, linktestRunning);
        return begun(nowUs, this.run(levels).then(completionOf));
      }
      case "KILL":
      case "STOP":
        this.kill();
        await this.#tested;
        return completed(nowUs);
      default:
        return ignored(nowUs, `a linktest knows no ${event}`);
    }
  }

  /** Never rejects. @returns undefined where nothing can be tested, which it has said */
  async run(levels: Levels): Promise<LinktestOutcome | undefined> {
    const test = this.#run(levels).catch((error: unknown) => {
      this.#warn(errorText(error));
      return undefined;
    });
    this.#tested = test;
    return await test;
  }

  /** A2. */
  kill(): void {
    this.#cancel?.abort();
  }

  /** A2. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.kill();
    await this.#tested;
  }

  async #run(levels: Levels): Promise<LinktestOutcome | undefined> {
    const { backend, clock, out, syncPort, told, say } = this.#options;
    const { first, last, reportOnly = false } = levels;
    const { syncServer } = told().experiment;
    if (syncServer === undefined) {
      this.#warn("its probes meet at the sync server, and the experiment has none");
      return undefined;
    }
    const { map, down } = this.#probed(levels);
    const plan = planLinktest(map, { first, last }, linktestLimits);
    const reports = new LinktestReports(this.#options.announce, reportOnly);
    const seconds = describeLeast(plan);
    const directory = join(out, "linktest");
    const file = verdictsFile(directory);
    const text = `linktest level ${last} begins: ${seconds}; verdicts go to linktest/${file}`;
    say({ type: "message", level: "info", node: null, text });
    reports.say(`linktest levels ${first} to ${last}: ${seconds}`);
    this.#sessions += 1;
    const cancel = new AbortController();
    this.#cancel = cancel;
    try {
      if (first > 1 && down.length > 0) reports.verdicts("latency", down);
      const probed = await runLinktest({
        ...{ map, plan, clock, limits: linktestLimits, session: this.#sessions },
        host: createNodeProbes({ backend, syncServer, syncPort, directory }),
        interrupt: cancel.signal,
        onProgress: (...progress) => reports.pass(...progress),
        onVerdicts: (stage, judged) => {
          const told = explainSince(judged);
          reports.verdicts(stage, stage === "latency" ? [...down, ...told] : told);
        },
        lostByMachine: async () => (await backend.nodeLinks?.shaped?.lostByMachine()) ?? 0,
        shaperHealth: () => backend.nodeLinks?.shaped?.health,
        isChanged: changesSince(backend.nodeLinks?.shaped?.table),
      });
      const outcome = { ...probed, verdicts: [...down, ...explainSince(probed.verdicts)] };
      const { verdicts, isCancelled } = outcome;
      const judged = reportOnly ? [] : verdicts;
      const unwritten = await writeVerdictFiles({ out, file, verdicts, judged });
      for (const text of [...unwritten, ...describeNotProbed(outcome)]) this.#tell(text);
      if (reportOnly) return { ...outcome, verdicts: [] };
      say({ type: "links-tested", level: last, verdicts, isCancelled });
      return outcome;
    } finally {
      this.#cancel = undefined;
    }
  }

  #probed({ asked }: Levels): ProbedEdges {
    const { backend, told, linksAsked } = this.#options;
    const { experiment: file, tables = {} } = told();
    const mapOf = (experiment: Experiment): LinktestMap =>
      new NodeNetwork({ experiment, tables, standIn: (address) => address }).linktest();
    const table = backend.nodeLinks?.shaped?.table;
    if (table === undefined) return { map: mapOf(linksAsked?.(file) ?? file), down: [] };
    if (asked === undefined) {
      const by = linksAsked?.(file) ?? file;
      const now = mapOf(linksAskedNow(by, table));
      return { map: edgesSince(mapOf(by), now, { links: by.links, table }), down: [] };
    }
    return probedEdges(mapOf(linksAskedNow(file, table)), mapOf(file), table);
  }

  #warn(text: string): void {
    this.#tell(`no linktest: ${text}`);
  }

  #tell(text: string): void {
    this.#options.say({ type: "message", level: "warning", node: null, text });
  }
}

/** [LINKTEST 3.4] */
function readLevels(args: string): Levels | string {
  const level = (name: string, preset: Level): Level | undefined => {
    const text = getArg(args, name);
    if (text === undefined) return preset;
    return levels.find((one) => text === String(one));
  };
  const [first, last] = [level("STARTAT", 1), level("STOPAT", 4)];
  if (first === undefined || last === undefined) {
    return "STARTAT and STOPAT of a linktest are 1 to 4 (latency, routing, loss, bandwidth)";
  }
  if (first > last) return `STARTAT=${first} is behind STOPAT=${last}`;
  const reportOnly = getArg(args, "REPORTONLY") === "1";
  return { first, last, reportOnly, ...(getArg(args, "ASKED") === "now" ? { asked: "now" } : {}) };
}

const levels = [1, 2, 3, 4] as const;

/** Reasons that are told of; the rest is in `verdicts.json`. */
const reasonsMax = 3;

/** What nobody can know of links because probes did not run, by the reason. Pure. */
export function describeNotProbed({ verdicts, notProbed }: LinktestOutcome): readonly string[] {
  const counts = new Map<string, number>();
  for (const { why } of notProbed) counts.set(why, (counts.get(why) ?? 0) + 1);
  const all = verdicts.length;
  const told = [...counts]
    .slice(0, reasonsMax)
    .map(([why, count]) => `linktest: ${count} of ${all} checks could not be made: ${why}`);
  const left = counts.size - told.length;
  return left === 0 ? told : [...told, `linktest: ${left} more reasons are in verdicts.json`];
}

/** As many errors as directions and stages are bad; cut short, it is one. [LINKTEST 7] */
function completionOf(outcome: LinktestOutcome | undefined): Completion {
  if (outcome === undefined) return { error: -1, text: "nothing was tested" };
  const { verdicts, notProbed, isCancelled } = outcome;
  if (isCancelled) return { error: 1, text: "the linktest was cancelled" };
  const [first] = notProbed;
  if (first !== undefined && notProbed.length === verdicts.length) {
    return { error: -1, text: `nothing was tested: ${first.why}` };
  }
  const bad = verdicts.filter(({ verdict }) => verdict === "bad").length;
  return { error: bad, text: bad === 0 ? "" : `${bad} of ${verdicts.length} checks failed` };
}
