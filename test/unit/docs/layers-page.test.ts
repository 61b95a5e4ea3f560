// SPDX-License-Identifier: MIT
// Goal: the tables of folders in ARCHITECTURE.md and CONTRIBUTING.md say what each may import.
// Method: each row is compared with the folder's tsconfig.json, which the compiler keeps.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const folders = readdirSync(join(root, "src"));

/** Folders of a table in its order, each with what its last cell means. */
function readTable(page: string): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>();
  for (const line of readFileSync(join(root, page), "utf8").split("\n")) {
    const name = /^\| \[?`(\w+)\/?`/.exec(line)?.[1];
    if (name === undefined || !folders.includes(name)) continue;
    const cell = line.split("|").at(-2)?.trim() ?? "";
    const names: readonly string[] = cell.match(/\w+/g) ?? [];
    const isAll = cell.startsWith("all above");
    const all = [...rows.keys()].filter((above) => !names.includes(above));
    rows.set(name, isAll ? all : names);
  }
  return rows;
}

function importedBy(folder: string): readonly string[] {
  const { references = [] } = JSON.parse(
    readFileSync(join(root, "src", folder, "tsconfig.json"), "utf8"),
  ) as { readonly references?: readonly { readonly path: string }[] };
  return references.map(({ path }) => path.slice("../".length));
}

describe.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("the folders of %s", (page) => {
  const rows = readTable(page);

  it("are those that there are", () => {
    expect([...rows.keys()].toSorted()).toEqual(folders.toSorted());
  });

  it.each([...rows])("%s imports what the page says", (folder, said) => {
    expect(said.toSorted()).toEqual(importedBy(folder).toSorted());
  });
});
