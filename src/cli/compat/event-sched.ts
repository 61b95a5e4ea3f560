// SPDX-License-Identifier: MIT
// The program event-sched: the scheduler of one experiment, on ops, in the foreground until it is
// told to end. [EMULAB-EVENTS 2.1, 2.2] Finds the experiment and the bus; the rest is in
// events/scheduler-process.ts.
import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import {
  BossError,
  DatabaseStaticData,
  ExperimentsDatabase,
  isLocked,
  resolveBossLimits,
} from "../../boss/index.ts";
import {
  type ExperimentMetadata,
  openBossHttps,
  RemoteStaticData,
  type StaticData,
} from "../../client/boss.ts";
import { eventPorts, resolveEventAddress } from "../../client/event-address.ts";
import { findBus } from "../../client/event-connection.ts";
import { createCredentials, type LastingCredentials } from "../../client/event-credentials.ts";
import { errorText } from "../../core/text.ts";
import { defaultPort } from "../../edges/xmlrpc/index.ts";
import { eventsLimits } from "../../events/events-limits.ts";
import {
  type AgendaSource,
  BusAgent,
  checkStartable,
  forgetPlan,
  hasPlan,
  LogInstants,
  openPlan,
  type Performed,
  type PlanPlace,
  readPlan,
  readPlanName,
  runAgendaFile,
  SchedulerLines,
  SchedulerProcess,
  staticAgenda,
} from "../../events/index.ts";
import { recordHeader } from "../../events/scheduler-lines.ts";
import { systemClock } from "../../host/clock.ts";
import { readClockName } from "../../host/clock-name.ts";
import { eventHash, readEventKey } from "../../host/event-hash.ts";
import { newNonce } from "../../host/ids.ts";
import { TimerFireClock } from "../../testbed/agents/firing/fire-clock.ts";
import type { Bus } from "../../wire/event/bus.ts";
import type { Order } from "../../wire/event/orders.ts";
import { connectEventBus, eventWorld, senderAddress } from "../event-bus.ts";
import {
  type EventSchedArguments,
  failureCode,
  noPlanCode,
  type PlanArguments,
  parseEventSchedArguments,
} from "./event-sched-arguments.ts";
import { performExit } from "./exit.ts";
import { lineOutput } from "./line-output.ts";

/** As long as the old program waits for boss. [EMULAB-EVENTS 2.2] */
const bossAnswerMs = 30 * 60 * 1_000;
/** The scheduler and the agent beside it each have one notification on its way. */
const publishersMax = 2;
/** So far ahead a run lets its time 0 lie: what is due then has been sent out before. */
const runStartAheadUs = 100_000;
/** Below the experiment's directory. */
const logName = "tbdata/event-sched.sqlite";

