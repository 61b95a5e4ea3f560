// SPDX-License-Identifier: MIT
// The program evproxy: the events of one node, over one connection. What it does is in
// events/node-proxy.ts; here is its life as a daemon. [EMULAB-EVENTS 7.4]
import { lookup } from "node:dns/promises";
import { eventPorts, eventServerName, resolveEventAddress } from "../../client/event-address.ts";
import { errorText } from "../../core/text.ts";
import { NodeProxy } from "../../events/node-proxy.ts";
import { resolveProxyLimits } from "../../events/proxy-limits.ts";
import { systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { eventRetry, eventSocketDialer, eventWorld, senderAddress } from "../event-bus.ts";
import { isBackground, startInBackground, tellReadiness, writePidFile } from "./daemon.ts";
import { type EvproxyArguments, parseEvproxyArguments } from "./evproxy-arguments.ts";
import { performExit } from "./exit.ts";
import { createStderrLogger, createSyslogLogger } from "./syncd-log.ts";

const defaultPidFile = "/var/run/evproxy.pid";
const name = "evproxy";

async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const given = parseEvproxyArguments(args);
  if (given.kind === "exit") performExit(given);
  if (!given.foreground && !isBackground(environment)) {
    performExit(await startInBackground(args, () => undefined, name));
  }
  const logger = given.foreground
    ? createStderrLogger(systemClock)
    : createSyslogLogger(() => undefined, name);
  try {
    await serve(given, environment, logger);
  } catch (error) {
    giveUp(errorText(error), environment);
  }
}

async function serve(
  given: EvproxyArguments,
  environment: NodeJS.ProcessEnv,
  logger: Logger,
): Promise<void> {
  const url = resolveEventAddress(given, {
    environment: environment["MUSTER_EVENTS"],
    server: eventServerName,
    port: eventPorts.experiments,
  });
  if (url === undefined) throw new Error("-s or MUSTER_EVENTS is no host; give HOST, HOST:PORT");
  const { experiment } = given;
  const addresses = [await findHost(given, environment)];
  const removePidFile = takePidFile(given, logger);
  const proxy = new NodeProxy({
    open: eventSocketDialer(url),
    ...{ view: { experiment, addresses }, retry: eventRetry, limits: resolveProxyLimits() },
    ...{ runtime: eventWorld.runtime, clock: systemClock, logger },
    onTurnedAway: ({ message }) => {
      removePidFile();
      logger.log("error", `${message}; set MUSTER_TOKEN to one that it takes, and start again`);
      giveUp(message, environment);
    },
  });
  try {
    const { address, port } = await proxy.listen(given.listen);
    obeySignals(proxy, logger, removePidFile);
    logger.log("info", `listening at ${address} port ${port} for ${experiment}, ${addresses}`);
    if (isBackground(environment)) process.chdir("/");
    tellReadiness(environment, { port, addresses: [address] });
  } catch (error) {
    removePidFile();
    throw error;
  }
}

/** The address that events for this node alone have in HOST. */
async function findHost(
  { host, vnode }: EvproxyArguments,
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  if (host !== undefined) return host;
  if (vnode === undefined) return senderAddress(environment);
  try {
    return (await lookup(vnode, 4)).address;
  } catch {
    throw new Error(`there is no address for ${vnode}; give it with --host ADDR`);
  }
}

function takePidFile({ pidFile }: EvproxyArguments, logger: Logger): () => void {
  const file = pidFile ?? (process.getuid?.() === 0 ? defaultPidFile : undefined);
  if (file === undefined) return () => undefined;
  try {
    return writePidFile(file);
  } catch (error) {
    logger.log("warn", `cannot write the pid file, going on without: ${String(error)}`);
    return () => undefined;
  }
}

function obeySignals(proxy: NodeProxy, logger: Logger, removePidFile: () => void): void {
  let isEnding = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    logger.log("info", `ending on ${signal}`);
    removePidFile();
    void proxy.close().then(() => process.exit(0));
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

/** Ends with a message, to the terminal or to whoever put this program into the background. */
function giveUp(reason: string, environment: NodeJS.ProcessEnv): never {
  const text = `${name}: ${reason}`;
  tellReadiness(environment, { error: text, exitCode: 1 });
  performExit({ kind: "exit", code: 1, stderr: `${text}\n` });
}

await main(process.argv.slice(2), process.env);
