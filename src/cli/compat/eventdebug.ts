// SPDX-License-Identifier: MIT
// The program eventdebug: prints every event that goes over a bus, until it is ended.
// [EMULAB-EVENTS 7.6]

import { eventPorts, resolveEventAddress } from "../../client/event-address.ts";
import { BusError } from "../../wire/event/bus.ts";
import { oldEventWorld } from "../event-bus.ts";
import { processIo } from "../io.ts";
import { printEvents } from "../print-events.ts";
import { parseEventdebugArguments } from "./eventdebug-arguments.ts";
import { type Exit, performExit } from "./exit.ts";

async function main(args: readonly string[]): Promise<Exit> {
  const given = parseEventdebugArguments(args);
  if (given.kind === "exit") return given;
  const { isTestbed, experiment, scheduled, showsArgs, json } = given;
  const url = resolveEventAddress(given, {
    environment: isTestbed ? undefined : process.env["MUSTER_EVENTS"],
    server: "localhost",
    port: isTestbed ? eventPorts.testbed : eventPorts.experiments,
  });
  if (url === undefined) {
    const stderr = "eventdebug: -s or MUSTER_EVENTS is no host; give HOST, HOST:PORT\n";
    return { kind: "exit", code: 1, stderr };
  }
  try {
    const bus = await oldEventWorld.connect(url);
    const address = experiment === undefined ? {} : { expt: experiment };
    const name = "eventdebug";
    return await printEvents({
      ...{ bus, address, scheduled, showsArgs, json, name },
      io: processIo,
      wallUs: oldEventWorld.wallUs,
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return { kind: "exit", code: 1, stderr: `eventdebug: ${error.message}\n` };
  }
}

performExit(await main(process.argv.slice(2)));
