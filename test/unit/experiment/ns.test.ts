// SPDX-License-Identifier: MIT
// Goal: a bad file gets one clear message for each fault, at the right word, and no echo of it;
// names, events, units and addresses follow the specification. Method: small files.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Experiment,
  formatDiagnostic,
  type ParseOptions,
  type ParseResult,
  parseNsFile,
} from "../../../src/experiment/index.ts";
import { parseBandwidth, parseDelay, parseRelativeTime } from "../../../src/experiment/ns/units.ts";
import { hashOrder } from "../../../src/experiment/tcl/hash-order.ts";

const head = "set ns [new Simulator]\n";

function read(text: string, options: Partial<ParseOptions> = {}): ParseResult {
  return parseNsFile(text, { file: "t.ns", pid: "p", eid: "e", ...options });
}

/** Findings as `line:column CODE`. */
function findings(text: string, options: Partial<ParseOptions> = {}): string[] {
  return read(text, options).diagnostics.map(({ at, code }) => `${at.line}:${at.column} ${code}`);
}

function accepted(text: string, options: Partial<ParseOptions> = {}): Experiment {
  const { experiment, diagnostics } = read(text, options);
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  if (experiment === undefined) throw new Error("no experiment");
  return experiment;
}

describe("diagnostics", () => {
  test.each([
    ["a file without run", `${head}set a [$ns node]\n`, ["2:17 NS_NO_RUN"]],
    [
      "an unknown command",
      `${head}set a [$ns node]\ntb-set-sync-sever $a\n$ns run\n`,
      ["3:1 NS_UNKNOWN_COMMAND"],
    ],
    [
      "a node name twice",
      `${head}set a [$ns node]\nset a [$ns node]\n$ns run\n`,
      ["3:5 NS_NAME_TAKEN"],
    ],
    ["a method", `${head}set a [$ns nod]\n$ns run\n`, ["2:12 NS_METHOD"]],
    [
      "what failed only once",
      `${head}set a [$ns nod]\ntb-set-node-os $a X\ntb-set-hardware $a pc\n$ns run\n`,
      ["2:12 NS_METHOD"],
    ],
    [
      "an object that could not be made only once, also in events",
      `${head}set a [$ns node]\nset p [$a program-agent -command x -timeout 5sec]\n` +
        `$ns at 1m "$p start -tag"\n$ns at 1m "$p kill"\n` +
        `set s [$ns event-sequence {\n  $p run\n  $a jump\n}]\n$ns run\n`,
      ["3:45 NS_TIME", "8:3 NS_EVENT"],
    ],
    ["a variable only once", "$ns node\n$ns node\n", ["1:1 TCL_NO_VARIABLE", "2:9 NS_NO_RUN"]],
    [
      "every fault",
      `${head}set a [$ns node]\nfoo\ntb-set-node-failure-action $a never\nbar\n$ns run\n`,
      ["3:1 NS_UNKNOWN_COMMAND", "4:31 NS_VALUE", "5:1 NS_UNKNOWN_COMMAND"],
    ],
    [
      "a misspelt command that an earlier fault kept from running, and nothing else of it",
      `${head}proc tb-set-ips {x} {}\nset a [$ns nod]\ntb-set-link-los $a 0.1\n` +
        `tb-set-node-os $a FOO\nnosuch $a\ntb-set-ips $a\n$a bogus\n$ns run\n`,
      ["3:12 NS_METHOD", "4:1 NS_UNKNOWN_COMMAND"],
    ],
    [
      "a word in a loop",
      `${head}foreach i {1 2} {\n  set n($i) [$ns node]\n  tb-set-ip $n($i) 1.2.3\n}\n$ns run\n`,
      ["4:13 NS_NO_LINK", "4:13 NS_NO_LINK"],
    ],
    [
      "a word in a procedure",
      `${head}proc f {} {\n  global ns\n  wrong 1\n}\nf\n$ns run\n`,
      ["4:3 NS_UNKNOWN_COMMAND"],
    ],
    [
      "a word in eval",
      `${head}set body {\n  set x 1\n  wrong $x\n}\neval $body\n$ns run\n`,
      ["4:3 NS_UNKNOWN_COMMAND"],
    ],
    [
      "a word in an event",
      `${head}$ns at 1 "$ns halt; $ns frobnicate"\n$ns run\n`,
      ["2:25 NS_EVENT"],
    ],
    [
      "a word of a sequence",
      `${head}set a [$ns node]\nset p [$a program-agent -command x]\n` +
        `set s [$ns event-sequence {\n  $p run\n  $p jump\n}]\n$ns run\n`,
      ["6:3 NS_EVENT"],
    ],
    [
      "a delay",
      `${head}set a [$ns node]\nset b [$ns node]\n` +
        `set l [$ns duplex-link $a $b 1Mb 1ms DropTail]\n$ns run\n`,
      ["4:34 NS_DELAY"],
    ],
    [
      "a bandwidth unit",
      `${head}set a [$ns node]\nset b [$ns node]\n` +
        `set l [$ns duplex-link $a $b 1Mbit 0ms DropTail]\n$ns run\n`,
      ["4:30 NS_BANDWIDTH"],
    ],
    ["a brace", `${head}if 1 {\n$ns run\n`, ["2:6 TCL_BRACE"]],
    ["an expression", `${head}set x [expr {1 +}]\n$ns run\n`, ["2:17 TCL_EXPRESSION"]],
    ["another file", `${head}source other.tcl\n$ns run\n`, ["2:8 NS_SOURCE"]],
    ["a second run", `${head}$ns run\n$ns run\n`, ["3:5 NS_RUN_TWICE"]],
    [
      "one node on a LAN",
      `${head}set a [$ns node]\nset l [$ns make-lan "$a" 1Mb 0ms]\n$ns run\n`,
      ["3:8 NS_SINGLE_NODE"],
    ],
    ["an end", `${head}exit 3\n`, ["2:7 TCL_EXIT"]],
    [
      "a second start command",
      `${head}set a [$ns node]\ntb-set-node-startcmd $a x\ntb-set-node-startcmd $a y\n$ns run\n`,
      ["4:22 NS_STARTCMD_TWICE"],
    ],
  ])("point at %s", (_what, text, expected) => {
    expect(findings(text)).toEqual(expected);
  });

  test("formatDiagnostic() shows the line, a caret and what to do", () => {
    const text = `${head}set node0 [$ns node]\n\ttb-set-sync-sever $node0\n$ns run\n`;
    const shown = read(text).diagnostics.map((one) => formatDiagnostic(one, text));
    expect(shown).toEqual([
      "t.ns:3:2: error[NS_UNKNOWN_COMMAND]: Unknown: tb-set-sync-sever node0\n" +
        "    3 | \ttb-set-sync-sever $node0\n" +
        "      | \t^\n" +
        '      = Did you mean "tb-set-sync-server"?',
    ]);
  });

  test("say where a procedure was called from", () => {
    const { diagnostics } = read(`${head}proc f {} {wrong}\nf\n$ns run\n`);
    expect(diagnostics[0]?.via).toEqual([{ file: "t.ns", line: 3, column: 1 }]);
  });

  test("every code is documented", () => {
    const root = path.resolve(import.meta.dirname, "../../..");
    const documented = readFileSync(path.join(root, "docs/reference/diagnostics.md"), "utf8");
    const folder = path.join(root, "src/experiment");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const codes = files
      .filter((file) => file.endsWith(".ts"))
      .flatMap(
        (file) =>
          readFileSync(path.join(folder, file), "utf8").match(/"(?:TCL|NS|FILE|TOO)_[A-Z_]+"/g) ??
          [],
      );
    const missing = [...new Set(codes)].filter(
      (code) => !documented.includes(`\`${code.slice(1, -1)}\``),
    );
    expect(missing).toEqual([]);
  });
});

