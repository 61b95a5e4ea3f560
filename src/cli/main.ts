// SPDX-License-Identifier: MIT
// The `muster` command: names the commands and their options; each command's code is loaded only
// when it is called.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { printable } from "../core/text.ts";
import { networkLimits } from "../network/network-limits.ts";
import { collect } from "./collect.ts";
import { registerBossCommands } from "./commands/boss-commands.ts";
import { registerCertCommands } from "./commands/cert-options.ts";
import type { ConvertArguments } from "./commands/convert.ts";
import { registerDoorCommands } from "./commands/door-commands.ts";
import { registerEventCommands } from "./commands/event-commands.ts";
import { registerLinkCommands } from "./commands/link-commands.ts";
import { registerLinktestCommand } from "./commands/linktest-commands.ts";
import { registerNodeCommands } from "./commands/node-commands.ts";
import type { ParseArguments } from "./commands/parse.ts";
import { type RunArguments, stuckAfterDefault } from "./commands/run-arguments.ts";
import type { SimulateArguments } from "./commands/simulate-arguments.ts";
import { endLingering } from "./end-lingering.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError, guardOutput, processIo } from "./io.ts";

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max && text.trim() !== "") return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** What the timers of the platform can wait: 24 days. */
const secondsMax = 2_000_000;

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= secondsMax) return value;
  throw new InvalidArgumentError(`It must be a number of seconds from 0 to ${secondsMax}.`);
}

function buildProgram(setExit: (code: number) => void): Command {
  const program = new Command("muster");
  program
    .description(
      "Coordinates distributed experiments: barriers, planned events, network conditions.",
    )
    .version("0.1.0")
    .exitOverride()
    // Before the commands are added: they take it over.
    .configureOutput({
      outputError: (text, write) => write(printable(describeUsageError(text))),
    })
    .addHelpText("beforeAll", ({ error, command }) => (error ? describeHelpless(command) : ""))
    .enablePositionalOptions();
  addRun(program, setExit);
  addParse(program, setExit);
  addConvert(program, setExit);
  registerLinktestCommand(program, setExit);
  addSimulate(program, setExit);
  registerBossCommands(program, setExit);
  registerNodeCommands(program, setExit);
  registerEventCommands(program, setExit);
  registerLinkCommands(program, setExit);
  registerCertCommands(program, setExit);
  registerDoorCommands(program, setExit);
  for (const command of program.commands) nameHelp(command, "muster");
  return program.showHelpAfterError("(muster COMMAND --help shows what it takes)");
}

/** Behind an error of a command is how that command is explained. */
function nameHelp(command: Command, above: string): void {
  const path = `${above} ${command.name()}`;
  command.showHelpAfterError(`(${path} --help shows what it takes)`);
  for (const below of command.commands) nameHelp(below, path);
}

/** `muster help WORD` shows the help of all where WORD is no command: what it was asked for. */
function describeHelpless({ args: [help, word], commands }: Command): string {
  if (help !== "help" || word === undefined) return "";
  if (commands.some((command) => command.name() === word)) return "";
  return printable(`muster: unknown command '${word}'`);
}

/** An error of the command line, with the prefix of all others and what was probably meant. */
function describeUsageError(text: string): string {
  const message = text.replace(/^error: /, "muster: ");
  const file = /^muster: unknown command '(.+[./].+)'\n/.exec(message)?.[1];
  return file === undefined ? message : `${message.trimEnd()}; did you mean muster run ${file}?\n`;
}

function addRun(program: Command, setExit: (code: number) => void): void {
  program
    .command("run")
    .description("run an experiment on this machine and leave its results in a directory")
    .argument("<file>", "the experiment file")
    .option("--out <dir>", "where the results go (default: results/NAME-TIME)")
    .option("--seed <n>", "fixes every random choice", integer(0, 2 ** 31 - 1))
    .addOption(
      new Option("--duration <s>", "end the run this many seconds after time 0")
        .argParser(seconds)
        .default(0, "no limit"),
    )
    .option(
      "--stuck-after <s>",
      "end a run in which everybody has waited this long for somebody who cannot come; 0: never",
      seconds,
      stuckAfterDefault,
    )
    .option("--repeat <n>", "run it n times, into numbered directories", integer(1, 100_000), 1)
    .option(
      "--set <name=value>",
      "set a variable first, e.g. 'opt(SIZE)=5'; again for a series",
      collect,
    )
    .option("--junit <file>", "also write the outcome as JUnit XML")
    .option("--json", "print the result as JSON; progress goes to standard error")
    .addOption(
      new Option(
        "--nodes <kind>",
        "what nodes are: netns has a network of its own (default: netns for a file with links)",
      ).choices(["process", "netns"]),
    )
    .option("--linktest <level>", "test the links first, up to this stage", integer(0, 4))
    .addOption(
      new Option(
        "--links <kind>",
        "what shapes links between such nodes (default: netem, else delay-node)",
      ).choices(["netem", "delay-node", "none"]),
    )
    .addOption(linkThreads())
    .addOption(otherHosts())
    .option("--host-address <host=ip>", "IPv4 at which other hosts of --on reach one", collect)
    .option("--remote-shell <template>", "with --on: how to run commands there (ssh %u@%h)")
    .option("--remote-muster <command>", "with --on: muster there, in place of a copy of this one")
    .option("--limit <name=value>", "raise or lower a limit (docs/reference/limits.md)", collect)
    .option("--tls <dir>", "nodes may ask for their configuration over TLS (muster cert)")
    .option("--tls-legacy", "with --tls: over TLS 1.0, too, for clients of old")
    .option("--split", "schedule events in a process of its own, as under muster serve")
    .option("--scheduler-user <name>", "with --split, as root: whom that process runs as")
    .option("--catalogue <file>", "what the site has (docs/reference/ns-language.md)")
    .addOption(
      new Option("--addresses <order>", "the order in which links get addresses").choices([
        "legacy",
        "stable",
      ]),
    )
    .option("--pid <name>", "project name")
    .option("--eid <name>", "experiment name (default: the file's name)")
    .action(
      async (
        file: string,
        options: Omit<RunArguments, "file" | "set" | "limit"> & Partial<RunArguments>,
      ) => {
        const { runCommand } = await import("./commands/run.ts");
        const status = await runCommand({ file, set: [], limit: [], ...options }, processIo);
        setExit(status);
        // A reader that has left is said by the status, unless something worse is.
        endLingering(processIo, () => status || Number(process.exitCode ?? 0));
      },
    );
}

