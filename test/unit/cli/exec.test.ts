// SPDX-License-Identifier: MIT
// Goal: `muster exec` and `muster shell` take the names of runs that the other commands take, and
// options on both sides of the node; what is ambiguous is said. Method: the words of command lines;
// runs made up.
import { relative } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseNode, parseBehindNode } from "../../../src/cli/commands/exec.ts";
import { CommandError } from "../../../src/cli/io.ts";
import type { RunEntrances } from "../../../src/testbed/nodes/index.ts";

function runOf(experiment: string, ...names: readonly string[]): RunEntrances {
  const nodes = names.map((name) => ({
    ...{ name, holder: 1, asUser: false, hasNetwork: false },
    ...{ directory: "/", environment: {}, groups: [] },
  }));
  return { runId: experiment, experiment, nodes };
}

describe("the words behind the node", () => {
  it.each([
    [["--", "ls", "-l"], undefined, ["ls", "-l"]],
    [["ls", "--experiment", "x"], undefined, ["ls", "--experiment", "x"]],
    [["--experiment", "e", "--", "ls"], "e", ["ls"]],
    [["--experiment=p/e", "ls", "--"], "p/e", ["ls", "--"]],
    [["--", "--experiment", "e"], undefined, ["--experiment", "e"]],
    [["--experiment", "a", "--experiment=b", "ls"], "a", ["ls"]],
  ])("%j", (words, experiment, command) => {
    expect(parseBehindNode(words)).toEqual({
      command,
      ...(experiment === undefined ? {} : { experiment }),
    });
  });

  it.each([[["--experiment"]], [["--experiment", "e"]], [["--experiment=", "ls"]]])(
    "refuses %j",
    (words) => expect(() => parseBehindNode(words)).toThrow(CommandError),
  );
});

describe("the run", () => {
  const runs = [runOf("p/e", "a", "b"), runOf("q/e", "b"), runOf("q/f", "a")];

  it("is named by project and experiment, or by the experiment alone", () => {
    expect(chooseNode(runs, { node: "a", experiment: "p/e" })).toBe(runs[0]?.nodes[0]);
    expect(chooseNode(runs, { node: "a", experiment: "f" })).toBe(runs[2]?.nodes[0]);
    expect(chooseNode(runs, { node: "a", experiment: "e" })).toBe(runs[0]?.nodes[0]);
  });

  it("is asked for where a name is not enough", () => {
    const choose = (node: string, experiment?: string) => () =>
      chooseNode(runs, { node, ...(experiment === undefined ? {} : { experiment }) });
    const which = "several runs have a node b; --experiment chooses one of: p/e p/e, q/e q/e; name";
    expect(choose("b", "e")).toThrow(which);
    expect(choose("b")).toThrow(which);
    expect(choose("a", "g")).toThrow(
      /^no run of yours is under way for g; .*way: p\/e, q\/e, q\/f$/,
    );
    const ended = (name: string | undefined): string => `; r/g, which had ${name}, has ended`;
    expect(() => chooseNode([...runs, runOf("q/h")], { node: "c" }, ended)).toThrow(
      "no run of yours has a node c; p/e has a, b; q/e has b; q/f has a; q/h has none here; " +
        "r/g, which had c, has ended",
    );
  });

  it("is one of two of the same name by its ID or its directory", () => {
    const [one, other] = ["x", "y"].map((runId) => {
      return { ...runOf("p/e", "a"), runId, out: `/results/${runId}` };
    });
    if (one === undefined || other === undefined) throw new Error("there are two");
    const choose = (experiment: string) => chooseNode([one, other], { node: "a", experiment });
    expect(() => choose("e")).toThrow("p/e x in /results/x, p/e y in /results/y; name one by");
    expect(choose("y")).toBe(other.nodes[0]);
    expect(choose("/results/x/")).toBe(one.nodes[0]);
    expect(choose(relative(process.cwd(), "/results/y"))).toBe(other.nodes[0]);
  });
});
