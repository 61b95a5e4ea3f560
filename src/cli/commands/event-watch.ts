// SPDX-License-Identifier: MIT
// `muster event watch [EXPERIMENT]`: the events that go over the bus, as they come.

import { resolveStateDirectory } from "../../boss/state-directory.ts";
import { findBus } from "../../client/event-connection.ts";
import { splitExperiment } from "../../client/event-words.ts";
import { readEventServer } from "../../testbed/event-server-file.ts";
import { BusError } from "../../wire/event/bus.ts";
import { readClientTls } from "../client-tls.ts";
import { type EventWorld, eventAddress, eventWorld } from "../event-bus.ts";
import type { EventTlsArguments } from "../event-party.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { findKeptRuns } from "../kept-runs.ts";
import { printEvents } from "../print-events.ts";

export interface EventWatchArguments extends EventTlsArguments {
  /** null: all. */
  readonly experiment: string | null;
  readonly objname?: string;
  readonly objtype?: string;
  readonly eventtype?: string;
  readonly scheduled: boolean;
  readonly server?: string;
  readonly state?: string;
  readonly waitForServer: number;
  readonly json: boolean;
}

/** No bus, or no more. */
const unavailable = 69;

/** Resolves never; a signal ends it. @throws CommandError */
export async function eventWatchCommand(
  argv: EventWatchArguments,
  io: CommandIo,
  { runtime, connect, wallUs }: EventWorld = eventWorld,
): Promise<number> {
  const { objname, objtype, eventtype, scheduled, json } = argv;
  const found = argv.experiment === null ? undefined : findExperiment(argv.experiment, argv.state);
  const { experiment = null, directory } = found ?? {};
  const address = {
    ...(experiment === null ? {} : { expt: experiment }),
    ...(objname === undefined ? {} : { objname }),
    // Both are words in capitals wherever they come from.
    ...(objtype === undefined ? {} : { objtype: objtype.toUpperCase() }),
    ...(eventtype === undefined ? {} : { eventtype: eventtype.toUpperCase() }),
  };
  const url = eventAddress(
    argv.server,
    directory === undefined ? undefined : readEventServer(directory),
  );
  const tls = readClientTls({ ca: argv.ca, cert: argv.cert, key: argv.certKey });
  try {
    const lookForMs = argv.waitForServer * 1_000;
    const bus = await findBus({ connect: () => connect(url, tls), runtime, lookForMs });
    const name = "muster";
    return await printEvents({
      ...{ bus, address, scheduled, showsArgs: true, json, name, io, wallUs },
    });
  } catch (error) {
    if (error instanceof BusError) throw new CommandError(unavailable, error.message);
    throw error;
  }
}

interface Found {
  /** `pid/eid` */
  readonly experiment: string;
  /** Of its last run here. */
  readonly directory: string | undefined;
}

/** By `eid` alone only what is kept here. @throws CommandError */
function findExperiment(id: string, state: string | undefined): Found {
  const [run, another] = findKeptRuns(resolveStateDirectory(state, process.env), id);
  if (another !== undefined) {
    const message = `several projects have an experiment ${id}; give pid/eid`;
    throw new CommandError(exitCodes.usage, message);
  }
  if (run !== undefined) return { experiment: `${run.pid}/${run.eid}`, directory: run.directory };
  if (splitExperiment(id) !== undefined) return { experiment: id, directory: undefined };
  const message = `there is no experiment ${id} here; any other is named pid/eid`;
  throw new CommandError(exitCodes.usage, message);
}
