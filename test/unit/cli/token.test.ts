// SPDX-License-Identifier: MIT
// Goal: `muster token create` makes tokens for scopes that there may be, and for no others. Method:
// the command, in a state directory of its own.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { tokenCreateCommand } from "../../../src/cli/commands/token.ts";

let state = "";
beforeEach(() => {
  state = join(mkdtempSync(join(tmpdir(), "muster-token-")), "state");
});
afterEach(() => rmSync(join(state, ".."), { recursive: true, force: true }));

function create(scope: string): string {
  let printed = "";
  const io = {
    stdout: (text: string) => {
      printed += text;
    },
    stderr: () => undefined,
  };
  const rest = { role: "driver", allScopes: false, note: "", json: true, state } as const;
  expect(tokenCreateCommand({ scope, ...rest }, io)).toBe(0);
  return (JSON.parse(printed) as { readonly scope: string }).scope;
}

it.each(["p/e", "ü".repeat(127), "a".repeat(255), "two words"])("is made for %s", (scope) => {
  expect(create(scope)).toBe(scope);
});

it.each([
  ["a".repeat(256), "the name has 256 bytes, and that of a scope has at most 255"],
  ["ü".repeat(128), "the name has 256 bytes"],
  ["a\nb", '--scope "a?b": the name has line breaks or other characters that are not seen'],
  ["\u{1b}[31m", '--scope "?[31m": the name has line breaks'],
  ["a\u{202e}b", '--scope "a?b": the name has line breaks'],
])("is made for no scope %j", (scope, message) => {
  const refused = { exitCode: 64, message: expect.stringContaining(message) };
  expect(() => create(scope)).toThrow(expect.objectContaining(refused));
  expect(existsSync(state)).toBe(false);
});
