// SPDX-License-Identifier: MIT
// Goal: the option parser and the small readers of the two programs do what C did.
// Method: tables, and a property against the platform's own calendar.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findServer } from "../../../src/cli/compat/emulab-sync-server.ts";
import { Getopt, type Option, scanInteger } from "../../../src/cli/compat/getopt.ts";
import { formatUtc } from "../../../src/cli/compat/syncd-log.ts";

const names = { flags: "ad", valued: "n", longFlags: ["json"], longValued: ["timeout"] };

function walk(...args: string[]): { options: string[]; rest: readonly string[] } {
  const getopt = new Getopt(args, names);
  const options: string[] = [];
  for (let option = getopt.next(); option !== undefined; option = getopt.next()) {
    options.push(show(option));
  }
  return { options, rest: getopt.rest };
}

function show(option: Option): string {
  if (option.kind === "flag") return option.name;
  return option.kind === "valued" ? `${option.name}=${option.value}` : option.message;
}

describe("Getopt", () => {
  test.each([
    ["--timout", "did you mean --timeout? --help-all lists the options of Muster"],
    ["--JSON", "did you mean --json? --help-all lists the options of Muster"],
    ["--frobnicate", "--help-all lists the options of Muster"],
    ["-x", undefined],
  ])("next() has a hint for %s", (argument, hint) => {
    const option = new Getopt([argument], names).next();
    expect(option?.kind === "error" && option.hint).toBe(hint);
  });

  test.each([
    [["-ad"], ["a", "d"], []],
    [["-adnx"], ["a", "d", "n=x"], []],
    [["-n", "x", "-a"], ["n=x", "a"], []],
    [["-n", "-a"], ["n=-a"], []],
    [["-n", ""], ["n="], []],
    [["-nx=y"], ["n=x=y"], []],
    [["-a", "x", "-d"], ["a"], ["x", "-d"]],
    [["-a", "--", "-d"], ["a"], ["-d"]],
    [["-a", "-", "-d"], ["a"], ["-", "-d"]],
    [["-xa"], ["invalid option -- 'x'", "a"], []],
    [["-an"], ["a", "option requires an argument -- 'n'"], []],
    [["--timeout", "5", "--json"], ["timeout=5", "json"], []],
    [["--timeout=5"], ["timeout=5"], []],
    [["--timeout="], ["timeout="], []],
    [["--timeout"], ["option '--timeout' requires an argument"], []],
    [["--json=1"], ["option '--json' doesn't allow an argument"], []],
    [["--time", "5"], ["unrecognized option '--time'"], ["5"]],
  ])("next() walks over %j", (args, options, rest) => {
    expect(walk(...args)).toEqual({ options, rest });
  });
});

test.each([
  ["12", 12],
  ["12x", 12],
  ["  +7", 7],
  ["-3", -3],
  ["", 0],
  [" \t", 0],
  ["x", undefined],
  ["-", undefined],
  ["0x10", 0],
  ["-0", 0],
  ["99999999999", 99_999_999_999],
])("scanInteger() reads %j as scanf does", (text, value) => {
  expect(scanInteger(text)).toBe(value);
});

test("formatUtc() agrees with the platform's calendar", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (wallMs) => {
      const iso = new Date(wallMs).toISOString();
      expect(formatUtc(wallMs)).toBe(iso.replace("T", " ").replace("Z", ""));
    }),
  );
});

test.each([
  ["host:5\n", { host: "host", port: 5 }],
  ["host\n", { host: "host", port: 9 }],
  ["host:x", { host: "host", port: 9 }],
  ["host:70000", { host: "host", port: 9 }],
])("findServer() reads the boot file %j", (text, found) => {
  expect(findServer({ server: undefined, port: 9 }, () => text)).toEqual(found);
  expect(findServer({ server: "s", port: 9 }, () => text)).toEqual({ host: "s", port: 9 });
});
