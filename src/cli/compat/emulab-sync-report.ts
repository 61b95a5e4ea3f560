// SPDX-License-Identifier: MIT
// How emulab-sync ends: the texts and the status of an outcome, and the object of `--json`, which
// is printed whatever the end is. Texts that the old client has stand as they were; a line of ours
// may follow them. [EMULAB-SYNC 4]
import type { SyncEnd } from "../../client/emulab-sync.ts";
import type { BarrierDescription } from "../../core/description.ts";
import { errorCleared } from "../../wire/emulab-sync/index.ts";
import { exitCodes, type SyncArguments, usage } from "./emulab-sync-arguments.ts";
import type { Exit } from "./exit.ts";

/** Names in the text of a time-out; the rest is a number. */
const namesMax = 10;

export interface EndFacts {
  /** `HOST:PORT` as far as known; null before that. */
  readonly server: string | null;
  readonly waitedMs: number;
}

/** The texts and the status for an outcome. */
export function conclude(given: SyncArguments, outcome: SyncEnd, facts: EndFacts): Exit {
  const { code, message } = explain(given, outcome, facts.server ?? "");
  const stderr = message === undefined ? {} : { stderr: `emulab-sync: ${message}\n` };
  const exit: Exit = { kind: "exit", code, ...stderr };
  if (!given.json) return exit;
  const barrier = outcome.kind === "timeout" ? outcome.barrier : undefined;
  const stdout = formatObject(given, facts, {
    outcome: outcomeName(given, outcome),
    error: outcome.kind === "answered" ? outcome.value : null,
    exitCode: code,
    message,
    ...(barrier ? missingFacts(barrier) : {}),
  });
  return { ...exit, stdout };
}

/** The same for an end before or without an arrival; the texts are in `exit` already. */
export function concludeEarly(
  given: SyncArguments,
  exit: Exit,
  outcome: string,
  facts: EndFacts,
): Exit {
  if (!given.json) return exit;
  const message = exit.stderr?.replace(usage, "").trim();
  const stdout = formatObject(given, facts, {
    outcome,
    error: null,
    exitCode: exit.code,
    message,
  });
  return { ...exit, stdout };
}

interface Ending {
  readonly outcome: string;
  readonly error: number | null;
  readonly exitCode: number;
  readonly message: string | undefined;
}

function formatObject(given: SyncArguments, facts: EndFacts, ending: Ending): string {
  const { outcome, error, exitCode, message, ...more } = ending;
  const object = {
    barrier: given.name,
    server: facts.server,
    transport: given.transport,
    outcome,
    error,
    exitCode,
    waitedMs: facts.waitedMs,
    ...(message === undefined ? {} : { message }),
    ...more,
  };
  return `${JSON.stringify(object)}\n`;
}

function outcomeName({ waits }: SyncArguments, outcome: SyncEnd): string {
  if (outcome.kind !== "answered") return outcome.kind;
  if (outcome.value === errorCleared) return "cleared";
  // One that does not wait has crossed nothing: it has said how many are to come.
  return waits ? "crossed" : "opened";
}

function missingFacts({ expected, arrived, waiting, missing }: BarrierDescription) {
  return { expected, arrived, waiting: waiting.map(({ who }) => who), missing };
}

/** What to do when the answer means nothing. */
const protocolAdvice = {
  "no-answer": "it ended or refused the request, and its log says which",
  "strange-answer": "is what listens there an emulab-syncd?",
  connection: "check -s and -p, and that emulab-syncd still runs there",
} as const;

function explain(
  { name, timeoutS, waitForServerS }: SyncArguments,
  outcome: SyncEnd,
  server: string,
): { readonly code: number; readonly message?: string } {
  switch (outcome.kind) {
    case "answered":
      // Of an exit status eight bits are left, whatever the server said.
      return { code: outcome.value & 0xff };
    case "protocol": {
      const message = `${outcome.message} (${server}); ${protocolAdvice[outcome.cause]}`;
      return { code: exitCodes.protocol, message };
    }
    case "no-server":
      return outcome.after === "timeout"
        ? {
            code: exitCodes.timeout,
            message: `timed out after ${timeoutS} s: no server answered at ${server}; is emulab-syncd running there?`,
          }
        : {
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
  const gone = missing.slice(0, namesMax);
  if (missing.length > gone.length) gone.push(`${missing.length - gone.length} more`);
  return `${arrived}${of} arrived${list}; missing: ${gone.join("; ") || "unknown"}`;
}
