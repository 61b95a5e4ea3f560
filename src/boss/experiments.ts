// SPDX-License-Identifier: MIT
// What users do with experiments: up, modify, down, status. Brings together the database (what is),
// the rules (states.ts, rights.ts) and the swaps that go on in this process.
//
//   X1. What is not `swapped` in the database has a swap here, but for the
//       moments after a failure of the database; `#reconcile` ends those.
//   X2. A state is written before it is told.
//   X3. Nodes go down when somebody asks for it, also when the database takes nothing.
import { mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { assert } from "../core/assert.ts";
import type { Limits } from "../core/limits.ts";
import { errorText } from "../core/text.ts";
import type { Experiment } from "../experiment/index.ts";
import type { Clock } from "../host/clock.ts";
import { newIncarnation, newRunId } from "../host/ids.ts";
import type { Logger } from "../host/logger.ts";
import type { Level } from "../linktest/index.ts";
import { NetworkError } from "../network/link-backend.ts";
import type { LinksReport } from "../network/link-report.ts";
import { readEventServer } from "../testbed/event-server-file.ts";
import { type Faults, sharedFaults } from "../testbed/guard-run.ts";
import type { LinkHealth } from "../testbed/link-metrics.ts";
import type { MachinesWish } from "../testbed/machines/index.ts";
import { hasNewLinks, ModifyError } from "../testbed/modify-run.ts";
import type { NodeWatch } from "../testbed/node-boot.ts";
import type { EventControl } from "../testbed/open-run-events.ts";
import { pickReasons } from "../testbed/record/verdict.ts";
import type { RunOptions } from "../testbed/run-options.ts";
import { BossError } from "./boss-error.ts";
import type { Definition, ExperimentRow, ExperimentsDatabase, RunRow } from "./database.ts";
import {
  describeModification,
  type EndedRun,
  type ExperimentDetails,
  type ExperimentStatus,
  type Modified,
  type ModifyOptions,
  type Started,
  type UpOptions,
} from "./experiment-views.ts";
import { describeMisnamed } from "./file-language.ts";
import type { BossLimits } from "./limits.ts";
import type { LiveLinkSettings } from "./live-link-settings.ts";
import { planModification } from "./modify-plan.ts";
import { runNumberOf } from "./old-runs.ts";
import type { Action } from "./rights.ts";
import { judge } from "./rights.ts";
import { checkNames, checkRows } from "./row-checks.ts";
import { RunLedger } from "./run-ledger.ts";
import type { Schedulers } from "./schedulers.ts";
import { runsDirectory, type StateDirectory } from "./state-directory.ts";
import { hasNodes, planTransition, type Transition } from "./states.ts";
import { Swap } from "./swap.ts";

/** @param addresses where others reach them, by name @throws BossError */
export type FindMachines = (
  names: readonly string[],
  addresses: ReadonlyMap<string, string>,
) => MachinesWish;

export interface ExperimentsOptions {
  readonly database: ExperimentsDatabase;
  readonly state: StateDirectory;
  readonly clock: Clock;
  readonly coreLimits: Limits;
  readonly limits: BossLimits;
  readonly logger: Logger;
  /** Command name on the nodes -> executable. */
  readonly tools: Readonly<Record<string, string>>;
  readonly run: (options: RunOptions) => Promise<void>;
  /** Machines that have joined, by name; absent where none can. @throws BossError */
  readonly machines?: FindMachines | undefined;
  readonly watchNodes?: (pid: string, eid: string) => NodeWatch;
  /** How schedulers are started; undefined: they are in this process. */
  readonly schedulers?: Schedulers | undefined;
  /** A command line that mails reports. */
  readonly mailer?: string | undefined;
  /** Where the process tells what nobody has caught. */
  readonly faults: Faults;
  /** Tests the links at swap-in from outside of the run; undefined: the run does it. */
  readonly testLinks?: SwapInLinktest | undefined;
  /** With what users have set of links, for a linktest; undefined: nobody has. */
  readonly linksAsked?: LiveLinkSettings["over"] | undefined;
}

/** @returns what to tell of it; undefined: it found nothing wrong */
export type SwapInLinktest = (
  experiment: Pick<ExperimentRow, "pid" | "eid">,
  level: Level,
  signal: AbortSignal,
) => Promise<string | undefined>;

/** Why a run failed, told to whoever swaps it out; all are in result.json. */
const reasonsToldMax = 10;

interface Held {
  readonly swap: Swap;
  /** Of its run. */
  readonly directory: string;
  readonly ledger: RunLedger;
  readonly ended: Promise<EndedRun>;
  /** Modifications that brought nodes. */
  additions: number;
  isModifying: boolean;
}

interface Beginning {
  readonly options: UpOptions;
  readonly experiment: Experiment;
  readonly rows: Definition["rows"];
  readonly run: RunRow;
  readonly ledger: RunLedger;
}

export class Experiments {
  readonly #options: ExperimentsOptions;
  readonly #faults: Faults;
  readonly #held = new Map<string, Held>();
  #isClosing = false;

  constructor(options: ExperimentsOptions) {
    this.#options = options;
    this.#faults = sharedFaults(options.faults);
  }

  /** Ends in the database what a daemon that died has left there. @returns the names. */
  recover(user: string): readonly string[] {
    const { database } = this.#options;
    const left = database.experiments().filter(({ state }) => hasNodes(state));
    for (const row of left) {
      this.#lose(
        row,
        user,
        "the daemon died (kill -9, a crash, or the machine went down); its nodes ended with it",
      );
    }
    return left.map(nameOf);
  }

  /** @throws BossError, with nothing changed, when it may not be. */
  up(options: UpOptions, user: string): Started {
    const { database, clock, limits } = this.#options;
    const { pid, eid } = options;
    if (this.#isClosing) throw new BossError("CLOSING", "the daemon is ending; ask again");
    const complaint = checkNames(pid, eid);
    if (complaint !== undefined) throw new BossError("BAD_REQUEST", complaint);
    this.#machinesOf(options);
    const { experiment, rows } = accepted(options, "nothing was started");
    const name = `${pid}/${eid}`;
    const found = database.experiment(pid, eid);
    if (found !== undefined) this.#reconcile(found, user);
    const known = database.experiment(pid, eid);
    if (this.#held.size >= limits.experimentsUpMax) {
      const message = `${this.#held.size} experiments are up (limit experimentsUpMax); stop one with: muster down ID`;
      throw new BossError("LIMIT", message);
    }
    const seed = options.seed ?? newIncarnation() % 2 ** 31;
    const run = this.#newRun(pid, eid, known, seed);
    const { file, source, presets, linkSettings = [] } = options;
    const linktestLevel = options.linktestLevel ?? experiment.linktestLevel ?? 0;
    const definition = { file, source, presets, rows, linktestLevel, linkSettings };
    const demand = (): void => this.#demand(user, "swap-in", pid, name, null);
    let ledger: RunLedger;
    try {
      ledger = RunLedger.begin({ database, clock, pid, eid, user, run }, definition, demand);
    } catch (error) {
      rmdirSync(run.directory);
      throw error;
    }
    return this.#hold({ options, experiment, rows, run, ledger });
  }

  /** @returns the run that ended. @throws BossError when it may not be, or has no nodes. */
  down(id: string, user: string): Promise<EndedRun> {
    const row = this.#find(id, user);
    const name = nameOf(row);
    this.#demand(user, "swap-out", row.pid, name, row.swapper);
    const held = this.#held.get(name);
    if (held === undefined) throw this.#notUp(row, "swap-out", user);
    this.#beginDown(name, held, user, "asked for");
    return held.ended;
  }

  /**
   * Makes an experiment that is up into what a file says, without touching what is the same.
   * @throws BossError; it goes on as it was then, unless the code is DATABASE.
   */
  async modify(options: ModifyOptions, user: string): Promise<Modified> {
    const { database, limits } = this.#options;
    const row = this.#find(options.id, user);
    const name = nameOf(row);
    this.#demand(user, "modify", row.pid, name, row.swapper);
    const { experiment, rows } = accepted(options, "nothing was changed");
    const held = this.#held.get(name);
    if (held === undefined) throw this.#notUp(row, "modify", user);
    const { modification } = planned(name, options.file, held.swap.experiment, experiment);
    const { file, source, presets } = options;
    const { linktestLevel } = experiment;
    const definition = { file, source, presets, rows, linktestLevel };
    database.checkRows(rows);
    const brings = modification.nodes.added.length > 0 ? 1 : 0;
    if (held.additions + brings > limits.nodeAdditionsMax) {
      const times = `${held.additions} times (limit nodeAdditionsMax)`;
      const instead = `start it anew: muster down ${name}, then muster up FILE`;
      throw new BossError("LIMIT", `nodes were added to ${name} ${times}; ${instead}`);
    }
    if (!held.isModifying) held.ledger.endModify(user, undefined, "its end was not written");
    held.ledger.beginModify(user);
    held.isModifying = true;
    held.additions += brings;
    let done: Omit<Modified, "warnings">;
    try {
      const outcome = await held.swap.modify({ ...modification, tables: rows });
      done = describeModification(name, modification, outcome);
      held.ledger.endModify(user, definition, done.summary);
    } catch (error) {
      if (!(error instanceof ModifyError)) throw error;
      held.ledger.endModify(user, undefined, `undone: ${error.message}`);
      const message = `${name} was not modified: ${error.message}; see muster status ${name}`;
      throw new BossError("NOT_MODIFIED", message, { cause: error });
    } finally {
      held.isModifying = false;
    }
    // [LINKTEST 10] As at a swap-in, where there is something new to be tested.
    const { linktestLevel: level } = this.#find(options.id, user);
    const found = hasNewLinks(modification) ? await held.swap.testLinks(level) : undefined;
    return { ...done, warnings: [...checkRows(rows), ...(found === undefined ? [] : [found])] };
  }

  /** Under which names and presets a file for an experiment is read. @throws BossError */
  reading(id: string, user: string): Pick<UpOptions, "pid" | "eid" | "presets"> {
    const { pid, eid, exptidx } = this.#find(id, user);
    return { pid, eid, presets: this.#options.database.definition(exptidx).presets };
  }

  /** An experiment, for who may do `action` to it. @throws BossError */
  demanded(id: string, user: string, action: Action): ExperimentRow {
    const row = this.#find(id, user);
    this.#demand(user, action, row.pid, nameOf(row), row.swapper);
    return row;
  }

  /** All that `user` may see. */
  status(user: string): readonly ExperimentStatus[] {
    const { database } = this.#options;
    const seen = (): readonly ExperimentRow[] =>
      database
        .experiments()
        .filter((row) => this.#judge(user, "see", row.pid, nameOf(row), row.swapper) === undefined);
    for (const row of seen()) this.#putRight(row, user);
    return seen().map((row) => this.#statusOf(row));
  }

  /** @throws BossError */
  details(id: string, user: string): ExperimentDetails {
    const { database } = this.#options;
    this.#putRight(this.#find(id, user), user);
    const row = this.#find(id, user);
    const runs = database.runs(row.exptidx);
    const status = this.#statusOf(row);
    const { live, lastRun } = status;
    const server =
      live === null || lastRun === null ? undefined : readEventServer(lastRun.directory);
    const eventServer = server ?? null;
    return { ...status, eventServer, runs, history: database.history(row.exptidx) };
  }

  /** How the links of an experiment that is up are, or the one of this name. @throws BossError */
  async links(id: string, name: string | null, user: string): Promise<LinksReport> {
    const row = this.#find(id, user);
    const held = this.#held.get(nameOf(row));
    if (held === undefined) {
      throw new BossError("WRONG_STATE", `${nameOf(row)} is not up, so it has no links now`);
    }
    try {
      return await held.swap.links(name);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      throw new BossError("NO_OUTPUT", `${nameOf(row)}: ${error.message}`, { cause: error });
    }
  }

  /** What runs of it now; undefined while nothing does. */
  running(row: ExperimentRow): Experiment | undefined {
    return this.#held.get(nameOf(row))?.swap.experiment;
  }

  /** Of all that are up and have links that a process of ours shapes. */
  linkHealth(): readonly LinkHealth[] {
    return [...this.#held].flatMap(([experiment, { swap }]) => {
      const health = swap.linkHealth;
      return health === undefined ? [] : [{ experiment, health }];
    });
  }

  /** The scheduler of what is up here; undefined where there is none to be asked. */
  eventsOf(row: ExperimentRow): EventControl | undefined {
    return this.#held.get(nameOf(row))?.swap.events;
  }

  /**
   * Where the last run of an experiment writes, and whether it is over.
   * @returns `cutOff`: why nothing that it wrote tells of its end. @throws BossError
   */
  output(
    id: string,
    user: string,
  ): {
    readonly directory: string;
    readonly cutOff: string | undefined;
    readonly isOver: () => boolean;
  } {
    const row = this.#find(id, user);
    const name = nameOf(row);
    this.#demand(user, "read-output", row.pid, name, row.swapper);
    const run = this.#options.database.lastRun(row.exptidx);
    if (run === undefined) throw new BossError("NO_OUTPUT", `${name} was never swapped in`);
    const swap = this.#held.get(name)?.swap;
    const cutOff = run.error?.code === "DAEMON_DIED" ? run.error.message : undefined;
    return { directory: run.directory, cutOff, isOver: () => swap?.isOver ?? true };
  }

  /** How many are up, or on their way. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** Whether a run that is going on writes there. */
  isUnderWay(directory: string): boolean {
    return [...this.#held.values()].some((held) => held.directory === directory);
  }

  /**
   * Swaps everything out; nothing is swapped in from now on.
   * @returns names of what was not down in time.
   */
  async close(user: string, msMax: number): Promise<readonly string[]> {
    this.#isClosing = true;
    const held = [...this.#held];
    for (const [name, one] of held) this.#beginDown(name, one, user, "the daemon ends");
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(msMax, resolve);
    });
    await Promise.race([Promise.all(held.map(([, { ended }]) => ended)), late]);
    cancel();
    return [...this.#held.keys()];
  }

  #hold({ options, experiment, rows, run, ledger }: Beginning): Started {
    const { clock, coreLimits, limits, logger, tools } = this.#options;
    const { file, durationSeconds, stuckSeconds } = options;
    const { runId, directory, seed } = run;
    const { swapper, linktestLevel } = ledger.row;
    const split = this.#options.schedulers?.splitFor(options, swapper);
    const { testLinks, linksAsked = (_row, _run, file) => file } = this.#options;
    const swap = new Swap({
      ...{ experiment, file, runId, directory, seed, durationSeconds, stuckSeconds, tools },
      ...{ clock, coreLimits, limits, logger, run: this.#options.run },
      ...{ tables: rows, split, mailer: this.#options.mailer, faults: this.#faults },
      linktestLevel: linktestLevel === 0 ? undefined : linktestLevel,
      testLinks: testLinks && ((level, signal) => testLinks(options, level, signal)),
      linksAsked: (file) => linksAsked(ledger.row.exptidx, directory, file),
      projectFiles: dirname(file),
      machines: this.#machinesOf(options),
      network: networkOf(options),
      nodeWatch: this.#options.watchNodes?.(options.pid, options.eid),
    });
    const name = nameOf(options);
    const active = swap.active.then((isActive) => {
      // Its nodes are up, whatever the database says to it.
      if (isActive) this.#attempt(name, () => ledger.activated());
      return isActive;
    });
    const ended = Promise.all([swap.ended, active]).then(([result]) => {
      const { outcome, endedBy, error, reasons } = result;
      const end = { endedMs: clock.wallMs(), outcome, endedBy, error };
      this.#held.delete(name);
      this.#attempt(name, () => ledger.finish(end));
      const why = pickReasons(reasons, reasonsToldMax);
      return { ...run, ...end, ...(why.length === 0 ? {} : { reasons: why }) };
    });
    this.#held.set(name, { swap, directory, ledger, ended, additions: 0, isModifying: false });
    const facts = { experiment: name, run: run.number, directory, seed };
    return { ...facts, warnings: checkRows(rows), active, ended };
  }

  /** @throws BossError when one of them is not there */
  #machinesOf({ on = [], addresses = [] }: UpOptions): MachinesWish | undefined {
    if (on.length === 0) return undefined;
    const { machines } = this.#options;
    if (machines === undefined) {
      throw new BossError(
        "BAD_REQUEST",
        "machines join at a daemon with --listen http; it has none",
      );
    }
    return machines(on, new Map(addresses));
  }

  /** X3. */
  #beginDown(name: string, { swap, ledger }: Held, user: string, note: string): void {
    this.#attempt(name, () => ledger.beginDown(user, note));
    swap.stop();
  }

  #attempt(name: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.logger.log("error", `${name}: ${errorText(error)}`);
    }
  }

  /** X1: why what has no nodes here cannot be stopped or changed. */
  #notUp(row: ExperimentRow, transition: Transition, user: string): BossError {
    this.#reconcile(row, user);
    const { state } = this.#row(row.pid, row.eid);
    const refused = planTransition(nameOf(row), state, transition);
    assert(refused.kind === "refused", "what has nodes is held (X1)");
    return new BossError("WRONG_STATE", refused.message);
  }

  /** A fresh directory and the row for it. */
  #newRun(pid: string, eid: string, known: ExperimentRow | undefined, seed: number): RunRow {
    const { database, state, clock } = this.#options;
    const parent = runsDirectory(state, pid, eid);
    const last = known === undefined ? undefined : database.lastRun(known.exptidx);
    let number = (last?.number ?? 0) + 1;
    try {
      mkdirSync(parent, { recursive: true, mode: 0o700 });
      // Beyond whatever is there: the database may be a new one, and the last run is known by its
      // number (old-runs.ts O1). A crash between the directory and its row leaves the directory.
      for (const name of readdirSync(parent))
        number = Math.max(number, (runNumberOf(name) ?? 0) + 1);
      while (!makeDirectory(join(parent, `${number}`))) number += 1;
    } catch (error) {
      const message = `cannot make a directory in ${parent}: ${errorText(error)}; check the disk and its permissions`;
      throw new BossError("STATE_DIRECTORY", message);
    }
    const facts = { number, directory: join(parent, `${number}`), runId: newRunId(), seed };
    const open = { endedMs: null, outcome: null, endedBy: null, error: null };
    return { ...facts, startedMs: clock.wallMs(), ...open };
  }

  #statusOf(row: ExperimentRow): ExperimentStatus {
    const { exptidx, ...facts } = row;
    const live = this.#held.get(nameOf(row))?.swap.status ?? null;
    const lastRun = this.#options.database.lastRun(exptidx) ?? null;
    return { experiment: nameOf(row), ...facts, live, lastRun };
  }

  /** @param id `pid/eid`, or `eid` where only one project has it. @throws BossError */
  #find(id: string, user: string): ExperimentRow {
    const isMeant = (row: ExperimentRow): boolean => id === nameOf(row) || id === row.eid;
    const found = this.#options.database
      .experiments()
      .filter(isMeant)
      .filter((row) => this.#judge(user, "see", row.pid, nameOf(row), row.swapper) === undefined);
    const [row] = found;
    if (row !== undefined && found.length === 1) return row;
    const shown = JSON.stringify(id.length > 100 ? `${id.slice(0, 100)}...` : id);
    const message =
      row === undefined
        ? `there is no experiment ${shown}; muster status lists them`
        : `${shown} may be ${found.map(nameOf).join(" or ")}; name the project too`;
    throw new BossError("NO_SUCH_EXPERIMENT", message);
  }

  #row(pid: string, eid: string): ExperimentRow {
    const row = this.#options.database.experiment(pid, eid);
    assert(row !== undefined, "experiments are not removed");
    return row;
  }

  /** X1: has nodes for the database, and none here. */
  #reconcile(row: ExperimentRow, user: string): void {
    if (!hasNodes(row.state) || this.#held.has(nameOf(row))) return;
    this.#lose(row, user, "its end could not be written when it happened");
  }

  /** As `#reconcile`; who only asks is answered also when it cannot be written yet. */
  #putRight(row: ExperimentRow, user: string): void {
    this.#attempt(nameOf(row), () => this.#reconcile(row, user));
  }

  #lose(row: ExperimentRow, user: string, note: string): void {
    const { database, clock } = this.#options;
    const { exptidx, pid, eid } = row;
    const endedMs = clock.wallMs();
    database.transaction(() => {
      database.move(pid, eid, "lost", { user, atMs: endedMs, note });
      const error = { code: "DAEMON_DIED", message: note };
      const last = database.lastRun(exptidx);
      const end = { endedMs, outcome: "failed", endedBy: "failure", error } as const;
      if (last !== undefined) database.endRun(exptidx, last.number, end);
    });
  }

  /** @returns why not, or undefined. */
  #judge(
    user: string,
    action: Action,
    pid: string,
    what: string,
    swapper: string | null,
  ): string | undefined {
    const judgement = judge(this.#options.database.actor(user, pid), action, what, swapper);
    return judgement.kind === "refused" ? judgement.message : undefined;
  }

  #demand(user: string, action: Action, pid: string, what: string, swapper: string | null): void {
    const refusal = this.#judge(user, action, pid, what, swapper);
    if (refusal !== undefined) throw new BossError("NOT_ALLOWED", refusal);
  }
}

