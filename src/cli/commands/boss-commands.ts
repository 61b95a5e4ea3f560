// SPDX-License-Identifier: MIT
// Names the commands of the experiments database and their options: serve, up, down, status, logs,
// modify, project, prune. Each command's code is loaded only when it is called.
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import type { Trust } from "../../boss/index.ts";
import { collect } from "../collect.ts";
import { processIo, withJsonFailure } from "../io.ts";
import type { DownArguments } from "./down.ts";
import type { LogsArguments } from "./logs.ts";
import type { ModifyArguments } from "./modify.ts";
import type { ProjectArguments } from "./project.ts";
import type { PruneArguments } from "./prune.ts";
import { addServe, amount } from "./serve-options.ts";
import type { StatusArguments } from "./status.ts";
import type { UpArguments } from "./up.ts";

type SetExit = (code: number) => void;

const stateOption = [
  "--state <dir>",
  "where the experiments are kept (default: $MUSTER_STATE, else ~/.local/state/muster)",
] as const;

/** Adds the commands to `muster`. */
export function registerBossCommands(program: Command, setExit: SetExit): void {
  addServe(program, setExit, stateOption);
  addUp(program, setExit);
  addDown(program, setExit);
  addStatus(program, setExit);
  addLogs(program, setExit);
  addModify(program, setExit);
  addProject(program, setExit);
  addPrune(program, setExit);
}

function addUp(program: Command, setExit: SetExit): void {
  program
    .command("up")
    .description("bring an experiment up and leave it up; starts the daemon when there is none")
    .argument("<file>", "the experiment file")
    .option(...stateOption)
    .option("--pid <name>", "project name")
    .option("--eid <name>", "experiment name (default: the file's name)")
    .option("--set <name=value>", "set a variable first, e.g. 'opt(SIZE)=5'", collect)
    .option("--seed <n>", "fixes every random choice", seed)
    .option("--duration <s>", "swap it out this many seconds after time 0; 0: never", seconds, 0)
    .option(
      "--stuck-after <s>",
      "end it when everybody has waited this long for somebody who cannot come; 0: never",
      seconds,
      0,
    )
    .option(
      "--linktest <level>",
      "test the links before time 0, up to this stage; 0: not, whatever the file says",
      linktestLevel,
    )
    .option("--on <names>", "machines that have joined (muster node join), for its nodes")
    .addOption(
      new Option(
        "--nodes <kind>",
        "what nodes are: netns has a network of its own (default: netns for a file with links)",
      ).choices(["process", "netns"]),
    )
    .option("--host-address <host=ip>", "IPv4 at which other machines of --on reach one", collect)
    .option("--json", "print what was started as JSON", false)
    .action(async (file: string, options: UpOptions) => {
      const { upCommand } = await import("./up.ts");
      setExit(await upCommand({ file, set: [], hostAddress: [], ...options }, processIo));
    });
}

/** Those that may be given again are absent unless they are. */
type UpOptions = Omit<UpArguments, "file" | "set" | "hostAddress"> & Partial<UpArguments>;

