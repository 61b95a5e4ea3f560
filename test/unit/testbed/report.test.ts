// SPDX-License-Identifier: MIT
// Goal: a report has the parts of the old one in its order, and none that is empty.
import { expect, it } from "vitest";
import { formatReport, lastLines, selectStatus } from "../../../src/testbed/agents/report.ts";

const nothing = {
  ...{ errorCount: 0, problems: [], messages: [], digest: undefined },
  ...{ configuration: [], log: [], errors: [] },
} as const;

it("formatReport() keeps the order", () => {
  const text = formatReport({
    errorCount: 2,
    problems: ["n0: p.out: there is no copy"],
    messages: ["first", "second"],
    digest: "mean 5",
    configuration: [["RATE", "5"]],
    log: ["0h0m1s - begun"],
    errors: [
      {
        title: "program p, token 4: error 3",
        status: ["EXIT_CODE=3"],
        parts: [
          { kind: "tail", path: "p.out.4", text: "" },
          { kind: "tail", path: "p.err.4", text: "no luck" },
        ],
      },
      { title: "node n0, token 5: error -1", status: [], parts: [{ kind: "missing", path: "x" }] },
    ],
  });
  expect(text).toBe(`*** 2 error(s) were detected!

n0: p.out: there is no copy

first
second

mean 5

Configuration:
  RATE=5

Log:
  0h0m1s - begun

*** program p, token 4: error 3
  EXIT_CODE=3
==> p.out.4 <==
==> p.err.4 <==
no luck

*** node n0, token 5: error -1
warning: missing x
`);
});

it("formatReport() of nothing is two titles", () => {
  expect(formatReport(nothing)).toBe("Configuration:\n\nLog:\n");
});

it("selectStatus() takes five keys and no line that only looks like one", () => {
  const text = "NAME=p\nDIR=/tmp\nCOMMAND=a DIR=b\nXDIR=1\nSTART_TIME=now\nSTART_TIME_SECS=1\n";
  expect(selectStatus(text)).toEqual(["DIR=/tmp", "COMMAND=a DIR=b", "START_TIME=now"]);
});

it.each([
  ["", ""],
  ["a\nb\n", "a\nb"],
  ["a\nb\nc", "b\nc"],
])("lastLines() of %j are two at most", (text, last) => {
  expect(lastLines(text, 2)).toBe(last);
});
