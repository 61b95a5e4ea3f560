// SPDX-License-Identifier: MIT
// Goal: `muster parse` says what is wrong with a file it cannot read, and prints what it can in all
// three forms with the documented exit status. Method: files in a temporary directory.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { experimentName, loadExperiment, runParse } from "../../../src/cli/commands/parse.ts";
import { fileBytesMax } from "../../../src/experiment/limits.ts";

const folder = mkdtempSync(path.join(tmpdir(), "muster-parse-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function parse(
  file: string,
  format: "text" | "json" | "rows",
  set: string[] = [],
  explain = false,
) {
  let out = "";
  let errors = "";
  const io = {
    stdout: (text: string) => {
      out += text;
    },
    stderr: (text: string) => {
      errors += text;
    },
  };
  const exit = await runParse({ file, format, compat: false, set, explain }, io);
  return { exit, out, errors };
}

const good = `set ns [new Simulator]
set b [$ns node]
set a [$ns node]
set l [$ns duplex-link $a $b 10Mb 20ms DropTail]
set p [$a program-agent -command "sleep 1"]
$ns at 2 "$p start"
$ns at 1 "$l down"
$ns run
`;

test("runParse() says why a file cannot be read", async () => {
  const missing = await parse(path.join(folder, "none.ns"), "text");
  expect(missing).toMatchObject({ exit: 66, out: "" });
  expect(missing.errors).toContain("there is no such file");
  const directory = await parse(folder, "text");
  expect(directory.exit).toBe(66);
  expect(directory.errors).toContain("it is a directory");
});

test("runParse() refuses a file beyond the limit without reading it", async () => {
  const file = write("large.ns", "");
  truncateSync(file, fileBytesMax + 1);
  const result = await parse(file, "text");
  expect(result.exit).toBe(1);
  expect(result.errors).toContain("4 MiB");
});

test("runParse() tells of barriers and waits, and that a run refuses them", async () => {
  const text = [
    ...["nodes: [a, b]", "barriers: { go: { members: [a, b] } }", "programs:"],
    "  one: { node: a, command: x, start: 0s }",
    "  two: { node: b, command: y, start: { after: one } }",
  ].join("\n");
  const { exit, out } = await parse(write("after.yaml", text), "text");
  expect(exit).toBe(0);
  expect(out).toContain("  go: all of a, b; ");
  expect(out).toContain("    starts after one ended as expected");
});

test("runParse() prints a summary, events in order of time", async () => {
  const { exit, out, errors } = await parse(write("good.ns", good), "text");
  expect({ exit, errors }).toEqual({ exit: 0, errors: "" });
  expect(out.indexOf("l DOWN")).toBeLessThan(out.indexOf("p START"));
  expect(out).toContain("sync server: a (the first node by name");
  expect(out).toContain("10.1.1.2");
});

test("runParse() prints JSON and rows that can be read back", async () => {
  const file = write("good.ns", good);
  const json = JSON.parse((await parse(file, "json")).out);
  expect(json.experiment.nodes.length).toBe(2);
  const rows = JSON.parse((await parse(file, "rows")).out);
  expect(rows.exit).toBe(0);
  expect(rows.tables.virt_nodes.length).toBe(2);
});

test("runParse() refuses a faulty file with a caret on stderr", async () => {
  const file = write("bad.ns", `${good.replace("duplex-link", "duplex-lnik")}`);
  const { exit, errors, out } = await parse(file, "rows");
  expect(exit).toBe(1);
  expect(errors).toContain('= Did you mean "duplex-link"?');
  expect(JSON.parse(out)).toEqual({ exit: 1, tables: {} });
});

test("runParse() hands --set to the file and refuses one without a value", async () => {
  const file = write("set.ns", `set x $opt(N)\n${good}`);
  expect((await parse(file, "text", ["opt(N)=3"])).exit).toBe(0);
  expect((await parse(file, "text")).exit).toBe(1);
  expect((await parse(file, "text", ["N"])).exit).toBe(64);
});

test("loadExperiment() reads files of older encodings", async () => {
  const bytes = Buffer.from(`# caf\u00e9\n${good}`, "latin1");
  const { experiment, source } = await loadExperiment(write("old.ns", bytes));
  expect(experiment?.pid).toBe("muster");
  expect(experiment?.eid).toBe("old");
  expect(source).toContain("café");
});

test.each([
  ["a/quick start.ns", "quick-start"],
  ["x.ns", "expx"],
  ["___.ns", "exp"],
  [`${"long".repeat(9)}.ns`, "longlonglonglonglon"],
])("experimentName(%j) is %j", (file, name) => {
  expect(experimentName(file)).toBe(name);
});

async function load(file: string, catalogue?: string) {
  return loadExperiment(file, catalogue === undefined ? {} : { catalogue });
}

test("loadExperiment() sources files beside the experiment file, and below, and no others", async () => {
  const below = path.join(folder, "below");
  mkdirSync(below);
  write("outside.txt", "set secret 1\n");
  writeFileSync(path.join(below, "more.tcl"), "set more 1\n");
  mkdirSync(path.join(below, "deep"));
  writeFileSync(path.join(below, "deep", "er.tcl"), "set deeper 1\nnothing-known\n");
  symlinkSync("../outside.txt", path.join(below, "link.tcl"));
  symlinkSync("more.tcl", path.join(below, "inner.tcl"));
  symlinkSync("loop.tcl", path.join(below, "loop.tcl"));
  spawnSync("mkfifo", [path.join(below, "pipe.tcl")]);
  truncateSync(writeEmpty(path.join(below, "huge.tcl")), fileBytesMax + 1);
  const codes = async (name: string): Promise<string[]> => {
    const file = path.join(below, "main.ns");
    writeFileSync(file, `set ns [new Simulator]\nsource ${name}\n$ns run\n`);
    return (await load(file)).diagnostics.map(({ code }) => code);
  };
  expect(await codes("more.tcl")).toEqual([]);
  expect(await codes("inner.tcl")).toEqual([]);
  expect(await codes("deep/er.tcl")).toEqual(["NS_UNKNOWN_COMMAND"]);
  for (const name of [
    "../outside.txt",
    "link.tcl",
    "loop.tcl",
    "pipe.tcl",
    "huge.tcl",
    "deep",
    ".",
    "/etc/passwd",
    path.join(folder, "outside.txt"),
    "missing.tcl",
  ]) {
    expect(await codes(name), name).toEqual(["NS_SOURCE"]);
  }
  // A file that sources itself ends by a limit.
  expect(await codes("main.ns")).not.toEqual([]);
});

function writeEmpty(file: string): string {
  writeFileSync(file, "");
  return file;
}

test("runParse() shows the line of the file where the fault is", async () => {
  write("inc.tcl", "# first\nnothing-known here\n");
  const file = write("with-include.ns", "set ns [new Simulator]\nsource inc.tcl\n$ns run\n");
  const { errors } = await parse(file, "text");
  expect(errors).toContain("inc.tcl:2:1: error[NS_UNKNOWN_COMMAND]");
  expect(errors).toContain("    2 | nothing-known here");
});

test("loadExperiment() reads a catalogue, and says what is wrong with one", async () => {
  const site = write(
    "site.json",
    JSON.stringify({
      strictTypes: true,
      types: { pc: {}, big: {}, "far*": { remote: true } },
      delayMinMs: 0,
      includes: { "fw.ns": "site-fw.ns" },
    }),
  );
  write("site-fw.ns", "set fw [new Firewall $ns]\n");
  const text =
    "set ns [new Simulator]\nset a [$ns node]\ntb-set-hardware $a big\n" +
    "tb-set-security-level Blue\n$ns run\n";
  const file = write("sited.ns", text);
  expect((await load(file, site)).experiment?.nodes[0]?.hardwareType).toBe("big");
  const other = write("other.ns", text.replace(" big", " bigg"));
  expect((await load(other, site)).diagnostics.map(({ code }) => code)).toContain("NS_TYPE");
  for (const [json, said] of [
    ["{", "no JSON"],
    ["[]", "the catalogue must be an object"],
    ['{"osName": []}', 'did you mean "osNames"'],
    ['{"delayMinMs": "2"}', '"delayMinMs" must be a whole number'],
    ['{"types": {"pc": {"fast": true}}}', '"types": pc has no "fast"'],
    ['{"includes": {"fw.ns": "nowhere"}}', "cannot read nowhere"],
    ['{"addressBase": 300}', "from 1 to 223"],
    ['{"__proto__": 1}', 'a catalogue has no "__proto__"'],
  ] as const) {
    await expect(load(file, write("bad.json", json)), json).rejects.toThrow(said);
  }
});

test("runParse() prints rows with the old addresses, and others when told", async () => {
  const links = ["lan3", "lan2", "link1"]
    .map((name) => `set ${name} [$ns duplex-link $a $b 1Mb 0ms DropTail]\n`)
    .join("");
  const file = write(
    "order.ns",
    `set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\n${links}$ns run\n`,
  );
  const rows = JSON.parse((await parse(file, "rows")).out).tables.virt_lans;
  expect(rows[0]).toMatchObject({ vname: "lan2", ip: "10.1.1.2" });
  const json = JSON.parse((await parse(file, "json")).out).experiment.links;
  expect(json[0]).toMatchObject({ name: "lan3", members: [{ address: "10.1.1.2" }, {}] });
});

test("runParse() refuses addresses that links of one network cannot have, in the file's words", async () => {
  const yaml = (one: string, two: string): string =>
    write(
      "clash.yaml",
      `nodes: [a, b, c]
links:
  l1: { between: [{ node: a, address: 10.1.1.1 }, { node: b, address: ${one} }] }
  l2: { between: [{ node: b, address: ${two} }, { node: c, address: 10.1.2.3 }] }
`,
    );
  expect((await parse(yaml("10.1.1.2", "10.1.2.2"), "text")).errors).toBe("");
  const overlap = await parse(yaml("10.1.1.2", "10.1.1.3"), "text");
  expect(overlap.exit).toBe(1);
  expect(overlap.errors).toContain(
    "clash.yaml:4:3: error[ADDRESS_CLASH]: b is on l1 (10.1.1.0/24)",
  );
  expect(overlap.errors).toContain("= Give one of them another subnet (address: of an end");
  expect(overlap.out).toContain("refused, 1 error");
  const twice = await parse(yaml("10.1.2.3", "10.1.2.2"), "text");
  expect(twice.errors).toMatch(/b on l1 and c on l2 both have|b is on l1/);
  expect(twice.errors).not.toContain("tb-set");

  const ns = write(
    "clash.ns",
    `set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\nset c [$ns node]
set l1 [$ns duplex-link $a $b 10Mb 0ms DropTail]\nset l2 [$ns duplex-link $c $a 10Mb 0ms DropTail]
tb-set-ip-link $a $l1 10.7.1.2\ntb-set-ip-link $b $l1 10.7.1.3\ntb-set-ip-link $c $l2 10.7.1.3
tb-set-ip-link $a $l2 10.7.1.9\n$ns run\n`,
  );
  const { exit, errors } = await parse(ns, "text");
  expect(exit).toBe(1);
  expect(errors).toContain("error[ADDRESS_CLASH]: ");
  expect(errors).toContain("(tb-set-ip-lan, tb-set-ip-link, tb-set-netmask)");
  expect((await parse(ns, "rows")).exit).toBe(0);
});

test("runParse() tells every clash of addresses with its place, as far as they can be read", async () => {
  const link = (name: string, ...ends: readonly string[]): string => {
    const between = ends.map((end) => end.replace(/^(\w+) (.*)$/, "{ node: $1, address: $2 }"));
    return `  ${name}: { between: [${between.join(", ")}] }`;
  };
  const of = (lines: readonly string[]): string =>
    write("clashes.yaml", ["nodes: [a, b, c, d]", "links:", ...lines, ""].join("\n"));
  const told = async (lines: readonly string[]): Promise<readonly string[]> =>
    [...(await parse(of(lines), "text")).errors.matchAll(/^.*error\[ADDRESS_CLASH\]: .*$/gm)].map(
      ([line]) => line.slice(line.indexOf("clashes.yaml")),
    );
  const lines = [
    link("l1", "a 10.1.1.1", "b 10.1.1.2"),
    // Of either node's two networks: one cause, one line.
    link("l2", "a 10.1.1.3", "b 10.1.1.4"),
    link("l3", "c 10.2.1.1", "d 10.2.1.2"),
    link("l4", "c 10.3.1.1", "d 10.3.1.2"),
    link("l5", "a 10.3.1.2", "b 10.3.1.9"),
  ];
  expect(await told(lines)).toEqual([
    "clashes.yaml:4:3: error[ADDRESS_CLASH]: a is on l1 (10.1.1.0/24) and on l2 (10.1.1.0/24), which overlap",
    "clashes.yaml:7:3: error[ADDRESS_CLASH]: d on l4 and a on l5 both have the address 10.3.1.2",
  ]);
  const many = Array.from({ length: 23 }, (_, at) => [
    link(`m${at}`, `a 10.${at}.1.1`, `b 10.${at}.1.2`),
    link(`n${at}`, `c 10.${at}.1.1`, `d 10.${at}.1.3`),
  ]).flat();
  const shown = await told(many);
  expect(shown).toHaveLength(21);
  expect(shown.at(-1)).toBe(
    "clashes.yaml:44:3: error[ADDRESS_CLASH]: 3 more addresses or netmasks are wrong, from here on",
  );
});

test("runParse() notices programs that nothing starts and commands for another shell", async () => {
  const program = (command: string): string =>
    good.replace('-command "sleep 1"', `-command {${command}}`);
  const idle = write("idle.ns", good.replace(/.*p start.*\n/, ""));
  const { exit, errors } = await parse(idle, "text");
  expect(exit).toBe(0);
  expect(errors).toContain("idle.ns:5:");
  expect(errors).toContain("warning[NEVER_STARTED]: nothing in the file starts program p on a");
  expect(errors).toContain('Add $ns at 0 "$p start", or start it with tevc');
  const line = 'set tl [$ns event-timeline]\n$tl at 1 "$p stop"\n';
  const planned = write("planned.ns", good.replace(/(?=\$ns run)/, line));
  const { errors: found } = await parse(planned, "text");
  expect(found).toContain("nothing in the file starts timeline tl: its event is left undone");
  expect(found).toContain('Add $ns at 0 "$tl start", or start it with tevc');
  for (const command of ["echo x >&2", "x 2> y", "export A=1; b", "for i in 1 2; do echo; done"]) {
    const { errors } = await parse(write("sh.ns", program(command)), "text");
    expect(errors, command).toContain("write sh -c '...'");
  }
  for (const command of ["echo x > y", "sh -c 'echo x >&2'", "x >& y", "echo export"]) {
    const { errors } = await parse(write("sh.ns", program(command)), "text");
    expect(errors, command).toBe("");
  }
});

test("runParse() shows what a link does from node to node beside what its ends do", async () => {
  const nodes = "nodes: [a, b]\nlinks:\n  l: { between: [a, b], delay: 10ms, loss: 1%";
  const { out } = await parse(write("even.yaml", `${nodes} }\n`), "text");
  expect(out).toContain("5 ms, loss 0.005013\n    each way: any bandwidth, delay 10ms, loss 1%\n");
  const uneven = write("uneven.yaml", `${nodes}, backward: { delay: 4ms } }\n`);
  expect((await parse(uneven, "text")).out).toContain(
    "    b to a: any bandwidth, delay 4ms, loss 1%",
  );
});

test("runParse() shows routing, costs, traces and generated traffic", async () => {
  const file = write(
    "all.ns",
    `set ns [new Simulator]
source tb_compat.tcl
foreach name {a b c} { set $name [$ns node] }
set l [$ns duplex-link $a $b 10Mb 0ms DropTail]
set m [$ns duplex-link $b $c 10Mb 0ms DropTail]
$l cost 3
$l trace packet tcp
$l trace_snaplen 200
$m SetTraceParams $c monitor
$ns rtproto Manual
$a add-route $c $b
$a add-route $m $b
set udp [new Agent/UDP]
$ns attach-agent $a $udp
set null [new Agent/Null]
$ns attach-agent $c $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr set rate_ 2Mb
$cbr attach-agent $udp
$ns run
`,
  );
  const { out } = await parse(file, "text");
  for (const line of [
    "  l  link  netmask 255.255.255.0  cost 3",
    "    a:0  10.1.1.2  10 Mb/s, 0 ms; traced: packets, 200 bytes of each, only tcp",
    "    c:0  10.1.2.3  10 Mb/s, 0 ms; traced: counts",
    "routing: manual",
    "routes: 2",
    "  a to c by b",
    "  a to m by b",
    "generated traffic: 1",
    "  cbr: a to c, cbr over udp, packets of 210 bytes, 2Mbps",
  ]) {
    expect(out.split("\n")).toContain(line);
  }
  const { out: explained } = await parse(file, "text", [], true);
  for (const line of [
    "  l  link, netmask 255.255.255.0, cost 3  (line 4)",
    "    traced: packets, 200 bytes of each, only tcp",
    "    at c: counts",
    "routing manual",
    "  by the routes that are given; nodes with several links forward",
    "  a to c by b  (line 11)",
    "generated traffic, 1 flow",
    "  cbr: a to c, cbr over udp, packets of 210 bytes, 2Mbps  (line 18)",
  ]) {
    expect(explained.split("\n")).toContain(line);
  }
});

test("runParse() warns of links that no run can shape, at their place", async () => {
  const file = write(
    "shapes.yaml",
    `nodes: [a, b]
links:
  fine: { between: [a, b], bandwidth: 10Mbps, delay: 2ms }
  far: { between: [a, b], bandwidth: 10Mbps, delay: 1h }
  fast: { between: [a, b], bandwidth: 100Gbps }
  slow: { between: [a, b], bandwidth: 1bps }
  shaky: { between: [a, b], delay: 1ms, jitter: 2ms }
  early: { between: [a, b], queue: { kind: red, minThreshold: 20packets } }
  long: { between: [a, b], queue: 10000000packets }
  quick: { between: [a, b], bandwidth: 10Gbps }
`,
  );
  const { exit, errors } = await parse(file, "text");
  expect(exit).toBe(0);
  const told = [...errors.matchAll(/shapes\.yaml:(\d+):\d+: warning\[LINK_SHAPE\]: (.*)/g)];
  expect(told.map(([, line]) => line)).toEqual(["4", "5", "6", "7", "8", "9"]);
  for (const [index, what] of [...["far", "fast", "slow", "shaky", "early", "long"].entries()]) {
    expect(told[index]?.[2]).toContain(what);
  }
  expect(errors).toContain(":10:3: note[LINK_SHAPE]: link quick at a: bandwidth 10000 Mb/s");
  expect(errors).toContain("--links none leaves the links of a run alone");
});

test("runParse() warns of events of links that a run will refuse, at their place", async () => {
  const file = write(
    "events.yaml",
    `nodes: [a, b]
links:
  l: { between: [a, b], bandwidth: 10Mbps, delay: 2ms }
events:
  - { at: 1s, target: l, do: modify, set: { delay: 900ms } }
  - { at: 2s, target: l, do: modify, set: { bandwidth: 1Gbps } }
  - { at: 3s, target: l, do: modify, set: { delay: 1h } }
  - { at: 4s, target: l, do: modify, set: { bandwidth: 10Gbps, delay: 1ms } }
`,
  );
  const { exit, errors } = await parse(file, "text");
  expect(exit).toBe(0);
  const told = [...errors.matchAll(/events\.yaml:(\d+):\d+: (\w+)\[LINK_EVENT\]: link l: /g)];
  // The one in the second line is too much only because of the one before.
  expect(told.map(([, line, severity]) => `${line} ${severity}`)).toEqual([
    "6 warning",
    "7 warning",
    "8 note",
  ]);
  expect(errors).toContain("the event will be refused where delay-node shapes");
});
