// SPDX-License-Identifier: MIT
// D16: equal entries give equal effects, on every machine and every runtime. Method: a long random
// history against a constant that is committed, and the core without its types on the Node that the
// system has, which may be an older major. The history of a million entries runs with
// MUSTER_SLOW=1.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOfHistory } from "../../../src/testing/random-history.ts";

/** Computed on Node 24. A change of what the core decides changes them: say so in the commit. */
const expected = {
  100000: "6451c1308225e6875176d573c108013ad3c3c3e90f16a4a98fa09f9687ac44de",
  1000000: "fa3761080be6fee2ffe9f9b0c0403a0b2d8506ede493514bd3b98b9f37353f12",
} as const;

const source = fileURLToPath(new URL("../../../src", import.meta.url));
let folder = "";

/** The core and the history as plain JavaScript: an older Node cannot strip types. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-core-"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const core = readdirSync(join(source, "core"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `core/${name}`);
  for (const name of [...core, "testing/random-history.ts"]) {
    const code = stripTypeScriptTypes(readFileSync(join(source, name), "utf8"));
    mkdirSync(join(folder, name, ".."), { recursive: true });
    const target = join(folder, name.replace(/ts$/, "js"));
    writeFileSync(target, code.replaceAll(/(from "[^"]+)\.ts"/g, '$1.js"'));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The machine's own Node: `npm` puts the packaged one in front of it. */
function systemNode(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const own = folders.filter((each) => !each.includes("node_modules"));
  return own.map((each) => join(each, "node")).find(existsSync) ?? process.execPath;
}

function runPlain(node: string): { readonly major: number; readonly digest: string } {
  const module = `file://${folder}/testing/random-history.js`;
  const script = `import(${JSON.stringify(module)}).then((module) => console.log(
    JSON.stringify({ major: parseInt(process.versions.node), digest: module.digestOfHistory(1, 20000) })))`;
  const result = spawnSync(node, ["-e", script], { encoding: "utf8" });
  expect(result.stderr).toBe("");
  return JSON.parse(result.stdout);
}

describe("digestOfHistory()", () => {
  it("gives the committed digest when 10^5 entries of seed 1 are applied", () => {
    expect(digestOfHistory(1, 100_000)).toBe(expected[100_000]);
  });

  if (process.env["MUSTER_SLOW"] !== undefined) {
    it("gives the committed digest for 10^6 entries", () => {
      expect(digestOfHistory(1, 1_000_000)).toBe(expected[1_000_000]);
    });
  }

  it("differs when one entry more is applied, or another seed", () => {
    expect(digestOfHistory(1, 1001)).not.toBe(digestOfHistory(1, 1000));
    expect(digestOfHistory(2, 1000)).not.toBe(digestOfHistory(1, 1000));
  });

  it("D11 gives the same however often a digest was asked for on the way", () => {
    const looked = digestOfHistory(1, 3_000, (service) => service.digest());
    expect(looked).toBe(digestOfHistory(1, 3_000));
  });

  it("gives one digest on the system's Node and on this one", () => {
    const [own, other] = [runPlain(process.execPath), runPlain(systemNode())];
    process.stdout.write(`determinism: Node ${own.major} and Node ${other.major}\n`);
    expect(own.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(other.digest).toBe(own.digest);
  });
});
