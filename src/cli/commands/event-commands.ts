// SPDX-License-Identifier: MIT
// Names the commands of events and their options: `muster event send`, `ls`, `cancel` ... Each
// command's code is loaded only when it is called.
import { type Command, InvalidArgumentError } from "commander";
import { eventInstantForms } from "../event-instant.ts";
import type { EventTlsArguments } from "../event-party.ts";
import { processIo, withJsonFailure } from "../io.ts";
import type { EventSendArguments } from "./event-send.ts";
import type { EventWatchArguments } from "./event-watch.ts";

type SetExit = (code: number) => void;

const serverOption = [
  "--server <host>",
  "where the bus of events is, HOST[:PORT] or a URL (default: $MUSTER_EVENTS, the run's, localhost)",
] as const;
const stateOption = [
  "--state <dir>",
  "where the experiments are kept (default: $MUSTER_STATE, else ~/.local/state/muster)",
] as const;

/** Adds the commands to `muster`. */
export function registerEventCommands(program: Command, setExit: SetExit): void {
  const event = program
    .command("event")
    .description("send events to experiments, and watch those that are sent");
  addSend(event, setExit);
  addAt(event, setExit);
  addList(event, setExit);
  addCancel(event, setExit);
  addEdit(event, setExit);
  addTime(event, setExit);
  addWatch(event, setExit);
}

