// SPDX-License-Identifier: MIT
// Goal: `musterd/events` has what the reference says, and nothing in it needs Node.
// Method: the example of the page is run with its import turned to the sources; the imports of the
// entry are followed.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import * as library from "../../../src/wire/event/index.ts";

it("runs the example of the reference", () => {
  const page = readFileSync("docs/reference/notifications.md", "utf8");
  const [, names, example = ""] =
    /```ts\nimport \{(.+)\} from "musterd\/events";\n([\s\S]+?)```/.exec(page) ?? [];
  const printed: unknown[] = [];
  const run = new Function("library", "console", `const {${names}} = library;\n${example}`);
  run(library, { log: (value: unknown) => printed.push(value) });
  expect(printed[0]).toBe(true);
  expect(JSON.parse(String(printed[1]))).toMatchObject({ attributes: expect.any(Array) });
});

it("reaches the pure layers only", () => {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from = ""] of readFileSync(file, "utf8").matchAll(/ from "([^"]+)"/g)) {
      expect(from).toMatch(/^\./);
      visit(join(dirname(file), from));
    }
  };
  visit("src/wire/event/index.ts");
  expect(seen.size).toBeGreaterThan(10);
  for (const file of seen) expect(file).toMatch(/^src\/(?:wire|core)\//);
});
