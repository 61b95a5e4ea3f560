// SPDX-License-Identifier: MIT
// The decoders that read what strangers write, each with texts to try and what must hold of
// any of them. Nothing here is random by itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { formatDiagnostic, type ParseResult, parseNsFile } from "../../../src/experiment/index.ts";
import { memberKinds } from "../../../src/experiment/ns/language.ts";
import { testbedCommands } from "../../../src/experiment/ns/testbed-commands.ts";
import { tclCommands } from "../../../src/experiment/tcl/commands/index.ts";
import { replyBytesMaxUdp, tmcdCommands } from "../../../src/wire/tmcd/index.ts";
import { askUdp, Caller, play, settle, World } from "../../unit/tmcd/harness.ts";
import { checkGnunet, gnunetTexts } from "./gnunet-decoder.ts";
import { damaged, mixed } from "./mutations.ts";

export interface Decoder {
  /** Also the folder of its found cases. */
  readonly name: "tcl" | "ns" | "yaml" | "tmcd" | "gnunet";
  readonly texts: fc.Arbitrary<string>;
  /** @throws when something does not hold. */
  check(text: string): void | Promise<void>;
}

const root = join(import.meta.dirname, "../../..");

/** Texts that once found a fault, by file name; they are tried first, and damaged. */
export function foundCases(name: Decoder["name"]): readonly (readonly [string, string])[] {
  const folder = join(import.meta.dirname, "../corpus", name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), "latin1")]);
}

function examples(ending: string): readonly string[] {
  const folders = ["examples", "examples/sync-image-test"].map((folder) => join(root, folder));
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith(ending))
      .map((file) => readFileSync(join(folder, file), "utf8")),
  );
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** An answer is an experiment or an error, at places that exist, and plain data. */
function checkResult({ experiment, diagnostics }: ParseResult, text: string): void {
  const isRefused = diagnostics.some(({ severity }) => severity === "error");
  expectThat((experiment === undefined) === isRefused, "neither accepted nor refused, or both");
  const lines = text.split("\n");
  for (const diagnostic of diagnostics) {
    const { line, column } = diagnostic.at;
    const isPlace = line >= 1 && line <= lines.length && column >= 1;
    expectThat(isPlace, `${diagnostic.code} is at ${line}:${column}, which is nowhere`);
    expectThat(formatDiagnostic(diagnostic, text).includes(diagnostic.code), "no code is shown");
  }
  const copy = JSON.stringify(experiment ?? null);
  expectThat(JSON.stringify(JSON.parse(copy)) === copy, "the experiment is not plain data");
}

function checkNs(text: string): void {
  for (const compat of [false, true]) {
    const options = { file: "t.ns", pid: "p", eid: "e", compat };
    const first = parseNsFile(text, options);
    const again = parseNsFile(text, options);
    expectThat(JSON.stringify(first) === JSON.stringify(again), "answers differ");
    checkResult(first, text);
  }
}

const tclWords = [
  ...tclCommands.map(({ name }) => name),
  ...'{ } [ ] " \\ $ ( ) ; # \n , {*} $x $a(b) ::ns::x -all -- %d end end-1 0 1e400 0x 1+ ** ?: & x'.split(
    " ",
  ),
  "\\u0000",
  "{ }",
  "\\\n",
  "while 1 {append x $x}",
  "proc f {args} {f $args}",
];

const tcl: Decoder = {
  name: "tcl",
  texts: fc.oneof(
    mixed(tclWords, " "),
    mixed(tclWords, ""),
    damaged([...examples(".ns"), ...foundCases("tcl").map(([, text]) => text)], tclWords),
  ),
  check: checkNs,
};

const nsWords = [
  ...testbedCommands.keys(),
  ...[...memberKinds.values()].flatMap((table) => [...table.keys()]),
  ...'$ns $line $node(0) ${east-gateway} {} "" 10Mb 0ms 99999999999999999999 -1 NaN * 1.5 pc'.split(
    " ",
  ),
  "[$ns node]",
  "[new Simulator]",
  '"$line down"',
  "$ns at 1 ",
  "255.255.255.252",
];

const ns: Decoder = {
  name: "ns",
  texts: damaged([...examples(".ns"), ...foundCases("ns").map(([, text]) => text)], nsWords),
  check: checkNs,
};

