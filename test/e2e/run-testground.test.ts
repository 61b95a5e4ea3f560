// SPDX-License-Identifier: MIT
// Goal: a run of a Testground plan starts the instances its groups ask for, tells each all that the
// SDK wants to know, counts what each says of its end once, and keeps what each leaves. Method: the
// example with `@testground/sdk` from npm, unchanged; plans in shell and Python where the SDK would
// not do what is wanted; in both modes of nodes.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { modes } from "./nodes-support/harness.ts";
import { repository, run, scratch, start } from "./support/command.ts";
import { type EndedRun, ended } from "./support/experiment.ts";

const example = join(repository, "examples/testground/plan.yaml");
const python = join(repository, "test/conformance/independent-testground");
const sdk = ["--set", `NODE_PATH=${join(repository, "node_modules")}`];

function runFile(file: string, argv: readonly string[], env = {}): Promise<EndedRun> {
  const out = join(scratch(), "out");
  return ended({
    command: start("muster", ["run", file, "--out", out, ...argv], { env }),
    out,
    file,
  });
}

/** A plan of one group on two nodes, whose instances run a script with this interpreter. */
function writePlan(interpreter: "sh" | "python3 -B", script: string, group: string): string {
  const folder = scratch();
  const file = join(folder, "plan.yaml");
  writeFileSync(join(folder, "script"), script);
  const command = `command: '${interpreter} "$EXPFILES/script"'`;
  const plan = `{ case: c, groups: { g: { ${command}, ${group} } } }`;
  writeFileSync(file, `nodes: [n0, n1]\ntestground: ${plan}\n`);
  return file;
}

/** Says how it ended, by the independent client, and ends with status 0 whatever that was. */
const says = (...lines: readonly string[]): string => `
import os, sys
sys.path.insert(0, ${JSON.stringify(python)})
from sync_client import Client
number = int(os.path.basename(os.environ["TEST_OUTPUTS_PATH"]))
client = Client(int(os.environ["SYNC_SERVICE_PORT"]), host=os.environ["SYNC_SERVICE_HOST"])
keys = "run:{TEST_RUN}:plan:{TEST_PLAN}:case:{TEST_CASE}:".format(**os.environ)
def say(event, **more):
    client.publish(keys + "run_events", {event: {"group": os.environ["TEST_GROUP_ID"], **more}})
${lines.join("\n")}
client.close()
`;

describe.each(modes)("nodes in %s mode", (mode) => {
  const env = { MUSTER_NODES: mode };

  test("the example runs with the SDK as it is, and leaves what each instance heard", async () => {
    const ran = await runFile(example, sdk, env);
    expect(ran.stdout).toContain("passed");
    expect(ran.code).toBe(0);
    const { instances = [], programs, barriers } = ran.result;
    expect(programs).toHaveLength(7);
    expect(instances.map(({ group, number, node }) => `${group} ${number} ${node}`)).toEqual([
      ...["hosts 0 node0", "hosts 1 node0"],
      ...["guests 0 node0", "guests 1 node1", "guests 2 node2", "guests 3 node0", "guests 4 node1"],
    ]);
    // Who asks when all have come waits for nothing, and so may everybody.
    for (const { kind, outcome } of barriers) expect([kind, outcome]).toEqual(["state", "crossed"]);
    const [first] = instances;
    const heard = JSON.parse(ran.text(`${first?.outputs}/heard.json`)) as { number: number }[];
    expect(heard.map(({ number }) => number).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const { outcome, outputs, endedUs } of instances) {
      expect(outcome).toBe("success");
      expect(endedUs).toBeGreaterThan(0);
      expect(JSON.parse(ran.text(`${outputs}/heard.json`))).toEqual(heard);
    }
    expect(ran.text("report.html")).toContain("<h2>Instances<small>7 of 7 succeeded</small>");
  });

  test("an instance that says it failed fails the run, though its program ended well", async () => {
    const folder = scratch();
    const file = join(folder, "quarrel.yaml");
    const text = readFileSync(example, "utf8").replace("case: hello", "case: quarrel");
    writeFileSync(file, text);
    writeFileSync(join(folder, "plan.cjs"), readFileSync(join(example, "../plan.cjs")));
    const ran = await runFile(file, sdk, env);
    expect(ran.code).toBe(1);
    const { instances = [], programs, reasons } = ran.result;
    expect(programs.every(({ exitCode }) => exitCode === 0)).toBe(true);
    const failed = instances.filter(({ outcome }) => outcome !== "success");
    expect(failed).toMatchObject([{ outcome: "failure", error: "Error: number 2 disagrees" }]);
    const message = `instance ${failed[0]?.name} on ${failed[0]?.node} failed: Error: number 2 disagrees`;
    expect(reasons).toEqual([{ code: "INSTANCE", message }]);
    expect(ran.stdout).toContain(message);
  });

  test("each instance is told all that the specification names", async () => {
    const script = 'env > "$TEST_OUTPUTS_PATH/env"; touch "$TEST_TEMP_PATH/x"; pwd';
    const more = "params: { a: 1, b: two words }, role: judge, environment: { OWN: o }";
    const file = writePlan("sh", script, `instances: 3, ${more}`);
    const ran = await runFile(file, [], env);
    expect(ran.stdout).toContain("passed");
    const { instances = [], runId } = ran.result;
    const seen = instances.map(({ outputs }) => {
      const lines = ran.text(`${outputs}/env`).split("\n");
      return new Map(lines.map((line) => [line.split("=")[0], line.replace(/^[^=]*=/, "")]));
    });
    for (const variables of seen) {
      expect(Object.fromEntries(variables)).toMatchObject({
        ...{ TEST_PLAN: "plan", TEST_CASE: "c", TEST_RUN: runId, TEST_GROUP_ID: "g" },
        ...{ TEST_INSTANCE_COUNT: "3", TEST_GROUP_INSTANCE_COUNT: "3" },
        ...{ TEST_INSTANCE_PARAMS: "a=1|b=two words", TEST_INSTANCE_ROLE: "judge" },
        ...{ TEST_SIDECAR: "false", TEST_REPO: "", TEST_BRANCH: "", TEST_TAG: "", OWN: "o" },
        TEST_SUBNET: expect.stringMatching(/^127\.\d+\.0\.0\/16$/),
        TEST_START_TIME: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      });
    }
    const hosts = seen.map((variables) => variables.get("SYNC_SERVICE_HOST"));
    expect(new Set(hosts).size).toBe(3);
    expect(new Set(seen.map((variables) => variables.get("SYNC_SERVICE_PORT"))).size).toBe(1);
    expect(instances.map(({ outcome }) => outcome)).toEqual(["none", "none", "none"]);
  });
});

