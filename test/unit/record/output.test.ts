// SPDX-License-Identifier: MIT
// Goal: text fits the terminal and reads well. Method: tables of values at the edges, and
// properties.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatLine,
  formatTable,
  harmless,
  styled,
  textWidth,
  truncate,
  wantsColour,
  wrapLine,
} from "../../../src/cli/output.ts";
import { printable } from "../../../src/core/text.ts";
import { formatDiagnostic } from "../../../src/experiment/diagnostics.ts";
import { escapeHtml } from "../../../src/testbed/record/html.ts";
import {
  formatCount,
  formatDuration,
  formatInstant,
  joinNames,
  nodesNamed,
  plural,
} from "../../../src/testbed/record/words.ts";

describe("wrapLine()", () => {
  const wrap = (line: Parameters<typeof wrapLine>[0], columns: number): string[] =>
    wrapLine(line, columns).map((one) =>
      formatLine(one, { columns: Number.POSITIVE_INFINITY, colour: false }),
    );

  it("breaks at words and indents as far as the text of the line", () => {
    expect(
      wrap([styled("dim", "+1.203s  "), " ", "one two", styled("bad", ", three")], 18),
    ).toEqual(["+1.203s   one two, ", "         three"]);
    expect(wrap(["next     one two"], 13)).toEqual(["next     one ", "      two"]);
    expect(wrap(["one two"], 6)).toEqual(["one ", "  two"]);
    expect(wrap(["one two"], 7)).toEqual(["one two"]);
  });

  it("keeps long words and commands whole", () => {
    expect(wrap(["see /a/very/long/path there"], 10)).toEqual([
      "see ",
      "  /a/very/long/path ",
      "  there",
    ]);
    expect(wrap(["again: ", styled("command", "muster run x.ns --seed 1")], 12)).toEqual([
      "again: ",
      "  muster run x.ns --seed 1",
    ]);
  });
});

describe("words", () => {
  it.each([
    [0, "0 us"],
    [999, "999 us"],
    [1_000, "1.0 ms"],
    [99_949, "99.9 ms"],
    [99_950, "100 ms"],
    [999_499, "999 ms"],
    [1_000_000, "1.000 s"],
    [9_999_499, "9.999 s"],
    [9_999_500, "10.0 s"],
    [59_949_999, "59.9 s"],
    [59_950_000, "1 min 00 s"],
    [3_599_499_999, "59 min 59 s"],
    [3_599_500_000, "1 h 00 min"],
    [7_320_000_000, "2 h 02 min"],
    [-1_500, "-1.5 ms"],
  ])("formatDuration(%i) is %s", (us, text) => expect(formatDuration(us)).toBe(text));

  it("formatInstant() has a sign and three digits", () => {
    expect([0, 499, 1_203_000, -50_000, -100].map((us) => formatInstant(us))).toEqual([
      "+0.000s",
      "+0.000s",
      "+1.203s",
      "-0.050s",
      "+0.000s",
    ]);
    expect(formatInstant(-100, 6)).toBe("-0.000100s");
  });

  it("nodesNamed() finds the nodes in what is said of the missing", () => {
    const isNode = (name: string): boolean => /^node\d$/.test(name);
    const found = (sentence: string): string[] => nodesNamed(sentence, isNode);
    expect(found("node1")).toEqual(["node1"]);
    expect(found("anonymous, from node2")).toEqual(["node2"]);
    expect(found("2 more to wait (nobody came yet from node3, node4)")).toEqual(["node3", "node4"]);
    expect(found("1 more to wait")).toEqual([]);
    expect(found("node5 (from node6, node6)")).toEqual(["node6"]);
  });

  it("counts and lists", () => {
    expect([0, 9_999, 10_000, 1_234_567].map(formatCount)).toEqual([
      "0",
      "9999",
      "10,000",
      "1,234,567",
    ]);
    expect([plural(1, "node"), plural(2, "node")]).toEqual(["1 node", "2 nodes"]);
    expect(joinNames([])).toBe("");
    expect(joinNames(["a", "b", "c"], 2)).toBe("a, b and 1 more");
    expect(joinNames(["a, from b", "c"])).toBe("a, from b; c");
  });
});

describe("output", () => {
  it("truncate() and formatLine() never take more columns than given", () => {
    const text = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(text, text, fc.integer({ min: 0, max: 30 }), (one, two, columns) => {
        expect(textWidth(truncate(one, columns))).toBeLessThanOrEqual(columns);
        const line = [one, styled("bad", two)];
        expect(textWidth(formatLine(line, { columns, colour: false }))).toBeLessThanOrEqual(
          columns,
        );
      }),
    );
  });

  it("reckons wide characters as two columns and marks as none", () => {
    expect(textWidth("ab")).toBe(2);
    expect(textWidth("日本")).toBe(4);
    expect(textWidth("e\u{301}")).toBe(1);
    expect(textWidth("\u{1f600}")).toBe(2);
    expect(truncate("日本語", 5)).toBe("日本…");
    expect(truncate("abc", 3)).toBe("abc");
    expect(truncate("abcd", 3)).toBe("ab…");
    expect(truncate("abc", 0)).toBe("");
  });

  it("closes each style it opens, cut or not", () => {
    const line = ["a", styled("bad", "bcdef")];
    expect(formatLine(line, { columns: 9, colour: true })).toBe("a\u{1b}[31mbcdef\u{1b}[39m");
    expect(formatLine(line, { columns: 4, colour: true })).toBe("a\u{1b}[31mbc…\u{1b}[39m");
    expect(formatLine(line, { columns: 4, colour: false })).toBe("abc…");
    expect(formatLine([styled("bad", "")], { columns: 4, colour: true })).toBe("");
  });

  it("harmless() leaves nothing that steers a terminal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(harmless(text)).not.toMatch(/\p{Cc}/u);
      }),
    );
    expect(harmless("\u{1b}[1;31mred\u{1b}[0m\tand\nmore")).toBe("red and more");
  });

  it.each([0x61c, 0x200b, 0x200f, 0x2028, 0x202e, 0x2060, 0x2066, 0xfeff])(
    "what turns a line, ends it or is not seen is not printed: %i",
    (code) => {
      const text = `a${String.fromCodePoint(code)}b`;
      expect([harmless(text), printable(text), escapeHtml(text)]).toEqual([
        ...["a?b", "a?b", "a\u{fffd}b"],
      ]);
      const at = { file: text, line: 1, column: 1 };
      const said = { severity: "error", code: "X", message: text, at, hint: text } as const;
      expect(formatDiagnostic(said, text)).not.toContain(text);
    },
  );

  it("what joins letters stays, and lines of messages do", () => {
    expect(harmless("a\u{200d}b\u{200c}c")).toBe("a\u{200d}b\u{200c}c");
    expect(printable("a\n\tb\u{1b}")).toBe("a\n\tb?");
  });

  it("lines up tables", () => {
    expect(
      formatTable([
        ["name", "state"],
        ["日本", "up"],
        ["longer name", ""],
      ]),
    ).toEqual(["name         state", "日本         up", "longer name"]);
  });

  it("wantsColour() heeds NO_COLOR, dumb terminals and pipes", () => {
    expect(wantsColour(true, {})).toBe(true);
    expect(wantsColour(true, { NO_COLOR: "" })).toBe(true);
    expect(wantsColour(true, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColour(true, { TERM: "dumb" })).toBe(false);
    expect(wantsColour(false, {})).toBe(false);
  });
});