function networkOf({ nodes }: UpOptions): RunOptions["network"] {
  return nodes === "netns" ? "own" : nodes === "process" ? "shared" : undefined;
}

/** @throws BossError (REFUSED_FILE) */
function accepted(
  { parsed, file, source }: Pick<UpOptions, "parsed" | "file" | "source">,
  soFar: string,
): { readonly experiment: Experiment; readonly rows: Definition["rows"] } {
  const { experiment, rows, errors } = parsed;
  if (experiment !== undefined && rows !== undefined) return { experiment, rows };
  const count = `${errors} ${errors === 1 ? "error" : "errors"}`;
  throw new BossError(
    "REFUSED_FILE",
    `${file} has ${count}; ${soFar}${describeMisnamed(file, source)}`,
  );
}

/** @throws BossError (NOT_YET) */
function planned(name: string, file: string, before: Experiment, after: Experiment) {
  const plan = planModification(before, after);
  if (plan.kind === "planned") return plan;
  const message =
    `${name} cannot be changed like this while it is up: ${plan.reasons.join("; ")}; nothing was ` +
    `changed; leave that as it is, or: muster down ${name}, then muster up ${file}`;
  throw new BossError("NOT_YET", message);
}

function nameOf({ pid, eid }: { readonly pid: string; readonly eid: string }): string {
  return `${pid}/${eid}`;
}

/** @returns false when it exists. @throws Error of the file system. */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
