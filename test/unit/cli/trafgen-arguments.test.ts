// SPDX-License-Identifier: MIT
// Goal: the command line of trafgen, its defaults and its exit codes.
import { describe, expect, it } from "vitest";
import { parseTrafgenArguments, usage } from "../../../src/cli/compat/trafgen-arguments.ts";

const parse = (line: string) => parseTrafgenArguments(line.split(" "));
const least = "-N cbr0 -E p/e -T 10.1.1.2.9000";

describe("parseTrafgenArguments()", () => {
  it("fills in what the old generator did", () => {
    expect(parse(least)).toEqual({
      ...{ kind: "run", name: "cbr0", experiment: "p/e", role: "source", protocol: "udp" },
      ...{ server: "localhost", port: undefined, logFile: undefined, keyFile: undefined },
      source: { address: "0.0.0.0", port: 0 },
      sink: { address: "10.1.1.2", port: 9_000 },
    });
  });

  it("takes every option", () => {
    const line = `${least} -S 10.1.1.1.65535 -P tcp -R sink -s h -p 99 -l L -k K`;
    expect(parse(line)).toMatchObject({
      ...{ source: { address: "10.1.1.1", port: 65_535 }, protocol: "tcp", role: "sink" },
      ...{ server: "h", port: 99, logFile: "L", keyFile: "K" },
    });
  });

  it.each([
    ["server", "sink"],
    ["sink", "sink"],
    ["client", "source"],
    ["source", "source"],
  ])("takes the role %s for the %s", (word, role) => {
    expect(parse(`${least} -R ${word}`)).toMatchObject({ role });
  });

  it.each([
    ["-h", usage],
    ["-N cbr0 -E p/e", "-N, -T and -E are required"],
    [`${least} more`, "too many arguments: more"],
    [`${least} -T 10.1.1.2`, "bad -T"],
    [`${least} -T 10.1.1.2.0`, "bad -T"],
    [`${least} -T 10.1.1.2.65536`, "bad -T"],
    [`${least} -T 10.1.1.256.9000`, "bad -T"],
    [`${least} -S host.9000`, "bad -S"],
    [`${least} -P sctp`, "bad -P"],
    [`${least} -p 65536`, "bad port"],
    [`${least} -E pe`, "bad pid/eid"],
    [`${least} -N a,b`, "bad name"],
    [`${least} -z`, "invalid option -- 'z'"],
  ])("%s ends with 1", (line, text) => {
    const stderr = expect.stringContaining(text);
    expect(parse(line)).toMatchObject({ kind: "exit", code: 1, stderr });
  });
});
