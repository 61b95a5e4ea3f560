// SPDX-License-Identifier: MIT
// `muster barrier init|wait|cancel|fail|ls|show`: barriers of a server, over a session of the
// client library. A wait outlives a lost connection; Ctrl-C takes it back.
import { sessionUrl } from "../../client/connect.ts";
import {
  type BarrierDescription,
  connect,
  MusterError,
  type MusterErrorCode,
  type PartyFacts,
  type Session,
  type WaitOptions,
} from "../../client/index.ts";
import { sessionTime } from "../../client/session-time.ts";
import { tlsPlatform } from "../../client/tls-platform.ts";
import type { BarrierKind } from "../../core/effect.ts";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { readClientTls } from "../client-tls.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { formatTable, harmless, joinNames } from "../output.ts";
import { readNamedFile } from "../small-file.ts";
import { StopSignals } from "../stop-signals.ts";
import type {
  ArrivalArguments,
  BarrierArguments,
  CancelArguments,
  FailArguments,
  InitArguments,
  WaitArguments,
} from "./barrier-arguments.ts";
import { handleOf, readArrival, readOrder } from "./barrier-kinds.ts";
import { tellOfOutages } from "./tell-outage.ts";

/** Exit statuses of `muster barrier` besides those of exit-codes.ts. */
export const barrierExitCodes = {
  /** The barrier was crossed, and somebody had brought an error number. */
  crossedWithError: 1,
  cancelled: 3,
  /** Somebody has failed it, or somebody died who must not. */
  failed: 4,
  /** No server answers, or it went away. */
  unavailable: 69,
  /** The token is not good, or not for this. */
  notAllowed: 77,
  /** As of timeout(1). */
  timedOut: 124,
} as const;

const defaultServer = "http://127.0.0.1:8470";

export function barrierInitCommand(argv: InitArguments, io: CommandIo): Promise<number> {
  const order = readOrder(argv);
  const act = async (session: Session, signal: AbortSignal): Promise<number> => {
    const { barrier } = argv;
    if (order.kind === "count" && argv.wait) {
      const handle = session.countBarrier(barrier);
      const wait = handle.initAndWait(order.count, { ...waitOf(argv), signal });
      return tellCrossing(argv, io, await throughOutages(wait, { io, signal }));
    }
    await throughOutages(order.give(session, signal), { io, signal });
    const outcome = order.kind === "count" ? "counted" : "open";
    say(argv, io, { outcome }, `${barrier}: ${order.text}`);
    return exitCodes.ok;
  };
  return withSession(argv, io, act, argv.timeout);
}

export function barrierWaitCommand(argv: WaitArguments, io: CommandIo): Promise<number> {
  const arrive = readArrival(argv, waitOf(argv));
  const act = async (session: Session, signal: AbortSignal): Promise<number> => {
    const wait = arrive(session, signal);
    return tellCrossing(argv, io, await throughOutages(wait, { io, signal }));
  };
  return withSession(argv, io, act, argv.timeout);
}

export function barrierCancelCommand(argv: CancelArguments, io: CommandIo): Promise<number> {
  return withSession(argv, io, async (session, signal) => {
    const { barrier, kind, error, reason } = argv;
    const why = reason === undefined ? {} : { reason };
    if (barrier === undefined) await session.cancelAll(error);
    else {
      const given = handleOf(session, kind, barrier).cancel(error, {
        signal,
        mustBeOpen: true,
        ...why,
      });
      await throughOutages(given, { io, signal });
    }
    const what = barrier ?? `all barriers of scope ${session.scope}`;
    say(argv, io, { outcome: "cancelled" }, `${what}: cancelled`);
    return exitCodes.ok;
  });
}

export function barrierFailCommand(argv: FailArguments, io: CommandIo): Promise<number> {
  return withSession(argv, io, async (session, signal) => {
    const { barrier, kind, error, reason } = argv;
    const given = handleOf(session, kind, barrier).fail(reason, { error, signal });
    await throughOutages(given, { io, signal });
    say(argv, io, { outcome: "failed" }, `${barrier}: failed`);
    return exitCodes.ok;
  });
}

export function barrierListCommand(argv: BarrierArguments, io: CommandIo): Promise<number> {
  return withSession(argv, io, async (session) => {
    const { barriers } = await session.describe();
    const head = ["BARRIER", "KIND", "ARRIVED", "EXPECTED", "GENERATION", "MISSING"];
    const rows = barriers.map(({ name, kind, arrived, expected, ...barrier }) => {
      const { generation, missing, arrivedBelow = 0 } = barrier;
      const numbers = [arrived + arrivedBelow, expected, generation].map(String);
      return [name, kind, ...numbers, joinNames(missing, 3)];
    });
    const none = `no barrier is open in scope ${session.scope}`;
    say(argv, io, barriers, rows.length === 0 ? none : formatTable([head, ...rows]).join("\n"));
    return exitCodes.ok;
  });
}

