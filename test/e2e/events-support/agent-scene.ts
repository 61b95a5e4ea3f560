// SPDX-License-Identifier: MIT
// An experiment with one program, its scheduler and its agent as commands that are each told where
// the bus is: for tests of buses between several servers.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type Command, type Ended, run, scratch, start } from "../support/command.ts";
import { eventKey, experiment, writeDatabase } from "./scheduled.ts";

/** Root's agent becomes somebody; anybody else's stays who he is. */
const user = process.geteuid?.() === 0 ? "nobody" : userInfo().username;

const ns = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set p [$a program-agent -command "true"]
$ns run
`;

export interface AgentSceneOptions {
  /** Where the scheduler and the agent find the bus. */
  readonly scheduler: string;
  readonly agent: string;
  /** Prints what goes over the bus. */
  readonly watch: Command;
}

export class AgentScene {
  readonly #key: string;

  private constructor(key: string) {
    this.#key = key;
  }

  /** Resolves when the agent has said that it is there. */
  static async open({ scheduler, agent, watch }: AgentSceneOptions): Promise<AgentScene> {
    const directory = scratch();
    const at = (name: string): string => join(directory, name);
    chmodSync(directory, 0o755);
    mkdirSync(at("exp/tbdata"), { recursive: true });
    const key = at("exp/tbdata/eventkey");
    writeFileSync(key, eventKey, { mode: 0o644 });
    writeDatabase(directory, ns, ["a"]);
    const source = ["--database", at("db"), "--directory", at("exp")];
    const scheduling = start("event-sched", [
      ...["-d", "-s", scheduler, ...source, ...experiment.split("/")],
    ]);
    await scheduling.prints(/scheduling the events of/);
    writeFileSync(at("agents"), `UID=${user}\nAGENT=p COMMAND='exit 0'\n`);
    const performing = start("program-agent", [
      ...["-d", "-v", "a", "-s", agent, "-e", experiment, "-c", at("agents"), "-k", key],
      ...["-o", at("logs"), "-i", at("pid"), "-t", at("logs/token")],
    ]);
    await performing.prints(/obeying for/);
    await watch.prints(/ALIVE/);
    return new AgentScene(key);
  }

  /** Starts the program, and waits until it is over. */
  send(servers: string): Promise<Ended> {
    return run("muster", [
      ...["event", "send", experiment, "p", "start", "--server", servers, "--key", this.#key],
      ...["--wait", "--timeout", "30"],
    ]);
  }
}
