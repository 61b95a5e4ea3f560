// SPDX-License-Identifier: MIT
// Goal: each command leaves in the rows and in the model what the specification says. Method: one
// small file for each rule, and the cells that the rule is about.

import { describe, expect, test } from "vitest";
import {
  defaultCatalogue,
  type Experiment,
  type ParseOptions,
  type ParseResult,
  parseNsFile,
} from "../../../src/experiment/index.ts";

const head = `source tb_compat.tcl
set ns [new Simulator]
foreach n {a b c} {set $n [$ns node]}
`;
const network = `${head}set l0 [$ns duplex-link $a $b 10Mb 10ms DropTail]
set lan0 [$ns make-lan "$a $b $c" 100Mb 20ms]
`;

function read(text: string, options: Partial<ParseOptions> = {}): ParseResult {
  return parseNsFile(`${text}\n$ns run\n`, { file: "t.ns", pid: "p", eid: "e", ...options });
}

type Row = Readonly<Record<string, string>>;

function compatRows(text: string, options: Partial<ParseOptions> = {}) {
  return read(text, { compat: true, ...options }).rows ?? {};
}

function accepted(text: string, options: Partial<ParseOptions> = {}): Experiment {
  const { experiment, diagnostics } = read(text, options);
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  if (experiment === undefined) throw new Error("no experiment");
  return experiment;
}

