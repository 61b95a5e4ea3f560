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
  "e2e/examples": 74,
  "e2e/serve-schedulers": 73,
  "e2e/boss-modify": 69,
  "e2e/serve-held": 58,
  "e2e/run-waits": 51,
  "e2e/boss": 51,
  "e2e/nodes-cleanup": 41,
  "e2e/run-split": 39,
  "simulation/mutants": 37,
  "e2e/boss-modify-events": 36,
  "e2e/run-end": 35,
  "e2e/run-boot": 34,
  "e2e/eventsys-control": 32,
  "e2e/boss-cleanup": 31,
  "e2e/serve-doors": 31,
  "conformance/syncd-programs": 29,
  "conformance/independent": 29,
  "e2e/event-commands": 27,
  "e2e/run-cleanup": 17,
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