const yamlWords = [
  ..."nodes links programs events barriers sequences timelines groups options name syncServer".split(
    " ",
  ),
  ..."between lan delay loss bandwidth forward backward node command start timeout expect".split(
    " ",
  ),
  ..."members deadline onFailure repeat when after at target do set quorum count".split(" "),
  ..."{ } [ ] : , - ? ! & * << | > # % @ ` ' \" \n \t --- ... ~ null true .inf .nan 0x1 1e999".split(
    " ",
  ),
  ..."&a *a !!binary !!set !x __proto__ constructor {0..9} {0..99999} 10ms 5% 1Gbps".split(" "),
  "\n  ",
  ": ",
  "- ",
  "<<: *a",
];

const yaml: Decoder = {
  name: "yaml",
  texts: fc.oneof(
    mixed(yamlWords, " "),
    mixed(yamlWords, ""),
    damaged(
      [
        ...examples(".yaml"),
        readFileSync(join(root, "test/vectors/yaml/two-sites-with-barriers.yaml"), "utf8"),
        ...foundCases("yaml").map(([, text]) => text),
      ],
      yamlWords,
    ),
  ),
  check(text) {
    const options = { file: "t.yaml", defaultEid: "e" };
    const first = readYamlExperiment(text, options);
    const again = readYamlExperiment(text, options);
    expectThat(JSON.stringify(first) === JSON.stringify(again), "answers differ");
    checkResult(first, text);
  },
};

const tmcdWords = [
  ...tmcdCommands.map(({ name }) => name),
  "VERSION=34",
  "VERSION=",
  "VERSION=99999999999",
  "VNODEID=pcvm11-1",
  "VNODEID=../x",
  "PRIVKEY=0123456789abcdef",
  "PRIVKEY=",
  "IDKEY=x",
  "REDIRECT=192.0.2.11",
  "ISPEAKSSL_TMCDV10",
  "emulab_syncd",
  "16534",
  "99999",
  "-1",
  "\n",
  "\0",
  "  ",
];

const tmcd: Decoder = {
  name: "tmcd",
  texts: fc.oneof(
    mixed(tmcdWords, " "),
    mixed(tmcdWords, ""),
    damaged(
      [
        "VERSION=34 status \n",
        "VNODEID=pcvm11-1 VERSION=34 portregister emulab_syncd 16534 ",
        "VERSION=34 bootlog line1\nline2\n",
        ...foundCases("tmcd").map(([, text]) => text),
      ],
      tmcdWords,
    ),
  ),
  check: checkTmcd,
};

/** In one piece, byte by byte at its beginning, and as a datagram: never two answers to one. */
async function checkTmcd(text: string): Promise<void> {
  const replies: string[] = [];
  for (const cut of [0, 1, text.length >> 1]) {
    const played = play(new World("router"));
    const caller = new Caller(played.tcp, "192.0.2.11");
    const bytes = Buffer.from(text, "latin1");
    caller.stream.write(bytes.subarray(0, cut));
    await settle();
    caller.stream.end(bytes.subarray(cut));
    await settle();
    // Whoever is silent, or speaks on and on, is dismissed in time.
    for (let second = 0; second < 40 && !caller.isOver; second += 1) {
      played.clock.advance(1_000);
      await settle();
    }
    expectThat(caller.isOver, "the connection is not closed");
    expectThat(played.tcp.openCount === 0, "something of the connection is left");
    // A new secret each time.
    replies.push((await caller.reply).replace(/HASH=[0-9a-f]{32}/g, "HASH="));
    const datagram = await askUdp(played, "192.0.2.11", text);
    expectThat(Buffer.byteLength(datagram ?? "") <= replyBytesMaxUdp, "a datagram is too long");
    expectThat(played.log.count("0123456789abcdef") === 0, "a key is in the log");
  }
  expectThat(new Set(replies).size === 1, "the reply depends on how the network cut the request");
}

const gnunet: Decoder = {
  name: "gnunet",
  texts: gnunetTexts(foundCases("gnunet").map(([, text]) => text)),
  check: checkGnunet,
};

export const decoders: readonly Decoder[] = [tcl, ns, yaml, tmcd, gnunet];
