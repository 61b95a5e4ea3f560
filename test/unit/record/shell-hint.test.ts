// SPDX-License-Identifier: MIT
// Goal: who wrote for another shell is told so, and nobody else.
import { describe, expect, it } from "vitest";
import { renderReport } from "../../../src/testbed/record/report-html.ts";
import { renderSummary } from "../../../src/testbed/record/report-text.ts";
import { createResultBuilder } from "../../../src/testbed/record/result.ts";
import { shellHint } from "../../../src/testbed/record/shell-hint.ts";
import { makeExperiment, Story } from "./synthetic-run.ts";

const csh = "csh -f -c";

describe("shellHint()", () => {
  it.each([
    "export: Command not found.\n",
    "one\nX: Undefined variable.\ntwo\n",
    "Illegal variable name.",
    "Missing }.",
    "if: Expression Syntax.\n",
  ])("knows csh by %j", (tail) => {
    expect(shellHint(csh, tail)).toContain("write sh -c '...' or a script");
    expect(shellHint("bash -c", tail)).toBeNull();
  });

  it.each(["", "python: command not found", "Missing } in line 3 of x.json"])(
    "does not by %j",
    (tail) => expect(shellHint(csh, tail)).toBeNull(),
  );

  it("is given in the summary and the report", () => {
    const builder = createResultBuilder({ experiment: makeExperiment() });
    const story = new Story()
      .start(["node0"], { backend: { nodes: "process", links: "none", shell: csh } })
      .program(1, 9, { exitCode: 1, stderrTail: "export: Command not found.\n" })
      .end(10);
    for (const event of story.events) builder.add(event);
    const result = builder.build();
    expect(result.backend.shell).toBe(csh);
    expect(renderSummary(result).map((line) => line.join(""))).toContainEqual(
      "  this ran in csh, where export, for ... do and >&2 mean something else; " +
        "write sh -c '...' or a script",
    );
    expect(renderReport(result)).toContain("this ran in csh");
    expect(renderReport(result)).toContain("<dt>Commands run in</dt><dd>csh</dd>");
  });
});
