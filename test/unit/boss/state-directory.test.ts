// SPDX-License-Identifier: MIT
// Goal: the state directory is found where users expect it, made for its owner alone, and refused
// when it is anybody else's or its socket could not be made. Method: real directories.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { socketPathBytesMax } from "../../../src/boss/limits.ts";
import {
  checkStateDirectory,
  prepareStateDirectory,
  resolveStateDirectory,
  runsDirectory,
} from "../../../src/boss/state-directory.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-state-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("prepareStateDirectory(), where nothing can be made", () => {
  it("says so in words", () => {
    const prepare = (): void => prepareStateDirectory(resolveStateDirectory("/proc/none/own", {}));
    expect(prepare).toThrow("/proc/none/own: nothing can be made there; choose another with");
  });
});

describe("resolveStateDirectory()", () => {
  it.each([
    ["/given", { MUSTER_STATE: "/own", XDG_STATE_HOME: "/xdg", HOME: "/home" }, "/given"],
    [undefined, { MUSTER_STATE: "/own", XDG_STATE_HOME: "/xdg", HOME: "/home" }, "/own"],
    [undefined, { MUSTER_STATE: "", XDG_STATE_HOME: "/xdg", HOME: "/home" }, "/xdg/muster"],
    [undefined, { XDG_STATE_HOME: "relative", HOME: "/home" }, "/home/.local/state/muster"],
    [undefined, { HOME: "/home" }, "/home/.local/state/muster"],
  ])("of %s and %j is %s", (given, environment, path) => {
    const state = resolveStateDirectory(given, environment);
    expect(state).toMatchObject({ path, socket: `${path}/muster.sock` });
    expect(runsDirectory(state, "pp", "ee")).toBe(`${path}/experiments/pp/ee/runs`);
  });
});

describe("prepareStateDirectory()", () => {
  it("makes it for the owner alone", () => {
    const state = resolveStateDirectory(join(folder, "a/b"), {});
    expect(checkStateDirectory(state)).toBe(false);
    prepareStateDirectory(state);
    expect(statSync(state.path).mode & 0o777).toBe(0o700);
    expect(checkStateDirectory(state)).toBe(true);
  });

  it.each([0o710, 0o701, 0o755])("refuses one with mode %o, and says how to close it", (mode) => {
    const path = join(folder, "open");
    mkdirSync(path);
    chmodSync(path, mode);
    const state = resolveStateDirectory(path, {});
    expect(() => prepareStateDirectory(state)).toThrow(`chmod 700 ${path}`);
    expect(() => checkStateDirectory(state)).toThrow(`chmod 700 ${path}`);
  });

  it("refuses a file, and a directory below one", () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    for (const bad of [path, join(path, "below")]) {
      expect(() => prepareStateDirectory(resolveStateDirectory(bad, {}))).toThrow(/--state/);
    }
  });

  it.skipIf(process.getuid?.() !== 0)("refuses one that is not root's own for a daemon", () => {
    const path = join(folder, "theirs");
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, 12_345, 12_345);
    const state = resolveStateDirectory(path, {});
    expect(() => prepareStateDirectory(state)).toThrow("belongs to user 12345");
    expect(checkStateDirectory(state)).toBe(true);
  });

  it("takes a path as long as a socket's may be, and not one byte more", () => {
    const room = socketPathBytesMax - Buffer.byteLength(join(folder, "/muster.sock"));
    const longest = resolveStateDirectory(join(folder, "a".repeat(room - 1)), {});
    expect(Buffer.byteLength(longest.socket)).toBe(socketPathBytesMax);
    prepareStateDirectory(longest);
    const longer = resolveStateDirectory(join(folder, "a".repeat(room)), {});
    expect(() => prepareStateDirectory(longer)).toThrow(/at most 107; choose a shorter/);
  });
});