describe("the experiment", () => {
  test("names objects by the first global variable they are put into", () => {
    const text =
      `${head}set node(3) [$ns node]\nset alias $node(3)\n` +
      `proc mk {} {global ns; return [$ns node]}\nset zz [mk]\n$ns run\n`;
    expect(accepted(text).nodes.map(({ name }) => name)).toEqual(["node-3", "zz"]);
  });

  test("keeps the inner command of a start command in the model and wraps it in the rows", () => {
    const text = `${head}set a [$ns node]\ntb-set-node-startcmd $a "run >& log"\n$ns run\n`;
    const { experiment, rows } = read(text);
    expect(experiment?.programs[0]).toMatchObject({
      name: "a_startcmd",
      command: "run >& log",
      isStartCommand: true,
    });
    expect(experiment?.events[0]).toMatchObject({
      atUs: 0,
      object: "a_startcmd",
      args: "COMMAND=run >& log",
    });
    expect(rows?.["virt_programs"]?.[0]?.["command"]).toBe(
      "(run >& log ; /usr/local/etc/emulab/startcmddone $?)",
    );
  });

  test("reads events into typed ones, in order", () => {
    const text =
      `${head}set a [$ns node]\nset b [$ns node]\n` +
      `set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]\n` +
      `set p [$a program-agent -command "sleep 1" -timeout 1m30s -expected-exit-code 3]\n` +
      `$ns at 5 "$l0 delay 20ms; $l0 plr 0.1"\n$ns at 1m30s "$l0 bandwidth 5Mb duplex"\n` +
      `$ns at 0.5 "$p run -dir /tmp -tag x -command {echo a;b}"\n` +
      `$ns at swapout "$ns report"\n$ns run\n`;
    const { events, programs } = accepted(text);
    expect(events.map(({ atUs, object, event, args }) => [atUs, object, event, args])).toEqual([
      [5_000_000, "l0", "MODIFY", "DELAY=20ms"],
      [5_000_000, "l0", "MODIFY", "PLR=0.1"],
      [90_000_000, "l0", "MODIFY", "BANDWIDTH=5000"],
      [500_000, "p", "RUN", "DIR={/tmp} TAG=x COMMAND=echo a;b"],
      ["swapout", "ns", "REPORT", ""],
    ]);
    expect(programs[0]).toMatchObject({ timeoutSeconds: 90, expectedExitCode: 3, directory: "" });
  });

  test("takes link shapes from the same values as the rows", () => {
    const text =
      `${head}set a [$ns node]\nset b [$ns node]\n` +
      `set l [$ns duplex-link $a $b 10Mb 25ms DropTail]\n` +
      "tb-set-link-simplex-params $l $a 300ms 20Mb 0.4\n$ns run\n";
    const [first, second] = accepted(text).links[0]?.members ?? [];
    expect(first?.toLink).toMatchObject({ bandwidthBps: 20_000_000, delayUs: 150_000 });
    expect(first?.toLink.loss).toBeCloseTo(1 - Math.sqrt(0.6), 12);
    expect(second?.fromLink).toEqual(first?.toLink);
    expect(second?.toLink).toEqual({ bandwidthBps: 10_000_000, delayUs: 12_500, loss: 0 });
  });

  test("captures opt(NAME) and presets", () => {
    const text =
      `if {![info exists opt(N)]} {set opt(N) 1}\nset opt(V) x\n` +
      `${head}for {set i 0} {$i < $opt(N)} {incr i} {set n($i) [$ns node]}\n` +
      `$ns run\n`;
    const experiment = accepted(text, { presets: [["opt(N)", "3"]] });
    expect(experiment.environment).toEqual([
      ["N", "3"],
      ["V", "x"],
    ]);
    expect(experiment.nodes.length).toBe(3);
  });

  test("chooses the sync server by name unless it is set", () => {
    const two = `${head}set zeta [$ns node]\nset alpha [$ns node]\n`;
    expect(accepted(`${two}$ns run\n`).syncServer).toBe("alpha");
    expect(accepted(`${two}tb-set-sync-server $zeta\n$ns run\n`).syncServer).toBe("zeta");
    expect(accepted(`${head}$ns run\n`).syncServer).toBeUndefined();
  });

  test("gives addresses in order of creation, in hash order under compat", () => {
    const text =
      `${head}foreach n {a b c} {set $n [$ns node]}\n` +
      ["lan3", "lan2", "link1"]
        .map((l, i) => `set ${l} [$ns duplex-link $a $${i % 2 ? "b" : "c"} 1Mb 0ms DropTail]\n`)
        .join("") +
      "$ns run\n";
    const subnets = (experiment: Experiment): string[] =>
      experiment.links.map(({ members }) => members[0]?.address.replace(/\.\d+$/, "") ?? "");
    expect(subnets(accepted(text))).toEqual(["10.1.1", "10.1.2", "10.1.3"]);
    const old = `source tb_compat.tcl\n${text}`;
    expect(subnets(accepted(old, { compat: true }))).toEqual(["10.1.2", "10.1.1", "10.1.3"]);
  });

  test("does not hand out a subnet that is set by hand, wherever it is set", () => {
    const text =
      `${head}foreach n {a b} {set $n [$ns node]}\n` +
      `set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]\n` +
      `set l1 [$ns duplex-link $a $b 1Mb 0ms DropTail]\ntb-set-ip-link $a $l1 10.1.1.5\n$ns run\n`;
    const addresses = accepted(text).links.map(({ members }) =>
      members.map(({ address }) => address),
    );
    expect(addresses).toEqual([
      ["10.1.2.2", "10.1.2.3"],
      ["10.1.1.5", "10.1.1.2"],
    ]);
  });
});

