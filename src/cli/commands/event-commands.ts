// SPDX-License-Identifier: MIT
// Names the commands of events and their options: `muster event send`, `muster event watch`. Each
// command's code is loaded only when it is called.
import { type Command, InvalidArgumentError } from "commander";
import { processIo } from "../io.ts";
import type { EventSendArguments } from "./event-send.ts";
import type { EventWatchArguments } from "./event-watch.ts";

type SetExit = (code: number) => void;

const serverOption = [
  "--server <host>",
  "where the bus of events is, HOST[:PORT] or a URL (default: $MUSTER_EVENTS, else localhost:2917)",
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
  addWatch(event, setExit);
}

function addSend(event: Command, setExit: SetExit): void {
  event
    .command("send")
    .description("send an event to an object of an experiment, and say what becomes of it")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<object>", "program, link, traffic generator, node, sequence, timeline, group ...")
    .argument("<event>", "start, stop, run, set, up, down ...")
    .argument("[args...]", "key=value of the event")
    .option("--at <time>", "now, +SECONDS, or [[[[yy]mm]dd]HH]MMss in local time", "now")
    .option("--timeline <name>", "append it to a timeline or sequence instead")
    .option("--wait", "wait until it is completed, and fail if that was with an error", false)
    .option("--timeout <s>", "with --wait: give up after so many seconds; 0: never", seconds, 0)
    .option("--key <file>", "key of the experiment (default: that of its last run here)")
    .option(...serverOption)
    .option("--wait-for-server <s>", "look for the bus for so many seconds", seconds, 0)
    .option(...stateOption)
    .option("--json", "print the outcome, whatever it is, as JSON", false)
    .action(
      async (
        id: string,
        object: string,
        word: string,
        words: readonly string[],
        options: Omit<EventSendArguments, "id" | "object" | "word" | "words">,
      ) => {
        const { eventSendCommand } = await import("./event-send.ts");
        setExit(await eventSendCommand({ id, object, word, words, ...options }, processIo));
      },
    );
}

function addWatch(event: Command, setExit: SetExit): void {
  event
    .command("watch")
    .description("print the events that go over the bus, with their arguments, until ended")
    .argument("[experiment]", "pid/eid; all of them when left out")
    .option("--objname <names>", "only of these objects, parted by commas")
    .option("--objtype <types>", "only of these types of objects, e.g. PROGRAM,LINK")
    .option("--eventtype <types>", "only these events, e.g. START,COMPLETE")
    .option("--scheduled", "also requests that a scheduler is to hold", false)
    .option(...serverOption)
    .option("--wait-for-server <s>", "look for the bus for so many seconds", seconds, 0)
    .option("--json", "print one JSON object a line", false)
    .action(
      async (experiment: string | undefined, options: Omit<EventWatchArguments, "experiment">) => {
        const { eventWatchCommand } = await import("./event-watch.ts");
        setExit(await eventWatchCommand({ experiment: experiment ?? null, ...options }, processIo));
      },
    );
}

/** What the timers of the platform can wait: 24 days. */
const secondsMax = 2_000_000;

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= secondsMax) return value;
  throw new InvalidArgumentError(`It must be a number of seconds from 0 to ${secondsMax}.`);
}
