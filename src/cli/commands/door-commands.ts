// SPDX-License-Identifier: MIT
// Names the commands about a server and their options: token, barrier, topic, backup, restore. Each
// command's code is loaded only when it is called.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BarrierKind } from "../../core/effect.ts";
import { roles } from "../../wire/link/roles.ts";
import { collect } from "../collect.ts";
import { processIo } from "../io.ts";
import type { BackupArguments } from "./backup.ts";
import type {
  BarrierArguments,
  CancelArguments,
  FailArguments,
  InitArguments,
  WaitArguments,
} from "./barrier-arguments.ts";
import type { TokenCreateArguments, TokenListArguments, TokenRevokeArguments } from "./token.ts";
import type { PublishArguments, SubscribeArguments } from "./topic.ts";

const barrierKinds: readonly BarrierKind[] = ["count", "state", "quorum", "roster"];

type SetExit = (code: number) => void;

const stateOption = [
  "--state <dir>",
  "the server's state directory (default: $MUSTER_STATE, else ~/.local/state/muster)",
] as const;

/** Adds the commands to `muster`. */
export function registerDoorCommands(program: Command, setExit: SetExit): void {
  addToken(program, setExit);
  addBarrier(program, setExit);
  addTopic(program, setExit);
  addBackup(program, setExit);
}

function addBackup(program: Command, setExit: SetExit): void {
  const log = ["--log <name>", "sqlite:FILE or nats://HOST:PORT[/STREAM]"] as const;
  const creds = ["--nats-creds <file>", "credentials of the account of NATS that has it"] as const;
  program
    .command("backup")
    .description("copy the log of a server, with its topics, into a directory, also while it runs")
    .argument("<dir>", "a directory that is not there, or empty")
    .requiredOption(...log)
    .option(...creds)
    .option("--json", "print what is in it as JSON", false)
    .action(async (directory: string, options: Omit<BackupArguments, "directory">) => {
      const { backupCommand } = await import("./backup.ts");
      setExit(await backupCommand({ directory, ...options }, processIo));
    });
  program
    .command("restore")
    .description("make a log of a backup, where there is none")
    .argument("<dir>", "what muster backup has made")
    .requiredOption(...log)
    .option(...creds)
    .option("--json", "print what was in it as JSON", false)
    .action(async (directory: string, options: Omit<BackupArguments, "directory">) => {
      const { restoreCommand } = await import("./backup.ts");
      setExit(await restoreCommand({ directory, ...options }, processIo));
    });
}

function addToken(program: Command, setExit: SetExit): void {
  const token = program.command("token").description("who may use the http door of a server");
  token
    .command("create")
    .description("make a token and print it; from the first one on, the door asks for tokens")
    .addOption(
      new Option("--role <role>", "what it lets do").choices(roles).makeOptionMandatory(true),
    )
    .option("--scope <name>", "good for one scope")
    .option("--all-scopes", "good for every scope", false)
    .option("--expires <time>", "good for so long: 90s, 30m, 12h, 7d (default: for ever)", lifetime)
    .option("--note <text>", "whom it is for", "")
    .option(...stateOption)
    .option("--json", "print it as JSON", false)
    .action(async (options: TokenCreateArguments) => {
      const { tokenCreateCommand } = await import("./token.ts");
      setExit(tokenCreateCommand(options, processIo));
    });
  token
    .command("ls")
    .description("list the tokens, without their secrets")
    .option(...stateOption)
    .option("--json", "print them as JSON", false)
    .action(async (options: TokenListArguments) => {
      const { tokenListCommand } = await import("./token.ts");
      setExit(tokenListCommand(options, processIo));
    });
  token
    .command("revoke")
    .description("make a token good for nothing, at once")
    .argument("<id>", "its id, from muster token ls")
    .option(...stateOption)
    .action(async (id: string, options: Omit<TokenRevokeArguments, "id">) => {
      const { tokenRevokeCommand } = await import("./token.ts");
      setExit(tokenRevokeCommand({ id, ...options }, processIo));
    });
}