function addSend(event: Command, setExit: SetExit): void {
  const command = event
    .command("send")
    .description("send an event to an object of an experiment, and say what becomes of it")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<object>", "program, link, traffic generator, node, sequence, timeline, group ...")
    .argument("<event>", "start, stop, run, set, up, down ...")
    .argument("[args...]", "key=value of the event")
    .option("--at <time>", eventInstantForms, "now")
    .option("--timeline <name>", "append it to a timeline or sequence instead")
    .option("--wait", "wait until it is completed, and fail if that was with an error", false)
    .option("--timeout <s>", "with --wait: give up after so many seconds; 0: never", seconds, 0);
  addPlace(command).action(
    async (
      id: string,
      object: string,
      word: string,
      words: readonly string[],
      options: Omit<EventSendArguments, "id" | "object" | "word" | "words">,
    ) => {
      const { eventSendCommand } = await import("./event-send.ts");
      const work = () => eventSendCommand({ id, object, word, words, ...options }, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    },
  );
}

function addAt(event: Command, setExit: SetExit): void {
  const command = event
    .command("at")
    .description("plan an event of an experiment for a time; send --at with the time first")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<time>", eventInstantForms)
    .argument("<object>", "program, link, traffic generator, node, sequence, timeline, group ...")
    .argument("<event>", "start, stop, run, set, up, down ...")
    .argument("[args...]", "key=value of the event");
  addPlace(command).action(
    async (
      id: string,
      at: string,
      object: string,
      word: string,
      words: readonly string[],
      options: PlaceOptions,
    ) => {
      const { eventSendCommand } = await import("./event-send.ts");
      const argv = { id, at, object, word, words, wait: false, timeout: 0, ...options };
      const work = () => eventSendCommand(argv, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    },
  );
}

function addList(event: Command, setExit: SetExit): void {
  const command = event
    .command("ls")
    .description("list the events that are planned or under way, in order of time")
    .argument("<id>", "pid/eid, or eid where only one project has it");
  addPlace(command).action(async (id: string, options: PlaceOptions) => {
    const { eventListCommand } = await import("./event-control.ts");
    const work = () => eventListCommand({ id, ...options }, processIo);
    setExit(await withJsonFailure(processIo, options.json, work));
  });
}

function addCancel(event: Command, setExit: SetExit): void {
  const command = event
    .command("cancel")
    .description("take an event back that has not fired; fails if it has")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<number>", "of the event, as in muster event ls", eventNumber);
  addPlace(command).action(async (id: string, number: number, options: PlaceOptions) => {
    const { eventCancelCommand } = await import("./event-control.ts");
    const work = () => eventCancelCommand({ id, number, ...options }, processIo);
    setExit(await withJsonFailure(processIo, options.json, work));
  });
}

function addEdit(event: Command, setExit: SetExit): void {
  const command = event
    .command("edit")
    .description("change the time or the arguments of an event that has not fired")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<number>", "of the event, as in muster event ls", eventNumber)
    .option("--at <time>", `@SECONDS after time 0, ${eventInstantForms}`)
    .option("--args <words...>", "key=value, in place of all that it has");
  addPlace(command).action(
    async (
      id: string,
      number: number,
      options: PlaceOptions & { readonly at?: string; readonly args?: readonly string[] },
    ) => {
      const { eventEditCommand } = await import("./event-control.ts");
      const work = () => eventEditCommand({ id, number, ...options }, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    },
  );
}

function addTime(event: Command, setExit: SetExit): void {
  const descriptions = {
    pause: "let event time stand still: nothing planned fires until it is resumed",
    resume: "let event time go on",
    replay: "begin again at time 0, with the events of the file",
  } as const;
  for (const what of ["pause", "resume", "replay"] as const) {
    const command = event
      .command(what)
      .description(descriptions[what])
      .argument("<id>", "pid/eid, or eid where only one project has it");
    addPlace(command).action(async (id: string, options: PlaceOptions) => {
      const { eventTimeCommand } = await import("./event-control.ts");
      const work = () => eventTimeCommand({ id, what, ...options }, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    });
  }
}

export type PlaceOptions = Pick<
  EventSendArguments,
  "key" | "server" | "waitForServer" | "state" | "json" | keyof EventTlsArguments
>;

/** Of a server that speaks TLS, as of muster barrier; --key is the experiment's here. */
function addTls(command: Command): Command {
  return command
    .option("--ca <file>", "certificate that has signed the server's (default: $MUSTER_CA)")
    .option("--cert <file>", "certificate to show, with its key (PEM) (default: $MUSTER_CERT)")
    .option("--cert-key <file>", "its key, when it is in another file");
}

/** How the scheduler is found, and the form of what is printed. */
export function addPlace(command: Command): Command {
  return addTls(command)
    .option("--key <file>", "key of the experiment (default: that of its last run here)")
    .option(...serverOption)
    .option("--wait-for-server <s>", "look for the bus for so many seconds", seconds, 0)
    .option(...stateOption)
    .option("--json", "print the outcome, whatever it is, as JSON", false);
}

function addWatch(event: Command, setExit: SetExit): void {
  addTls(event.command("watch"))
    .description("print the events that go over the bus, with their arguments, until ended")
    .argument("[experiment]", "pid/eid, or eid as elsewhere; all of them when left out")
    .option("--objname <names>", "only of these objects, parted by commas")
    .option("--objtype <types>", "only of these types of objects, e.g. PROGRAM,LINK")
    .option("--eventtype <types>", "only these events, e.g. START,COMPLETE")
    .option("--scheduled", "also requests that a scheduler is to hold", false)
    .option(...serverOption)
    .option(...stateOption)
    .option("--wait-for-server <s>", "look for the bus for so many seconds", seconds, 0)
    .option("--json", "print one JSON object a line", false)
    .action(
      async (experiment: string | undefined, options: Omit<EventWatchArguments, "experiment">) => {
        const { eventWatchCommand } = await import("./event-watch.ts");
        setExit(await eventWatchCommand({ experiment: experiment ?? null, ...options }, processIo));
      },
    );
}

function eventNumber(text: string): number {
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError("It must be the number of an event; muster event ls shows them.");
}

/** What the timers of the platform can wait: 24 days. */
const secondsMax = 2_000_000;

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= secondsMax) return value;
  throw new InvalidArgumentError(`It must be a number of seconds from 0 to ${secondsMax}.`);
}
