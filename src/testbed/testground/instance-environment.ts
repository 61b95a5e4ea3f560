// SPDX-License-Identifier: MIT
// What an instance of a Testground plan is told by its environment. [TESTGROUND 8] Pure.
import type { GroupInstance, TestgroundGroup, TestgroundPlan } from "../../experiment/model.ts";

export interface InstanceInput {
  readonly plan: TestgroundPlan;
  readonly instance: GroupInstance;
  /** Names the run in the keys of its states and topics. */
  readonly runId: string;
  /** Where this instance, and no other, calls its sync service. */
  readonly host: string;
  readonly port: number;
  /** As the instance sees it: what it leaves there is kept. */
  readonly outputs: string;
  /** As the instance sees it: what it leaves there is nobody's. */
  readonly temporary: string;
  /** Whether its node's links become what it asks for. */
  readonly hasSidecar: boolean;
  /** The addresses by which nodes reach each other, `10.1.1.0/24`. */
  readonly subnet: string;
  readonly startedWallMs: number;
}

/** The variables, in the order of the specification. */
export function instanceEnvironment(input: InstanceInput): Readonly<Record<string, string>> {
  const { plan, instance } = input;
  const group = plan.groups.find(({ name }) => name === instance.group);
  const all = plan.groups.reduce((sum, { instances }) => sum + instances, 0);
  return {
    SYNC_SERVICE_HOST: input.host,
    SYNC_SERVICE_PORT: String(input.port),
    TEST_PLAN: plan.plan,
    TEST_CASE: plan.testCase,
    TEST_RUN: input.runId,
    TEST_INSTANCE_COUNT: String(all),
    TEST_GROUP_ID: instance.group,
    TEST_GROUP_INSTANCE_COUNT: String(group?.instances ?? 0),
    TEST_INSTANCE_PARAMS: formatParams(group?.params ?? []),
    TEST_INSTANCE_ROLE: group?.role ?? "",
    TEST_OUTPUTS_PATH: input.outputs,
    TEST_TEMP_PATH: input.temporary,
    TEST_REPO: "",
    TEST_BRANCH: "",
    TEST_TAG: "",
    TEST_SIDECAR: String(input.hasSidecar),
    TEST_START_TIME: new Date(input.startedWallMs).toISOString(),
    TEST_SUBNET: input.subnet,
    TEST_CAPTURE_PROFILES: "",
    TEST_DISABLE_METRICS: "true",
  };
}

function formatParams(params: TestgroundGroup["params"]): string {
  return params.map(([name, value]) => `${name}=${value}`).join("|");
}