async function main(args: readonly string[]): Promise<void> {
  const given = parseEventSchedArguments(args);
  if (given.kind === "exit") performExit(given);
  if (given.kind === "print-log") {
    return printPlan({ experiment: "", name: undefined, natsCreds: undefined, file: given.file });
  }
  if (given.kind !== "run") {
    const place = planOf(given, given.plan, process.cwd());
    if (given.kind === "print-plan") return printPlan(place);
    if (!(await forgetPlan(place, given.isForced))) tellNone(place);
    return;
  }
  const say = openOutput(given.logFile);
  const { data, closeData } = openData(given);
  const { path, environment } = await findDirectory(given, data);
  for (const name of ["logs", "tbdata"]) {
    mkdirSync(join(path, name), { recursive: true, mode: 0o770 });
  }
  const place = planOf(given, given.plan, path);
  process.chdir(path);
  const { pid, eid } = given;
  Object.assign(process.env, { PID: pid, EID: eid, EXPDIR: path, LOGDIR: "/local/logs" });
  for (const [name, value] of environment) process.env[name] ??= value;
  const experiment = `${pid}/${eid}`;
  const url = resolveEventAddress(given, {
    environment: undefined,
    server: "localhost",
    port: eventPorts.experiments,
  });
  if (url === undefined) throw new Error(`-s ${given.server} is no host`);
  const { runtime } = eventWorld;
  const connect = () => connectEventBus(url, publishersMax * eventsLimits.publicationsAtOnceMax);
  const bus = await findBus({ connect, runtime, onRetry: say });
  const keyFile = isAbsolute(given.keyFile) ? given.keyFile : join(path, given.keyFile);
  const common = { experiment, bus, sender: senderAddress(process.env), clock: systemClock };
  const epoch = process.env["MUSTER_EPOCH"] === "new" ? "new" : "continue";
  const source = sourceOf(experiment, given, data);
  await checkStartable(experiment, source);
  const plan = await openPlan(place, systemClock);
  const instants = new LogInstants(systemClock, plan.log);
  const lines = new SchedulerLines({
    ...{ clock: instants.clock(), debug: given.debug, write: say },
    record: openRecord(given.recordFile, say),
  });
  const life = await SchedulerProcess.start({
    ...{ ...common, lines, epoch, plan, instants, clockName: readClockName() },
    data: source,
    withRun: given.withRun,
    ...(data === undefined ? { startAheadUs: runStartAheadUs } : {}),
    credentials: credentialsOf(experiment, keyFile),
    logger: { log: (level, text) => (level === "debug" ? undefined : say(text)) },
    onStopped: ({ isReplaced, message }) => {
      say(`event-sched[${process.pid}]: ${message}`);
      // Who is replaced is not to be started again: the two would take the plan from each other.
      process.exit(isReplaced ? 0 : failureCode);
    },
  });
  // A run's own agent obeys for the simulator.
  if (data !== undefined && !given.withRun) {
    await openSimulator(common, { data, credentials: credentialsOf(experiment, keyFile), say });
  }
  tellReady();
  say(`event-sched[${process.pid}]: scheduling the events of ${experiment}`);
  for (const [signal, number] of signals) {
    process.once(signal, () => {
      say(`event-sched[${process.pid}]: received signal ${number}, exiting`);
      void life.close().then(() => {
        closeData();
        process.exit(0);
      });
    });
  }
}

const signals = [
  ["SIGINT", 2],
  ["SIGQUIT", 3],
  ["SIGTERM", 15],
] as const;

/** Undefined data: a run has written the agenda to a file. */
interface OpenedData {
  readonly data: StaticData | undefined;
  readonly closeData: () => void;
}

/** One program, several sources of what it must know. [EMULAB-EVENTS 2.3] */
function openData(given: EventSchedArguments): OpenedData {
  const { pid, eid, database: file, directory, runAgenda } = given;
  if (runAgenda !== undefined) return { data: undefined, closeData: () => undefined };
  if (file !== undefined && directory !== undefined) {
    const database = openDatabase(file);
    const parts = { database, pid, eid, path: directory, opsAddress: "127.0.0.1" };
    return { data: new DatabaseStaticData(parts), closeData: () => database.close() };
  }
  const ssl = join(homedir(), ".ssl");
  const own = readPem(given.certificate ?? join(ssl, "emulab.pem"));
  const boss = openBossHttps({
    ...{ host: given.boss, port: given.bossPort ?? defaultPort, path: given.rpcPath },
    ...{ key: own, certificate: own, timeoutMs: bossAnswerMs },
    authority: readPem(given.authority ?? join(ssl, "ca.pem")),
  });
  const data = new RemoteStaticData(boss.transport, pid, eid);
  return { data, closeData: () => boss.close() };
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = errorText(error);
    throw new Error(`cannot read ${file}: ${why}; --cert and --ca name others`);
  }
}

function openDatabase(file: string): ExperimentsDatabase {
  try {
    return ExperimentsDatabase.open(file, resolveBossLimits());
  } catch (error) {
    if (!(error instanceof BossError) || !isLocked(error)) throw error;
    const instead = "ask that over XML-RPC: --boss HOST in place of --database";
    throw new Error(`${file} is in use by a daemon; ${instead}`);
  }
}

type Directory = Pick<ExperimentMetadata, "path" | "environment">;

async function findDirectory(
  { directory }: EventSchedArguments,
  data: StaticData | undefined,
): Promise<Directory> {
  return data === undefined ? { path: directory ?? ".", environment: [] } : await data.metadata();
}

function sourceOf(
  experiment: string,
  { runAgenda }: EventSchedArguments,
  data: StaticData | undefined,
): AgendaSource {
  if (data !== undefined) return staticAgenda(experiment, data);
  return runAgendaFile(runAgenda ?? "");
}

function credentialsOf(experiment: string, keyFile: string): LastingCredentials {
  const key = readEventKey(keyFile);
  if (key.kind === "refused") throw new Error(`${key.message}; name another with -k`);
  const credentials = createCredentials({
    ...{ experiment, key: key.bytes, hash: eventHash, randomBytes: newNonce },
    wallUs: eventWorld.wallUs,
  });
  if (typeof credentials === "string") throw new Error(credentials);
  return credentials;
}