function otherHosts(): Option {
  const what = "other machines that nodes are on: [USER@]HOST[:N][=TYPE],...";
  const first = "before it, once: npm run build:single, which makes what is copied to them";
  return new Option("--on <hosts>", `${what} (${first})`).argParser(collect);
}

function linkThreads(): Option {
  const what = "threads of the delay node, if that shapes links (default: as they need)";
  const number = integer(1, networkLimits.delayNodeThreadsMax);
  return new Option("--link-threads <n>", what).argParser(number);
}

function addParse(program: Command, setExit: (code: number) => void): void {
  program
    .command("parse")
    .description("check an experiment file and print what it says")
    .argument("<file>", "the experiment file")
    .addOption(
      new Option("--format <format>", "what to print")
        .choices(["text", "json", "rows"])
        .default("text"),
    )
    .option("--explain", "print what the file means, and why")
    .addOption(
      new Option("--graph <form>", "print a drawing of the topology").choices(["svg", "dot"]),
    )
    .option("--compat", "as the reference parser does, defects included", false)
    .option("--set <name=value>", "set a variable first, e.g. 'opt(SIZE)=5'", collect)
    .option("--catalogue <file>", "what the site has (docs/reference/ns-language.md)")
    .addOption(
      new Option("--addresses <order>", "the order in which links get addresses").choices([
        "legacy",
        "stable",
      ]),
    )
    .option("--pid <name>", "project name")
    .option("--eid <name>", "experiment name (default: the file's name)")
    .action(
      async (
        file: string,
        options: Omit<ParseArguments, "file" | "set"> & Partial<ParseArguments>,
      ) => {
        const { runParse } = await import("./commands/parse.ts");
        setExit(await runParse({ file, set: [], ...options }, processIo));
      },
    );
}

function addConvert(program: Command, setExit: (code: number) => void): void {
  program
    .command("convert")
    .description("write an experiment file in the other language, NS or YAML")
    .argument("<from>", "the experiment file")
    .argument("<to>", "the file to write, or - for standard output")
    .option("--force", "write over a file that is there", false)
    .option("--lossy", "write what can be said, and warn of what cannot", false)
    .option("--set <name=value>", "set a variable first, e.g. 'opt(SIZE)=5'", collect)
    .option("--pid <name>", "project name")
    .option("--eid <name>", "experiment name (default: the file's name)")
    .action(async (from: string, to: string, options: Omit<ConvertArguments, "from" | "to">) => {
      const { runConvert } = await import("./commands/convert.ts");
      setExit(await runConvert({ from, to, ...options }, processIo));
    });
}

function addSimulate(program: Command, setExit: (code: number) => void): void {
  program
    .command("simulate")
    .description(
      "run the shipped servers under virtual time and named faults, and check the history",
    )
    .option("--seed <n>", "first seed", integer(0, 2 ** 32 - 1), 1)
    .option("--seeds <n>", "how many seeds", integer(1, 1_000_000), 1)
    .option("--ops <n>", "operations a seed", integer(1, 1_000_000), 2_000)
    .option("--verbose", "print one line per event", false)
    .option("--json", "print the figures as JSON", false)
    .option("--servers <n>", "servers of the cluster", integer(1, 16), 5)
    .option("--fault <name[=rate]>", "a fault that strikes, 'all', or 'draw': by seed", collect)
    .option("--workers <n>", "threads, a seed each", integer(1, 256), 1)
    .option("--script <file>", "run a script, as a seed that failed was shrunk to")
    .option("--no-shrink", "do not make the first failure small")
    .option("--progress", "a line on standard error that says how far it is", false)
    .option("--lines", "say which lines of the shipped files were run (one thread)", false)
    .addOption(
      new Option("--core", "one core with its edges in processes of their own, no cluster")
        .default(false)
        .conflicts(["servers", "fault", "script", "lines"]),
    )
    .action(async (options: Omit<SimulateArguments, "fault"> & { fault?: readonly string[] }) => {
      const { runSimulate } = await import("./commands/simulate.ts");
      setExit(await runSimulate({ ...options, fault: options.fault ?? [] }, processIo));
    });
}

/** Prints what went wrong. @returns the exit status. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof CommandError) {
    processIo.stderr(printable(`muster: ${error.message}\n`));
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  processIo.stderr(`muster: this is a fault in Muster, please report it: ${text}\n`);
  return exitCodes.internal;
}

guardOutput();
let exitCode: number = exitCodes.ok;
try {
  await buildProgram((code) => {
    exitCode = code;
  }).parseAsync();
} catch (error) {
  exitCode = explain(error);
}
if (exitCode !== exitCodes.ok) process.exitCode = exitCode;
