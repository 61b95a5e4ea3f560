// SPDX-License-Identifier: MIT
// The program program-agent: runs the programs of one node as events on the bus say. The agent is
// that of a run; here are its configuration and its life. [EMULAB-EVENTS 4]
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { eventPorts, resolveEventAddress } from "../../client/event-address.ts";
import { findBus } from "../../client/event-connection.ts";
import { createCredentials } from "../../client/event-credentials.ts";
import { systemClock } from "../../host/clock.ts";
import { eventHash, readEventKey } from "../../host/event-hash.ts";
import { newNonce } from "../../host/ids.ts";
import { ThreadFireClock } from "../../testbed/agents/firing/thread-fire-clock.ts";
import { ProgramAgent } from "../../testbed/agents/program-agent.ts";
import { type NotificationGuard, ProgramAgentBus } from "../../testbed/agents/program-agent-bus.ts";
import {
  type ProgramAgentConfig,
  parseProgramAgentConfig,
} from "../../testbed/agents/program-agent-config.ts";
import { programLimits } from "../../testbed/agents/program-limits.ts";
import { createHostNode } from "../../testbed/nodes/host-node.ts";
import { planEnvironment } from "../../testbed/nodes/program-environment.ts";
import { eventWorld, senderAddress } from "../event-bus.ts";
import { type Exit, performExit } from "./exit.ts";
import {
  type ProgramAgentArguments,
  parseProgramAgentArguments,
  reloadExitCode,
} from "./program-agent-arguments.ts";
import { standaloneText } from "./version.ts";

const fatalCode = 255;

const given = parseProgramAgentArguments(process.argv.slice(2), standaloneText);
if (given.kind === "exit") performExit(given);
await main(given).catch((error: unknown) => {
  performExit(fatal(error instanceof Error ? error.message : String(error)));
});

async function main(given: ProgramAgentArguments): Promise<void> {
  const config = readConfig(given);
  const fault = unsupported(given, config);
  if (fault !== undefined)
    performExit({ kind: "exit", code: 1, stderr: `program-agent: ${fault}\n` });
  const guard = createGuard(given);
  const node = given.node ?? hostname().split(".")[0] ?? "";
  mkdirSync(given.logDirectory, { recursive: true, mode: 0o775 });
  const environment = environmentFor(given, config, node);
  const host = createHostNode({
    ...{ name: node, logs: given.logDirectory, environment, clock: systemClock },
  });
  const nobody = (): void => undefined;
  const agent = new ProgramAgent({
    backend: { nodes: new Map([[node, host]]) },
    programs: config.programs.map((program) => ({ ...program, node })),
    ...{ clock: systemClock, fire: new ThreadFireClock(systemClock) },
    ...{ onStarted: nobody, onEnded: nobody, onWarning: (_node, text) => log(text) },
  });
  const attached = await attach(given, { agent, config, node, guard });
  await completeReload(given, attached);
  const end = (): void => {
    void agent.stopAll().then(() => process.exit(0));
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, end);
}

interface Attachment {
  readonly agent: ProgramAgent;
  readonly config: ProgramAgentConfig;
  readonly node: string;
  readonly guard: NotificationGuard | undefined;
}

async function attach(
  given: ProgramAgentArguments,
  { agent, config, node, guard }: Attachment,
): Promise<ProgramAgentBus> {
  const url = resolveEventAddress(
    { server: given.server, port: given.port },
    { environment: undefined, server: given.server, port: eventPorts.experiments },
  );
  if (url === undefined) throw new Error(`-s ${given.server} is no host`);
  const { runtime, connect } = eventWorld;
  const bus = await findBus({ connect: () => connect(url), runtime, onRetry: log });
  return await ProgramAgentBus.attach({
    ...{ bus, agent, node, experiment: given.experiment, clock: systemClock, onWarning: log },
    programs: config.programs.map(({ name }) => name),
    sender: senderAddress(process.env),
    ...(guard === undefined ? {} : { guard }),
    onReload: (token) => {
      if (given.tokenFile !== undefined) writeFileSync(given.tokenFile, `${token}\n`);
      void agent.stopAll().then(() => process.exit(reloadExitCode));
    },
  });
}

/** The agent before this one was told to reload, and could not say that it has. */
async function completeReload(
  { tokenFile }: ProgramAgentArguments,
  attached: ProgramAgentBus,
): Promise<void> {
  const text = tokenFile === undefined ? undefined : readIfThere(tokenFile);
  if (tokenFile === undefined || text === undefined) return;
  const token = Number.parseInt(text, 10);
  if (!Number.isNaN(token)) await attached.completeReload(token);
  rmSync(tokenFile, { force: true });
}

function readConfig({ configFile: file, node = "" }: ProgramAgentArguments): ProgramAgentConfig {
  const text = readIfThere(file);
  if (text === undefined) performExit(fatal(`cannot read ${file}`));
  if (text.length > programLimits.configBytesMax) performExit(fatal(`${file} is too large`));
  const parsed = parseProgramAgentConfig(text, { file, node });
  if (parsed.kind === "config") return parsed.config;
  performExit({ kind: "exit", code: 1, stderr: `program-agent: ${parsed.message}\n` });
}

/** What of the old agent is not here. */
function unsupported(
  { isForeground, user, environmentFile, configFile, logFile }: ProgramAgentArguments,
  config: ProgramAgentConfig,
): string | undefined {
  const wanted = user ?? config.user;
  if (!isForeground)
    return "it stays in the foreground only (NOT_YET); use -d, as its wrapper does";
  if (environmentFile !== configFile) return "-f is not read (NOT_YET); put ENV lines into -c";
  if (logFile !== undefined) return "-l is not written (NOT_YET); redirect standard error";
  if (wanted !== undefined && wanted !== userInfo().username) {
    return `it becomes no other user (NOT_YET); start it as ${wanted}`;
  }
  return undefined;
}

function createGuard({
  keyFile,
  experiment,
}: ProgramAgentArguments): NotificationGuard | undefined {
  if (keyFile === undefined) return undefined;
  const key = readEventKey(keyFile);
  if (key.kind === "refused") performExit(fatal(key.message));
  const { wallUs } = eventWorld;
  const credentials = createCredentials({
    ...{ experiment, key: key.bytes, hash: eventHash, wallUs, randomBytes: newNonce },
  });
  if (typeof credentials === "string") performExit(fatal(credentials));
  return credentials;
}

function environmentFor(
  { experiment, logDirectory }: ProgramAgentArguments,
  config: ProgramAgentConfig,
  node: string,
): Readonly<Record<string, string>> {
  const [pid = "", eid = ""] = experiment.split("/");
  const { username, homedir } = userInfo();
  const paths = {
    ...{ experiment: `/proj/${pid}/exp/${eid}`, logs: logDirectory, boot: "/var/emulab/boot" },
    ...{ tools: ["/usr/local/etc/emulab"], temporary: "/tmp", files: "" },
  };
  const control = senderAddress(process.env);
  return planEnvironment({
    ...{ runId: "", pid, eid, node, controlAddress: control, nodeAddress: control, paths },
    ...{ user: username, group: pid, home: homedir, callerPath: process.env["PATH"] ?? "" },
    userEnvironment: config.environment,
  });
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function fatal(why: string): Exit {
  return { kind: "exit", code: fatalCode, stderr: `program-agent: ${why}\n` };
}

function log(text: string): void {
  process.stderr.write(`program-agent: ${text}\n`);
}
