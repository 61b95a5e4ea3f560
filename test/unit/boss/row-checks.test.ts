// SPDX-License-Identifier: MIT
// Goal: names and rows that the old system would not load are told, at the bound and one past it.
// [EMULAB-NS 14] Method: one row a case.
import { describe, expect, it } from "vitest";
import { checkNames, checkRows } from "../../../src/boss/row-checks.ts";

const long = (characters: number): string => "a".repeat(characters);

describe("checkNames()", () => {
  it.each([
    ["pp", "ee"],
    [long(48), long(19)],
    ["A-1", "9-z"],
  ])("takes %s and %s", (pid, eid) => {
    expect(checkNames(pid, eid)).toBeUndefined();
  });

  it.each([
    ["p", "ee", "--pid"],
    [long(49), "ee", "--pid"],
    ["../x", "ee", "--pid"],
    ["p/x", "ee", "--pid"],
    ["-p", "ee", "--pid"],
    ["pp", "e", "--eid"],
    ["pp", long(20), "--eid"],
    ["pp", "..", "--eid"],
    ["pp", "e\n", "--eid"],
  ])("refuses %s and %s, and says what to do", (pid, eid, option) => {
    expect(checkNames(pid, eid)).toContain(option);
  });
});

describe("checkRows()", () => {
  it.each([
    ["virt_nodes", "vname", long(32), long(33)],
    ["virt_nodes", "vname", "a_b-1", "a.b"],
    ["virt_nodes", "startupcmd", long(255), long(256)],
    ["virt_nodes", "osname", "ab", "a"],
    ["virt_programs", "vname", "p(1)", "p[1]"],
    ["virt_programs", "command", long(255), long(256)],
    ["virt_programs", "expected_exit_code", "255", "256"],
    ["virt_lans", "vport", "99", "100"],
    ["virt_lans", "vindex", "4098", "4099"],
    ["eventlist", "vname", long(64), long(65)],
    ["eventlist", "arguments", long(1024), long(1025)],
    ["virt_user_environment", "name", "A1", "1A"],
    ["virt_user_environment", "value", long(512), long(513)],
  ])("in %s, %s: takes the first and tells of the second", (table, column, good, bad) => {
    expect(checkRows({ [table]: [{ [column]: good }] })).toEqual([]);
    const [found = "", ...more] = checkRows({ [table]: [{ [column]: bad }] });
    expect(found).toContain(`the old system would refuse this: ${column} of ${table}`);
    expect(more).toEqual([]);
  });

  it("passes over values that are not given", () => {
    expect(checkRows({ virt_nodes: [{ vname: "a", osname: "" }, {}] })).toEqual([]);
  });
});