/** `table`, which row of it, the cells that are looked at. */
const cells: readonly (readonly [script: string, table: string, index: number, Row])[] = [
  ["tb-set-link-loss $l0 0.1", "virt_lans", 0, { lossrate: "0.05131670194948623" }],
  [
    "tb-set-node-lan-params $a $lan0 30ms 5Mb 0.2",
    "virt_lans",
    2,
    { delay: "30", rdelay: "30", bandwidth: "5000", lossrate: "0.2" },
  ],
  [
    "tb-set-link-simplex-params $l0 $a 100ms 1Mb 0.4",
    "virt_lans",
    0,
    { delay: "50.0", rdelay: "5.0", bandwidth: "1000", rbandwidth: "10000" },
  ],
  [
    "tb-set-link-simplex-params $l0 $a 100ms 1Mb 0.4",
    "virt_lans",
    1,
    { delay: "5.0", rdelay: "50.0", rbandwidth: "1000" },
  ],
  [
    "tb-set-lan-simplex-params $lan0 $a 10ms 1Mb 0 20ms 2Mb 0.1",
    "virt_lans",
    2,
    { delay: "10", rdelay: "20", bandwidth: "1000", rbandwidth: "2000", rlossrate: "0.1" },
  ],
  ["tb-set-link-simplex-backfill $l0 $a 1Mb", "virt_lans", 1, { backfill: "0", rbackfill: "1000" }],
  ["tb-set-lan-backfill $lan0 2Mb", "virt_lans", 2, { backfill: "2000", rbackfill: "2000" }],
  ["tb-set-node-lan-backfill $a $lan0 2Mb", "virt_lans", 2, { backfill: "2000" }],
  [
    "tb-set-node-lan-est-bandwidth $a $lan0 3Mb",
    "virt_lans",
    2,
    { est_bandwidth: "3000", rest_bandwidth: "3000" },
  ],
  [
    "$l0 trace packet tcp; $l0 trace_mysql 1",
    "virt_lans",
    0,
    { traced: "1", trace_type: "packet", trace_expr: "tcp", trace_db: "1" },
  ],
  ["$l0 trace_mysql 1", "experiments", 0, { dpdb: "1" }],
  [
    "$lan0 SetTraceParams $a monitor 64 udp",
    "virt_lans",
    2,
    { trace_type: "monitor", trace_snaplen: "64", trace_expr: "udp" },
  ],
  [
    "set q [[$ns link $a $b] queue]; $q set limit_ 20; $q set red_ true",
    "virt_lans",
    0,
    { q_limit: "20", q_red: "1" },
  ],
  [
    '$ns at 5 "$l0 delay 20ms; $l0 plr 0.1"',
    "eventlist",
    1,
    { time: "5", vname: "l0", eventtype: "MODIFY", arguments: "PLR=0.1" },
  ],
  [
    '$ns at 1m30s "$l0 bandwidth 5Mb duplex"',
    "eventlist",
    0,
    { time: "90", arguments: "BANDWIDTH=5000", triggertype: "TIMER" },
  ],
  ['$ns at 1 "$l0 down"', "virt_lans", 0, { mustdelay: "1" }],
  [
    '$ns at swapout "$ns report -archive a -digester d"',
    "eventlist",
    0,
    { time: "0", triggertype: "SWAPOUT", arguments: "ARCHIVE={a} DIGESTER={d}" },
  ],
  [
    '$ns at 1 "$ns linktest -bw 1"',
    "eventlist",
    0,
    { vname: "linktest", arguments: "STARTAT=1 STOPAT=3" },
  ],
  [
    '$ns at 1 "$ns reset-lans"',
    "eventlist",
    0,
    { vname: "__all_lans", objecttype: "LINK", eventtype: "RESET" },
  ],
  [
    'set cl [$ns make-cloud "$a $b" 1Mb 0ms]',
    "eventlist",
    1,
    { time: "1", vname: "cl", eventtype: "CREATE" },
  ],
  [
    'set q [$ns lanlink $lan0 $a]; set qq [$q queue]; $ns at 1 "$l0 trace start"',
    "eventlist",
    0,
    { vname: "l0-tracemon", objecttype: "LINKTRACE" },
  ],
  [
    'set p [$a program-agent -command x -dir /tmp]; $ns at 1 "$p run -tag t -timeout 1m"',
    "eventlist",
    0,
    { arguments: "TAG=t TIMEOUT={60} COMMAND=x" },
  ],
  ["set p [$a program-agent -command x]", "virt_programs", 0, { dir: "{}", vname: "p" }],
  [
    "tb-set-node-startcmd $a /bin/true",
    "eventlist",
    0,
    {
      vname: "a_startcmd",
      arguments: "COMMAND=(/bin/true ; /usr/local/etc/emulab/startcmddone $?)",
    },
  ],
  ["tb-set-node-rpms $a x y", "virt_nodes", 0, { rpms: "x;y" }],
  [
    "tb-set-tarfiles /opt /proj/p/x.tgz",
    "experiment_blobs",
    0,
    { path: "/proj/p/x.tgz", action: "unpack:/opt" },
  ],
  [
    "tb-make-hard-vtype v {pc600}",
    "virt_vtypes",
    0,
    { name: "v", weight: "1.0", members: "pc600" },
  ],
  [
    "set i [$ns node]; tb-set-hardware $i ixp-bv; tb-bind-parent $i $a",
    "virt_node_desires",
    0,
    { vname: "a", desire: "hosts-ixp-bv", weight: "1.0" },
  ],
  ["$a add-desire z 1; $a add-desire d 0.5", "virt_node_desires", 0, { desire: "d" }],
  [
    "tb-set-elabinelab-attribute k v 2",
    "elabinelab_attributes",
    0,
    { role: "", attrkey: "k", attrvalue: "v", ordering: "2" },
  ],
  [
    "tb-set-elabinelab-role-attribute ops k v; tb-set-elabinelab-attribute k w; tb-unset-elabinelab-attribute k",
    "elabinelab_attributes",
    0,
    { role: "ops", attrvalue: "v" },
  ],
  [
    "tb-set-inner-elab-eid inner; tb-set-elabinelab-cvstag tag",
    "experiments",
    0,
    { elabinelab_eid: "inner", elabinelab_cvstag: "tag" },
  ],
  ["tb-set-modelnet-physnodes 1 2", "experiments", 0, { modelnet_cores: "1", modelnet_edges: "2" }],
  [
    "tb-set-node-lan-setting $a $lan0 power 3",
    "virt_lan_member_settings",
    0,
    { vname: "lan0", capkey: "power", capval: "3" },
  ],
  [
    "tb-set-lan-setting $lan0 channel 5",
    "virt_lan_settings",
    0,
    { vname: "lan0", capkey: "channel", capval: "5" },
  ],
  [
    "set fw [new Firewall $ns]; $fw add-numbered-rule 300 x; $fw add-rule y",
    "firewall_rules",
    1,
    { fwname: "fw", ruleno: "301", rule: "y" },
  ],
  ["set con [$a console]; $ns connect $b $con", "virt_tiptunnels", 0, { host: "b" }],
  [
    'set path [$ns make-path "$l0"]',
    "virt_paths",
    0,
    { pathname: "path", segmentname: "l0", segmentindex: "0" },
  ],
  [
    "$ns define-template-parameter N 5 text",
    "virt_parameters",
    0,
    { name: "N", value: "5", description: "text" },
  ],
  [
    "set opt(A) 1; set opt(B) 2; set opt(A) 3",
    "virt_user_environment",
    2,
    { name: "A", value: "3" },
  ],
  [
    "$ns duplex-link $a $c 1Mb 0ms DropTail; set x 1; set opt(A) 1",
    "virt_user_environment",
    0,
    { name: "A" },
  ],
];

