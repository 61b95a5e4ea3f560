// SPDX-License-Identifier: MIT
// Goal: a run whose scheduler is a process of its own is modified as any other: its agenda changes
// in that process, whole or not at all, also when the process is killed in between. Method: a real
// run in this process with a real scheduler beside it, asked as the daemon asks.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { planModification } from "../../src/boss/modify-plan.ts";
import { installedTool, oldTools } from "../../src/cli/tools.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import { type Experiment, parseNsFile } from "../../src/experiment/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import type { ModifyOutcome, RunControl } from "../../src/testbed/modify-run.ts";
import { runExperiment } from "../../src/testbed/run.ts";
import type { RunEvent } from "../../src/testbed/run-event.ts";
import { scratch, until } from "./support/command.ts";
import { readText, schedulersOf } from "./support/experiment.ts";

const stop = new AbortController();
let ended: Promise<void> = Promise.resolve();
afterEach(async () => {
  stop.abort();
  await ended;
});

function read(lines: readonly string[]): Experiment {
  const text = ["set ns [new Simulator]", "source tb_compat.tcl", ...lines, "$ns run"].join("\n");
  const { experiment, diagnostics } = parseNsFile(text, { file: "a.ns", pid: "pp", eid: "ee" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

const program = (name: string, script: string): string =>
  `set ${name} [$n0 program-agent -command {sh -c "${script}"}]`;
const base = [
  ...["set n0 [$ns node]", program("stays", "exec sleep 12345"), program("inner", "true")],
  ...["goes", "moved", "added"].map((name) => program(name, `echo ${name}`)),
  '$ns at 0 "$stays start"',
];

test("a scheduler in a process of its own is told of the change, and keeps it", async () => {
  const out = join(scratch(), "out");
  mkdirSync(out);
  const events: RunEvent[] = [];
  const active = Promise.withResolvers<RunControl>();
  let experiment = read([...base, '$ns at 3600 "$goes start"', '$ns at 3600 "$moved start"']);
  const scheduler = installedTool("event-sched") ?? "";
  ended = runExperiment({
    ...{ experiment, file: "a.ns", projectFiles: out, runId: newRunId(), out, seed: 1 },
    ...{ durationSeconds: 0, stuckSeconds: 0, nodeMode: "environment", tools: oldTools() },
    ...{ clock: systemClock, limits: resolveLimits(), interrupt: stop.signal },
    logger: { log: () => undefined },
    split: { account: undefined, scheduler },
    watch: (event) => events.push(event),
    onActive: (control) => active.resolve(control),
  });
  const control = await active.promise;
  const modify = async (lines: readonly string[]): Promise<ModifyOutcome> => {
    const plan = planModification(experiment, read(lines));
    if (plan.kind === "refused") throw new Error(plan.reasons.join());
    const outcome = await control.modify({ ...plan.modification, tables: undefined });
    experiment = outcome.experiment;
    return outcome;
  };
  const fired = (object: string): number | undefined =>
    events.flatMap((one) =>
      one.type === "event-fired" && one.object === object ? [one.id] : [],
    )[0];
  const sequence = ["set s [$ns event-sequence {\n$stays run\n}]"];
  const after = [
    ...[...base, '$ns at 0 "$moved start"', ...sequence, '$ns at 0 "$added start"'],
    '$ns at 7200 "$inner start"',
  ];
  expect((await modify(after)).events).toMatchObject({
    added: [{ id: 4 }, { id: 5 }],
    ...{ changed: [{ id: 3 }], removed: [2], fired: [] },
  });
  await until("both have fired", () => fired("moved") === 3 && fired("added") === 4);
  expect(events.filter(({ type }) => type === "event-cancelled")).toMatchObject([{ id: 2 }]);

  const [pid = 0] = schedulersOf({ out });
  const log = join(out, "scheduler/event-sched.log");
  process.kill(pid, "SIGKILL");
  await until("it is started again", () => readText(log).split("scheduling the").length === 3);
  // What it holds now is what the log of the one before holds.
  const moved = after.map((line) => line.replace("at 7200", "at 0"));
  expect((await modify(moved)).events).toMatchObject({ changed: [{ id: 5 }], added: [] });
  await until("it has fired", () => fired("inner") === 5);
});
