// SPDX-License-Identifier: MIT
// The program emulab-sync: arrive at a barrier, wait, end with its error. [EMULAB-SYNC 4]
// Starts once per arrival, so it imports no more than it needs.
import { constants } from "node:os";
import { synchronize } from "../../client/emulab-sync.ts";
import type { ClientRuntime } from "../../client/runtime.ts";
import { systemClock } from "../../host/clock.ts";
import type { InitRequest, WaitRequest } from "../../wire/emulab-sync/index.ts";
import { exitCodes, parseSyncArguments, type SyncArguments } from "./emulab-sync-arguments.ts";
import { conclude, concludeEarly, type EndFacts } from "./emulab-sync-report.ts";
import { bootFile, findServer, isMaster, readIfThere, resolveHost } from "./emulab-sync-server.ts";
import { type Exit, performExit } from "./exit.ts";

const noPort = `No port specified
add -p PORT (emulab-syncd listens on 16534 unless told otherwise)
`;

/** What is known when the program ends, whoever ends it. */
class Facts implements EndFacts {
  server: string | null = null;
  readonly #startedUs = systemClock.nowUs();
  get waitedMs(): number {
    return Math.round((systemClock.nowUs() - this.#startedUs) / 1000);
  }
}

async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Exit> {
  const facts = new Facts();
  const given = parseSyncArguments(args);
  if (given.kind === "information") return given.exit;
  if (given.kind === "usage") {
    return concludeEarly(given.soFar, given.exit, "usage", facts);
  }
  return await Promise.race([arrive(given, environment, facts), interruption(given, facts)]);
}

async function arrive(
  given: SyncArguments,
  environment: NodeJS.ProcessEnv,
  facts: Facts,
): Promise<Exit> {
  const end = (exit: Exit, outcome: string): Exit => concludeEarly(given, exit, outcome, facts);
  const server = findServer(given, () => readIfThere(bootFile(environment)));
  if ("kind" in server) return end(server, "usage");
  facts.server = server.port === undefined ? server.host : `${server.host}:${server.port}`;
  const address = await resolveHost(server.host);
  if (typeof address !== "string") return end(address, "unknown-host");
  if (given.testMaster) {
    return (await isMaster(address, environment))
      ? end({ kind: "exit", code: 0 }, "master")
      : end({ kind: "exit", code: exitCodes.notMaster }, "not-master");
  }
  const { port } = server;
  if (port === undefined) {
    return end({ kind: "exit", code: exitCodes.noPort, stderr: noPort }, "no-port");
  }
  facts.server = `${address}:${port}`;
  const outcome = await synchronize({
    address,
    port,
    transport: given.transport,
    request: requestOf(given),
    runtime: await createRuntime(given.transport),
    ...(given.timeoutS === undefined ? {} : { timeoutMs: given.timeoutS * 1000 }),
    ...(given.waitForServerS === undefined ? {} : { waitForServerMs: given.waitForServerS * 1000 }),
    onRetry: () => {
      if (given.debug) process.stderr.write("Connection refused. Waiting ...\n");
    },
    interrupt: interrupt.signal,
  });
  // The interruption tells its own end.
  if (outcome.kind === "cancelled") return new Promise(() => undefined);
  return conclude(given, outcome, facts);
}

const interrupt = new AbortController();

/**
 * Signals that end the program. Only where there is something to do first: the object of `--json`,
 * and a server that would not see a sender of datagrams go. The old client, and ours without
 * `--json`, dies of the signal.
 */
function interruption(given: SyncArguments, facts: Facts): Promise<Exit> {
  return new Promise((resolve) => {
    if (!given.json && given.transport === "tcp") return;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        interrupt.abort();
        if (!given.json) {
          process.kill(process.pid, signal);
          return;
        }
        const stderr = `emulab-sync: ended by ${signal}; the arrival is taken back\n`;
        const exit: Exit = { kind: "exit", code: 128 + constants.signals[signal], stderr };
        resolve(concludeEarly(given, exit, "interrupted", facts));
      });
    }
  });
}

/** Only UDP needs random bytes, and what makes them takes its time to load. */
async function createRuntime(transport: SyncArguments["transport"]): Promise<ClientRuntime> {
  const { nowUs, after } = systemClock;
  if (transport === "tcp") return { nowUs, after, randomBytes: (count) => new Uint8Array(count) };
  const { newNonce } = await import("../../host/ids.ts");
  return { nowUs, after, randomBytes: newNonce };
}

function requestOf({
  wireName,
  initCount,
  waits,
  error,
}: SyncArguments): InitRequest | WaitRequest {
  if (initCount === undefined) return { kind: "wait", name: wireName, error };
  return { kind: "init", name: wireName, count: initCount, waits, error };
}

performExit(await main(process.argv.slice(2), process.env));