function addBarrier(program: Command, setExit: SetExit): void {
  const barrier = withServer(
    program.command("barrier").description("barriers of a server (muster serve)"),
  );
  // Where the server is may be said before the word, too: `muster barrier --server URL show b`.
  barrier.hook("preAction", (_barrier, chosen) => {
    for (const [name, value] of Object.entries(barrier.opts())) {
      const isGiven = barrier.getOptionValueSource(name) === "cli";
      if (isGiven) chosen.setOptionValueWithSource(name, value, "cli");
    }
  });
  addArrivals(barrier, setExit);
  withServer(barrier.command("cancel"))
    .description("end a barrier, or all of the scope: whoever waits is told so")
    .argument("[barrier]", "its name (default: all of the scope)")
    .option("--error <n>", "the error number of those who wait", number, 0)
    .option("--reason <text>", "why; told to those who wait")
    .addOption(kindOption().default("count"))
    .action(async (name: string | undefined, options: Omit<CancelArguments, "barrier">) => {
      const { barrierCancelCommand } = await import("./barrier.ts");
      const what = name === undefined ? {} : { barrier: name };
      setExit(await barrierCancelCommand({ ...options, ...what }, processIo));
    });
  withServer(barrier.command("fail"))
    .description("end a barrier as failed: whoever waits is told why")
    .argument("<barrier>", "its name")
    .argument("<reason>", "why")
    .option("--error <n>", "the error number of those who wait", number, 0)
    .addOption(kindOption().default("count"))
    .action(async (name: string, reason: string, options: FailOptions) => {
      const { barrierFailCommand } = await import("./barrier.ts");
      setExit(await barrierFailCommand({ barrier: name, reason, ...options }, processIo));
    });
  withServer(barrier.command("ls"))
    .description("list the open barriers of the scope, with who is missing")
    .action(async (options: BarrierArguments) => {
      const { barrierListCommand } = await import("./barrier.ts");
      setExit(await barrierListCommand(options, processIo));
    });
  withServer(barrier.command("show"))
    .description("show who waits at a barrier and who is missing")
    .argument("<barrier>", "its name")
    .addOption(kindOption())
    .action(async (name: string, options: BarrierArguments & { readonly kind?: BarrierKind }) => {
      const { barrierShowCommand } = await import("./barrier.ts");
      setExit(await barrierShowCommand({ barrier: name, ...options }, processIo));
    });
}

function addTopic(program: Command, setExit: SetExit): void {
  const topic = program.command("topic").description("topics of a server (muster serve)");
  withServer(topic.command("publish"))
    .description("add a message to a topic, and perhaps wait at a state in the same exchange")
    .argument("<topic>", "its name")
    .argument("<message>", "JSON; anything else is taken as a text")
    .option("--text", "take it as a text also where it could be JSON", false)
    .option("--at <state>", "wait at this state")
    .option("--target <n>", "how many signals to wait for", number)
    .option("--signal", "signal, too", false)
    .option("--name <name>", "the participant, for reports of who is there")
    .option("--timeout <s>", "give up after this many seconds of the server's time", seconds)
    .action(async (name: string, message: string, options: PublishOptions) => {
      const { topicPublishCommand } = await import("./topic.ts");
      const { at, ...rest } = options;
      const wait = at === undefined ? {} : { state: at };
      setExit(await topicPublishCommand({ topic: name, message, ...rest, ...wait }, processIo));
    });
  withServer(topic.command("subscribe"))
    .description("print the messages of a topic, a line of JSON each, and those that come")
    .argument("<topic>", "its name")
    .option("--after <n>", "those behind this number, or behind the `last`", offset, 0)
    .option("--count <n>", "end after so many", number)
    .option("--timeout <s>", "give up after so long without a message", seconds)
    .action(async (name: string, options: Omit<SubscribeArguments, "topic">) => {
      const { topicSubscribeCommand } = await import("./topic.ts");
      setExit(await topicSubscribeCommand({ topic: name, ...options }, processIo));
    });
}

type PublishOptions = Omit<PublishArguments, "topic" | "message" | "state"> & {
  readonly at?: string;
};

function offset(text: string): number | "last" {
  return text === "last" ? text : number(text);
}

