// SPDX-License-Identifier: MIT
// What became of the instances of a Testground plan, by their own word. Pure.
import type { Experiment } from "../../experiment/model.ts";
import type { InstanceEnded } from "../run-event.ts";
import { outputsOf } from "../testground/outputs.ts";
import type { ResultInstance } from "./result-model.ts";

export function resultInstances(
  { programs }: Experiment,
  said: ReadonlyMap<string, InstanceEnded & { readonly atUs: number }>,
): ResultInstance[] {
  return programs.flatMap(({ name, node, instance }) => {
    if (instance === undefined) return [];
    const event = said.get(name);
    return [
      {
        ...{ name, node, ...instance, outputs: outputsOf(instance) },
        ...{ outcome: event?.outcome ?? "none", error: event?.error ?? "" },
        endedUs: event?.atUs ?? null,
      },
    ];
  });
}

/** Whether it failed by its own word. */
export function instanceFailed({ outcome }: Pick<ResultInstance, "outcome">): boolean {
  return outcome === "failure" || outcome === "crash";
}

/** `instance peers-1 on node0 failed: WHY` */
export function instanceSentence({ name, node, outcome, error }: ResultInstance): string {
  const what = { success: "succeeded", none: "said nothing", failure: "failed", crash: "crashed" };
  const why = error === "" ? "" : `: ${error}`;
  return `instance ${name} on ${node} ${what[outcome]}${why}`;
}
