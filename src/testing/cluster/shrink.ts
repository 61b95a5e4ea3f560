// SPDX-License-Identifier: MIT
// Makes a failing run small: leaves out faults of messages, servers, then steps, as long as the
// same rule is broken. Steps keep their names, what they draw and when they come, so that what is
// left is a part of the run that failed, and can be run and read by itself.
import { plural } from "../../testbed/record/words.ts";
import { type RunResult, runScript } from "./cluster-run.ts";
import { agendaStrikes, describeStep, type FaultName, type Script, type Step } from "./script.ts";

/** Runs that a failure is worth, when nobody says otherwise. */
const runsMaxDefault = 400;

export interface ShrinkOptions {
  readonly runsMax?: number;
  /** runScript unless a test has something else that fails. */
  readonly run?: (options: { readonly script: Script }) => Promise<Pick<RunResult, "problems">>;
  /** Told of each run that still fails: the steps it has. */
  readonly onSmaller?: (steps: number) => void;
}

/** `K2` of `K2 entry 7: ...`. */
export function ruleOf(problem: string): string {
  return problem.split(" ", 1)[0] ?? "";
}

/** @param rule that the smaller script has to break as well */
export async function shrink(
  script: Script,
  rule: string,
  options: ShrinkOptions = {},
): Promise<Script> {
  const { runsMax = runsMaxDefault, run = runScript, onSmaller } = options;
  let runs = 0;
  const fails = async (candidate: Script): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    const { problems } = await run({ script: candidate });
    const isSame = problems.some((problem) => ruleOf(problem) === rule);
    if (isSame) onSmaller?.(candidate.steps.length);
    return isSame;
  };
  let small = script;
  // The scheduler and its agents share nothing with the servers but the clock.
  const ofAgenda = { ...small, steps: keep(small.steps, isOfAgenda) };
  if (rule.startsWith("A") && (await fails(ofAgenda))) small = ofAgenda;
  for (let servers = 1; servers < small.servers; servers += 1) {
    if (await fails({ ...small, servers })) small = { ...small, servers };
  }
  for (const fault of Object.keys(script.faults) as FaultName[]) {
    const { [fault]: _, ...faults } = small.faults;
    if (await fails({ ...small, faults })) small = { ...small, faults };
  }
  return shrinkSteps(small, fails);
}

/** Halves, quarters, ... are left out, from the end, as long as one of them can be. */
async function shrinkSteps(
  script: Script,
  fails: (candidate: Script) => Promise<boolean>,
): Promise<Script> {
  let steps = script.steps;
  let size = Math.ceil(steps.length / 2);
  while (size >= 1) {
    let isSmaller = false;
    for (let end = steps.length; end > 0; end -= size) {
      const from = Math.max(0, end - size);
      const rest = keep(steps, (_, index) => index < from || index >= end);
      if (rest.length === steps.length || !(await fails({ ...script, steps: rest }))) continue;
      steps = rest;
      isSmaller = true;
    }
    if (size === 1 && !isSmaller) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return { ...script, steps };
}

/** Those that stay come when they came. */
function keep(
  steps: readonly Step[],
  stays: (step: Step, index: number) => boolean,
): readonly Step[] {
  const kept: Step[] = [];
  let leftOutUs = 0;
  for (const [index, step] of steps.entries()) {
    leftOutUs += step.afterUs;
    if (!stays(step, index)) continue;
    kept.push({ ...step, afterUs: leftOutUs });
    leftOutUs = 0;
  }
  return kept;
}

function isOfAgenda(step: Step): boolean {
  const isAsked = step.do === "event" || step.do === "cancel-event";
  return isAsked || (step.do === "break" && agendaStrikes.includes(step.fault));
}

/** For people, a line for each step. */
export function describeScript({ seed, servers, faults, steps }: Script): string {
  const rates = Object.entries(faults).map(([name, rate]) => `${name}=${rate}`);
  const head = `seed ${seed}, ${plural(servers, "server")}, faults of messages: ${rates.join(" ") || "none"}`;
  return [head, ...steps.map((step: Step) => `  ${describeStep(step)}`)].join("\n");
}