/** Each command is a session, which ends with it, and its member with that. */
const deathHelp = `
A member of a roster whose command ends before the barrier is through, as by
--timeout, counts as dead: that fails the barrier, unless it was opened with
--when-dead wait (or shrink).`;

function addArrivals(barrier: Command, setExit: SetExit): void {
  withArrival(barrier.command("init"))
    .addOption(kindOption().default("count"))
    .description("open a barrier: a count for so many waits, a quorum, a roster; and go on")
    .addHelpText("after", deathHelp)
    .argument("<barrier>", "its name")
    .argument("[count]", "how many waits of others; of a quorum also 50%")
    .option("--wait", "of a count: wait with them", false)
    .option("--member <name>", "of a roster: who is expected, once for each", collect)
    .option("--at <controller=name>", "one who comes to a controller below, /east=n1", collect)
    .option("--phases <n>", "of a roster: how often all meet, 0 for without end", number, 1)
    .addOption(ruleOption("--when-dead <rule>", ["fail", "shrink", "wait"]))
    .addOption(ruleOption("--when-late <rule>", ["refuse", "pass", "next"]))
    .action(async (name: string, count: string | undefined, options: InitOptions) => {
      const { barrierInitCommand } = await import("./barrier.ts");
      const what = count === undefined ? {} : { count };
      const argv = { barrier: name, member: [], ...what, ...options };
      setExit(await barrierInitCommand(argv, processIo));
    });
  withArrival(barrier.command("wait"))
    .addOption(kindOption())
    .description("arrive at a barrier and wait for the others")
    .addHelpText("after", deathHelp)
    .argument("<barrier>", "its name")
    .option("--target <n>", "of a state: how many signals to wait for", number)
    .option("--signal", "of a state: signal, too", false)
    .option("--phase <n>", "of a roster: the phase it should be in", number)
    .action(async (name: string, options: Omit<WaitArguments, "barrier">) => {
      const { barrierWaitCommand } = await import("./barrier.ts");
      setExit(await barrierWaitCommand({ barrier: name, ...options }, processIo));
    });
}

type InitOptions = Omit<InitArguments, "barrier" | "count" | "member"> & Partial<InitArguments>;
type FailOptions = Omit<FailArguments, "barrier" | "reason">;

function kindOption(): Option {
  return new Option("--kind <kind>", "of barrier").choices(barrierKinds);
}

function ruleOption(flags: string, choices: readonly [string, ...string[]]): Option {
  return new Option(flags, "of a roster").choices(choices).default(choices[0]);
}

function withArrival(command: Command): Command {
  return withServer(command)
    .option("--name <name>", "the participant, for reports of who is there")
    .option("--error <n>", "an error number to bring to the barrier", number, 0)
    .option("--timeout <s>", "give up after this many seconds of the server's time", seconds);
}

function withServer(command: Command): Command {
  return command
    .option(
      "--server <url>",
      "URL or HOST:PORT, or several of one log, parted by commas (default: $MUSTER_SERVER, else http://127.0.0.1:8470)",
    )
    .option("--scope <name>", "(default: $MUSTER_SCOPE, else the token's, else default)")
    .option("--token-file <file>", "file that holds the token (default: $MUSTER_TOKEN)")
    .option("--ca <file>", "certificate that has signed the server's (default: $MUSTER_CA)")
    .option("--cert <file>", "certificate to show, where one is asked for (default: $MUSTER_CERT)")
    .option("--key <file>", "its key (default: in the same file)")
    .option("--json", "print it as JSON", false);
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${2 ** 31 - 1}.`);
}

/** What the core keeps: microseconds as whole numbers. */
const secondsMax = 1_000_000_000;

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= secondsMax) return value;
  throw new InvalidArgumentError(`It must be a number of seconds from 0 to ${secondsMax}.`);
}

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @returns milliseconds. */
function lifetime(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const value = Number(count) * (units[unit] ?? 0);
  if (value > 0) return value;
  throw new InvalidArgumentError("It must be a number and a unit: 90s, 30m, 12h, 7d.");
}
