// SPDX-License-Identifier: MIT
// The program emulab-sync: arrive at a barrier, wait, end with its error. [EMULAB-SYNC 4]
// Starts once per arrival, so it imports no more than it needs.
import type { SyncOutcome } from "../../client/emulab-sync.ts";
import { synchronize } from "../../client/emulab-sync.ts";
import type { ClientRuntime } from "../../client/runtime.ts";
import type { BarrierDescription } from "../../core/description.ts";
import { systemClock } from "../../host/clock.ts";
import { errorCleared, type InitRequest, type WaitRequest } from "../../wire/emulab-sync/index.ts";
import { exitCodes, parseSyncArguments, type SyncArguments } from "./emulab-sync-arguments.ts";
import { bootFile, findServer, isMaster, readIfThere, resolveHost } from "./emulab-sync-server.ts";
import { type Exit, performExit } from "./exit.ts";

/** Names in the text of a time-out; the rest is a number. */
const namesMax = 10;

async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Exit> {
  const given = parseSyncArguments(args);
  if (given.kind === "exit") return given;
  const server = findServer(given, () => readIfThere(bootFile(environment)));
  if ("kind" in server) return server;
  const address = await resolveHost(server.host);
  if (typeof address !== "string") return address;
  if (given.testMaster) {
    const code = (await isMaster(address, environment)) ? 0 : exitCodes.notMaster;
    return { kind: "exit", code };
  }
  if (server.port === undefined) {
    return { kind: "exit", code: exitCodes.noPort, stderr: "No port specified\n" };
  }
  const { port } = server;
  const startedUs = systemClock.nowUs();
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
  });
  const waitedMs = Math.round((systemClock.nowUs() - startedUs) / 1000);
  return conclude(given, outcome, { server: `${address}:${port}`, waitedMs });
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

/** The texts and the status for an outcome. */
function conclude(
  given: SyncArguments,
  outcome: SyncOutcome,
  facts: { readonly server: string; readonly waitedMs: number },
): Exit {
  const { code, message } = explain(given, outcome, facts.server);
  const stderr = message === undefined ? {} : { stderr: `emulab-sync: ${message}\n` };
  if (!given.json) return { kind: "exit", code, ...stderr };
  const barrier = outcome.kind === "timeout" ? outcome.barrier : undefined;
  const report = {
    barrier: given.name,
    server: facts.server,
    transport: given.transport,
    outcome: outcomeName(outcome),
    error: outcome.kind === "answered" ? outcome.value : null,
    exitCode: code,
    waitedMs: facts.waitedMs,
    ...(message === undefined ? {} : { message }),
    ...(barrier ? missingFacts(barrier) : {}),
  };
  return { kind: "exit", code, stdout: `${JSON.stringify(report)}\n`, ...stderr };
}

function outcomeName(outcome: SyncOutcome): string {
  if (outcome.kind !== "answered") return outcome.kind;
  return outcome.value === errorCleared ? "cleared" : "crossed";
}

function missingFacts({ expected, arrived, waiting, missing }: BarrierDescription) {
  return { expected, arrived, waiting: waiting.map(({ who }) => who), missing };
}

function explain(
  { name, timeoutS, waitForServerS }: SyncArguments,
  outcome: SyncOutcome,
  server: string,
): { readonly code: number; readonly message?: string } {
  switch (outcome.kind) {
    case "answered":
      // Of an exit status eight bits are left, whatever the server said.
      return { code: outcome.value & 0xff };
    case "protocol":
      return { code: exitCodes.protocol, message: `${outcome.message} (${server})` };
    case "no-server":
      return {
        code: exitCodes.noServer,
        message: `no server at ${server} after ${waitForServerS} s; is emulab-syncd running there?`,
      };
    case "timeout": {
      const when = `timed out after ${timeoutS} s at barrier '${name}'`;
      return { code: exitCodes.timeout, message: `${when}: ${whoIsMissing(outcome.barrier)}` };
    }
  }
}

function whoIsMissing(barrier: BarrierDescription | null | undefined): string {
  if (barrier === undefined) return "the server cannot tell who is missing";
  if (barrier === null) return "the server knows no such barrier";
  const { expected, arrived, waiting, missing } = barrier;
  const names = waiting.slice(0, namesMax).map(({ who }) => who.name ?? who.node ?? who.address);
  if (arrived > names.length) names.push(`${arrived - names.length} more`);
  const of = expected === 0 ? "" : ` of ${expected}`;
  const list = names.length === 0 ? "" : ` (${names.join(", ")})`;
  return `${arrived}${of} arrived${list}; missing: ${missing.join("; ") || "unknown"}`;
}

performExit(await main(process.argv.slice(2), process.env));