export function barrierShowCommand(
  argv: BarrierArguments & { readonly barrier: string; readonly kind?: BarrierKind },
  io: CommandIo,
): Promise<number> {
  return withSession(argv, io, async (session) => {
    const { barriers } = await session.describe(argv.barrier);
    const found = barriers.find(({ kind }) => kind === (argv.kind ?? kind));
    if (found === undefined) {
      const message = `no barrier ${argv.barrier} is open in scope ${session.scope}; see: muster barrier ls`;
      throw new CommandError(exitCodes.failed, message);
    }
    say(argv, io, found, describe(found));
    return exitCodes.ok;
  });
}

/** One outage ends a wait again and again, at each server that is tried. */
const sameOutageUs = 60_000_000;

/** A person at a terminal waits on while the server's log is away, and is told why. */
export async function throughOutages<Result>(
  wait: Promise<Result>,
  { io, signal }: { readonly io: CommandIo; readonly signal: AbortSignal },
  lastUs: number = Number.NEGATIVE_INFINITY,
): Promise<Result> {
  try {
    return await wait;
  } catch (error) {
    if (!(error instanceof MusterError) || error.resume === undefined) throw error;
    const nowUs = systemClock.nowUs();
    if (nowUs - lastUs > sameOutageUs) {
      io.stderr("muster: the server's log takes nothing; waiting on until it does again\n");
    }
    return throughOutages(error.resume(signal) as Promise<Result>, { io, signal }, nowUs);
  }
}

/** Less than this nobody gives a server that is there to answer. */
const connectMsMin = 500;

/**
 * Opens a session as the options say, and explains what goes wrong.
 * @param timeoutS whoever waits no longer does not wait longer for a server either
 * @throws CommandError
 */
export async function withSession(
  argv: BarrierArguments,
  io: CommandIo,
  act: (session: Session, signal: AbortSignal) => Promise<number>,
  timeoutS?: number,
): Promise<number> {
  const signals = new StopSignals();
  const signal = signals.interrupt;
  const { MUSTER_SERVER: server = defaultServer, MUSTER_SCOPE: scope } = process.env;
  const token = tokenOf(argv);
  const chosen = argv.scope ?? scope;
  const urls = checkServers(argv.server ?? server);
  const tls = readClientTls(argv);
  const outages = tellOfOutages(io, systemClock, sessionTime.leaseMs);
  try {
    await using session = await connect(urls, {
      signal,
      platform: tlsPlatform(tls),
      onLink: outages.onLink,
      ...(timeoutS === undefined ? {} : { connectTimeoutMs: connectMsOf(timeoutS) }),
      ...(token === undefined ? {} : { token }),
      ...(chosen === undefined ? {} : { scope: chosen }),
    });
    return await act(session, signal);
  } catch (error) {
    if (signals.exitStatus !== undefined) return signals.exitStatus;
    throw explain(error, argv, io);
  } finally {
    outages.end();
    signals.dispose();
  }
}

function connectMsOf(timeoutS: number): number {
  return Math.min(sessionTime.connectMs, Math.max(connectMsMin, Math.ceil(timeoutS * 1_000)));
}

/** One, or several of one log, parted by commas. */
function checkServers(servers: string): readonly string[] {
  try {
    const urls = servers.split(",").map((url) => url.trim());
    for (const url of urls) sessionUrl(url);
    return urls;
  } catch (error) {
    const text = errorText(error);
    throw new CommandError(exitCodes.usage, `--server: ${text}`);
  }
}

function tokenOf({ tokenFile }: BarrierArguments): string | undefined {
  if (tokenFile !== undefined) return readNamedFile(tokenFile).trim();
  const { MUSTER_TOKEN: token = "" } = process.env;
  return token === "" ? undefined : token;
}

