// SPDX-License-Identifier: MIT
// Goal: the configuration file of the program agent is read as the old one did, and what is wrong
// is said with its line.
import { describe, expect, it } from "vitest";
import { parseProgramAgentConfig } from "../../../src/testbed/agents/program-agent-config.ts";
import { programLimits } from "../../../src/testbed/agents/program-limits.ts";
import { formatPrograms } from "../../../src/wire/tmcd/index.ts";

const place = { file: "/boot/progagents", node: "n0" };

function parse(text: string) {
  const parsed = parseProgramAgentConfig(text, place);
  if (parsed.kind === "malformed") throw new Error(parsed.message);
  return parsed.config;
}

describe("parseProgramAgentConfig()", () => {
  it("reads what the configuration server tells, quotes in commands included", () => {
    const command = "sh -c 'echo \"it is\"' ; exit 3";
    const rows = [
      { name: "p0", directory: "/tmp/x", timeout: "60", expectedExitCode: "3", command },
      { name: "p1", directory: "", timeout: "", expectedExitCode: "", command: "true" },
    ];
    const { user, programs } = parse(formatPrograms(rows, "joe", 30));
    expect(user).toBe("joe");
    expect(programs).toMatchObject([
      {
        name: "p0",
        node: "n0",
        directory: "/tmp/x",
        timeoutSeconds: 60,
        expectedExitCode: 3,
        command,
      },
      { name: "p1", directory: "", timeoutSeconds: 0, expectedExitCode: 0, command: "true" },
    ]);
  });

  it("reads a tag", () => {
    expect(parse("AGENT=p TAG=first COMMAND='x'").programs).toMatchObject([{ tag: "first" }]);
  });

  it("reads variables in their order", () => {
    const { environment } = parse("ENV A=1\nENV B=$A=2\n\n");
    expect(environment).toEqual([
      ["A", "1"],
      ["B", "$A=2"],
    ]);
  });

  it.each([
    ["AGENT=p0 DIR=/tmp", /:1: malformed: AGENT needs COMMAND/],
    ["AGENT=../p COMMAND='x'", /file names/],
    ["AGENT=p SPEED=1 COMMAND='x'", /not SPEED=1/],
    ["AGENT=p TIMEOUT=soon COMMAND='x'", /TIMEOUT is/],
    ["UID=joe\nENV novalue", /:2: malformed: ENV needs/],
    ["nonsense", /begins with UID=/],
    ["AGENT=p COMMAND='x'\nAGENT=p COMMAND='y'", /two agents p/],
  ])("refuses %j", (text, why) => {
    const parsed = parseProgramAgentConfig(text, place);
    expect(parsed).toMatchObject({ kind: "malformed", message: expect.stringMatching(why) });
  });

  it("takes so many agents, and not one more", () => {
    const agents = (count: number): string =>
      Array.from({ length: count }, (_none, index) => `AGENT=p${index} COMMAND='x'\n`).join("");
    const { configuredProgramsMax } = programLimits;
    expect(parse(agents(configuredProgramsMax)).programs).toHaveLength(configuredProgramsMax);
    expect(parseProgramAgentConfig(agents(configuredProgramsMax + 1), place).kind).toBe(
      "malformed",
    );
  });
});
