// SPDX-License-Identifier: MIT
// The program program-agent: runs the programs of one node as events on the bus say. The agent is
// that of a run; here is its life as a daemon. [EMULAB-EVENTS 4]
import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { eventPorts, resolveEventAddress } from "../../client/event-address.ts";
import { findBus } from "../../client/event-connection.ts";
import type { EventCredentials } from "../../client/event-credentials.ts";
import { errorText } from "../../core/text.ts";
import { eventsLimits } from "../../events/events-limits.ts";
import { systemClock } from "../../host/clock.ts";
import { readClockName } from "../../host/clock-name.ts";
import { ThreadFireClock } from "../../testbed/agents/firing/thread-fire-clock.ts";
import { ProgramAgent } from "../../testbed/agents/program-agent.ts";
import { type PendingReload, ProgramAgentBus } from "../../testbed/agents/program-agent-bus.ts";
import type { ProgramAgentConfig } from "../../testbed/agents/program-agent-config.ts";
import type { AgentProgram } from "../../testbed/agents/program-settings.ts";
import { createHostNode } from "../../testbed/nodes/host-node.ts";
import { connectEventBus, eventWorld, senderAddress } from "../event-bus.ts";
import { standaloneText } from "../version.ts";
import { agentCredentials } from "./agent-key.ts";
import { isBackground, startInBackground, tellReadiness } from "./daemon.ts";
import { performExit } from "./exit.ts";
import {
  type ProgramAgentArguments,
  parseProgramAgentArguments,
  reloadExitCode,
} from "./program-agent-arguments.ts";
import {
  becomeUser,
  environmentFor,
  fatalCode,
  findAccount,
  makeLogDirectory,
  nodeName,
  ProgramAgentError,
  readConfig,
  readIfThere,
} from "./program-agent-setup.ts";
import { createFileLogger, createSyslogLogger } from "./syncd-log.ts";

/** Of the machine that serves users: its agent stays when it reads its configuration again. */
const opsNode = "ops";
/** Below the directory of the output. */
const journalName = ".started";

/** What answers orders, and what completes a reload, have one notification each on its way. */
const publishersMax = 2;

type Say = (text: string) => void;

async function main(args: readonly string[]): Promise<void> {
  const parsed = parseProgramAgentArguments(args, standaloneText);
  if (parsed.kind === "exit") performExit(parsed);
  const given = withAbsolutePaths(parsed);
  // Read before it goes to the background: what is wrong is said where it was called.
  const config = readConfig(given);
  const account = findAccount(given, config);
  const newCredentials = agentCredentials(given.keyFile, given.experiment);
  if (!given.isForeground && !isBackground(process.env)) {
    performExit(await startInBackground(args, () => undefined, "program-agent"));
  }
  const say = openLog(given);
  makeLogDirectory(given.logDirectory, account);
  writePidFile(given, say);
  becomeUser(account);
  if (isBackground(process.env)) process.chdir("/tmp");
  tellReadiness(process.env, { port: 0 });
  await new StandaloneAgent({ given, config, newCredentials, say }).start();
}

/** In the background it is elsewhere, and reads some of them again. */
function withAbsolutePaths(given: ProgramAgentArguments): ProgramAgentArguments {
  const { configFile, environmentFile, logDirectory, tokenFile } = given;
  return {
    ...given,
    configFile: resolve(configFile),
    environmentFile: resolve(environmentFile),
    logDirectory: resolve(logDirectory),
    tokenFile: tokenFile === undefined ? undefined : resolve(tokenFile),
  };
}

interface Parts {
  readonly given: ProgramAgentArguments;
  readonly config: ProgramAgentConfig;
  readonly newCredentials: () => EventCredentials;
  readonly say: Say;
}

class StandaloneAgent {
  readonly #parts: Parts;
  readonly #fire = new ThreadFireClock(systemClock);
  readonly #agent: ProgramAgent;
  #environment: Readonly<Record<string, string>>;
  #attached: ProgramAgentBus | undefined;
  #isEnding = false;