function addDown(program: Command, setExit: SetExit): void {
  program
    .command("down")
    .description("swap an experiment out")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .option(...stateOption)
    .option("--json", "print the run that ended as JSON", false)
    .action(async (id: string, options: Omit<DownArguments, "id">) => {
      const { downCommand } = await import("./down.ts");
      const work = () => downCommand({ id, ...options }, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    });
}

function addStatus(program: Command, setExit: SetExit): void {
  program
    .command("status")
    .description("show the experiments, or one of them with its runs and history")
    .argument("[id]", "pid/eid, or eid where only one project has it")
    .option(...stateOption)
    .option("--json", "print it as JSON", false)
    .action(async (id: string | undefined, options: Omit<StatusArguments, "id">) => {
      const { statusCommand } = await import("./status.ts");
      const work = () => statusCommand({ id: id ?? null, ...options }, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    });
}

function addLogs(program: Command, setExit: SetExit): void {
  program
    .command("logs")
    .description("show what happened in the last run, or what the programs of a node print")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("[node]", "a node")
    .option("-f, --follow", "go on until the experiment is swapped out", false)
    .option(...stateOption)
    .action(async (id: string, node: string | undefined, options: LogsOptions) => {
      const { logsCommand } = await import("./logs.ts");
      setExit(await logsCommand({ id, node: node ?? null, ...options }, processIo));
    });
}

type LogsOptions = Omit<LogsArguments, "id" | "node">;

function addModify(program: Command, setExit: SetExit): void {
  program
    .command("modify")
    .description("change an experiment that is up; what is the same goes on undisturbed")
    .argument("<id>", "pid/eid, or eid where only one project has it")
    .argument("<file>", "the experiment file as it is to be")
    .option(...stateOption)
    .option("--set <name=value>", "set a variable first, besides those of up", collect)
    .option("--json", "print what was changed as JSON", false)
    .action(async (id: string, file: string, options: ModifyOptions) => {
      const { modifyCommand } = await import("./modify.ts");
      setExit(await modifyCommand({ id, file, set: [], ...options }, processIo));
    });
}

type ModifyOptions = Omit<ModifyArguments, "id" | "file" | "set"> & Partial<ModifyArguments>;

function addProject(program: Command, setExit: SetExit): void {
  const project = program
    .command("project")
    .description("show or change who belongs to a project, and what they may");
  const ask = async (
    request: ProjectArguments["request"],
    options: Omit<ProjectArguments, "request">,
  ): Promise<void> => {
    const { projectCommand } = await import("./project.ts");
    setExit(await projectCommand({ request, ...options }, processIo));
  };
  const add = (name: string, description: string): Command =>
    project
      .command(name)
      .description(description)
      .argument("<pid>", "the project")
      .option(...stateOption)
      .option("--json", "print the members as JSON", false);
  add("members", "show its members").action((pid: string, options: ProjectOptions) =>
    ask({ kind: "members", pid }, options),
  );
  add("add-member", "add somebody")
    .argument("<user>", "a user of this machine")
    .addOption(trustOption().default("user"))
    .action((pid: string, user: string, { trust, ...options }: ProjectOptions & TrustOption) =>
      ask({ kind: "add-member", pid, user, trust }, options),
    );
  add("set-trust", "change what a member may")
    .argument("<user>", "a user of this machine")
    .addArgument(new Argument("<trust>", "what the member may").choices(trustNames))
    .action((pid: string, user: string, trust: Trust, options: ProjectOptions) =>
      ask({ kind: "set-trust", pid, user, trust }, options),
    );
  add("remove-member", "end a membership")
    .argument("<user>", "a member")
    .action((pid: string, user: string, options: ProjectOptions) =>
      ask({ kind: "remove-member", pid, user }, options),
    );
}

type ProjectOptions = Omit<ProjectArguments, "request">;
interface TrustOption {
  readonly trust: Trust;
}

/** Not taken from rights.ts: the help needs none of its layer's code. */
const trustNames: readonly Trust[] = ["user", "trusted", "leader"];

const trustOption = (): Option =>
  new Option("--trust <trust>", "what the member may").choices(trustNames);

function addPrune(program: Command, setExit: SetExit): void {
  program
    .command("prune")
    .description("remove the results of old runs; the last of each experiment stays")
    .option(...stateOption)
    .addOption(new Option("--results <dir>", "results of muster run, instead").conflicts("state"))
    .option("--keep-days <d>", "runs written longer ago go", amount)
    .option("--keep-bytes <n>", "the oldest go until all are at most this large", amount)
    .option("--dry-run", "say what would be removed, and remove nothing", false)
    .option("--json", "print it as JSON", false)
    .action(async (options: PruneArguments) => {
      const { pruneCommand } = await import("./prune.ts");
      const work = () => pruneCommand(options, processIo);
      setExit(await withJsonFailure(processIo, options.json, work));
    });
}

function linktestLevel(text: string): number {
  if (/^[0-4]$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be 0 none, 1 latency, 2 routing, 3 loss, 4 bandwidth.");
}

function seed(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${2 ** 31 - 1}.`);
}

/** What the timers of the platform can wait: 24 days. */
const secondsMax = 2_000_000;

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= secondsMax) return value;
  throw new InvalidArgumentError(`It must be a number of seconds from 0 to ${secondsMax}.`);
}