test("each instance counts once, by the first that it says, and may leave at once", async () => {
  const script = says(
    "if number == 0:",
    '    say("message_event", message="x")',
    '    say("success_event")',
    '    say("success_event")',
    '    say("failure_event", error="too late")',
    "elif number == 1:",
    '    say("crash_event", error="broken", stacktrace="here")',
    "else:",
    '    event = {"success_event": {"group": "g"}}',
    '    client.ask(publish={"topic": keys + "run_events", "payload": event})',
  );
  const ran = await runFile(writePlan("python3 -B", script, "instances: 3"), []);
  expect(ran.code).toBe(1);
  const { instances = [], reasons, warnings } = ran.result;
  expect(instances.map(({ outcome, error }) => [outcome, error])).toEqual([
    ["success", ""],
    ["crash", "broken"],
    ["success", ""],
  ]);
  expect(reasons).toEqual([{ code: "INSTANCE", message: "instance g-1 on n1 crashed: broken" }]);
  expect(warnings.map(({ text }) => text)).toEqual([
    "g-0 said success and then failure; the first counts",
  ]);
});

test("an instance is named where it is missing, and the barrier ends with the run", async () => {
  const script = says(
    "if number == 0:",
    '    client.barrier(keys + "states:together", 2)',
    "else:",
    '    client.signal(keys + "states:together")',
  );
  const ran = await runFile(writePlan("python3 -B", script, "instances: 2"), [
    "--stuck-after",
    "2",
  ]);
  expect(ran.code).toBe(1);
  const { barriers, reasons } = ran.result;
  expect(barriers).toMatchObject([{ kind: "state", outcome: "cancelled" }]);
  expect(barriers[0]?.participants.map(({ name, node }) => [name, node])).toContainEqual([
    ...["g-0", "n0"],
  ]);
  expect(reasons.map(({ code }) => code)).toContain("BARRIER_STUCK");
});

test("a plan is converted to YAML as it was, and not to NS, which cannot say it", async () => {
  const converted = await run("muster", ["convert", example, join(scratch(), "plan.ns")]);
  expect(converted.code).not.toBe(0);
  expect(converted.stderr).toContain("hosts are instances of a Testground plan");
  const back = join(scratch(), "plan.yaml");
  expect((await run("muster", ["convert", example, back])).code).toBe(0);
  expect(readFileSync(back, "utf8")).toMatch(/testground:\n {2}plan: examples\n {2}case: hello/);
});
