// SPDX-License-Identifier: MIT
// Goal: each variable of the environment, and each attribute of notifications, whose name begins
// with MUSTER_ is in a page for users, and the pages name none that is gone. Method: names in the
// shipped files against names in docs/.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");

/** Names that only Muster itself sets and reads, each with the reason. */
const own: Readonly<Record<string, string>> = {
  MUSTER_BACKGROUND: "linktest_control -o tells the process that it leaves behind",
};

function namesIn(folders: readonly string[], ending: RegExp): ReadonlySet<string> {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => ending.test(file))
      .map((file) => join(root, folder, file)),
  );
  const texts = files.map((file) => readFileSync(file, "utf8"));
  return new Set(texts.flatMap((text) => text.match(/\bMUSTER_[A-Z][A-Z_]*[A-Z]\b/g) ?? []));
}

const shipped = namesIn(["src"], /\.ts$/);
const documented = namesIn(["docs"], /\.md$/);

it("pages have every name of the shipped files", () => {
  expect(shipped.size).toBeGreaterThan(40);
  expect([...shipped].filter((name) => !documented.has(name) && !(name in own))).toEqual([]);
});

it("pages have no other names", () => {
  expect([...documented].filter((name) => !shipped.has(name))).toEqual([]);
});
