// SPDX-License-Identifier: MIT
// Goal: the rules of this repository that neither the compiler nor Biome can see (STYLE.md).
// Method: each rule reads the files; then it reads them again with a wrong file laid over, and must
// find that one too, so that no rule can pass by looking at nothing.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { corpusRules } from "./tidy/corpus-rules.ts";
import { structureRules } from "./tidy/structure-rules.ts";
import { tokenRules } from "./tidy/token-rules.ts";
import { codeOf, importsOf, layOver, readTree } from "./tidy/tree.ts";

const root = join(import.meta.dirname, "..");
const tree = readTree(root);

for (const rule of [...tokenRules, ...structureRules, ...corpusRules(root)]) {
  describe(rule.title, () => {
    it("holds", () => {
      expect(rule.check(tree)).toEqual([]);
    });

    it("would be seen to be broken", () => {
      const before = rule.check(tree);
      const found = rule.check(layOver(tree, rule.wrong)).filter((one) => !before.includes(one));
      expect(found).not.toEqual([]);
    });
  });
}

describe("codeOf()", () => {
  it("blanks comments, strings and regular expressions, and keeps what a template computes", () => {
    const text = 'a(1 / 2); // b\n/* c */ "d // d" + `e ${f("g") + `${h}`} i`; x = /j"/.test(k);';
    expect(codeOf(text).replace(/ +/g, " ")).toBe(
      'a(1 / 2); \n " " + ` ${f(" ") + `${h}`} `; x = .test(k);',
    );
    expect(codeOf(text)).toHaveLength(text.length);
  });
});

describe("importsOf()", () => {
  it("finds imports over several lines, re-exports and dynamic imports, and no comments", () => {
    const text = `import {\n  a,\n} from "./a.ts";\nexport * from "./b.ts";\nimport "./c.ts";
      const d = await import("./d.ts"); // from "./e.ts"`;
    expect(importsOf(text)).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts"]);
  });
});