describe("units", () => {
  test.each([
    ["100Mb", 100_000],
    ["64kb", 64],
    ["1.544Mb", 1544],
    ["5000", 5],
    ["1Gbps", 1_000_000],
    ["*", 0],
    ["1Tb", undefined],
    ["fast", undefined],
    ["-1Mb", undefined],
  ])("parseBandwidth(%j) is %j kb/s", (text, kbps) => {
    const result = parseBandwidth(text);
    expect(result.ok ? result.value : undefined).toBe(kbps);
  });

  test.each([
    ["10ms", 10],
    ["1s", 1000],
    [".5", 500],
    ["0ms", 0],
    ["2000000ns", 2],
    ["2500us", 2.5],
    ["10xs", undefined],
  ])("parseDelay(%j) is %j ms", (text, ms) => {
    const result = parseDelay(text);
    expect(result.ok ? result.value : undefined).toBe(ms);
  });

  test("a unit that is nearly right is named", () => {
    const hintOf = (read: ReturnType<typeof parseBandwidth>) => (read.ok ? "" : read.hint);
    expect(hintOf(parseBandwidth("10mb"))).toContain("Did you mean 10Mb?");
    expect(hintOf(parseBandwidth("10Mbp"))).toContain("Did you mean 10M");
    expect(hintOf(parseDelay("10MS"))).toContain("Did you mean 10ms?");
    expect(hintOf(parseDelay("10parsec"))).not.toContain("Did you mean");
  });

  test.each([
    ["2000000ns", 2000],
    ["2.9ms", 2],
    ["1.001", 1000],
    ["10us", undefined],
  ])("parseDelay(%j) is %j ms under compat", (text, ms) => {
    const result = parseDelay(text, true);
    expect(result.ok ? result.value : undefined).toBe(ms);
  });

  test.each([
    ["1h20m3s", 4_803_000_000],
    ["90", 90_000_000],
    ["2m", 120_000_000],
    [".5", 500_000],
    ["", 0],
    ["0.00001", 10],
    ["-1", undefined],
    ["1e2", undefined],
    ["1.5s", undefined],
    ["3s1m", undefined],
  ])("parseRelativeTime(%j) is %j us", (text, us) => {
    const result = parseRelativeTime(text);
    expect(result.ok ? result.value.us : undefined).toBe(us);
  });

  test("hashOrder() is the order of a Tcl hash table", () => {
    const links = ["lan3", "lan2", "link1", "link2", "link3", "link4"];
    expect(hashOrder(links)).toEqual(["link2", "link3", "lan2", "link4", "lan3", "link1"]);
  });
});
