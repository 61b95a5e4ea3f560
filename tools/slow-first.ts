// SPDX-License-Identifier: MIT
// The order of test files: those that take long begin first, so that none of them is still running
// when all others have ended. Seconds of a machine with two cores, to be measured again when a file
// becomes slow; a file that is not named takes less than 15 and comes after, larger files first.
import {
  BaseSequencer,
  type TestSequencer,
  type TestSpecification,
  type Vitest,
} from "vitest/node";

const seconds: Readonly<Record<string, number>> = {
  "e2e/chaos": 211,
  "e2e/examples": 125,
  "e2e/serve-schedulers": 109,
  "simulation/mutants": 100,
  "e2e/linktest-faults": 96,
  "e2e/run-waits": 93,
  "e2e/boss-modify": 86,
  "e2e/serve-tree": 66,
  "e2e/serve-storage": 65,
  "conformance/syncd-load": 61,
  "e2e/run-split": 61,
  "e2e/run-end": 61,
  "simulation/cluster-mutants": 61,
  "simulation/fault-mutants": 58,
  "unit/core/exhaustive": 53,
  "e2e/boss": 51,
  "e2e/run-boot": 45,
  "e2e/nodes-cleanup": 41,
  "property/fuzz": 40,
  "e2e/boss-modify-events": 36,
  "e2e/serve-held": 35,
  "e2e/eventsys-control": 32,
  "e2e/boss-cleanup": 31,
  "e2e/serve-doors": 31,
  "conformance/syncd-programs": 29,
  "conformance/independent": 29,
  "e2e/event-commands": 27,
  layers: 24,
  "property/bad-input": 20,
  "e2e/run-cleanup": 17,
  tidy: 17,
  "e2e/netns": 16,
};

export class SlowFirst implements TestSequencer {
  readonly #base: BaseSequencer;

  constructor(context: Vitest) {
    this.#base = new BaseSequencer(context);
  }

  shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return this.#base.shard(files);
  }

  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await this.#base.sort(files);
    return sorted.sort((a, b) => secondsOf(b) - secondsOf(a));
  }
}

function secondsOf({ moduleId }: TestSpecification): number {
  const name = /\/test\/(.+)\.test\.ts$/.exec(moduleId)?.[1] ?? "";
  return seconds[name] ?? 0;
}