describe("rows", () => {
  test.each(cells)("%s gives %s[%i] %j", (script, table, index, wanted) => {
    expect(compatRows(`${network}${script}`)[table]?.[index]).toMatchObject(wanted);
  });

  test("an option right after an object without a name is lost under compat, and only then", () => {
    const text = `${network}$ns duplex-link $a $c 1Mb 0ms DropTail\nset opt(A) 1\nset opt(B) 2`;
    expect(compatRows(text)["virt_user_environment"]).toEqual([{ name: "B", value: "2" }]);
    const { experiment, diagnostics } = read(text);
    expect(experiment?.environment.map(([name]) => name)).toEqual(["A", "B"]);
    expect(diagnostics.map(({ code, severity }) => `${severity} ${code}`)).toEqual([
      "note NS_DIFFERS",
    ]);
  });

  test.each(["tb-set-node-startcmd $a x", "[[$ns link $a $b] queue] set limit_ 5"])(
    "an option after %s is exported: nothing is left without a name",
    (script) => {
      const rows = compatRows(`${network}${script}\nset opt(A) 1`);
      expect(rows["virt_user_environment"]).toEqual([{ name: "A", value: "1" }]);
    },
  );

  test("unassigned objects keep internal names of one counter", () => {
    const rows = compatRows(`${network}$ns duplex-link $a $c 1Mb 0ms DropTail`);
    expect(rows["virt_lan_lans"]?.map(({ vname }) => vname)).toContain("tblink-l6");
  });

  test("routes name the address of the destination's link", () => {
    const text = `${head}set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]
set l1 [$ns duplex-link $b $c 1Mb 0ms DropTail]
$a add-route $c $b
$a add-route $l1 $b
$a add-route [$ns link $c $b] $b`;
    const { virt_routes: routes, virt_lans: lans } = compatRows(text);
    const ip = (member: string): string =>
      lans?.find((row) => row["member"] === member)?.["ip"] ?? "";
    expect(routes?.map(({ dst, nexthop, dst_type }) => [dst, nexthop, dst_type])).toEqual([
      [ip("c:0"), ip("b:0"), "host"],
      [ip("b:1"), ip("b:0"), "net"],
      [ip("c:0"), ip("b:0"), "net"],
    ]);
  });

  test("remote links have subnets and a mask of their own, remote LANs none", () => {
    const remote = `${head}tb-set-hardware $a pcplab\n`;
    const link = compatRows(`${remote}set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]`);
    expect(link["virt_lans"]?.map(({ ip, mask }) => [ip, mask])).toEqual([
      ["69.69.1.2", "255.255.255.248"],
      ["69.69.1.3", "255.255.255.248"],
    ]);
    const lan = read(`${remote}set n [$ns make-lan "$a $b" 1Mb 0ms]`, { compat: true });
    expect(lan.experiment).toBeUndefined();
    expect(lan.rows?.["virt_nodes"]?.[0]?.["ips"]).toBe("0:0.0.0.0");
  });

  test("an outside tool leaves gaps in the rows, and addresses in the model", () => {
    const text = `${network}tb-use-ipassign 1`;
    expect(compatRows(text)["virt_nodes"]?.[0]?.["ips"]).toBe("0:0.0.0.0 1:0.0.0.0");
    expect(accepted(text).links[0]?.members[0]?.address).toBe("10.1.1.2");
  });

  test("a subnet set by hand is handed out again under compat only", () => {
    const text = `${head}set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]
set lan0 [$ns make-lan "$a $b $c" 1Mb 0ms]
tb-set-ip-lan $a $lan0 10.1.1.5`;
    const subnets = (experiment: Experiment | undefined) =>
      experiment?.links.map(({ members }) => members[1]?.address.replace(/\.\d+$/, ""));
    expect(subnets(accepted(text))).toEqual(["10.1.2", "10.1.1"]);
    expect(subnets(read(text, { compat: true }).experiment)).toEqual(["10.1.1", "10.1.1"]);
  });

  test.each([
    ["255.255.255.0", "10.1.1.2"],
    ["255.255.255.248", "10.1.1.10"],
    ["255.255.255.252", "10.1.1.6"],
    ["255.255.248.0", "10.1.8.2"],
    ["255.255.0.0", "10.1.0.2"],
  ])("the first subnet of the mask %s begins at %s", (mask, address) => {
    const text = `${head}set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]\ntb-set-netmask $l0 ${mask}`;
    expect(compatRows(text)["virt_lans"]?.[0]?.["ip"]).toBe(address);
  });

  test("an address that no host has is refused, but for files that are read as they were", () => {
    const text = `${head}set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]
tb-set-ip-link $a $l0 224.0.0.5\ntb-set-ip-link $b $l0 224.0.0.6`;
    const codes = read(text).diagnostics.map(({ code }) => code);
    expect(codes).toEqual(["NS_NO_HOST", "NS_NO_HOST"]);
    expect(read(text, { compat: true }).diagnostics).toEqual([]);
  });

  test("ends in two subnets are warned of, but for files that are read as they were", () => {
    const text = `${head}set l0 [$ns duplex-link $a $b 1Mb 0ms DropTail]
tb-set-ip-link $a $l0 10.1.1.5\ntb-set-ip-link $b $l0 10.1.2.6`;
    const [warning, ...more] = read(text).diagnostics;
    expect(warning).toMatchObject({ severity: "warning", code: "NS_TWO_SUBNETS" });
    expect(warning?.message).toContain("a has 10.1.1.5 on l0, and b 10.1.2.6");
    expect([more, read(text, { compat: true }).diagnostics]).toEqual([[], []]);
  });

  test("a mask of two host bits is too small for three nodes", () => {
    const text = `${network}tb-set-netmask $lan0 255.255.255.252`;
    expect(read(text).diagnostics.map(({ code }) => code)).toContain("NS_HOSTS");
  });

  test("bridges join links into one subnet", () => {
    const text = `${head}set br [$ns bridge]
set l1 [$ns duplex-link $a $br 1Mb 0ms DropTail]
set l2 [$ns duplex-link $br $b 1Mb 0ms DropTail]`;
    const addresses = compatRows(text)["virt_lans"]?.map(({ ip }) => ip?.replace(/\.\d+$/, ""));
    expect(new Set(addresses).size).toBe(1);
    expect(new Set(compatRows(text)["virt_lans"]?.map(({ ip }) => ip)).size).toBe(4);
  });

  test("nothing is written when an error was there before, everything when it came while writing", () => {
    const early = read(`${head}tb-set-node-failure-action $a never`, { compat: true });
    const late = read(`${head}set q [new Program $ns]`, { compat: true });
    expect(early.rows).toBeUndefined();
    expect(late.experiment).toBeUndefined();
    expect(late.rows?.["virt_nodes"]?.length).toBe(3);
    expect(late.rows?.["virt_programs"]).toBeUndefined();
  });

  test("without tb_compat.tcl there is no tb-* command under compat", () => {
    const text = "set ns [new Simulator]\nset a [$ns node]\n";
    const codes = (more: string) =>
      read(text + more, { compat: true }).diagnostics.map(({ code }) => code);
    expect(codes("")).toEqual(["NS_NO_TB_COMPAT"]);
    expect(codes("tb-set-sync-server $a")).toEqual(["NS_UNKNOWN_COMMAND"]);
    expect(read(text).diagnostics).toEqual([]);
  });
});

