// SPDX-License-Identifier: MIT
// Names the commands about nodes of this machine: exec and shell in those of runs that are under
// way, and doctor for what nodes can be here. Each command's code is loaded only when it is called.
import { type Command, InvalidArgumentError } from "commander";
import { processIo } from "../io.ts";
import type { DoctorArguments } from "./doctor.ts";
import type { ExecArguments } from "./exec.ts";
import type { JoinArguments } from "./node-join.ts";

type SetExit = (code: number) => void;
type Which = Pick<ExecArguments, "experiment">;

const experimentOption = [
  "--experiment <id>",
  "pid/eid, eid, or the ID or directory of a run, where several have a node of that name",
] as const;

/** Adds the commands to `muster`. */
export function registerNodeCommands(program: Command, setExit: SetExit): void {
  program
    .command("exec")
    .description("run a command on a node of a run that is under way, as its programs run")
    .argument("<node>", "the node")
    .argument("<command...>", "the command and its arguments, after --")
    .option(...experimentOption)
    .passThroughOptions()
    .action(async (node: string, command: readonly string[], options: Which) => {
      const { execCommand, parseBehindNode } = await import("./exec.ts");
      setExit(await execCommand({ node, ...options, ...parseBehindNode(command) }));
    });
  program
    .command("shell")
    .description("open a shell on a node of a run that is under way")
    .argument("<node>", "the node")
    .option(...experimentOption)
    .action(async (node: string, options: Which) => {
      const { execCommand } = await import("./exec.ts");
      setExit(await execCommand({ node, command: [], ...options }));
    });
  const node = program.command("node").description("this machine as a host of runs");
  node
    .command("join")
    .description("let a server bring experiments up on this machine, until Ctrl-C")
    .argument("<name>", "what it is called there: muster up FILE --on NAME")
    .requiredOption("--server <url>", "its http door; MUSTER_TOKEN is a token of role admin")
    .option(
      "--capacity <n>",
      "nodes it has room for (default: what processors and memory say)",
      capacity,
    )
    .option("--types <list>", "types of nodes it is for, with commas between (default: any)")
    .option("--ca <file>", "certificate that has signed the server's (default: $MUSTER_CA)")
    .option("--cert <file>", "certificate to show, with its key (PEM) (default: $MUSTER_CERT)")
    .option("--cert-key <file>", "its key, when it is in another file")
    .action(async (name: string, options: Omit<JoinArguments, "name">) => {
      const { nodeJoinCommand } = await import("./node-join.ts");
      setExit(await nodeJoinCommand({ name, ...options }, processIo));
    });
  node
    .command("agent")
    .description("what muster run --on starts on a host; it speaks with the run, not with people")
    .action(async () => {
      const { nodeAgentCommand } = await import("./node-agent.ts");
      setExit(await nodeAgentCommand());
    });
  program
    .command("doctor")
    .description("say what nodes and links can be on this machine, and what it lacks for more")
    .option("--clean", "remove what runs that were killed have left", false)
    .option("--json", "print it as JSON", false)
    .action(async (options: DoctorArguments) => {
      const { doctorCommand } = await import("./doctor.ts");
      setExit(await doctorCommand(options, processIo));
    });
}

function capacity(text: string): string {
  if (/^[1-9]\d{0,14}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a whole number of nodes, from 1.");
}
