// SPDX-License-Identifier: MIT
// Goal: the command line of tevc is read as the old program read it: options, the words of an
// event, texts and exit codes. Method: tables from [EMULAB-EVENTS 3] and its examples.
import { describe, expect, test } from "vitest";
import type { Exit } from "../../../src/cli/compat/exit.ts";
import {
  type ControlArguments,
  parseTevcArguments,
  type ScheduleArguments,
} from "../../../src/cli/compat/tevc-arguments.ts";
import {
  describeOversize,
  formatEventArguments,
  parseEventWord,
} from "../../../src/client/event-words.ts";

const parse = (line: string): ScheduleArguments | ControlArguments | Exit =>
  parseTevcArguments(line.split(" ").filter((word) => word !== ""));

describe("parseTevcArguments()", () => {
  test("takes an event for an experiment, with the defaults", () => {
    expect(parse("-e foo/bar +2.5 cbr3 set rate_=512 packetSize_=256")).toEqual({
      kind: "schedule",
      pid: "foo",
      eid: "bar",
      keyFile: undefined,
      server: undefined,
      port: undefined,
      waits: false,
      timeoutS: undefined,
      time: "+2.5",
      objname: "cbr3",
      event: "set",
      words: ["rate_=512", "packetSize_=256"],
    });
  });

  test("takes every option, clustered or apart, and none after the first word", () => {
    expect(parse("-wdt30 -s ops -p 99 -k key -e a/b now x stop -w")).toMatchObject({
      ...{ waits: true, timeoutS: 30, server: "ops", port: 99, keyFile: "key" },
      words: ["-w"],
    });
  });

  test("takes a control event, to another bus", () => {
    expect(parse("-c reload")).toEqual({
      ...{ kind: "control", server: undefined, port: undefined, event: "reload" },
    });
    expect(parse("-c -s boss -p 5 reload")).toMatchObject({ server: "boss", port: 5 });
  });

  test.each([
    ["", /^usage: tevc \[-w\]/],
    ["-e a/b now link0", /^usage: tevc/],
    ["-x -e a/b now link0 down", /^tevc: invalid option -- 'x'\nusage: tevc/],
    ["-e", /^tevc: option requires an argument -- 'e'\nusage: tevc/],
    ["-c", /^usage: tevc/],
    ["-c a b", /^usage: tevc/],
    ["now link0 down", /^Must provide pid\/eid\n$/],
    ["-e foo now link0 down", /^Malformed pid\/eid: foo\n$/],
    ["-e foo/ now link0 down", /^Malformed pid\/eid: foo\/\n$/],
    ["-e a/b/c now link0 down", /^Malformed pid\/eid: a\/b\/c\n$/],
    ["-p x -e a/b now link0 down", /^tevc: -p must be a port from 1 to 65535: x\n/],
    ["-p 65536 -e a/b now link0 down", /^tevc: -p must be a port/],
    ["-t x -e a/b now link0 down", /^tevc: -t must be a number of seconds: x\n/],
  ])("ends with 255 and a reason for %j", (line, stderr) => {
    expect(parse(line)).toMatchObject({ kind: "exit", code: 255 });
    expect((parse(line) as Exit).stderr).toMatch(stderr);
  });

  test("prints help and the version on standard output when asked by a long option", () => {
    expect(parse("--help")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^usage: tevc/),
    });
    expect(parse("--version")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Muster /),
    });
  });
});

describe("parseEventWord()", () => {
  test.each([
    ["start", "START"],
    ["Down", "DOWN"],
    ["set", "MODIFY"],
    ["MODIFY", "MODIFY"],
    ["_bootwhat_", "_BOOTWHAT_"],
    ["reloaddonev2", "RELOADDONEV2"],
    // In capitals it is another word, and the old check took no other case.
    ["NORMALv1", undefined],
    ["explode", undefined],
    ["", undefined],
  ])("reads %j", (word, type) => {
    expect(parseEventWord(word)).toBe(type);
  });
});

describe("formatEventArguments()", () => {
  test.each([
    ["rate_=512 packetSize_=256", "RATE=512 PACKETSIZE=256 "],
    ["interval_=0.2", "INTERVAL=0.2 "],
    ["a__=b_", "A_=b_ "],
    ["k=", "K= "],
    ["x=y=z", "X=y=z "],
    ["one two", "onetwo"],
    ["a=1 two b=3", "A=1 twoB=3 "],
    ["", ""],
  ])("makes ARGS of %j", (words, args) => {
    expect(formatEventArguments(words.split(" ").filter((word) => word !== ""))).toBe(args);
  });

  test("leaves a value with blanks as it is", () => {
    expect(formatEventArguments(["dir=/tmp", "COMMAND=./server -p 80"])).toBe(
      "DIR=/tmp COMMAND=./server -p 80 ",
    );
  });
});

describe("describeOversize()", () => {
  test("lets 127 bytes of name and 8192 of arguments through, and not one more", () => {
    expect(describeOversize("n".repeat(127), "a".repeat(8_192))).toBeUndefined();
    expect(describeOversize("n".repeat(128), "")).toContain("objectNameBytesMax");
    expect(describeOversize(`${"n".repeat(126)}é`, "")).toContain("objectNameBytesMax");
    expect(describeOversize("n", "a".repeat(8_193))).toContain("argumentsBytesMax");
  });
});
