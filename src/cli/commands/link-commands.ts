// SPDX-License-Identifier: MIT
// Names the commands of links: `muster link set`, `up`, `down`, `reset`. Each sends the event that
// its name says, so that who hears of it, and when, is as with every event.
import type { Command } from "commander";
import { formatLinkArgs } from "../../network/link-words.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, processIo, withJsonFailure } from "../io.ts";
import { addPlace, type PlaceOptions } from "./event-commands.ts";

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
    .description("change the links of an experiment that is up, without losing a packet");
  const set = addObject(link.command("set").description("change some of what a link does"))
    .argument("<settings...>", "bandwidth=10Mb delay=20ms jitter=2ms loss=1% queue=50 ...")
    .option("--node <name>", "only the way from this end of a link, or this member of a LAN");
  addPlace(set).action(
    async (id: string, name: string, settings: readonly string[], options: LinkOptions) => {
      const formatted = formatLinkArgs(settings);
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

function addObject(command: Command): Command {
  return command
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<link>", "a link or LAN of it, or a group of them")
    .option("--at <time>", "now, +SECONDS, or [[[[yy]mm]dd]HH]MMss in local time", "now");
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
  const order = { id, object, word, words, wait: false, timeout: 0, ...place };
  return withJsonFailure(processIo, options.json, () => eventSendCommand(order, processIo));
}
