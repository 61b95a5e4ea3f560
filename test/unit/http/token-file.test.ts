// SPDX-License-Identifier: MIT
// Goal: the file of tokens holds no secret, is its owner's alone, is never half written, and a door
// that reads it again never opens by accident (T1, T2, F1, F2). Method: real files.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeTokens, readTokens, TokenFile, tokensMax } from "../../../src/edges/http/index.ts";
import {
  checkToken,
  formatToken,
  hashSecret,
  type TokenRow,
} from "../../../src/edges/http/tokens.ts";
import { silentLogger } from "../../../src/host/logger.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-tokens-"));
  path = join(folder, "tokens.json");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const row = (id: string, more: Partial<TokenRow> = {}): TokenRow => ({
  ...{ id, hash: hashSecret(`secret${id}`), role: "driver", scope: null },
  ...{ expiresMs: null, createdMs: 0, note: "" },
  ...more,
});

describe("changeTokens()", () => {
  it("makes a file that only its owner may read, without secrets", () => {
    changeTokens(path, () => [row("a")]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).not.toContain("secreta");
    expect(readTokens(path)).toEqual([row("a")]);
  });

  it("F1 refuses while another is writing, and leaves the file as it was when the change fails", () => {
    changeTokens(path, () => [row("a")]);
    writeFileSync(`${path}.new`, "");
    expect(() => changeTokens(path, () => [])).toThrow(`remove ${path}.new`);
    rmSync(`${path}.new`);
    const fail = (): never => {
      throw new Error("no");
    };
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    const before = descriptors();
    for (let time = 0; time < 10; time += 1) expect(() => changeTokens(path, fail)).toThrow("no");
    expect(descriptors()).toBeLessThan(before + 10);
    expect(readTokens(path)).toEqual([row("a")]);
    changeTokens(path, (rows) => [...rows, row("b")]);
    expect(readTokens(path)).toHaveLength(2);
  });

  it(`holds ${tokensMax} tokens and refuses one more`, () => {
    const rows = Array.from({ length: tokensMax }, (_, at) => row(`t${at}`));
    changeTokens(path, () => rows);
    expect(() => changeTokens(path, (before) => [...before, row("x")])).toThrow("revoke");
    expect(readTokens(path)).toHaveLength(tokensMax);
  });
});

describe("readTokens()", () => {
  it("refuses a file that others may read, and one that is something else", () => {
    expect(readTokens(path)).toBeUndefined();
    changeTokens(path, () => [row("a")]);
    chmodSync(path, 0o640);
    expect(() => readTokens(path)).toThrow(`chmod 600 ${path}`);
    chmodSync(path, 0o600);
    for (const text of ["", "[]", '{"format":2,"tokens":[]}', '{"format":1,"tokens":[{}]}']) {
      writeFileSync(path, text);
      expect(() => readTokens(path)).toThrow("not a file of tokens");
    }
    rmSync(path);
    // It would hold up the process until somebody writes to it.
    execFileSync("mkfifo", ["-m", "600", path]);
    expect(() => readTokens(path)).toThrow("is a directory, a pipe or a device");
  });
});

describe("the door's view", () => {
  it("F2 follows changes, and lets nobody in when the file is gone or spoilt", () => {
    const tokens = new TokenFile(path, silentLogger);
    expect(tokens.rows()).toBeUndefined();
    changeTokens(path, () => [row("a")]);
    expect([...(tokens.rows()?.keys() ?? [])]).toEqual(["a"]);
    changeTokens(path, () => []);
    expect(tokens.rows()?.size).toBe(0);
    changeTokens(path, () => [row("b")]);
    expect(tokens.rows()?.size).toBe(1);
    chmodSync(path, 0o644);
    expect(tokens.rows()?.size).toBe(0);
    rmSync(path);
    expect(tokens.rows()?.size).toBe(0);
    changeTokens(path, () => [row("c")]);
    expect(tokens.rows()?.size).toBe(1);
  });

  it("F2 lets nobody in, and goes on, when the file cannot be looked at", () => {
    changeTokens(path, () => [row("a")]);
    const lines: string[] = [];
    const tokens = new TokenFile(path, { log: (_level, text) => void lines.push(text) });
    rmSync(path);
    symlinkSync(path, path);
    expect([tokens.rows()?.size, tokens.rows()?.size]).toEqual([0, 0]);
    expect(lines).toEqual([expect.stringContaining("nobody is let in")]);
    rmSync(path);
    changeTokens(path, () => [row("a")]);
    expect(tokens.rows()?.size).toBe(1);
  });
});

describe("checkToken()", () => {
  const rows = new Map([["a", row("a", { expiresMs: 100 })]]);

  it("knows a token by id and secret, until the instant it expires", () => {
    const good = formatToken("a", "secreta");
    expect(checkToken(good, rows, 99)?.id).toBe("a");
    expect(checkToken(good, rows, 100)).toBeUndefined();
    for (const bad of ["", "a", "mst_a_", "mst_a_secretb", "mst_b_secreta", `${good} `, "mst__x"]) {
      expect(checkToken(bad, rows, 0), bad).toBeUndefined();
    }
  });
});
