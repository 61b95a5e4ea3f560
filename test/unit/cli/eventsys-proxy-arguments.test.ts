// SPDX-License-Identifier: MIT
// Goal: the command line of eventsys.proxy as it was, old and new, and every mistake named. Method:
// command lines and what they are read as. [EMULAB-EVENTS 7.5]
import { describe, expect, it } from "vitest";
import { parseProxyArguments } from "../../../src/cli/compat/eventsys-proxy-arguments.ts";
import { parseExperiment } from "../../../src/events/launch/experiment-name.ts";

const old = "-u ann -g gg -e pp/ee -k /k -l /l";
const parse = (line: string) => parseProxyArguments(line.split(" "));

describe("parseProxyArguments()", () => {
  it("reads the line of 2004, where the group of the experiment is that of the project", () => {
    expect(parse(`${old} start`)).toEqual({
      kind: "arguments",
      value: {
        ...{ action: "start", user: "ann", group: "gg", projectGroup: "gg", keyFile: "/k" },
        ...{ experiment: { pid: "pp", eid: "ee" }, logFile: "/l", recordFile: undefined },
        ...{ opsAgent: false, debug: false, runDirectory: "/var/run/emulab/evsched" },
        ...{ scheduler: undefined, tevc: undefined, agent: undefined },
      },
    });
  });

  it("reads what was added later, and takes -N for what it is: nothing", () => {
    const line = `${old} -p pg -t /t -adN --rundir /r --scheduler=/s --tevc /v --agent /a replay`;
    expect(parse(line)).toMatchObject({
      value: {
        ...{ action: "replay", projectGroup: "pg", recordFile: "/t", opsAgent: true, debug: true },
        ...{ runDirectory: "/r", scheduler: "/s", tevc: "/v", agent: "/a" },
      },
    });
  });

  it("passes on where the plan is, and goes on with it where it is told so", () => {
    const plan = ["--plan", "nats://h:1/s", "--nats-creds", "/c"];
    const line = `${old} --boss b ${plan.join(" ")}`;
    expect(parse(`${line} start`)).toMatchObject({ value: { passedOn: ["--boss", "b", ...plan] } });
    expect(parse(`${line} start`)).not.toMatchObject({ value: { goesOn: true } });
    expect(parse(`${line} --continue start`)).toMatchObject({ value: { goesOn: true } });
  });

  it.each([
    [`${old} --plan plan start`, "or an absolute path, not plan"],
    [`${old} --plan /p --nats-creds c start`, "--nats-creds takes an absolute path, not c"],
    [`${old} --continue start`, "--continue goes with start and --plan"],
    [`${old} --plan /p --continue replay`, "--continue goes with start and --plan"],
    [old, "name one of start, stop, replay"],
    [`${old} start stop`, "name one of"],
    ["-g gg -e pp/ee -k /k -l /l start", "-u is needed"],
    ["-u ann -g gg -e pp/ee -k /k start", "-l is needed"],
    [`${old} -e pp start`, "-e takes pid/eid"],
    [`${old} -e ../x start`, "-e takes pid/eid"],
    [`${old} -k key start`, "-k takes an absolute path, not key"],
    [`${old} --rundir run start`, "--rundir takes an absolute path, not run"],
    [`${old} -x start`, "invalid option -- 'x'"],
    [`${old} -t`, "option requires an argument -- 't'"],
  ])("refuses %s", (line, complaint) => {
    expect(parse(line)).toEqual({ kind: "misused", complaint: expect.stringContaining(complaint) });
  });
});

describe("parseExperiment()", () => {
  it("takes names of up to 63 characters that cannot lead elsewhere or be options", () => {
    const longest = "a".repeat(63);
    expect(parseExperiment(`${longest}/e-1`)).toEqual({ pid: longest, eid: "e-1" });
    expect(parseExperiment("p,e")).toEqual({ pid: "p", eid: "e" });
    for (const wrong of [
      `${longest}a/e`,
      `p/${longest}a`,
      "-p/e",
      "p/-e",
      "p/..",
      "p",
      "p/e/f",
      "p/e\n",
    ]) {
      expect(parseExperiment(wrong)).toBeUndefined();
    }
  });
});
