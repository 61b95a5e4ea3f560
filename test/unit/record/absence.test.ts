// SPDX-License-Identifier: MIT
// Goal: of a barrier that was not crossed people read who came, who did not, and why if the record
// knows. Method: small streams told by hand, and the sentence that comes of them.
import { describe, expect, it } from "vitest";
import { createEventLines } from "../../../src/testbed/record/event-text.ts";
import { renderReport } from "../../../src/testbed/record/report-html.ts";
import { accomplished, renderSummary } from "../../../src/testbed/record/report-text.ts";
import { createResultBuilder } from "../../../src/testbed/record/result.ts";
import { joinParties } from "../../../src/testbed/record/words.ts";
import type { BarrierEnded } from "../../../src/testbed/run-event.ts";
import { makeExperiment, Story } from "./synthetic-run.ts";

function resultOf(story: Story) {
  const builder = createResultBuilder({ experiment: makeExperiment() });
  for (const event of story.events) builder.add(event);
  return builder.build();
}

const sentences = (story: Story): readonly string[] =>
  resultOf(story)
    .reasons.filter(({ code }) => code === "BARRIER")
    .map(({ message }) => message);

const party = (node: string, releasedUs: number | null) => ({
  ...{ name: `anonymous, from ${node}`, node, arrivedUs: 100, releasedUs },
});

function cut(name: string, came: readonly string[], missing: readonly string[]) {
  const participants = came.map((node) => party(node, 5_000_000));
  const part: Partial<BarrierEnded> = { outcome: "cancelled", error: 240, expected: 2 };
  return { ...part, name, participants, missing };
}

describe("joinParties()", () => {
  it.each([
    [["anonymous, from gamma"], "gamma"],
    [["anonymous, from a", "anonymous, from b"], "a, b"],
    [["2 anonymous, from 2 of a, b, c"], "2 of a, b, c"],
    [["2 anonymous, from 2 of a, b, c", "x"], "2 of a, b, c; x"],
    [["3 more, anonymous"], "3 more"],
    [["somebody to open it for 2"], "somebody to open it for 2"],
    [["node0/alice"], "node0/alice"],
  ])("%j is %s", (said, text) => expect(joinParties(said)).toBe(text));

  it("cuts a list of hundreds", () => {
    const nodes = Array.from({ length: 300 }, (_, index) => `n${index}`);
    expect(joinParties([`9 anonymous, from 9 of ${nodes.join(", ")}`])).toMatch(
      /^9 of n0, .*, n9 and 290 more$/,
    );
    expect(joinParties(nodes.map((node) => `anonymous, from ${node}`))).toMatch(
      /^n0, .*, n9 and 290 more$/,
    );
  });
});

