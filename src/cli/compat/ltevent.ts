// SPDX-License-Identifier: MIT
// The program ltevent: sends an event to the linktest of an experiment (`-x`), or prints those that
// go over its bus, `EVENT ARGS` a line, until it is ended (`-w`). [LINKTEST 7]
import { answerTypes, sendEvent } from "../../client/event-request.ts";
import { watchEvents } from "../../client/event-watch.ts";
import { formatEventArguments, parseEventWord } from "../../client/event-words.ts";
import { linktestObject } from "../../client/linktest-request.ts";
import { BusError } from "../../wire/event/bus.ts";
import { attributeNames, getText } from "../../wire/event/notification.ts";
import { eventWorld, senderAddress, splitTime } from "../event-bus.ts";
import { describeOutcome } from "../event-outcome.ts";
import { harmless } from "../output.ts";
import { type Exit, helpFor, performExit } from "./exit.ts";
import { Getopt, scanInteger } from "./getopt.ts";
import { type LinktestParty, openLinktestPlace } from "./linktest-place.ts";

const failed = 1;
/** The scheduler's answers, which the old one did not give. */
const eventtypesOfOurs: readonly string[] = Object.values(answerTypes);
const usage =
  "Usage: ltevent [-s server] [-p port] [-k keyfile] -e pid/eid -w\n" +
  "       ltevent [-s server] [-p port] [-k keyfile] -e pid/eid -x event [args ...]\n" +
  "  -w   print the events of the linktest, until ended\n" +
  "  -x   send one: START STARTAT=1 STOPAT=3, KILL\n";

async function main(argv: readonly string[]): Promise<Exit> {
  const help = helpFor(argv, usage);
  if (help !== undefined) return help;
  const getopt = new Getopt(argv, { flags: "wd", valued: "espkx", longFlags: [], longValued: [] });
  const given = getopt.readAll("ltevent");
  if (typeof given === "string") return refuse(`${given}\n${usage}`);
  const word = given.get("x");
  if (given.has("w") === (word !== undefined)) return refuse(`give -w or -x event\n${usage}`);
  const eventtype = word === undefined ? undefined : parseEventWord(word);
  if (word !== undefined && eventtype === undefined) return refuse(`there is no event ${word}\n`);
  const port = given.has("p") ? scanInteger(given.get("p") ?? "") : undefined;
  if (given.has("p") && !(Number(port) > 0)) return refuse("-p takes a port\n");
  const place = { experiment: given.get("e"), server: given.get("s"), keyFile: given.get("k") };
  const party = await openLinktestPlace({ ...place, port });
  if (typeof party === "string") return refuse(`${party}\n`);
  if (eventtype === undefined) return await watch(party);
  return await send(party, eventtype, formatEventArguments(getopt.rest));
}

async function watch({ bus, experiment: expt, credentials }: LinktestParty): Promise<Exit> {
  try {
    const watching = await watchEvents({
      ...{ bus, scheduled: false, address: { expt, objname: linktestObject } },
      onNotification(notification) {
        if (!credentials.verify(notification)) return;
        const event = getText(notification, attributeNames.eventtype) ?? "";
        if (eventtypesOfOurs.includes(event)) return;
        const args = getText(notification, attributeNames.args) ?? "";
        // One line each, whatever is in it.
        process.stdout.write(`${harmless(`${event} ${args}`.trimEnd())}\n`);
      },
      onGap: () => process.stderr.write("ltevent: some events were missed\n"),
    });
    return await watching.ended;
  } catch (error) {
    if (error instanceof BusError) return refuse(`${error.message}\n`);
    throw error;
  }
}

async function send(party: LinktestParty, eventtype: string, args: string): Promise<Exit> {
  const { bus, credentials, experiment } = party;
  const at = splitTime(eventWorld.wallUs());
  const request = { experiment, objname: linktestObject, eventtype, args, at };
  const outcome = await sendEvent({
    ...{ bus, credentials, request, runtime: eventWorld.runtime, asks: true, waits: false },
    sender: senderAddress(process.env),
  });
  bus.close();
  if (outcome.kind === "accepted") return { kind: "exit", code: 0 };
  return refuse(`${harmless(describeOutcome(outcome, { request, timeoutS: undefined }))}\n`);
}

function refuse(text: string): Exit {
  return { kind: "exit", code: failed, stderr: `ltevent: ${text}` };
}

performExit(await main(process.argv.slice(2)));
