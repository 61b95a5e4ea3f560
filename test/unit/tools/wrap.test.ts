// SPDX-License-Identifier: MIT
// Goal: wrapping shortens lines and changes nothing else. Method: a table of cases, and the
// property that words stay the same and that wrapping twice is wrapping once, on every file there
// is.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Language, wrap } from "../../../tools/wrap.ts";
import { isTypeScript, readTree } from "../../tidy/tree.ts";

/** Twenty-four words of four letters: 119 columns. */
const long = "word ".repeat(24).trim();
const wrapped = (first: string, rest: string): string[] => {
  const words = long.split(" ");
  const count = Math.floor((100 - first.length + 1) / 5);
  return [`${first}${words.slice(0, count).join(" ")}`, `${rest}${words.slice(count).join(" ")}`];
};

describe("wrap()", () => {
  it.each<[string, Language, string[], string[]]>([
    ["a line comment", "typescript", [`  // ${long}`], wrapped("  // ", "  // ")],
    ["an invariant", "typescript", [`//   B1. ${long}`], wrapped("//   B1. ", "//       ")],
    ["a list in a comment", "typescript", [`// - ${long}`], wrapped("// - ", "//   ")],
    [
      "a block",
      "typescript",
      ["/**", ` * ${long}`, " */"],
      ["/**", ...wrapped(" * ", " * "), " */"],
    ],
    [
      "a one-line block",
      "typescript",
      [`/** ${long} */`],
      ["/**", ...wrapped(" * ", " * "), " */"],
    ],
    ["code", "typescript", [`const name = "${long}";`], [`const name = "${long}";`]],
    ["a comment in a script", "script", [`# ${long}`], wrapped("# ", "# ")],
    ["a paragraph", "markdown", [long], wrapped("", "")],
    ["a list", "markdown", [`- ${long}`, "- next"], [...wrapped("- ", "  "), "- next"]],
    ["a table", "markdown", [`| ${long} |`], [`| ${long} |`]],
    ["a fence", "markdown", ["```", long, "```"], ["```", long, "```"]],
    ["an indented block", "markdown", [`    ${long}`], [`    ${long}`]],
  ])("wraps or leaves alone %s", (_what, language, before, after) => {
    expect(wrap(before.join("\n"), language).split("\n")).toEqual(after);
  });

  it("leaves a paragraph alone that fits, however its lines are broken", () => {
    expect(wrap("// one\n// two three\n", "typescript")).toBe("// one\n// two three\n");
  });

  it("fills the following lines of the paragraph, and not the next paragraph", () => {
    const text = `// ${long}\n// and on\n//\n// next\n`;
    const [first, rest] = wrapped("// ", "// ");
    expect(wrap(text, "typescript")).toBe(`${first}\n${rest} and on\n//\n// next\n`);
  });

  it("breaks neither within backquotes nor before what would begin a list", () => {
    const start = "word ".repeat(18);
    expect(wrap(`${start}\`npm run a b\` c`, "markdown")).toBe(
      `${start.trim()}\n\`npm run a b\` c`,
    );
    expect(wrap(`${start}schemata 1. Next words`, "markdown")).toBe(
      `${start.trim()}\nschemata 1. Next words`,
    );
  });

  const tree = readTree(join(import.meta.dirname, "../../.."));
  it("keeps every word of the repository's files, and has nothing to do the second time", () => {
    for (const path of tree.paths.filter((name) => isTypeScript(name) || name.endsWith(".md"))) {
      const language = isTypeScript(path) ? "typescript" : "markdown";
      const once = wrap(tree.read(path), language);
      expect(wrap(once, language), path).toBe(once);
      const words = (text: string): string => text.replace(/^\s*(?:\/\/|\/?\*+\/?)|\*\/|\s/gm, "");
      expect(words(once), path).toBe(words(tree.read(path)));
    }
  });
});
