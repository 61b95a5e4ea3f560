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
  "e2e/chaos": 208,
  "e2e/serve-nats": 121,
  "e2e/examples": 113,
  "e2e/run-waits": 93,
  "e2e/linktest-faults": 93,
  "e2e/serve-schedulers": 90,
  "e2e/run-split": 61,
  "simulation/mutants": 60,
  "e2e/linktest-control": 58,
  "e2e/serve-tree-groups": 57,
  "simulation/cluster-mutants": 56,
  "e2e/run-end": 55,
  "e2e/linktest-probes": 53,
  "e2e/boss-modify": 53,
  "e2e/run-boot": 49,
  "e2e/nodes-cleanup": 48,
  "e2e/eventsys-control": 45,
  "e2e/link-commands": 42,
  "e2e/campaign": 41,
  "e2e/boss": 40,
  "e2e/linktest-up": 33,
  "e2e/run-hosts-network": 32,
  "conformance/independent": 31,
  "e2e/serve-backup": 30,
  "e2e/boss-modify-events": 30,
  "unit/engine/nats-bus-cluster": 29,
  "simulation/fault-mutants": 29,
  "e2e/serve-tree": 29,
  "e2e/linktest-command": 27,
  "e2e/run": 25,
  "e2e/event-commands": 25,
  "simulation/cluster": 24,
  "e2e/serve-snapshots": 24,
  "e2e/serve-held": 24,
  "e2e/nats-accounts": 24,
  "e2e/boss-cleanup": 24,
  "conformance/syncd-load": 24,
  "property/fuzz": 22,
  "e2e/serve-storage": 22,
  "e2e/serve-doors": 22,
  "e2e/run-ssh": 21,
  "e2e/run-links": 20,
  "e2e/run-cleanup": 20,
  "conformance/tmcd-independent": 20,
  "unit/engine/nats-bus": 19,
  layers: 19,
  "e2e/serve-versions": 19,
  "e2e/delay-node": 19,
  "unit/testground/flow": 18,
  "e2e/run-testground": 18,
  "e2e/node-states": 17,
  "e2e/local-agents": 17,
  "simulation/simulation": 16,
  "e2e/program-agent": 16,
  "e2e/link-config": 16,
  "e2e/left-reader": 16,
  "unit/core/exhaustive": 15,
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
