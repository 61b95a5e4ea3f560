// SPDX-License-Identifier: MIT
// Goal: `muster convert` writes the same experiment in the other language, or nothing; the examples
// say the same in both.
// Method: the command on files in a directory of its own; the examples read in both languages.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { experiment as fromTypeScript } from "../../../examples/two-sites.experiment.ts";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { type ConvertArguments, runConvert } from "../../../src/cli/commands/convert.ts";
import { loadExperiment } from "../../../src/cli/commands/parse.ts";
import { withoutPlaces } from "../../property/yaml-model.ts";

const examples = join(import.meta.dirname, "../../../examples");
const vectors = join(import.meta.dirname, "../../vectors/yaml");
const folder = mkdtempSync(join(tmpdir(), "muster-convert-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function convert(argv: ConvertArguments) {
  let [stdout, stderr] = ["", ""];
  const exit = await runConvert(argv, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { exit, stdout, stderr };
}

function readYaml(file: string) {
  const text = readFileSync(file, "utf8");
  const { experiment, diagnostics } = readYamlExperiment(text, { file, defaultEid: "e" });
  expect(diagnostics).toEqual([]);
  return withoutPlaces(experiment);
}

const pairs = ["quickstart", "nodea-nodeb", "sync-image-test/sync", "timeline", "two-sites"];

describe("runConvert()", () => {
  it.each(pairs)("takes %s from NS to YAML and back", async (name) => {
    const yaml = join(folder, `${name.replace("/", "-")}.yaml`);
    const ns = join(folder, `${name.replace("/", "-")}.ns`);
    const from = join(examples, `${name}.ns`);
    expect(await convert({ from, to: yaml })).toEqual({ exit: 0, stdout: "", stderr: "" });
    expect(await convert({ from: yaml, to: ns })).toEqual({ exit: 0, stdout: "", stderr: "" });
    const eid = name.replace(/.*\//, "");
    const original = withoutPlaces((await loadExperiment(from, { eid })).experiment);
    expect(readYaml(yaml)).toEqual(original);
    expect(withoutPlaces((await loadExperiment(ns, { eid })).experiment)).toEqual(original);
  });

  it("says in both languages which node was chosen for the sync server", async () => {
    const from = join(folder, "chosen.ns");
    const [yaml, ns] = [join(folder, "chosen.yaml"), join(folder, "chosen-back.ns")];
    const text = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
tb-set-sync-server $a
$ns run
`;
    writeFileSync(from, text);
    await convert({ from, to: yaml });
    expect(readFileSync(yaml, "utf8")).toContain("\nsyncServer: a\n");
    await convert({ from: yaml, to: ns });
    expect(readFileSync(ns, "utf8")).toContain("\ntb-set-sync-server $a\n");
    // Not chosen, it is not said.
    writeFileSync(from, text.replace("tb-set-sync-server $a\n", ""));
    await convert({ from, to: yaml, force: true });
    expect(readFileSync(yaml, "utf8")).not.toContain("syncServer");
  });

  it("keeps how nodes come to routes, and what links cost", async () => {
    const from = join(folder, "routed.ns");
    const [yaml, ns] = [join(folder, "routed.yaml"), join(folder, "routed-back.ns")];
    for (const [protocol, word] of [
      ...[["Static", "static"] as const, ["Session", "session"] as const],
      ["Manual", "manual"] as const,
    ]) {
      const text = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 10Mb 0ms DropTail]
$l cost 3
$ns rtproto ${protocol}
$ns run
`;
      writeFileSync(from, text);
      await convert({ from, to: yaml, force: true });
      expect(readFileSync(yaml, "utf8")).toContain(`\nrouting: ${word}\n`);
      expect(readYaml(yaml)).toMatchObject({ routing: word, links: [{ cost: 3 }] });
      await convert({ from: yaml, to: ns, force: true });
      expect(readFileSync(ns, "utf8")).toContain(`\n$ns rtproto ${protocol}\n`);
      expect(readFileSync(ns, "utf8")).toContain("\n$l cost 3\n");
    }
  });

  it("keeps what is traced, of all ends and of one", async () => {
    const from = join(folder, "traced.ns");
    const [yaml, ns] = [join(folder, "traced.yaml"), join(folder, "traced-back.ns")];
    const text = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 10Mb 0ms DropTail]
set k [$ns make-lan "$a $b" 10Mb 0ms]
$l trace packet "tcp port 80"
$l trace_snaplen 200
$k SetTraceParams $b monitor 0 icmp
$ns at 2 "$l trace stop"
$ns run
`;
    writeFileSync(from, text);
    expect(await convert({ from, to: yaml })).toMatchObject({ exit: 0, stderr: "" });
    const all = { kind: "packets", bytes: 200, expression: "tcp port 80" };
    expect(readYaml(yaml)).toMatchObject({
      links: [
        { members: [{ trace: all }, { trace: all }] },
        {
          members: [
            { trace: { kind: "headers" } },
            { trace: { kind: "counts", expression: "icmp" } },
          ],
        },
      ],
      events: [{ object: "l-tracemon", type: "LINKTRACE", event: "STOP" }],
    });
    expect(await convert({ from: yaml, to: ns })).toMatchObject({ exit: 0, stderr: "" });
    const back = (await loadExperiment(ns, { eid: "traced" })).experiment;
    expect(withoutPlaces(back)).toEqual(readYaml(yaml));
  });

  it("keeps the routes that are given, what is put on nodes, and which machines they are", async () => {
    const from = join(folder, "given.ns");
    const [yaml, ns] = [join(folder, "given.yaml"), join(folder, "given-back.ns")];
    const text = `set ns [new Simulator]
source tb_compat.tcl
foreach name {a b c d} { set $name [$ns node] }
set near [$ns duplex-link $a $b 10Mb 0ms DropTail]
set far [$ns make-lan "$b $c $d" 10Mb 0ms]
$a add-route $c $b
$a add-route $far $b
$c add-route [$ns lanlink $near $a] $b
tb-set-tarfiles /usr http://h/y.tgz
tb-set-node-tarfiles $a /opt /proj/p/x.tgz
tb-set-node-rpms $a /proj/p/x.rpm "/proj/p/y z.rpm"
tb-set-node-rpms $b /proj/p/x.rpm
tb-fix-node $a pc7
$ns run
`;
    writeFileSync(from, text);
    expect(await convert({ from, to: yaml })).toMatchObject({ exit: 0, stderr: "" });
    const shared = { directory: "/usr", file: "http://h/y.tgz" };
    expect(readYaml(yaml)).toMatchObject({
      nodes: [
        {
          archives: [shared, { directory: "/opt", file: "/proj/p/x.tgz" }],
          ...{ packages: ["/proj/p/x.rpm", "/proj/p/y z.rpm"], machine: "pc7" },
        },
        { name: "b", archives: [shared], packages: ["/proj/p/x.rpm"] },
        ...["c", "d"].map((name) => ({ name, archives: [shared] })),
      ],
      routes: [
        { node: "a", to: { node: "c" }, by: "b" },
        { node: "a", to: { link: "far" }, by: "b" },
        { node: "c", to: { link: "near", node: "a" }, by: "b" },
      ],
    });
    expect(await convert({ from: yaml, to: ns })).toMatchObject({ exit: 0, stderr: "" });
    const back = (await loadExperiment(ns, { eid: "given" })).experiment;
    expect(withoutPlaces(back)).toEqual(readYaml(yaml));
  });

  it("prints to standard output", async () => {
    const { stdout } = await convert({ from: join(examples, "quickstart.ns"), to: "-" });
    expect(stdout).toMatch(/^project: muster\nname: quickstart\n/);
  });

  it("writes nothing over a file unless told", async () => {
    const to = join(folder, "there.yaml");
    writeFileSync(to, "mine");
    const from = join(examples, "quickstart.ns");
    await expect(convert({ from, to })).rejects.toThrow("--force");
    expect(readFileSync(to, "utf8")).toBe("mine");
    expect((await convert({ from, to, force: true })).exit).toBe(0);
  });

  it("refuses what the other language cannot say, and writes nothing", async () => {
    const to = join(folder, "never.ns");
    const from = join(vectors, "two-sites-with-barriers.yaml");
    const { exit, stderr } = await convert({ from, to });
    expect(exit).toBe(1);
    expect(stderr).toMatch(/two-sites-with-barriers\.yaml:\d+:\d+: error\[NS_CANNOT_SAY\]/);
    expect(() => readFileSync(to)).toThrow("ENOENT");
  });

  describe("what YAML has no words for", () => {
    const from = join(folder, "more.ns");
    const file = (lines: readonly string[]): string => {
      const head = ["source tb_compat.tcl", "set ns [new Simulator]", "set a [$ns node]"];
      const more = ["set b [$ns node]", ...lines, "$ns run", ""];
      return [...head, ...more].join("\n");
    };
    const flow = [
      "set l [$ns duplex-link $a $b 10Mb 20ms DropTail]",
      "set udp [new Agent/UDP]",
      "$ns attach-agent $a $udp",
      "set null [new Agent/Null]",
      "$ns attach-agent $b $null",
      "$ns connect $udp $null",
      "set cbr [new Application/Traffic/CBR]",
      "$cbr attach-agent $udp",
      '$ns at 1 "$cbr start"',
      '$ns at 2 "$l down"',
    ];
    const failing = [
      'set p [$a program-agent -command "false"]',
      "set s [$ns event-sequence {$p run} catch {$p run}]",
      '$ns at 1 "$s start"',
    ];
    it.each([
      [
        ["set l [$ns duplex-link $a $b 10Mb 20ms RED]", "[$l queue $b] set q_weight_ 2"],
        "the queues of l (at b)",
        5,
      ],
      [["set l [$ns duplex-link $a $b 10Mb 20ms DropTail]", "$l cost 2.5"], "that l costs 2.5", 5],
      [
        ["set l [$ns duplex-link $a $b 10Mb 20ms DropTail]", "$l trace", "$l trace_mysql 1"],
        "that l is traced into a database",
        5,
      ],
      [["set c [$ns bridge]"], "of c: that it is a bridge", 5],
      [
        ["set l [$ns duplex-link $a $b 10Mb 20ms DropTail]", "tb-set-noshaping $l 1"],
        "of l: that its bandwidth is not shaped",
        5,
      ],
      [["tb-use-endnodeshaping 1"], "of the experiment: uselinkdelays 1", 1],
      [
        ["set l [$ns duplex-link $a $b 10Mb 20ms DropTail]", "[$l queue $b] set wait_ 0"],
        "of l: q_wait 0",
        5,
      ],
      [flow, "the generated traffic of cbr", 11],
      [failing, "runs when s fails", 6],
    ])("%# is an error that says what, and left out with --lossy", async (lines, what, line) => {
      writeFileSync(from, file(lines));
      const refused = await convert({ from, to: "-" });
      expect([refused.exit, refused.stdout]).toEqual([1, ""]);
      expect(refused.stderr).toContain(`more.ns:${line}:`);
      expect(refused.stderr).toContain(what);
      expect(refused.stderr).toContain("Add --lossy to convert the rest.");
      const { exit, stdout, stderr } = await convert({ from, to: "-", lossy: true });
      expect(exit).toBe(0);
      expect(stderr).toContain("warning[YAML_CANNOT_SAY]");
      expect(stderr).toContain(what);
      expect(stderr).not.toContain("--lossy");
      expect(stdout).toContain("nodes:");
      expect(stdout).not.toContain("cbr");
    });
  });

  it("refuses names without a language, and files that are not there", async () => {
    await expect(convert({ from: "a.txt", to: "b.ns" })).rejects.toThrow(".ns or .yaml");
    const gone = join(folder, "gone.yaml");
    await expect(convert({ from: gone, to: "-" })).rejects.toMatchObject({ exitCode: 66 });
  });
});

describe("examples", () => {
  it.each(pairs)("%s says the same in both languages", async (name) => {
    const { experiment } = await loadExperiment(join(examples, `${name}.ns`));
    expect(readYaml(join(examples, `${name}.yaml`))).toEqual(withoutPlaces(experiment));
  });

  it("two-sites can be said in TypeScript, and with more in YAML", () => {
    expect(readYaml(join(vectors, "two-sites-with-barriers.yaml"))).not.toBeNull();
    expect(fromTypeScript.nodes).toHaveLength(9);
  });
});
