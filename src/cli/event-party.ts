// SPDX-License-Identifier: MIT
// What every command needs that speaks to the scheduler of an experiment: which experiment is
// meant, its key, its bus, and the exit statuses for what is missing of them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { resolveStateDirectory } from "../boss/state-directory.ts";
import { type ConnectedBus, findBus } from "../client/event-connection.ts";
import { createCredentials, type EventCredentials } from "../client/event-credentials.ts";
import { splitExperiment } from "../client/event-words.ts";
import { eventHash } from "../host/event-hash.ts";
import { readEventServer } from "../testbed/event-server-file.ts";
import { BusError } from "../wire/event/bus.ts";
import { readClientTls } from "./client-tls.ts";
import { type EventWorld, eventAddress } from "./event-bus.ts";
import { findKey, keyFile, ownKeyFiles } from "./event-key.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";
import { findKeptRuns } from "./kept-runs.ts";
import { besides, runsNamed, runsUnderWay, severalRuns } from "./living-runs.ts";

/** Files for a server that speaks TLS. */
export interface EventTlsArguments {
  /** Who has signed its certificate. */
  readonly ca?: string;
  /** What is shown, with its key in the same file or in another. */
  readonly cert?: string;
  readonly certKey?: string;
}

/** What a command line says of them. */
export interface EventPartyArguments extends EventTlsArguments {
  /** `pid/eid`, or `eid` where only one project has it. */
  readonly id: string;
  readonly key?: string;
  readonly server?: string;
  readonly waitForServer: number;
  readonly state?: string;
}

/** Exit statuses of these commands besides those of exit-codes.ts; sysexits.h has the numbers. */
export const eventExitCodes = {
  /** No bus, no scheduler, or no word from it. */
  unavailable: 69,
  /** Not completed in time. */
  timeout: 75,
} as const;

export interface EventParty {
  readonly pid: string;
  readonly eid: string;
  /** Directory of its last run here. */
  readonly directory: string | undefined;
}

/**
 * One that is kept here, one of a run under way, or another by its full name. @throws CommandError
 */
export function findParty(argv: EventPartyArguments): EventParty {
  const { id, state: given } = argv;
  const state = resolveStateDirectory(given, process.env);
  const [run, another] = findKeptRuns(state, id);
  if (another !== undefined) {
    const message = `several projects have an experiment ${id}; give pid/eid`;
    throw new CommandError(exitCodes.usage, message);
  }
  if (run === undefined || isDown(run.directory)) {
    const living = findLivingParty(argv);
    if (living !== undefined) return living;
  }
  const names = run ?? splitExperiment(id);
  if (names === undefined) {
    const what = `there is no experiment ${id} in ${state.path}`;
    const help = "muster status lists those that are, any other is named pid/eid";
    const message = `${what}; ${help}${besides(runsUnderWay())}`;
    throw new CommandError(exitCodes.noInput, message);
  }
  const { pid, eid } = names;
  return { pid, eid, directory: run?.directory };
}

/**
 * A run of this user that is under way on this machine, as `muster exec` finds it; not for who says
 * where the bus is, as programs of runs do. @throws CommandError
 */
function findLivingParty({ id, server }: EventPartyArguments): EventParty | undefined {
  if (server !== undefined || process.env["MUSTER_EVENTS"] !== undefined) return undefined;
  const found = runsNamed(id).filter(({ out }) => out !== undefined);
  const [run] = found;
  if (run === undefined) return undefined;
  if (found.length > 1) throw severalRuns(`${id} is several runs that are under way`, found);
  const names = splitExperiment(run.experiment);
  return names === undefined ? undefined : { ...names, directory: run.out };
}

/** @throws CommandError */
export function findCredentials(
  { key: given }: EventPartyArguments,
  { pid, eid, directory }: EventParty,
  { wallUs, runtime }: EventWorld,
): EventCredentials {
  const kept = directory === undefined ? [] : [join(directory, "proj", keyFile)];
  const others = [...kept, ...ownKeyFiles({ pid, eid }, process.env)];
  const found = findKey({ pid, eid, others, keyFile: given });
  const name = `${pid}/${eid}`;
  if (found.kind === "unreadable") {
    const help = "is it up, or a run of yours under way? --key names the file of its key";
    const living = directory === undefined && given === undefined ? runsUnderWay() : [];
    const message = `cannot read the key of ${name}, ${found.path}: ${found.reason}; ${help}${besides(living)}`;
    throw new CommandError(exitCodes.noInput, message);
  }
  if (found.kind === "unusable") throw new CommandError(exitCodes.noInput, found.message);
  const { randomBytes } = runtime;
  const credentials = createCredentials({
    ...{ experiment: name, key: found.bytes, hash: eventHash, wallUs, randomBytes },
  });
  if (typeof credentials !== "string") return credentials;
  throw new CommandError(exitCodes.noInput, credentials);
}

/** Whether its last run here is over, and the bus that is asked would have been that run's. */
function isDown(directory: string | undefined): boolean {
  if (directory === undefined || process.env["MUSTER_EVENTS"] !== undefined) return false;
  return existsSync(join(directory, "result.json"));
}

/** Lends the bus of the experiment, and gives it back. @throws CommandError when there is none */
export async function withEventBus<Result>(
  { server, waitForServer, ca, cert, certKey: key }: EventPartyArguments,
  { pid, eid, directory }: EventParty,
  { runtime, connect }: EventWorld,
  use: (bus: ConnectedBus) => Promise<Result>,
): Promise<Result> {
  const url = eventAddress(
    server,
    directory === undefined ? undefined : readEventServer(directory),
  );
  const tls = readClientTls({ ca, cert, key });
  try {
    const lookForMs = waitForServer * 1_000;
    const bus = await findBus({ connect: () => connect(url, tls), runtime, lookForMs });
    try {
      return await use(bus);
    } finally {
      bus.close();
    }
  } catch (error) {
    if (error instanceof BusError) {
      if (error.code === "unavailable" && server === undefined && isDown(directory)) {
        const message = `${pid}/${eid} is swapped out; bring it up with: muster up FILE`;
        throw new CommandError(eventExitCodes.unavailable, message);
      }
      throw new CommandError(eventExitCodes.unavailable, error.message);
    }
    throw error;
  }
}