describe("the model", () => {
  test("carries traffic, queues, archives, packages and clouds", () => {
    const experiment = accepted(`${network}set udp [new Agent/UDP]
$ns attach-agent $a $udp
set null [new Agent/Null]
$ns attach-agent $b $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr set rate_ 2Mb
$cbr set interval_ 0.01
$cbr attach-agent $udp
[[$ns link $a $b] queue] set limit_ 7
tb-set-tarfiles /all /proj/p/all.tgz
tb-set-node-tarfiles $a /one /proj/p/one.tgz
tb-set-node-rpms $a x.rpm y.rpm
set cloud [$ns make-cloud "$a $b" 1Mb 0ms]`);
    expect(experiment.traffic).toMatchObject([
      {
        name: "cbr",
        kind: "cbr",
        protocol: "udp",
        source: { node: "a", port: 5001, address: "10.1.1.2" },
        sink: { name: "null", node: "b", port: 5001, address: "10.1.1.3" },
        packetBytes: 210,
        rateBps: 2_000_000,
        intervalSeconds: 0.01,
      },
    ]);
    expect(experiment.links[0]?.members[0]?.queue).toMatchObject({ kind: "drop-tail", limit: 7 });
    expect(experiment.links[0]?.members[1]?.queue).toBeUndefined();
    expect(experiment.nodes[0]).toMatchObject({
      archives: [
        { directory: "/all", file: "/proj/p/all.tgz" },
        { directory: "/one", file: "/proj/p/one.tgz" },
      ],
      packages: ["x.rpm", "y.rpm"],
    });
    expect(experiment.events.map(({ event, atUs }) => [event, atUs])).toEqual([
      ["CLEAR", 0],
      ["CREATE", 1_000_000],
    ]);
  });

  test("carries the sequence that runs when a step fails", () => {
    const text = `${network}set p [$a program-agent -command x]
set s [$ns event-sequence {$p run} catch {$ns log failed}]`;
    const { sequences } = accepted(text);
    expect(sequences.map(({ steps }) => steps.map(({ event }) => event))).toEqual([
      ["RUN"],
      ["LOG"],
    ]);
    expect(sequences[0]?.onError).toBe(sequences[1]?.name);
  });

  test("measures bandwidth when linktest is asked to", () => {
    expect(accepted(`${network}$ns at 1 "$ns linktest -bw 1"`).events[0]?.args).toBe(
      "STARTAT=1 STOPAT=4",
    );
  });
});

