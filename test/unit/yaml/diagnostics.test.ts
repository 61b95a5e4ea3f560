// SPDX-License-Identifier: MIT
// Goal: everything wrong with a file is told at once, each at its own line and column, with what
// was probably meant; and no text, however odd, does anything but end in findings. Method: short
// wrong files with the findings they must give; hostile ones with their bound.
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { formatDiagnostic, printNs } from "../../../src/experiment/index.ts";

const read = (text: string) => readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });

/** `line:column CODE hint` of each finding. */
function found(text: string): string[] {
  return read(text).diagnostics.map(({ at, code, hint }) => {
    return `${at.line}:${at.column} ${code}${hint?.startsWith("Did you") === true ? ` ${hint}` : ""}`;
  });
}

/** A file in which one node has these routes; another one, d, is on no link. */
function routed(routes: string): string {
  const nodes = `nodes:\n  a: { routes: [${routes}] }\n  b:\n  c:\n  d:\n`;
  return `${nodes}links: { l: { between: [a, b] }, m: { between: [b, c] } }\n`;
}

describe("parseYamlExperiment()", () => {
  it("says in one line what is wrong with a text of several", () => {
    const { diagnostics } = read(
      'nodes: { a: }\nprograms: { p: { node: a, command: "x\\ny", start: 0s } }\n',
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(["YAML_TEXT"]);
    expect(diagnostics[0]?.message).toContain('not "x\\ny"');
    expect(diagnostics[0]?.message).not.toContain("\n");
  });

  it.each(["nodes: { NAME: }", "nodes: [a, b]\nlinks: { NAME: { between: [a, b] } }"])(
    "says how long a name may be: %s",
    (text) => {
      const { diagnostics } = read(text.replace("NAME", "a".repeat(33)));
      expect(diagnostics[0]).toMatchObject({ code: "YAML_NAME" });
      expect(diagnostics[0]?.hint).toContain("at most 32 of them");
    },
  );

  it("says of a LAN with too little room for its members what to write, and nothing more", () => {
    const nodes = Array.from({ length: 300 }, (_, index) => `n${index}`).join(", ");
    const lan = (more: string): string =>
      `nodes: [${nodes}]\nlinks: { lan0: { lan: [${nodes}], bandwidth: 100Mbps${more} } }\n`;
    const { diagnostics } = read(lan(""));
    expect(diagnostics.map(({ code }) => code)).toEqual(["YAML_HOSTS"]);
    expect(diagnostics[0]?.hint).toBe("Give the LAN more room: netmask: 255.255.0.0.");
    expect(read(lan(", netmask: 255.255.0.0")).diagnostics).toEqual([]);
  });

  it.each(["127.0.0", "224.0.0", "255.1.2"])("refuses an address that no host has: %s.1", (net) => {
    const ends = ["a", "b"].map((node, at) => `{ node: ${node}, address: ${net}.${at + 1} }`);
    const { diagnostics } = read(
      `nodes: [a, b]\nlinks: { l: { between: [${ends.join(", ")}] } }\n`,
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(["YAML_NO_HOST", "YAML_NO_HOST"]);
    expect(diagnostics[0]?.hint).toContain("neither loopback (127) nor multicast");
  });

  it("warns of a link whose ends are in two subnets", () => {
    const link = (one: string, two: string, netmask = "255.255.255.0") =>
      read(`nodes: [a, b, c]
links:
  l:
    lan: [c, { node: a, address: ${one} }, { node: b, address: ${two} }]
    netmask: ${netmask}
`).diagnostics.map(({ severity, code, message }) => [severity, code, message]);
    expect(link("10.1.1.1", "10.1.1.9")).toEqual([]);
    expect(link("10.1.1.1", "10.1.2.9", "255.255.0.0")).toEqual([]);
    expect(link("10.1.1.1", "10.1.1.9", "255.255.255.248")).toEqual([
      ["warning", "YAML_TWO_SUBNETS", expect.stringMatching(/10.1.1.\d+: with the netmask 255/)],
    ]);
  });

  it("names the ends of a link for one that it has not", () => {
    const text = "nodes: [a, b, c]\nlinks: { l: { between: [a, b] } }\n";
    const [finding] = read(`${text}events: [{ at: 1s, target: l-c, do: down }]\n`).diagnostics;
    expect([finding?.code, finding?.hint]).toEqual(["YAML_UNKNOWN_NAME", "Ends of l: l-a, l-b."]);
  });

  it("tells once that a link has more than two ends, and what to write", () => {
    const { diagnostics } = read("nodes: [a, b, c]\nlinks: { l: { between: [a, b, c] } }\n");
    expect(diagnostics.map(({ code, hint }) => [code, hint])).toEqual([
      ["YAML_LENGTH", "For more nodes than two write lan: [...]."],
    ]);
  });

  it("tells all faults at once, each at its own place", () => {
    const text = `nodes:
  server: { oss: X }
  client: { repeat: 2 }
lnks: {}
links:
  up: { between: [sever, client0], delay: 10, bandwidth: 10MBps }
programs:
  p: { node: clients, command: "true", start: { after: q, when: barrier goo crossed } }
barriers:
  go: { members: [client] }
events:
  - { at: 5s, target: up, do: donw }
  - { target: p, do: start }
`;
    expect(found(text)).toEqual([
      '2:13 YAML_KEY Did you mean "os"?',
      '4:1 YAML_KEY Did you mean "links"?',
      '6:19 YAML_UNKNOWN_NAME Did you mean "server"?',
      "6:43 YAML_UNIT",
      "6:58 YAML_QUANTITY Did you mean 10Mbps (bits a second)?",
      '8:14 YAML_UNKNOWN_NAME Did you mean "client"?',
      "8:56 YAML_UNKNOWN_NAME",
      '8:65 YAML_UNKNOWN_NAME Did you mean "go"?',
      '12:31 YAML_VERB Did you mean "down"? Known: up, down, modify, create, clear, reset.',
      "13:7 YAML_MISSING",
    ]);
  });

  it("says what is too much in quantities copied from what commands print", () => {
    const link = "between: [a, b], bandwidth: 100 Mb/s, delay: 1m 30s, loss: 1 %";
    const { diagnostics } = read(`nodes: [a, b]\nlinks:\n  l: { ${link} }\n`);
    expect(diagnostics.map(({ hint }) => hint)).toEqual([
      "Write it without a blank: 100Mb/s.",
      "Write it without a blank: 1m30s.",
      "Write it without a blank: 1%.",
    ]);
  });

  it("says of a section whose key is misspelt nothing but that", () => {
    const links = "links:\n  l: { between: [aa, b] }\n";
    expect(found(`node: [aa, b]\n${links}`)).toEqual(['1:1 YAML_KEY Did you mean "nodes"?']);
    // What it might hold is not what is missing.
    expect(found(`nodes: [aa, b]\nprogrms: {}\n${links.replace("b]", "c]")}`)).toEqual([
      '2:1 YAML_KEY Did you mean "programs"?',
      "4:22 YAML_UNKNOWN_NAME",
    ]);
  });

  it("shows the line and a caret, and guesses nothing where a name is all other", () => {
    const text = "nodes: [a, b]\nlinks:\n  l: { between: [a, c] }\n";
    const [first] = read(text).diagnostics;
    expect(first && formatDiagnostic(first, text)).toBe(
      `a.yaml:3:21: error[YAML_UNKNOWN_NAME]: link: there is no node "c"
    3 |   l: { between: [a, c] }
      |                     ^
      = Known: a, b.`,
    );
  });

  it.each([
    ["a: 1\na: 2\n", "2:1 YAML_DUPLICATE_KEY"],
    ["nodes: [a\n", "YAML_SYNTAX"],
    ["nodes: *gone\n", "1:8 YAML_ALIAS"],
    ["nodes: &a [*a]\n", "1:12 YAML_ALIAS"],
    ["nodes: { <<: 5 }\n", "1:10 YAML_MERGE"],
    ["nodes: { ? [a] : b }\n", "YAML_KEY"],
    ["", "1:1 YAML_EMPTY"],
    ["nodes: [a]\n---\nnodes: [b]\n", "2:1 YAML_SYNTAX"],
    ["nodes: { a_b: }\n", "1:10 YAML_NAME"],
    ["nodes: { ops: }\n", "1:10 YAML_NAME"],
    ["nodes: [a, a]\n", "1:12 YAML_NAME_TAKEN"],
    ["nodes: [a, b]\nlinks: { l: { between: [a, a] } }\n", "2:24 YAML_LINK_NODES"],
    ["nodes: [a, b]\nlinks: { l: { } }\n", "2:10 YAML_LINK_NODES"],
    ["nodes: { a: , b: { repeat: 2 } }\nlinks: { l: { between: [a, b] } }\n", "YAML_LINK_NODES"],
    ["nodes:\n  a{5..2}:\n", "2:3 YAML_RANGE"],
    ["nodes: [a]\nbarriers: { b: { } }\n", "2:13 YAML_MISSING"],
    ["nodes: [a]\nbarriers: { b: { members: a, quorum: 0% } }\n", "2:38 YAML_RULE"],
    ["nodes: [a]\nevents: [{ at: 1s, target: a, do: kill }]\n", "2:35 YAML_VERB"],
    ["project: a.b\nnodes: [a]\n", "1:10 YAML_NAME"],
    ["nodes: [a]\nname: my:exp\n", "2:7 YAML_NAME"],
    ["nodes: { a.b: }\n", "1:10 YAML_NAME"],
    [routed("{ to: c, by: d }"), "2:30 YAML_ROUTE"],
    [routed("{ to: c, by: a }"), "2:30 YAML_ROUTE"],
    [routed("{ to: b, by: b }"), "2:23 YAML_ROUTE"],
    [routed("{ to: d, by: b }"), "2:23 YAML_ROUTE"],
    [routed("{ to: n, by: b }"), "2:23 YAML_UNKNOWN_NAME"],
    [routed("{ to: m-c, by: b }, { to: m-c, by: b }"), "2:43 YAML_ROUTE"],
    ["nodes: { a: { archives: [{ directory: /proj/x, file: x.tgz }] } }\n", "1:39 YAML_ARCHIVE"],
    ["nodes: { a: { archives: [{ directory: /opt, file: x.zip }] } }\n", "1:51 YAML_ARCHIVE"],
  ])("refuses %j", (text, expected) => {
    const { experiment } = read(text);
    expect(experiment).toBeUndefined();
    expect(found(text).some((one) => one.includes(expected))).toBe(true);
  });

  it.each([
    ["nodes: [a_b, c]", "1:9 YAML_NAME"],
    ["nodes: { a_b: { repeat: 3 }, c: }", "1:10 YAML_NAME"],
    ["nodes: [{ name: a_b }, c]", "1:17 YAML_NAME"],
  ])("says once of %j that no node can have that name", (nodes, expected) => {
    const links = "links: { l: { between: [a_b, c] } }";
    const programs = "programs: { p: { node: a_b, command: x } }";
    expect(found(`${nodes}\n${links}\n${programs}\n`)).toEqual([expected]);
  });

  it("calls the experiment what a file does, also in what it lists", () => {
    const text = "nodes: [a]\nevents: [{ at: 1s, target: zz, do: halt }]\n";
    const [first] = read(text).diagnostics;
    expect(first?.message).toMatch(/or group or experiment "zz"$/);
    expect(first?.hint).toBe("Known: a, experiment.");
  });

  it("says once of a reference that it is no name", () => {
    const text = 'nodes: [a]\nprograms: { p: { node: "a!b", command: x } }\n';
    expect(found(text)).toEqual(["2:24 YAML_NAME"]);
  });

  it("finds circles of programs and barriers, at what closes them", () => {
    const text = `nodes: [a]
programs:
  one: { node: a, command: x, start: { after: two } }
  two: { node: a, command: x, start: { when: barrier go crossed } }
barriers:
  go: { members: [one] }
`;
    const { diagnostics } = read(text);
    expect(diagnostics.map(({ code, at }) => `${code} ${at.line}`)).toEqual(["CYCLE 6"]);
    expect(diagnostics[0]?.message).toBe(
      "these wait for each other: one waits for two waits for barrier go waits for one",
    );
  });

  it("lets a chain of 3000 programs wait for each other", () => {
    const programs = Array.from({ length: 3000 }, (_, index) => {
      const start = index === 2999 ? "0s" : `{ after: p${index + 1} }`;
      return `  p${index}: { node: a, command: x, start: ${start} }`;
    });
    expect(found(`nodes: [a]\nprograms:\n${programs.join("\n")}\n`)).toEqual([]);
  });

  it("takes anchors and merge keys, what stands in the map first", () => {
    const text = `nodes: [a, b]
programs:
  one: &base { node: a, command: x, expect: 3 }
  two: { <<: *base, node: b }
`;
    const programs = read(text).experiment?.programs ?? [];
    expect(programs.map(({ node, expectedExitCode }) => [node, expectedExitCode])).toEqual([
      ["a", 3],
      ["b", 3],
    ]);
  });

  it.each([
    ["an alias of aliases", "YAML_NODES", laughs()],
    ["lists inside each other", "YAML_DEPTH", `nodes: ${"[".repeat(5000)}`],
    ["brackets alone", "YAML_DEPTH", "[".repeat(2_000_000)],
    ["closing brackets alone", "YAML_DEPTH", "]\n".repeat(1_000_000)],
    ["keys of keys", "YAML_DEPTH", "? ".repeat(1_000_000)],
    ["maps in one line", "YAML_DEPTH", "a: ".repeat(600_000)],
    ["aliases in one line", "YAML_DEPTH", "*a ".repeat(590_000)],
    ["nothing but signs", "YAML_NODES", "{} ".repeat(600_000)],
    ["what is no text", "NOT_TEXT", "nodes:\0"],
    ["too many nodes", "YAML_RANGE", "nodes: { a: { repeat: 10001 } }"],
    ["too large a file", "FILE_TOO_LARGE", "#".repeat(4 * 1024 * 1024 + 1)],
    [
      "too many events",
      "YAML_LIMIT",
      `nodes: { a: { repeat: 7001 } }\nevents: [{ at: 1s, target: a, do: reboot }, { at: 2s, target: a, do: reboot }]`,
    ],
  ])("refuses %s", (_, code, text) => {
    const { experiment, diagnostics } = read(text);
    expect(experiment).toBeUndefined();
    expect(diagnostics.map((one) => one.code)).toContain(code);
  });

  it("takes events up to the limit", () => {
    const text =
      "nodes: { a: { repeat: 7000 } }\nevents: [{ at: 1s, target: a, do: reboot }, { at: 2s, target: a, do: reboot }]";
    expect(read(text).experiment?.events).toHaveLength(14_000);
  });
});

function laughs(): string {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let at = 1; at < 10; at += 1) {
    lines.push(
      `a${at}: &a${at} [${Array(10)
        .fill(`*a${at - 1}`)
        .join(", ")}]`,
    );
  }
  return lines.join("\n");
}

const waiting = `nodes: [a]
programs:
  one: { node: a, command: x }
  two: { node: a, command: x, start: { after: one } }
barriers:
  go: { members: [two] }
events:
  - { when: barrier go crossed, target: a, do: reboot }
`;

describe("printNs()", () => {
  it("refuses what NS cannot say, with its line", () => {
    const { experiment } = read(waiting.replace("x }", "x, environment: { A: 1 } }"));
    const printed = experiment && printNs(experiment);
    expect(printed?.text).toBeUndefined();
    const places = printed?.diagnostics.map(({ at, code }) => `${at.line} ${code}`).toSorted();
    expect(places).toEqual([
      "3 NS_CANNOT_SAY",
      "4 NS_CANNOT_SAY",
      "6 NS_CANNOT_SAY",
      "8 NS_CANNOT_SAY",
    ]);
  });

  it("refuses a delay that NS would round", () => {
    const text = "nodes: [a, b]\nlinks:\n  l: { between: [a, b], delay: 3us }\n";
    const { experiment } = read(text);
    const { diagnostics = [] } = experiment === undefined ? {} : printNs(experiment);
    expect(diagnostics.map(({ at, code }) => `${at.line} ${code}`)).toEqual(["3 NS_CANNOT_SAY"]);
  });
});
