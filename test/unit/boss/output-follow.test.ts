// SPDX-License-Identifier: MIT
// Goal: files are read whole, as they grow, in pieces, across characters that are cut, and to their
// end when their writer is over. Method: real files under a virtual clock, so that each look at the
// files comes when the test says.
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { outputPieceBytes } from "../../../src/boss/limits.ts";
import { followOutput } from "../../../src/boss/output-follow.ts";
import { systemClock } from "../../../src/host/clock.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-follow-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Following {
  readonly got: string[];
  /** What happens between two looks at the files. */
  readonly steps: (() => void)[];
  readonly signal: AbortController;
}

/** Follows until the steps are done. */
function follow({ got, steps, signal }: Following, isFollowed = true): Promise<number> {
  return followOutput({
    directory: folder,
    isWanted: (file) => file.endsWith(".out"),
    follow: isFollowed,
    isOver: () => steps.length === 0,
    clock: {
      ...systemClock,
      after(_delayMs, callback) {
        steps.shift()?.();
        return systemClock.after(0, callback);
      },
    },
    signal: signal.signal,
    send: (file, text) => {
      got.push(`${file}:${text}`);
      return Promise.resolve();
    },
  });
}

const following = (...steps: (() => void)[]): Following => ({
  ...{ got: [], steps, signal: new AbortController() },
});
const path = (name: string): string => join(folder, name);

describe("followOutput()", () => {
  it("reads what is there, of the files it is asked for", async () => {
    writeFileSync(path("b.out"), "two");
    writeFileSync(path("a.out"), "one");
    writeFileSync(path("c.txt"), "other");
    const one = following(() => appendFileSync(path("a.out"), "later"));
    expect(await follow(one, false)).toBe(2);
    expect(one.got).toEqual(["a.out:one", "b.out:two"]);
  });

  it("waits at no FIFO and follows no link that a program has put in the place of its output", async () => {
    writeFileSync(path("a.out"), "one");
    writeFileSync(path("elsewhere"), "not for everybody");
    symlinkSync(path("elsewhere"), path("b.out"));
    // More than the threads that this process reads files with.
    for (const name of ["c", "d", "e", "f", "g"]) execFileSync("mkfifo", [path(`${name}.out`)]);
    const one = following();
    expect(await follow(one, false)).toBe(1);
    expect(one.got).toEqual(["a.out:one"]);
  });

  it("goes on with what is added, in new files too, to the last word before the end", async () => {
    const one = following(
      () => writeFileSync(path("a.out"), "1"),
      () => appendFileSync(path("a.out"), "2"),
      () => writeFileSync(path("b.out"), "3"),
      () => appendFileSync(path("a.out"), "4"),
    );
    expect(await follow(one)).toBe(2);
    expect(one.got).toEqual(["a.out:1", "a.out:2", "b.out:3", "a.out:4"]);
  });

  it("starts again with a file that was written anew", async () => {
    writeFileSync(path("a.out"), "long text");
    const one = following(() => writeFileSync(path("a.out"), "new"));
    await follow(one);
    expect(one.got).toEqual(["a.out:long text", "a.out:new"]);
  });

  it("sends pieces of at most the limit and cuts no character", async () => {
    const text = `a${"ü".repeat(outputPieceBytes)}`;
    writeFileSync(path("a.out"), text);
    const one = following();
    await follow(one, false);
    expect(one.got.length).toBeGreaterThanOrEqual(3);
    expect(one.got.map((piece) => piece.slice("a.out:".length)).join("")).toBe(text);
    for (const piece of one.got) {
      expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(outputPieceBytes + 8);
    }
  });

  it("ends when nobody reads any more", async () => {
    const one = following(
      () => one.signal.abort(),
      () => undefined,
    );
    await follow(one);
    expect(one.steps).toHaveLength(1);
  });

  it("reads what was written in the moment before the end", async () => {
    const got: string[] = [];
    await followOutput({
      ...{ directory: folder, isWanted: () => true, follow: true, clock: systemClock },
      isOver() {
        writeFileSync(path("a.out"), "last words");
        return true;
      },
      signal: new AbortController().signal,
      send: (_file, text) => {
        got.push(text);
        return Promise.resolve();
      },
    });
    expect(got).toEqual(["last words"]);
  });

  it("finds nothing where there is no directory", async () => {
    rmSync(folder, { recursive: true });
    expect(await follow(following(), false)).toBe(0);
  });
});
