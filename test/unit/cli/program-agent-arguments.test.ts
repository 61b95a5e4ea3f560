// SPDX-License-Identifier: MIT
// Goal: the command line of program-agent, its defaults and its exit codes.
import { describe, expect, it } from "vitest";
import {
  parseProgramAgentArguments,
  usage,
} from "../../../src/cli/compat/program-agent-arguments.ts";

const parse = (line: string) => parseProgramAgentArguments(line.split(" "), "version\n");

describe("parseProgramAgentArguments()", () => {
  it("fills in what the old agent did", () => {
    expect(parse("-e p/e -c /boot/progagents")).toMatchObject({
      ...{ kind: "run", isForeground: false, server: "localhost", port: undefined },
      ...{ pidFile: "/var/run/progagent.pid", logDirectory: "/local/logs", experiment: "p/e" },
      ...{ environmentFile: "/boot/progagents", configFile: "/boot/progagents" },
    });
  });

  it("takes every option", () => {
    const line = "-d -s h -p 99 -l L -k K -u U -i I -f F -o O -v V -t T -e p/e -c C";
    expect(parse(line)).toEqual({
      ...{ kind: "run", isForeground: true, server: "h", port: 99, logFile: "L", keyFile: "K" },
      ...{ user: "U", pidFile: "I", environmentFile: "F", logDirectory: "O", node: "V" },
      ...{ tokenFile: "T", experiment: "p/e", configFile: "C" },
    });
  });

  it.each(["-d", "-r", "-P", "-dr"])("stays in the foreground with %s", (flag) => {
    expect(parse(`${flag} -e p/e -c C`)).toMatchObject({ isForeground: true });
  });

  it.each([
    ["-h", 1, usage],
    ["-V", 0, "version\n"],
    ["-e p/e", 1, "-e and -c are required"],
    ["-c C", 1, "-e and -c are required"],
    ["-e pe -c C", 1, "bad pid/eid: pe"],
    ["-e p/e/x -c C", 1, "bad pid/eid: p/e/x"],
    ["-e p/e -c C -p 0", 1, "bad port: 0"],
    ["-e p/e -c C -p 65536", 1, "bad port: 65536"],
    ["-e p/e -c C more", 1, "too many arguments: more"],
    ["-x", 1, "program-agent: invalid option -- 'x'"],
  ])("%s ends with %i", (line, code, text) => {
    expect(parse(line)).toMatchObject({
      kind: "exit",
      code,
      stderr: expect.stringContaining(text),
    });
  });
});
