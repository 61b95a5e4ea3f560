// SPDX-License-Identifier: MIT
// Goal: `muster parse --compat --format rows` gives the recorded rows, too. Method: every file of
// the corpus goes through the command, with the site described by a catalogue file.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { runParse } from "../../src/cli/commands/parse.ts";
import { golden, isPresent, textOf } from "./ns-corpus.ts";

const folder = mkdtempSync(path.join(tmpdir(), "muster-corpus-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The site of the recording: its types, its shared directories, its files for others. */
function writeCatalogue(): string {
  const included = golden.find(({ file }) => file.endsWith("_elabinelab.ns"));
  writeFileSync(path.join(folder, "inner.tcl"), included === undefined ? "" : textOf(included));
  const plain = "pc pc600 pc850 pc2000 pc3000 pc2400c2 dnard shark pcvm garcia robot".split(" ");
  const types = {
    ...Object.fromEntries(plain.map((name) => [name, {}])),
    ...Object.fromEntries(["ixp-bv", "mica2"].map((name) => [name, { subnode: true }])),
    ...Object.fromEntries(["pcplab*", "pcvron*", "pcvwa*"].map((name) => [name, { remote: true }])),
  };
  const file = path.join(folder, "site.json");
  const catalogue = {
    types,
    addressBase: 10,
    delayMinMs: 2,
    delayCapacity: 2,
    sharedDirectories: ["/proj", "/groups", "/users", "/share"],
    areas: ["MEB-ROBOTS"],
    includes: { "elabinelab.ns": "inner.tcl" },
  };
  writeFileSync(file, JSON.stringify(catalogue));
  return file;
}

test.runIf(isPresent)("runParse() prints what the reference gave for every file", async () => {
  const catalogue = writeCatalogue();
  for (const entry of golden) {
    const file = path.join(folder, "file.ns");
    writeFileSync(file, textOf(entry), "latin1");
    let out = "";
    const exit = await runParse(
      { file, format: "rows", compat: true, set: [], pid: "PID", eid: "EID", catalogue },
      {
        stdout: (text) => {
          out += text;
        },
        stderr: () => undefined,
      },
    );
    const { tables, exit: said } = JSON.parse(out);
    expect([exit, said], entry.file).toEqual([entry.exit, entry.exit]);
    // Generated code is left out of the recording.
    const { nseconfigs: ours, ...rows } = tables;
    const { nseconfigs: theirs, ...wanted } = entry.tables ?? {};
    expect(rows, entry.file).toEqual(wanted);
    expect(ours?.length, entry.file).toBe(theirs?.length);
  }
});
