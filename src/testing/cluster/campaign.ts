// SPDX-License-Identifier: MIT
// Many runs of clusters, on as many threads as are asked for: one seed each. Adds up what they say.
import { Worker } from "node:worker_threads";
import { type RunResult, runScript, stateNames } from "./cluster-run.ts";
import { drawFaults, generate } from "./generate.ts";
import { type FaultRates, faultNames, type Script } from "./script.ts";

export interface CampaignOptions {
  readonly seed: number;
  readonly seeds: number;
  readonly operations: number;
  readonly servers: number;
  /** The same for all seeds; `draw`: each seed draws its own. */
  readonly faults: FaultRates | "draw";
  /** Threads; 1 stays in this one. */
  readonly workers: number;
  readonly onLine?: (line: string) => void;
  /** A seed is done. */
  readonly onSeed?: (totals: CampaignTotals) => void;
}

/** What a thread is asked for. */
export interface SeedOrder extends Pick<CampaignOptions, "seed" | "operations" | "servers"> {
  readonly faults: FaultRates | "draw";
}

export interface FailedSeed {
  readonly seed: number;
  readonly faults: FaultRates;
  readonly problems: readonly string[];
}

export interface CampaignTotals {
  seeds: number;
  requests: number;
  answered: number;
  crossings: number;
  entries: number;
  virtualSeconds: number;
  readonly struck: Record<string, number>;
  readonly coverage: Record<string, number>;
  readonly failed: FailedSeed[];
}

/** The script of a seed. */
export function scriptOf({ seed, operations, servers, faults }: SeedOrder): Script {
  const rates = faults === "draw" ? drawFaults(seed) : faults;
  return generate({ seed, operations, servers, faults: rates });
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignTotals> {
  const totals: CampaignTotals = {
    ...{ seeds: 0, requests: 0, answered: 0, crossings: 0, entries: 0, virtualSeconds: 0 },
    ...{ struck: {}, coverage: {}, failed: [] },
  };
  const end = options.seed + options.seeds;
  let next = options.seed;
  const take = (): SeedOrder | undefined => {
    if (next >= end) return undefined;
    const { operations, servers, faults } = options;
    next += 1;
    return { seed: next - 1, operations, servers, faults };
  };
  const done = (order: SeedOrder, result: RunResult): void => {
    add(totals, order, result);
    options.onSeed?.(totals);
  };
  if (options.workers <= 1) {
    const { onLine } = options;
    for (let order = take(); order !== undefined; order = take()) {
      const script = scriptOf(order);
      done(order, await runScript(onLine === undefined ? { script } : { script, onLine }));
    }
    return totals;
  }
  const threads = Array.from({ length: Math.min(options.workers, options.seeds) }, () =>
    serve(take, done),
  );
  await Promise.all(threads);
  totals.failed.sort((a, b) => a.seed - b.seed);
  return totals;
}

const program = import.meta.url.endsWith(".ts") ? "./campaign-thread.ts" : "./campaign-thread.js";

/** One thread, with a seed after the other. */
function serve(
  take: () => SeedOrder | undefined,
  done: (order: SeedOrder, result: RunResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(program, import.meta.url), { execArgv: [] });
    let order: SeedOrder | undefined;
    const ask = (): void => {
      order = take();
      if (order === undefined) void worker.terminate().then(() => resolve());
      else worker.postMessage(order);
    };
    worker.on("message", (result: RunResult) => {
      if (order !== undefined) done(order, result);
      ask();
    });
    worker.on("error", reject);
    ask();
  });
}

function add(totals: CampaignTotals, order: SeedOrder, result: RunResult): void {
  totals.seeds += 1;
  totals.requests += result.parties;
  totals.answered += result.answered;
  totals.crossings += result.crossings;
  totals.entries += result.entries;
  totals.virtualSeconds += result.virtualSeconds;
  for (const [key, count] of Object.entries(result.struck)) {
    totals.struck[key] = (totals.struck[key] ?? 0) + count;
  }
  for (const [key, count] of Object.entries(result.coverage)) {
    totals.coverage[key] = (totals.coverage[key] ?? 0) + count;
  }
  if (result.problems.length === 0) return;
  const { faults } = scriptOf(order);
  totals.failed.push({ seed: order.seed, faults, problems: result.problems });
}

/**
 * How often each fault struck in each state, as a table, and the pairs that were never seen: how
 * many, or all of them.
 */
export function formatCoverage(
  coverage: Readonly<Record<string, number>>,
  { never }: { readonly never: "counted" | "named" },
): string {
  const width = Math.max(...faultNames.map(({ length }) => length));
  const head = `${" ".repeat(width)}  ${stateNames.join("  ")}`;
  const lacking: string[] = [];
  let unseen = 0;
  const rows = faultNames.map((fault) => {
    const missing = stateNames.filter((state) => coverage[`${fault}/${state}`] === undefined);
    unseen += missing.length;
    if (missing.length > 0) lacking.push(`  ${fault.padEnd(width)}  ${missing.join(" ")}`);
    const cells = stateNames.map((state) =>
      String(coverage[`${fault}/${state}`] ?? "-").padStart(state.length),
    );
    return `${fault.padEnd(width)}  ${cells.join("  ")}`;
  });
  const pairs = faultNames.length * stateNames.length;
  const named = never === "named" || unseen === 0 ? "" : "; --verbose names them";
  const rest = never === "named" ? lacking : [];
  const count = `never seen: ${unseen} of ${pairs} pairs${named}`;
  return `${[head, ...rows, count, ...rest].join("\n")}\n`;
}