interface SimulatorParts {
  readonly data: StaticData;
  readonly credentials: LastingCredentials;
  readonly say: (line: string) => void;
}

/** What the scheduler itself obeys: the words for its log. [EMULAB-EVENTS 2.8 SIMULATOR] */
async function openSimulator(
  common: {
    readonly experiment: string;
    readonly bus: Bus;
    readonly sender: string;
    readonly clock: typeof systemClock;
  },
  { data, credentials, say }: SimulatorParts,
): Promise<void> {
  const agents = await data.agents();
  const own = agents.filter(({ objectType }) => objectType === "SIMULATOR");
  const perform = async ({ eventtype, args }: Order): Promise<Performed> => {
    const firedMonotonicUs = systemClock.nowUs();
    const word = { LOG: "log", MESSAGE: "msg", DEBUG: "debug" }[eventtype];
    if (word === undefined) {
      const outcome = `failed: event-sched does not perform SIMULATOR ${eventtype} (NOT_YET)`;
      return { firedMonotonicUs, outcome, done: Promise.resolve(-1) };
    }
    say(`${word}: ${args}`);
    return { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
  };
  await BusAgent.open({
    ...{ ...common, credentials, perform, clockName: readClockName(), onWarning: say },
    name: "__scheduler-ns",
    objects: own.map(({ name }) => name),
    fire: new TimerFireClock(systemClock),
  });
}

/** A file below its directory, or the stream that is named. @throws LogError */
function planOf(
  { pid, eid }: { readonly pid: string; readonly eid: string },
  { given, natsCreds }: PlanArguments,
  directory: string,
): PlanPlace {
  const name = given === undefined ? undefined : readPlanName(given, directory);
  return { experiment: `${pid}/${eid}`, name, natsCreds, file: join(directory, logName) };
}

/** One line each: `sequence`, `stampUs` and `entry`. */
async function printPlan(place: PlanPlace): Promise<void> {
  // Who opens one that is not there makes it.
  if (!(await hasPlan(place))) tellNone(place);
  const plan = await openPlan(place, systemClock);
  await readPlan(plan, (entry) => void process.stdout.write(`${JSON.stringify(entry)}\n`));
  await plan.log.close();
}

/** What was to be printed or removed is not there. */
function tellNone({ experiment, name, file }: PlanPlace): never {
  const where = "check both names, and the stream behind the address: nats://HOST:PORT/STREAM";
  const what = name === undefined ? `no log ${file}` : `no plan of ${experiment} there; ${where}`;
  performExit({ kind: "exit", code: noPlanCode, stderr: `event-sched: there is ${what}\n` });
}

/** Appends to the file, if one is named, what is printed otherwise. */
function openOutput(file: string | undefined): (line: string) => void {
  // Its reader is gone, or the disk is full.
  process.stdout.on("error", () => undefined);
  if (file === undefined) return lineOutput((line) => process.stdout.write(line));
  return lineOutput(
    (line) => appendFileSync(file, line, { mode: 0o640 }),
    (why) => process.stdout.write(`lines are missing in ${file}: ${why}; make room\n`),
  );
}

/** Each row is in the file at once. */
function openRecord(
  file: string | undefined,
  say: (line: string) => void,
): ((row: string) => void) | undefined {
  if (file === undefined) return undefined;
  const descriptor = openSync(file, "a", 0o640);
  // A scheduler that comes back goes on below what it wrote before.
  let isHeaded = fstatSync(descriptor).size > 0;
  return lineOutput(
    (row) => {
      if (!isHeaded || row !== `${recordHeader}\n`) writeSync(descriptor, row);
      isHeaded = true;
    },
    (why) => say(`rows are missing in ${file}: ${why}; make room`),
  );
}

/** To whoever started us and waits. */
function tellReady(): void {
  const descriptor = Number(process.env["MUSTER_READY_FD"] ?? "");
  if (!Number.isInteger(descriptor) || descriptor < 3) return;
  try {
    writeSync(descriptor, "ready\n");
    closeSync(descriptor);
  } catch {
    // The starter is gone; nobody is left to tell.
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = errorText(error);
  performExit({ kind: "exit", code: failureCode, stderr: `event-sched: ${message}\n` });
});