  constructor(parts: Parts) {
    const { given, config, say } = parts;
    this.#parts = parts;
    this.#environment = environmentFor(given, config);
    const name = nodeName(given);
    const host = createHostNode({
      ...{ name, logs: given.logDirectory, clock: systemClock },
      environment: () => this.#environment,
    });
    this.#agent = new ProgramAgent({
      backend: { nodes: new Map([[name, host]]) },
      programs: programsOf(given, config),
      journal: join(given.logDirectory, journalName),
      ...{ clock: systemClock, fire: this.#fire, onWarning: (_node, text) => say(text) },
      ...{ onStarted: () => undefined, onEnded: () => undefined },
    });
  }

  /** Resolves when it hears events. @throws Error */
  async start(): Promise<void> {
    const { given, config, newCredentials, say } = this.#parts;
    const { experiment, server, port, tokenFile } = given;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => void this.#end(0));
    }
    const url = resolveEventAddress(
      { server, port },
      { environment: undefined, server, port: eventPorts.experiments },
    );
    if (url === undefined) throw new ProgramAgentError(`-s ${server} is no host`);
    const { runtime } = eventWorld;
    const connect = () => connectEventBus(url, publishersMax * eventsLimits.publicationsAtOnceMax);
    const bus = await findBus({ connect, runtime, onRetry: say });
    this.#attached = await ProgramAgentBus.attach({
      ...{ bus, experiment, clock: systemClock, clockName: readClockName(), fire: this.#fire },
      ...{ agent: this.#agent, node: nodeName(given), sender: senderAddress(process.env) },
      ...{ credentials: newCredentials, onWarning: say, reloaded: pendingReload(tokenFile) },
      programs: config.programs.map(({ name }) => name),
      onReload: (pending) => this.#reload(pending),
    });
    if (tokenFile !== undefined) rmSync(tokenFile, { force: true });
    say(`obeying for ${config.programs.length} programs of ${experiment}`);
  }

  async #reload(pending: PendingReload): Promise<readonly string[]> {
    const { given } = this.#parts;
    if (given.node === opsNode) {
      const config = readConfig(given);
      this.#environment = environmentFor(given, config);
      await this.#agent.reload(programsOf(given, config));
      return config.programs.map(({ name }) => name);
    }
    const { tokenFile } = given;
    if (tokenFile !== undefined) writeFileSync(tokenFile, `${pending.token} ${pending.fire}\n`);
    void this.#end(reloadExitCode);
    return await new Promise(() => undefined);
  }

  /** Everything ends, and is reported. After a reload another one comes, and nobody is gone. */
  async #end(code: number): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#attached?.stop();
    await this.#agent.stopAll();
    await this.#attached?.settle();
    if (code !== reloadExitCode) await this.#attached?.close();
    process.exit(code);
  }
}

function programsOf(given: ProgramAgentArguments, config: ProgramAgentConfig): AgentProgram[] {
  return config.programs.map((program) => ({ ...program, node: nodeName(given) }));
}

/** Of what the agent before this one was asked for; its second number is Muster's own. */
function pendingReload(tokenFile: string | undefined): PendingReload | undefined {
  const text = tokenFile === undefined ? undefined : readIfThere(tokenFile);
  const [, token, fire = token] = /^(-?\d+)(?: (\d+))?\s*$/.exec(text ?? "") ?? [];
  return token === undefined ? undefined : { token: Number(token), fire: Number(fire) };
}

/** @throws Error when the file cannot be opened */
function openLog({ logFile, isForeground }: ProgramAgentArguments): Say {
  if (logFile === undefined && isForeground) {
    return (text) => process.stderr.write(`program-agent: ${text}\n`);
  }
  const logger =
    logFile === undefined
      ? createSyslogLogger(() => undefined, "program-agent")
      : createFileLogger(logFile, systemClock);
  return (text) => logger.log("info", text);
}

/** Written by root alone. [EMULAB-EVENTS 4.1] */
function writePidFile({ pidFile }: ProgramAgentArguments, say: Say): void {
  if (process.geteuid?.() !== 0) return;
  try {
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o644 });
  } catch (error) {
    say(`cannot write the pid file, going on without: ${String(error)}`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const fault =
    error instanceof ProgramAgentError ? error : new ProgramAgentError(errorText(error));
  tellReadiness(process.env, { error: fault.exit.stderr?.trimEnd() ?? "", exitCode: fatalCode });
  performExit(fault.exit);
});
