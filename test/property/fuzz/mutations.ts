// SPDX-License-Identifier: MIT
// Random texts that are nearly right: good ones, damaged. A random text alone never gets past the
// first check of a decoder.
import fc from "fast-check";

/** Texts of these, cut, doubled, spliced and with words of the language put anywhere. */
export function damaged(seeds: readonly string[], words: readonly string[]): fc.Arbitrary<string> {
  const change = fc.record({
    kind: fc.constantFrom("cut", "put", "double", "repeat", "splice", "swap"),
    from: fc.nat(10_000),
    size: fc.nat(60),
    word: fc.constantFrom(...words),
    other: fc.nat(Math.max(0, seeds.length - 1)),
    character: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    times: fc.integer({ min: 2, max: 300 }),
  });
  type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
  const apply = (text: string, one: Change): string => {
    const from = one.from % (text.length + 1);
    const [head, part, tail] = [
      text.slice(0, from),
      text.slice(from, from + one.size),
      text.slice(from + one.size),
    ];
    switch (one.kind) {
      case "cut":
        return head + tail;
      case "put":
        return `${head}${one.word}${part}${tail}`;
      case "double":
        return head + part + part + tail;
      case "repeat":
        return `${head}${one.word.repeat(one.times)}${part}${tail}`;
      case "splice":
        return head + (seeds[one.other] ?? "").slice(one.from % 200);
      default:
        return head + one.character + part.slice(1) + tail;
    }
  };
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 6 }))
    .map(([text, changes]) => changes.reduce(apply, text).slice(0, textCharactersMax));
}

/** Repeats of repeats must not turn a test of decoders into one of long texts. */
const textCharactersMax = 20_000;

/** Words of a language in any order, and any text at all. */
export function mixed(words: readonly string[], glue: string): fc.Arbitrary<string> {
  return fc.oneof(
    fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((list) => list.join(glue)),
    fc.string({ unit: "binary", maxLength: 200 }),
  );
}
