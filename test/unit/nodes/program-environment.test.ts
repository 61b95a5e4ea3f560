// SPDX-License-Identifier: MIT
// Goal: the variables of [EMULAB-EVENTS 4.3], and none of the caller's. Method: one plan looked at
// whole, and the rules for values of the file one by one.
import { describe, expect, test } from "vitest";
import {
  expandVariables,
  planEnvironment,
  withProgramVariables,
} from "../../../src/testbed/nodes/program-environment.ts";

const input = {
  ...{ runId: "r1", pid: "proj", eid: "exp", node: "node0" },
  ...{ controlAddress: "127.64.0.1", nodeAddress: "127.64.100.1" },
  ...{ user: "ann", group: "staff", home: "/users/ann" },
  paths: {
    ...{ experiment: "/proj/proj/exp/exp", logs: "/local/logs", boot: "/var/emulab/boot" },
    ...{ tools: ["/usr/testbed/bin"], temporary: "/tmp", files: "/proj/proj/data" },
  },
  callerPath: "/usr/bin:relative::/home/ann/bin:/usr/bin",
  userEnvironment: [
    ["A", "1"],
    ["B", "$A-$NODE"],
    ["PATH", "/x:$PATH"],
    ["MUSTER_RUN", "forged"],
  ],
} as const;

describe("planEnvironment()", () => {
  test("sets what the old agents set, and the file's values after it", () => {
    expect(planEnvironment(input)).toEqual({
      PATH:
        "/x:/usr/testbed/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin:" +
        "/home/ann/bin",
      EXPDIR: "/proj/proj/exp/exp",
      LOGDIR: "/local/logs",
      USER: "ann",
      LOGNAME: "ann",
      GROUP: "staff",
      HOME: "/users/ann",
      PID: "proj",
      EID: "exp",
      NODECNETIP: "127.64.0.1",
      NODE: "node0",
      NODEIP: "127.64.100.1",
      TMPDIR: "/tmp",
      EXPFILES: "/proj/proj/data",
      A: "1",
      B: "1-node0",
      MUSTER_RUN: "r1",
      MUSTER_NODE: "node0",
      MUSTER_BOOT: "/var/emulab/boot",
      GNUNET_TESTBED_CONTROLLER_CONFIG: "/var/emulab/boot/gnunet.conf",
    });
  });

  test("has no EXPFILES when there is no directory of the file", () => {
    const paths = { ...input.paths, files: "" };
    expect(planEnvironment({ ...input, paths })).not.toHaveProperty("EXPFILES");
  });
});

describe("expandVariables()", () => {
  test.each([
    ["$A", "1"],
    [`x$${"{A}"}y`, "x1y"],
    ["$UNKNOWN.", "."],
    ["$constructor", ""],
    ["$", "$"],
    ["$1 $(id) `id`", "$1 $(id) `id`"],
  ])("%s gives %s", (value, expected) => {
    expect(expandVariables(value, { A: "1" })).toBe(expected);
  });
});

describe("withProgramVariables()", () => {
  test("lets a program have its own, but not forge whose it is", () => {
    const GNUNET_TESTBED_CONTROLLER_CONFIG = "/boot/gnunet.conf";
    const node = { A: "1", MUSTER_RUN: "r1", MUSTER_NODE: "n", GNUNET_TESTBED_CONTROLLER_CONFIG };
    const program = { A: "2", MUSTER_RUN: "x", GNUNET_TESTBED_CONTROLLER_CONFIG: "y" };
    expect(withProgramVariables(node, program)).toEqual({
      GNUNET_TESTBED_CONTROLLER_CONFIG,
      A: "2",
      MUSTER_RUN: "r1",
      MUSTER_NODE: "n",
    });
  });
});
