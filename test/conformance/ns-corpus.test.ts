// SPDX-License-Identifier: MIT
// Goal: files of the old system mean what they meant. Method: the observed results of the
// reference parser: accepted or refused, every row of every table in order (hash-ordered tables
// too: the order is implemented), and for refusals the codes that stand for the recorded texts.
// The corpus lies beside the repository and is not part of it.

import { expect, test } from "vitest";
import type { Tables } from "../../src/experiment/index.ts";
import { golden, isPresent, readCompat, textOf } from "./ns-corpus.ts";

/** What the reference said for each code. [EMULAB-NS 15] */
const reference: Readonly<Record<string, RegExp>> = {
  NS_SERVICE: /^\[tb-(?:set|add)-node-service(?:-hook)?\] /,
  NS_TARFILES: /^\[tb-set-(?:node-)?tarfiles\] /,
  NS_UNKNOWN_COMMAND: /^Unknown: /,
  TCL_NO_VARIABLE: /^can't read "[^"]+": no such (?:variable|element in array)$/,
  NS_REMOTE_LAN: /^Warning: Remote nodes used in LAN \S+ - no IPs assigned$/,
  NS_ADDRESS: /^\[inet_atohl\] Invalid ip .*cannot be converted!$/,
  NS_HOST_PART: /^\[check-ip-mask\] IP address .* in the host portion of the address\.$/,
};

/** Text that the recording left out is marked so: such a cell has no value to meet. */
function withoutOmitted(tables: Tables | undefined, like: Tables | undefined): unknown {
  if (tables === undefined) return undefined;
  return Object.entries(tables).map(([table, rows]) => [
    table,
    rows.map((row, at) =>
      Object.entries(row).map(([column, value]) =>
        /^<.* omitted>$/.test(like?.[table]?.[at]?.[column] ?? "") ? [column] : [column, value],
      ),
    ),
  ]);
}

test("the corpus is there", (context) => {
  if (!isPresent && process.env["CI"] === undefined) {
    context.skip("no corpus beside the repository: nothing to compare with");
  }
  expect(isPresent).toBe(true);
});

test.for(golden)("parseNsFile() reads $file as the reference did", (entry) => {
  const { rows, diagnostics } = readCompat(textOf(entry));
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  expect(errors.length === 0 ? 0 : 1).toBe(entry.exit);
  // Not only equal as objects: tables and columns come in the same order, too.
  expect(withoutOmitted(rows, entry.tables)).toEqual(withoutOmitted(entry.tables, entry.tables));
});

test.for(golden.filter(({ exit }) => exit === 1))(
  "parseNsFile() refuses $file for the reasons that the reference gave",
  (entry) => {
    const { diagnostics } = readCompat(textOf(entry));
    const ours = new Set(
      diagnostics.filter(({ severity }) => severity !== "note").map(({ code }) => code),
    );
    const texts = [...(entry.messages ?? []), ...(entry.tclError ? [entry.tclError] : [])];
    const theirs = texts.map(
      (text) => Object.keys(reference).find((code) => reference[code]?.test(text)) ?? text,
    );
    expect([...ours].sort()).toEqual([...new Set(theirs)].sort());
  },
);