describe("the sentence for a barrier", () => {
  it("says that the programs of the missing node had ended", () => {
    const story = new Story()
      .program(0, 1_307_000, { name: "pg", node: "gamma" })
      .barrier(5_000_000, cut("meet", ["alpha"], ["anonymous, from gamma"]));
    expect(sentences(story)).toEqual([
      "barrier meet was cancelled: 1 of 2 arrived (alpha); missing: gamma " +
        "(its program pg ended with 0 at +1.307s)",
    ]);
  });

  it("names the nodes when there are several", () => {
    const story = new Story()
      .program(0, 1_000_000, { name: "p", node: "b", exitCode: null, signal: "SIGKILL" })
      .program(0, 1_000_000, { name: "q", node: "c", exitCode: 3 })
      .program(0, 2_000_000, { name: "r", node: "c", exitCode: 4 })
      .barrier(5_000_000, cut("meet", ["a"], ["1 anonymous, from 1 of b, c"]));
    expect(sentences(story)[0]).toMatch(
      / missing: 1 of b, c \(b: .* p was ended by SIGKILL at .*; c: its last program, r, ended /,
    );
  });

  it("names the node where another entry stands behind it", () => {
    const story = new Story().program(0, 1_000_000, { name: "q", node: "c" }).barrier(5_000_000, {
      ...cut("meet", ["a"], ["anonymous, from c", "1 more, anonymous"]),
      expected: 3,
    });
    expect(sentences(story)[0]).toMatch(
      /; missing: c, 1 more \(c: its program q ended with 0 at \+1\.000s\)$/,
    );
  });

  it("names who came as the missing are named: members of a roster by their own names", () => {
    const participants = [{ name: "p", node: "a", arrivedUs: 100, releasedUs: null }];
    const missing = ["p (dead: was stopped)", "b"];
    const barrier = { ...cut("ready", [], missing), kind: "roster", participants } as const;
    expect(sentences(new Story().barrier(5_000_000, barrier))).toEqual([
      "barrier ready was given up: 1 of 2 came (p); missing: p (dead: was stopped), b",
    ]);
  });

  it("says that the missing node waits at another barrier", () => {
    const story = new Story()
      .barrier(5_000_000, cut("two", ["alpha"], ["anonymous, from beta"]))
      .barrier(5_000_000, cut("tow", ["beta"], ["anonymous, from alpha"]));
    expect(sentences(story)).toEqual([
      "barrier two was cancelled: 1 of 2 arrived (alpha); missing: beta " +
        "(waits at 'tow' instead: is one of the names misspelt?)",
      "barrier tow was cancelled: 1 of 2 arrived (beta); missing: alpha " +
        "(waits at 'two' instead: is one of the names misspelt?)",
    ]);
  });

  it("claims nothing of a node whose program still ran", () => {
    const story = new Story()
      .barrier(5_000_000, cut("meet", ["alpha"], ["anonymous, from gamma"]))
      .program(0, 5_100_000, { name: "pg", node: "gamma", stopped: true });
    expect(sentences(story)[0]).toMatch(/; missing: gamma$/);
  });

  it("names each party once: one that arrived and was lost is missing", () => {
    const participants = [party("alpha", null), party("beta", 5_000_000)];
    const missing = ["anonymous, from alpha", "anonymous, from gamma"];
    const barrier = { ...cut("meet", [], missing), expected: 3, participants };
    const story = new Story().barrier(5_000_000, barrier);
    const count = "1 of 3 arrived";
    expect(sentences(story)).toEqual([
      `barrier meet was cancelled: ${count} (beta); missing: alpha, gamma`,
    ]);
    const lines = createEventLines();
    const told = story.events.flatMap((event) => lines.next(event));
    expect(JSON.stringify(told)).toContain(`: ${count}; missing: alpha, gamma"`);
  });

  it("says that everybody gave up", () => {
    const participants = [party("alpha", null)];
    const barrier = { ...cut("x", [], ["anonymous, from gamma"]), participants };
    const story = new Story().barrier(9, barrier).end(10);
    expect(sentences(story)).toEqual([
      "barrier x was given up: 1 of 2 came (alpha); missing: gamma",
    ]);
    expect(resultOf(story).barriers[0]).toMatchObject({
      ...{ outcome: "cancelled", givenUp: true, arrived: 1 },
      missing: ["anonymous, from gamma"],
    });
  });
});

it("accomplished() does not count who was stopped while waiting as expected", () => {
  const story = new Story()
    .program(0, 9, { name: "pg", node: "gamma" })
    .barrier(5_000_000, cut("meet", ["alpha", "beta"], ["anonymous, from gamma"]))
    .program(0, 5_000_100, { name: "pa", node: "alpha", stopped: true })
    .program(0, 5_000_100, { name: "pb", node: "beta", stopped: true })
    .end(5_100_000);
  const page = renderReport(resultOf(story));
  expect(page).toContain("<small>1 of 3 as expected, 2 stopped while waiting</small>");
  // Who waits is given an error by the cancelling; nobody reported it.
  expect(page).not.toContain("error 240");
  expect(accomplished(resultOf(story))).toBe(
    "1 program as expected, 2 stopped while they waited, 0 of 1 barrier crossed",
  );
});

describe("a node without a program", () => {
  const program = { name: "p", command: "x" };
  const story = (...programs: readonly { readonly node: string }[]): Story =>
    new Story()
      .start(["a", "c"], { programs: programs.map((one) => ({ ...program, ...one })) })
      .barrier(5_000_000, cut("go", ["a"], ["anonymous, from c"]))
      .end(5_100_000);
  const advice = (one: Story): string => JSON.stringify(renderSummary(resultOf(one)));
  const none = "no program of the experiment is on c";

  it("is told as the reason, in place of a directory where nothing is", () => {
    expect(sentences(story())[0]).toMatch(new RegExp(`; missing: c \\(${none}\\)$`));
    expect(advice(story())).toContain(`${none}: give it one that comes to the barrier`);
    expect(advice(story())).not.toContain("see why nobody came");
  });

  it("is not one where the start of a program never came", () => {
    const idle = story({ node: "c" });
    expect(sentences(idle)[0]).toMatch(/; missing: c$/);
    expect(advice(idle)).toContain("see why nobody came from c: ");
  });
});

describe("the advice", () => {
  const hung = (opened: string, mistyped: string): string => {
    const story = new Story()
      .barrier(5_000_000, cut(opened, ["alpha"], ["anonymous, from gamma"]))
      .barrier(6_000_000, {
        ...cut(mistyped, ["gamma"], ["somebody to open it for 1"]),
        expected: 0,
      })
      .end(7_000_000);
    return JSON.stringify(renderSummary(resultOf(story)));
  };

  it("is to compare the names when nobody opened one that is nearly another's", () => {
    expect(hung("start", "strat")).toContain("nobody opened strat; was start meant?");
    expect(hung("start", "results")).not.toContain("was start meant");
  });

  it("is what to mend, and nothing else, where nothing has begun", () => {
    const failed = { endedBy: "failure", error: { code: "SWAP_IN", message: "no" } } as const;
    const last = (story: Story): string =>
      renderSummary(resultOf(story.end(100, failed)))
        .slice(-3)
        .map((line) => line.map((part) => (typeof part === "string" ? part : part.text)).join(""))
        .join("\n");
    expect(last(new Story().start(["alpha"]))).toMatch(
      /^results .*\n\nnext {5}start with the first message above$/,
    );
    // Somebody has waited here.
    const begun = last(new Story().start(["alpha"]).barrier(50, cut("b", ["alpha"], [])));
    expect(begun).toMatch(/who waited for whom: .*\n +run it again: /);
  });

  it.each([
    ["LINK", /next {5}see what was measured of each link: \S+\/linktest\/verdicts\.json/],
    ["FAILED", /next {5}see what was before it: \S+\/record\.ndjson/],
    ["INSTANCE", /next {5}see what the programs printed/],
    ["NODES_LOST", /next {5}start with the first message above/],
  ])("of %s is where to look, and speaks of nobody who waited in vain", (code, wanted) => {
    const result = resultOf(new Story().start(["alpha"]).end(100, { endedBy: "failure" }));
    const reasons = [{ code, message: "what it was" }];
    const said = renderSummary({ ...result, reasons })
      .map((line) => line.map((part) => (typeof part === "string" ? part : part.text)).join(""))
      .join("\n");
    expect(said).toMatch(wanted);
    expect(said).toMatch(/\n {9}see what happened when: open \S+\/report\.html\n/);
    expect(said).not.toContain("waited");
  });
});
