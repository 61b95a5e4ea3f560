// SPDX-License-Identifier: MIT
// The program emulab-syncd: a whole sync server when started by hand, an edge of the run when
// started inside one (D14). [EMULAB-SYNC 1]
//
// In a run the environment says so: MUSTER_CORE_SOCKET (the core's UNIX socket),
// MUSTER_CORE_SECRET or a file that holds it, MUSTER_CORE_SECRET_FILE, MUSTER_SCOPE, MUSTER_NODE,
// and MUSTER_SYNCD_ADDRESSES, a JSON object from the loopback address that a node is told to the
// name of that node: the address called at tells who calls. MUSTER_SYNCD_BARRIERS may name a file
// of the barriers that are for members.
import { spawn } from "node:child_process";
import { readFileSync, unlinkSync } from "node:fs";
import { resolve } from "node:path";
import { type Limits, resolveLimits } from "../../core/limits.ts";
import { errorText } from "../../core/text.ts";
import { parseMemberBarriers, Syncd, type SyncdOptions } from "../../edges/syncd/index.ts";
import type { TlsFiles } from "../../edges/tls.ts";
import { systemClock } from "../../host/clock.ts";
import type { ConnectEdge } from "../../host/core-link.ts";
import type { Logger } from "../../host/logger.ts";
import { warnOfWaits } from "../../host/warn-of-waits.ts";
import { defaultPort } from "../../wire/emulab-sync/index.ts";
import { isInNetworks } from "../../wire/networks.ts";
import {
  isBackground,
  type Ready,
  startInBackground,
  tellReadiness,
  writePidFile,
} from "./daemon.ts";
import { parseSyncdArguments, type SyncdArguments } from "./emulab-syncd-arguments.ts";
import { performExit } from "./exit.ts";
import { parseAddresses, SyncdCallers } from "./syncd-callers.ts";
import { createFileLogger, createStderrLogger, createSyslogLogger } from "./syncd-log.ts";

/** Service name under which a port is registered. */
const serviceName = "emulab_syncd";
const rootPidFile = "/var/run/syncd.pid";

/** Where the barriers are, and who calls from where. */
interface Place {
  readonly scope: string;
  readonly edge: string;
  readonly connect: ConnectEdge;
  readonly addresses: readonly string[];
  readonly nodeOf?: NonNullable<SyncdOptions["nodeOf"]>;
  readonly memberBarriers?: NonNullable<SyncdOptions["memberBarriers"]>;
  readonly isRun: boolean;
}

async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const given = parseSyncdArguments(args);
  if (given.kind === "exit") performExit(given);
  if (!given.foreground && !isBackground(environment)) {
    const port = given.port ?? defaultPort;
    performExit(await startInBackground(args, (started) => describeFallback(port, started)));
  }
  try {
    await serve(given, environment);
  } catch (error) {
    giveUp(`emulab-syncd: ${errorText(error)}`, environment);
  }
}

/** Ends with a message, to the terminal or to whoever put this server into the background. */
function giveUp(text: string, environment: NodeJS.ProcessEnv): never {
  tellReadiness(environment, { error: text, exitCode: 1 });
  performExit({ kind: "exit", code: 1, stderr: `${text}\n` });
}

async function serve(given: SyncdArguments, environment: NodeJS.ProcessEnv): Promise<void> {
  const limits = resolveLimits(given.limits);
  const logger = chooseLogger(given);
  const place = await findPlace(given, environment, { limits, logger });
  const { allow } = given;
  const tls = await readTls(given);
  const syncd = new Syncd({
    ...place,
    clock: systemClock,
    logger,
    limits,
    bounds: given.bounds,
    port: given.port ?? defaultPort,
    fallback: given.port === undefined,
    verbose: given.verbose,
    ...(allow.length === 0 ? {} : { allows: (peer: string) => isInNetworks(peer, allow) }),
    ...(tls === undefined ? {} : { tls }),
    onClosed: (reason) => {
      giveUp(`emulab-syncd: the core refuses this server: ${reason}`, environment);
    },
  });
  const port = await syncd.listen();
  if (given.register !== undefined) await register(given.register, port);
  const removePidFile = takePidFile(given, environment, place, logger);
  obeySignals(syncd, logger, removePidFile);
  logger.log("info", `listening on port ${port} of ${place.addresses.join(", ")}`);
  // What a background server dies of must be somewhere.
  process.on("uncaughtExceptionMonitor", (error) => logger.log("error", String(error.stack)));
  if (isBackground(environment)) process.chdir("/");
  tellReadiness(environment, { port, addresses: place.addresses });
}

/** @throws PkiError */
async function readTls({ tls, clientCerts }: SyncdArguments): Promise<TlsFiles | undefined> {
  if (tls === undefined) return undefined;
  const { loadTlsMaterial } = await import("../../pki/tls-material.ts");
  const { key, certificate, authority } = loadTlsMaterial(tls, { nowMs: systemClock.wallMs() });
  return { key, certificate, ...(clientCerts ? { authority } : {}) };
}

/** The old daemon took another port without a word, and nobody could find it. */
function describeFallback(
  wanted: number,
  { port, addresses = [], pid }: Ready & { readonly pid: number },
): string | undefined {
  if (port === wanted) return undefined;
  const at = addresses.map((address) => formatEndpoint(address, port)).join(", ");
  return `emulab-syncd: port ${wanted} is in use; listening on ${at} instead, pid ${pid}\n`;
}

function formatEndpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function chooseLogger({ logFile, foreground }: SyncdArguments): Logger {
  if (logFile !== undefined) return createFileLogger(logFile, systemClock);
  if (foreground) return createStderrLogger(systemClock);
  return createSyslogLogger(() => undefined);
}

async function findPlace(
  given: SyncdArguments,
  environment: NodeJS.ProcessEnv,
  { limits, logger }: { readonly limits: Limits; readonly logger: Logger },
): Promise<Place> {
  const path = environment["MUSTER_CORE_SOCKET"];
  if (path !== undefined) return findRun(path, environment, limits);
  const { Host } = await import("../../host/host.ts");
  const { openLocalLog } = await import("../../engine/open-log.ts");
  const log = await openLocalLog(given.log, systemClock);
  const host = new Host({ log, clock: systemClock, limits, toldLimits: given.limits, logger });
  await host.start();
  warnOfWaits(host, logger);
  const addresses = given.listen.length === 0 ? ["127.0.0.1"] : given.listen;
  return { scope: "syncd", edge: "syncd", connect: host.connectEdge, addresses, isRun: false };
}

const addressesVariable = "MUSTER_SYNCD_ADDRESSES";

async function findRun(
  path: string,
  environment: NodeJS.ProcessEnv,
  limits: Limits,
): Promise<Place> {
  const node = required(environment, "MUSTER_NODE");
  const secret = takeSecret(environment);
  const nodes = parseAddresses(required(environment, addressesVariable), addressesVariable);
  // The node has a network of its own: callers are known by where they call from.
  const file = environment["MUSTER_SYNCD_CALLERS"];
  const callers = file === undefined ? undefined : new SyncdCallers(file, node);
  const members = environment["MUSTER_SYNCD_BARRIERS"];
  const { connectRemoteEdge } = await import("../../host/remote-link.ts");
  return {
    scope: required(environment, "MUSTER_SCOPE"),
    edge: environment["MUSTER_SYNCD_EDGE"] ?? `${node}/syncd`,
    connect: connectRemoteEdge({ path, secret, clock: systemClock, limits }),
    addresses: callers === undefined ? [...nodes.keys()] : ["0.0.0.0"],
    nodeOf: (local, peer) => (callers === undefined ? nodes.get(local) : callers.nodeOf(peer)),
    ...(members === undefined
      ? {}
      : { memberBarriers: parseMemberBarriers(readFileSync(members, "utf8")) }),
    isRun: true,
  };
}

/** A run leaves it in a file, because others may look at the environment of a process. */
function takeSecret(environment: NodeJS.ProcessEnv): string {
  const file = environment["MUSTER_CORE_SECRET_FILE"];
  if (file === undefined) return required(environment, "MUSTER_CORE_SECRET");
  const secret = readFileSync(file, "utf8");
  unlinkSync(file);
  return secret;
}

function required(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name];
  if (value !== undefined && value !== "") return value;
  throw new Error(`MUSTER_CORE_SOCKET is set, so this is a run, but ${name} is not; set it`);
}

/** A run keeps the machine's own pid file alone; there one is written only where it says. */
function takePidFile(
  given: SyncdArguments,
  environment: NodeJS.ProcessEnv,
  { isRun }: Place,
  logger: Logger,
): () => void {
  const byDefault = !isRun && process.getuid?.() === 0 ? rootPidFile : undefined;
  const file = given.pidFile ?? environment["MUSTER_PIDFILE"] ?? byDefault;
  if (file === undefined) return () => undefined;
  try {
    return writePidFile(resolve(file));
  } catch (error) {
    logger.log("warn", `cannot write the pid file, going on without: ${String(error)}`);
    return () => undefined;
  }
}

function obeySignals(syncd: Syncd, logger: Logger, removePidFile: () => void): void {
  obeyOnce("SIGUSR1", () => syncd.setVerbose(true));
  obeyOnce("SIGUSR2", () => syncd.setVerbose(false));
  process.on("SIGHUP", () => syncd.clear());
  // Linux has no SIGINFO. Nobody but a person sends SIGPWR to a program, and no key does.
  process.on("SIGPWR", () => void syncd.report());
  let isEnding = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    logger.log("info", `ending on ${signal}`);
    removePidFile();
    // The core of a run may be away; the server must end all the same.
    systemClock.after(endMs, () => process.exit(0));
    void syncd.close().then(() => process.exit(0));
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

/** How long a server that is to end waits for its core. */
const endMs = 2_000;

/** The signal works once and is ignored from then on. [EMULAB-SYNC 1] */
function obeyOnce(signal: NodeJS.Signals, act: () => void): void {
  let isDone = false;
  process.on(signal, () => {
    if (!isDone) act();
    isDone = true;
  });
}

/** Nobody finds a server that is not registered: what fails here ends it. [EMULAB-TMCD 12] */
function register(command: string, port: number): Promise<void> {
  const words = [serviceName, String(port)];
  const child = spawn("/bin/sh", ["-c", `${command} "$@"`, "sh", ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (data: Buffer) => {
    said = (said + data.toString()).slice(-registerTextMax);
  });
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      const more = said.trim() === "" ? "" : `: ${said.trim()}`;
      reject(new Error(`--register: \`${command} ${words.join(" ")}\` failed, ${why}${more}`));
    };
    child.on("error", (error) => fail(error.message));
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else fail(signal ?? `exit status ${code}`);
    });
  });
}

/** Characters of its complaint that are told. */
const registerTextMax = 1_000;

await main(process.argv.slice(2), process.env);
