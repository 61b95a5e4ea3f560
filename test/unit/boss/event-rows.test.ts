// SPDX-License-Identifier: MIT
// Goal: the agents, groups and events of an experiment, with those that come by themselves, each
// once. Method: a file that has all of them, read by the real parser, and hand-made rows.
import { describe, expect, it } from "vitest";
import { agentRows, eventRows, groupRows } from "../../../src/boss/event-rows.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";

const text = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
tb-set-node-startcmd $a "date"
set l0 [$ns duplex-link $a $b 10Mb 5ms DropTail]
$l0 trace
set p [$b program-agent -command "true"]
set q [$b program-agent -command "true"]
set g [new EventGroup $ns]
$g add $p
set s [$ns event-sequence { $p run }]
$ns at 2 "$p start"
$ns at 1 "$p stop"
$ns at 1 "$q start"
$ns run
`;
const names = { file: "/a.ns", pid: "pp", eid: "ee", presets: [] };
const { rows: tables = {} } = parseNsFile(text, names);
const placeOf = (vnode: string) =>
  vnode === "a" ? { nodeId: "a.ee.pp", address: "127.0.0.9" } : undefined;

describe("agents", () => {
  const agents = agentRows(tables, placeOf);
  const line = (name: string): string | undefined =>
    agents
      .filter((one) => one.name === name)
      .map(({ vnode, nodeId, address, objectType }) => {
        return [vnode, nodeId, address, objectType].join(" ");
      })
      .join("; ");

  it.each([
    ["a", "a a.ee.pp 127.0.0.9 NODE"],
    ["b", "b   NODE"],
    ["ns", "* * * SIMULATOR"],
    ["linktest", "* * * LINKTEST"],
    ["slothd", "* * * SLOTHD"],
    ["a_startcmd", "a a.ee.pp 127.0.0.9 PROGRAM"],
    ["l0", "* * * LINK"],
    ["l0-a", "* * * LINK"],
    ["l0-b", "* * * LINK"],
    ["l0-a-tracemon", "a a.ee.pp 127.0.0.9 LINKTRACE"],
    ["__a_program-agent", "a a.ee.pp 127.0.0.9 PROGRAM"],
    ["__b_program-agent", "b   PROGRAM"],
  ])("have %s once", (name, wanted) => {
    expect(line(name)).toBe(wanted);
  });

  it("that the tables name are not replaced", () => {
    const own = [{ vname: "l0", vnode: "a", objecttype: "CUSTOM" }];
    const found = agentRows({ ...tables, virt_agents: own }, placeOf);
    expect(found.filter(({ name }) => name === "l0")).toMatchObject([{ objectType: "CUSTOM" }]);
  });
});

describe("groups", () => {
  it("are those of the file and those that come by themselves, each once", () => {
    const found = groupRows(tables).map(({ group, agent }) => `${group} ${agent}`);
    expect(found).toEqual([
      "__all_programs p",
      "__all_programs q",
      "__all_programs a_startcmd",
      "g p",
      "__all_program-agents __b_program-agent",
      "__all_program-agents __a_program-agent",
      "__all_lans l0",
      "__all_tracemon l0-a-tracemon",
      "__all_tracemon l0-b-tracemon",
      "l0-tracemon l0-a-tracemon",
      "l0-tracemon l0-b-tracemon",
    ]);
  });

  it("that the tables name are left as they are", () => {
    const own = [{ group_name: "__all_lans", agent_name: "l9" }];
    const found = groupRows({ ...tables, event_groups: own });
    expect(found.filter(({ group }) => group === "__all_lans")).toHaveLength(1);
  });
});

describe("events", () => {
  it("are in the order of their times, and of the file among equals", () => {
    const found = eventRows(tables).filter(({ name }) => name === "p" || name === "q");
    expect(found.map(({ name, eventType, timeSeconds }) => [name, eventType, timeSeconds])).toEqual(
      expect.arrayContaining([
        ["p", "STOP", 1],
        ["q", "START", 1],
        ["p", "START", 2],
      ]),
    );
    const times = eventRows(tables).map(({ timeSeconds }) => timeSeconds);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const [stop, start] = found.filter(({ timeSeconds }) => timeSeconds === 1);
    expect((stop?.index ?? 0) < (start?.index ?? 0)).toBe(true);
  });

  it("of a sequence name it, and those of type TIME are left out", () => {
    expect(eventRows(tables).find(({ parent }) => parent !== "")).toMatchObject({ parent: "s" });
    const eventlist = [{ objecttype: "TIME", eventtype: "START", vname: "t" }];
    expect(eventRows({ eventlist })).toEqual([]);
  });
});