describe("the catalogue", () => {
  test("gives machines their types, checks systems, and knows site files", () => {
    const catalogue = {
      ...defaultCatalogue,
      machines: new Map([
        ["pc7", "pc850"],
        ["b", "pc600"],
      ]),
      osNames: new Set(["RHL90-STD"]),
      includes: new Map([["fw.ns", "set fw [new Firewall $ns]\n$fw set-type ipfw2-vlan\n"]]),
      siteVariables: new Map([["x/y", "z"]]),
    };
    const text = `${head}tb-fix-node $a pc7
tb-use-physnaming 1
tb-set-security-level Blue
tb-set-node-os $c RHL90-STD
set opt(V) $::TBCOMPAT::sitevariables(x/y)`;
    const { experiment, rows } = read(text, { catalogue });
    expect(experiment?.nodes.map(({ hardwareType }) => hardwareType)).toEqual([
      "pc850",
      "pc",
      "pc",
    ]);
    expect(experiment?.environment).toEqual([["V", "z"]]);
    expect(rows?.["virt_nodes"]?.[1]).toMatchObject({ vname: "b", fixed: "b" });
    expect(rows?.["virt_firewalls"]).toEqual([
      { fwname: "fw", type: "ipfw2-vlan", style: "basic" },
    ]);
    expect(rows?.["experiments"]?.[0]).toMatchObject({ security_level: "1" });
    const wrong = read(`${head}tb-set-node-os $c RHL09-STD`, { catalogue });
    expect(wrong.diagnostics[0]).toMatchObject({
      code: "NS_OS",
      hint: 'Did you mean "RHL90-STD"?',
    });
  });

  test("says which files exist", () => {
    const catalogue = { ...defaultCatalogue, files: new Set(["/proj/p/x.tgz"]) };
    const codes = (file: string) =>
      read(`${head}tb-set-node-tarfiles $a /opt ${file}`, { catalogue }).diagnostics.map(
        ({ code }) => code,
      );
    expect(codes("/proj/p/x.tgz")).toEqual([]);
    expect(codes("/proj/p/y.tgz")).toEqual(["NS_TARFILES"]);
    expect(codes("/tmp/x.tgz")).toEqual(["NS_TARFILES"]);
    expect(codes("https://h/x.tgz")).toEqual([]);
  });

  test("an inner testbed without nodes includes the site's file, by its topology", () => {
    const includes = new Map([["elabinelab-two.ns", "set x [$ns node]\nset y [$ns node]\n"]]);
    const text = `source tb_compat.tcl
set ns [new Simulator]
tb-elab-in-elab 1
tb-elab-in-elab-topology two
tb-elabinelab-singlenet`;
    const { experiment, rows } = read(text, { catalogue: { ...defaultCatalogue, includes } });
    expect(experiment?.nodes.length).toBe(2);
    expect(rows?.["experiments"]?.[0]).toMatchObject({
      elab_in_elab: "1",
      elabinelab_singlenet: "1",
    });
    expect(read(text).diagnostics.map(({ code }) => code)).toEqual(["NS_SITE_FILE"]);
  });
});
