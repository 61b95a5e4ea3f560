// SPDX-License-Identifier: MIT
// The program tmcc: asks the configuration server, or the cache, one thing and prints the answer.
// [EMULAB-TMCD 5] [EMULAB-TMCD 6] Scripts start it often, so it imports no more than it needs.
import { readFileSync } from "node:fs";
import { askTmcd, type TmccOutcome } from "../../client/tmcc.ts";
import type { Ask } from "../../client/tmcc-boot.ts";
import { cacheFolder, clearCache, fillCache, readCache } from "../../client/tmcc-cache.ts";
import { systemClock } from "../../host/clock.ts";
import {
  formatRequest,
  parseFullConfig,
  type RequestToFormat,
  requestBytesMaxTcp,
  requestBytesMaxUdp,
} from "../../wire/tmcd/index.ts";
import { type Exit, performExit } from "./exit.ts";
import { exitCodes, parseTmccArguments, type TmccArguments } from "./tmcc-arguments.ts";
import { type Line, openLine } from "./tmcc-line.ts";
import { bootFolder, findBoss, readIfThere, resolveHost } from "./tmcc-server.ts";

async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Exit> {
  const given = parseTmccArguments(args);
  if (given.kind === "exit") return given;
  if (given.experimentFile !== undefined) {
    const { serveExperiment } = await import("./tmcc-serve.ts");
    return serveExperiment(given.experimentFile, given);
  }
  if (given.words[0] === "bossinfo") return tellBoss(given, environment);
  const folder = cacheFolder(bootFolder(environment), given.vnodeId);
  // A proxy and a server's name do not change what the cache of this machine says.
  if (!given.bypassesCache && !given.refillsCache && !given.isBoot) {
    const known = readCache(folder, given.words);
    if (known !== undefined) return { kind: "exit", code: exitCodes.ok, stdout: known };
  }
  const line = await openLine(given, environment);
  if ("code" in line) return line;
  if (given.servePath !== undefined || given.serveInet !== undefined) {
    const { serveProxy } = await import("./tmcc-proxy.ts");
    return serveProxy(given, line);
  }
  if (given.isBoot) {
    const { bootHere } = await import("./tmcc-boot.ts");
    return bootHere(askWith(given, line), bootFolder(environment), folder);
  }
  if (given.refillsCache) {
    const exit = await refill(folder, line, given);
    if (exit !== undefined) return exit;
    const known = readCache(folder, given.words);
    if (known !== undefined) return { kind: "exit", code: exitCodes.ok, stdout: known };
  }
  return askOnce(given, line);
}

async function askOnce(given: TmccArguments, line: Line): Promise<Exit> {
  const data = given.dataFile === undefined ? undefined : readData(given.dataFile);
  if (typeof data === "object") return data;
  const request = requestOf(given, line, given.words, data);
  const length = formatRequest(request).length;
  const most = given.isUdp ? requestBytesMaxUdp : requestBytesMaxTcp;
  if (length > most) {
    return failure(`the request has ${length} bytes, more than the ${most} that are sent`);
  }
  return conclude(await exchange(given, line, request), given);
}

function requestOf(
  given: TmccArguments,
  { privateKey, targets }: Line,
  words: readonly string[],
  data?: string,
): RequestToFormat {
  return {
    // Words are bytes on the wire.
    words: words.map((word) => Buffer.from(word, "utf8").toString("latin1")),
    version: given.version,
    useUdp: given.isUdp && targets[0]?.kind === "unix",
    ...(given.vnodeId === undefined ? {} : { vnodeId: given.vnodeId }),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(data === undefined ? {} : { data }),
  };
}

function exchange(
  given: TmccArguments,
  { targets, tls }: Line,
  request: RequestToFormat,
): Promise<TmccOutcome> {
  return askTmcd({
    request,
    targets,
    ...(tls === undefined ? {} : { tls }),
    ...(given.timeoutS === undefined ? {} : { timeoutMs: given.timeoutS * 1000 }),
    resolve: resolveHost,
    runtime: systemClock,
    onRetry: () => {
      if (given.debug) process.stderr.write("Connection refused. Waiting ...\n");
    },
  });
}

/** For a series of questions; an exchange that fails ends it. */
function askWith(given: TmccArguments, line: Line): Ask {
  return async (words) => {
    const outcome = await exchange(given, line, requestOf(given, line, words));
    if (outcome.kind === "reply") return outcome.bytes.toString("utf8");
    throw new Error(outcome.kind === "failed" ? outcome.message : `${words[0]}: ${outcome.kind}`);
  };
}

function conclude(outcome: TmccOutcome, { debug }: TmccArguments): Exit {
  switch (outcome.kind) {
    case "reply": {
      // Bytes as they came: a map is packed.
      process.stdout.write(outcome.bytes);
      if (debug) process.stderr.write(outcome.bytes);
      return { kind: "exit", code: exitCodes.ok };
    }
    case "timeout":
      return {
        kind: "exit",
        code: exitCodes.failed,
        stderr: "Timed out because there was no progress!\n",
      };
    case "redirect-limit":
      return { kind: "exit", code: exitCodes.failed, stderr: "Redirect limit reached\n" };
    case "failed":
      return failure(outcome.message);
  }
}

/** The whole configuration anew. Only root has the cache of a machine. */
async function refill(folder: string, line: Line, given: TmccArguments): Promise<Exit | undefined> {
  if (process.getuid?.() !== 0 && process.env["MUSTER_BOOT"] === undefined) {
    return { kind: "exit", code: exitCodes.usage, stderr: "tmcc: -c is for root only\n" };
  }
  clearCache(folder);
  const outcome = await exchange(given, line, requestOf(given, line, ["fullconfig"]));
  if (outcome.kind !== "reply") return conclude(outcome, given);
  fillCache(folder, parseFullConfig(outcome.bytes.toString("utf8")));
  return undefined;
}

async function tellBoss(given: TmccArguments, environment: NodeJS.ProcessEnv): Promise<Exit> {
  const { host } = await findBoss(given.server, environment, readIfThere);
  const address = await resolveHost(host);
  if (address === undefined) {
    const stderr = `tmcc: there is no host ${host}; name the server with -s\n`;
    return { kind: "exit", code: exitCodes.usage, stderr };
  }
  return { kind: "exit", code: exitCodes.ok, stdout: `${host} ${address}\n` };
}

function readData(file: string): string | Exit {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    return failure(`cannot read the data file: ${String(error)}`);
  }
}

function failure(message: string): Exit {
  return { kind: "exit", code: exitCodes.failed, stderr: `tmcc: ${message}\n` };
}

performExit(await main(process.argv.slice(2), process.env));