/** A program of a run has a name there. */
function waitOf({ name: given, error, timeout }: Omit<ArrivalArguments, "kind">): WaitOptions {
  const name = given ?? process.env["MUSTER_PARTICIPANT"];
  return {
    error,
    ...(name === undefined ? {} : { name }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
  };
}

function tellCrossing(
  argv: Omit<ArrivalArguments, "kind">,
  io: CommandIo,
  crossing: { readonly generation: number; readonly error: number },
): number {
  const { error } = crossing;
  const text = `${argv.barrier}: crossed${error === 0 ? "" : ` with error ${error}`}`;
  say(argv, io, { outcome: "crossed", ...crossing }, text);
  return error === 0 ? exitCodes.ok : barrierExitCodes.crossedWithError;
}

export function say({ json }: BarrierArguments, io: CommandIo, value: unknown, text: string): void {
  if (json) io.stdout(`${JSON.stringify(value, null, 2)}\n`);
  else io.stdout(`${text.split("\n").map(harmless).join("\n")}\n`);
}

function describe(barrier: BarrierDescription): string {
  const { name, scope, expected, waiting, missing, error, state, roster } = barrier;
  const { arrivedBelow: below = 0 } = barrier;
  const arrived = barrier.arrived + below;
  // A count that nobody has initialised expects nobody yet; a state never does.
  const of = expected === 0 ? "" : ` of ${expected}`;
  return [
    `${name} of scope ${scope}: ${arrived}${of} ${arrived === 1 ? "is" : "are"} there`,
    ...(below === 0 ? [] : [`  at controllers below: ${below}`]),
    ...waiting.map(({ who }) => `  waits: ${who.name ?? "anonymous"}, from ${who.address}`),
    ...missing.map((text) => `  missing: ${text}`),
    ...(state === undefined ? [] : [`  signals so far: ${state.value}`]),
    ...(roster === undefined
      ? []
      : [`  phase ${roster.phase} of ${roster.rules.phases || "many"}`]),
    ...(error === 0 ? [] : [`  error so far: ${error}`]),
  ].join("\n");
}

const statuses: Readonly<Record<MusterErrorCode, number>> = {
  invalid: exitCodes.failed,
  limit: exitCodes.failed,
  unknown: exitCodes.failed,
  ended: barrierExitCodes.unavailable,
  unavailable: barrierExitCodes.unavailable,
  unauthorized: barrierExitCodes.notAllowed,
  forbidden: barrierExitCodes.notAllowed,
  timeout: barrierExitCodes.timedOut,
  cancelled: barrierExitCodes.cancelled,
  failed: barrierExitCodes.failed,
};

/** With `--json` what is known of an end is on standard output, too. */
function explain(error: unknown, { json }: BarrierArguments, io: CommandIo): unknown {
  if (!(error instanceof MusterError)) return error;
  const { code, missing, parties, reason } = error;
  const advice = code === "unauthorized" ? " (here: in MUSTER_TOKEN, or --token-file)" : "";
  const text = `${inWordsOfCommands(error.message)}${advice}`;
  const exitCode = statuses[code];
  if (json) {
    const end = { outcome: code, text, exitCode, missing, reason, parties };
    io.stdout(`${JSON.stringify(end, null, 2)}\n`);
  }
  return new CommandError(exitCode, [text, ...describeParties(parties)].join("\n"));
}

/** A command has no session to open: it is given again. */
export function inWordsOfCommands(message: string): string {
  const help = "run it again, or name all servers of the log with --server URL,URL";
  return message.replace(
    /for longer than the lease \((\d+) ms\); open a new session$/,
    (_, leaseMs) => `for ${Number(leaseMs) / 1_000} s, and this command has given up; ${help}`,
  );
}

/** `  there: a for 3.2 s`, and the same for those who are missing or dead. */
function describeParties(parties: MusterError["parties"]): readonly string[] {
  if (parties === undefined) return [];
  const { arrived, missing, dead } = parties;
  const line = (head: string, facts: readonly PartyFacts[], how: string): readonly string[] =>
    facts.length === 0
      ? []
      : [
          `  ${head}: ${joinNames(
            facts.map((one) => describeParty(one, how)),
            10,
          )}`,
        ];
  return [
    ...line("there", arrived, "for"),
    ...missing.filter(isOpener).map(({ forMs }) => `  nobody has opened it in ${inSeconds(forMs)}`),
    ...line(
      "missing",
      missing.filter((one) => !isOpener(one)),
      "expected for",
    ),
    ...line("dead", dead, "for"),
  ].map(harmless);
}

function describeParty({ name, group, forMs, reason }: PartyFacts, how: string): string {
  const whole = group === undefined ? name : `${name} of ${group}`;
  const why = reason === undefined ? "" : ` (${reason})`;
  return `${whole}${why} ${how} ${inSeconds(forMs)}`;
}

/** At a count that nobody has initialised it is no party that is missing. */
function isOpener({ name }: PartyFacts): boolean {
  return name.startsWith("somebody to open it for ");
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
