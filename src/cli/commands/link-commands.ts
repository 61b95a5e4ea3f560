// SPDX-License-Identifier: MIT
// Names the commands of links: `muster link show`, `set`, `up`, `down`, `reset`. Those that change
// a link send the event that their name says, so that who hears of it, and when, is as with every
// event.
import { type Command, InvalidArgumentError } from "commander";
import { formatLinkArgs } from "../../network/link-words.ts";
import { eventInstantForms } from "../event-instant.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, processIo, withJsonFailure } from "../io.ts";
import { addPlace, type PlaceOptions } from "./event-commands.ts";
import type { LinkCaptureArguments } from "./link-capture.ts";
import type { LinkShowArguments } from "./link-show.ts";

type SetExit = (code: number) => void;

interface LinkOptions extends PlaceOptions {
  readonly at: string;
  readonly node?: string;
}

const descriptions = {
  up: "let packets through again, as the link was set meanwhile",
  down: "lose all packets of a link; its interfaces and routes stay",
  reset: "make a link what its file asks for, and up",
} as const;

/** Adds the commands to `muster`. */
export function registerLinkCommands(program: Command, setExit: SetExit): void {
  const link = program
    .command("link")
    .description("show and change the links of an experiment that is up, without losing a packet");
  addShow(link, setExit);
  addCapture(link, setExit);
  const set = addObject(link.command("set").description("change some of what a link does"))
    .usage("[options] <id> <link> <settings...>")
    .argument("[settings...]", "bandwidth=10Mb delay=20ms jitter=2ms loss=1% queue=50 ...")
    .option("--node <name>", "only the way from this end of a link, or this member of a LAN");
  addPlace(set).action(
    async (id: string, name: string, settings: readonly string[], options: LinkOptions) => {
      if (settings.length === 0) throw new CommandError(exitCodes.usage, missingWord(name));
      const formatted = formatLinkArgs(settings, options.node === undefined);
      if ("problem" in formatted) throw new CommandError(exitCodes.usage, formatted.problem);
      const words = formatted.args.split(" ");
      setExit(await send({ id, name, word: "modify", words, options }));
    },
  );
  for (const word of ["up", "down", "reset"] as const) {
    const command = addObject(link.command(word).description(descriptions[word])).option(
      "--node <name>",
      "only this member of a LAN",
    );
    addPlace(command).action(async (id: string, name: string, options: LinkOptions) => {
      setExit(await send({ id, name, word, words: [], options }));
    });
  }
}

/** Of a command line with two words behind `set`. */
function missingWord(second: string): string {
  const line = "muster link set ID LINK NAME=VALUE...";
  return second.includes("=")
    ? `${second} stands where the link is to be: ${line}; muster status lists the experiments`
    : `there is nothing to set: ${line}, such as delay=20ms`;
}

function addShow(link: Command, setExit: SetExit): void {
  link
    .command("show")
    .description("show what links are asked for, what they are, and what became of their packets")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("[link]", "one of them")
    .option(
      "--state <dir>",
      "where the experiments are kept (default: $MUSTER_STATE, else ~/.local/state/muster)",
    )
    .option("--json", "print it as JSON", false)
    .action(async (id: string, name: string | undefined, options: ShowOptions) => {
      const { linkShowCommand } = await import("./link-show.ts");
      const work = () => linkShowCommand({ id, link: name ?? null, ...options }, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    });
}

function addCapture(link: Command, setExit: SetExit): void {
  link
    .command("capture")
    .description("write the packets of one end of a link to a pcap file, until Ctrl-C")
    .argument("<id>", "pid/eid, or eid, of a run of yours that is under way")
    .argument("<link>", "a link or LAN of it")
    .option("--node <name>", "at this member (default: the first)")
    .option("--out <file>", "where to write (default: LINK-NODE.pcap)")
    .option("--count <n>", "end after so many packets", positive)
    .option("--seconds <s>", "end after so many seconds", positive)
    .option("--json", "print what was captured as JSON", false)
    .action(async (id: string, name: string, options: CaptureOptions) => {
      const { linkCaptureCommand } = await import("./link-capture.ts");
      const { count = 0, seconds = 0, ...rest } = options;
      const argv = { id, link: name, count, seconds, ...rest };
      const work = () => linkCaptureCommand(argv, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    });
}

type CaptureOptions = Omit<LinkCaptureArguments, "id" | "link" | "count" | "seconds"> & {
  readonly count?: number;
  readonly seconds?: number;
};

/** Seconds that a timer of the platform can wait, and more packets than a file has room for. */
const numberMax = 2_000_000;

function positive(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= numberMax) return value;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${numberMax}.`);
}

type ShowOptions = Omit<LinkShowArguments, "id" | "link">;

function addObject(command: Command): Command {
  return command
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<link>", "a link or LAN of it, or a group of them")
    .option("--at <time>", eventInstantForms, "now");
}

interface LinkOrder {
  readonly id: string;
  readonly name: string;
  readonly word: string;
  readonly words: readonly string[];
  readonly options: LinkOptions;
}

async function send({ id, name, word, words, options }: LinkOrder): Promise<number> {
  const { eventSendCommand } = await import("./event-send.ts");
  const { node, ...place } = options;
  const object = node === undefined ? name : `${name}-${node}`;
  // Only who performs it knows whether the link can do that; what is for later is not waited for.
  const wait = options.at === "now" ? "briefly" : false;
  const order = { id, object, word, words, wait, timeout: 0, ...place } as const;
  return withJsonFailure(processIo, options.json, () => eventSendCommand(order, processIo));
}
