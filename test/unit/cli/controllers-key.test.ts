// SPDX-License-Identifier: MIT
// Goal: a key of controllers that can be guessed is none: one that is empty, as a full disk leaves
// it, or short is refused at both ends, and no file is read that does not end.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { obtainControllersKey, readParentKey } from "../../../src/cli/commands/controllers-key.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-key-"));
  file = join(folder, "keys", "controllers.key");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("obtainControllersKey()", () => {
  it("makes a key for its owner alone, and finds it again", () => {
    const { secret } = obtainControllersKey(file);
    expect(obtainControllersKey(file)).toEqual({ file, secret });
    expect(readFileSync(file, "utf8").trim()).toBe(secret);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, "keys"))).toEqual(["controllers.key"]);
    expect(readParentKey(file)).toBe(secret);
  });

  it.each([
    ["", "is empty"],
    [" \n", "is empty"],
    ["guess me\n", "has 8 characters, and needs 16 or more"],
  ])("refuses %j at both ends", (text, why) => {
    mkdirSync(join(folder, "keys"));
    writeFileSync(file, text);
    expect(() => obtainControllersKey(file)).toThrow(why);
    expect(() => readParentKey(file)).toThrow(why);
  });

  it("says what a directory is, or a file that never ends", () => {
    expect(() => obtainControllersKey(folder)).toThrow(/cannot read the key .*EISDIR/);
    expect(() => readParentKey("/dev/zero")).toThrow("it is larger than 2 MiB");
  });
});
