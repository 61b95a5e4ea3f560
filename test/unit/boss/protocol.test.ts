// SPDX-License-Identifier: MIT
// Goal: requests are taken exactly when they are whole, and lines are cut at any split and within
// their bound. Method: a whole request, and the same with one field wrong; every split; the bound
// and one byte past it.
import { describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import {
  checkRequest,
  formatLine,
  LineReader,
  type UpRequest,
} from "../../../src/boss/protocol.ts";

const up: UpRequest = {
  kind: "up",
  ...{
    file: "/a.ns",
    text: "x",
    pid: "pp",
    eid: "ee",
    insisted: ["eid"],
    presets: [["opt(A)", "1"]],
  },
  ...{ seed: 1, durationSeconds: 0, stuckSeconds: 15, linktestLevel: 2, on: ["a"] },
  ...{ nodes: "netns", addresses: [["a", "10.0.0.1"]] },
};

const linktest = {
  kind: "linktest",
  ...{ id: "e", level: 0, timeoutSeconds: 600, reportOnly: false, runner: 7 },
};
const setLink = {
  kind: "set-link",
  ...{ id: "e", link: "l", node: null, settings: [["DELAY", "1"]], keep: false },
};

describe("checkRequest()", () => {
  it.each([
    up,
    { ...up, seed: null, presets: [] },
    { kind: "modify", id: "e", file: "/b.ns", text: "y", presets: [["opt(A)", "2"]] },
    { kind: "down", id: "e" },
    { kind: "status", id: null, withLog: true },
    { kind: "status", id: "e", withLog: false },
    { kind: "logs", id: "e", node: null, follow: true },
    { kind: "logs", id: "e", node: "n", follow: false },
    { kind: "stop" },
    linktest,
    { ...linktest, level: null, reportOnly: true },
    { kind: "linktest-runner", id: "e" },
    setLink,
    { ...setLink, node: "n", keep: true },
  ])("takes $kind as it was sent, without what it does not know", (request) => {
    expect(checkRequest(JSON.parse(JSON.stringify({ ...request, more: 1 })))).toEqual(request);
  });

  it("takes up and status of an older client, which knows no linktest, machines or log", () => {
    const { linktestLevel: _, on: _on, nodes: _nodes, addresses: _at, ...older } = up;
    const usual = { linktestLevel: null, on: [], nodes: null, addresses: [] };
    expect(checkRequest({ ...older })).toEqual({ ...older, ...usual });
    const status = { kind: "status", id: null };
    expect(checkRequest(status)).toEqual({ ...status, withLog: false });
  });

  it.each([
    {},
    { ...up, linktestLevel: 5 },
    { ...up, on: "a" },
    { ...up, on: [1] },
    { ...up, nodes: "own" },
    { ...up, addresses: { a: "10.0.0.1" } },
    { kind: "halt" },
    { kind: "toString" },
    { ...up, insisted: ["name"] },
    { kind: "modify", id: "e", file: "b.ns", text: "y", presets: [] },
    { kind: "modify", id: "e", file: "/b.ns", presets: [] },
    { kind: "modify", id: "e", file: "/b.ns", text: "y", presets: [["a"]] },
    { kind: "down" },
    { kind: "down", id: 1 },
    { kind: "status" },
    { kind: "status", id: null, withLog: 1 },
    { kind: "logs", id: "e", node: null },
    { kind: "logs", id: "e", node: 1, follow: true },
    { kind: "logs", node: null, follow: true },
    { ...up, file: "a.ns" },
    { ...up, text: undefined },
    { ...up, pid: 1 },
    { ...up, presets: [["a"]] },
    { ...up, presets: { a: "b" } },
    { ...up, seed: -1 },
    { ...up, seed: 2 ** 31 },
    { ...up, seed: 0.5 },
    { ...up, durationSeconds: -1 },
    { ...up, durationSeconds: "1" },
    { ...up, stuckSeconds: 2_000_001 },
    { ...up, stuckSeconds: null },
    { ...linktest, id: 1 },
    { ...linktest, level: 5 },
    { ...linktest, timeoutSeconds: -1 },
    { ...linktest, reportOnly: "yes" },
    { ...linktest, runner: 0 },
    { kind: "linktest-runner" },
    { ...setLink, id: null },
    { ...setLink, link: 1 },
    { ...setLink, node: 1 },
    { ...setLink, settings: [] },
    { ...setLink, settings: [["DELAY", 1]] },
    { ...setLink, keep: undefined },
  ])("says what is wrong with %j", (frame) => {
    expect(typeof checkRequest(frame)).toBe("string");
  });
});

describe("LineReader", () => {
  it("gives the same frames for every split", () => {
    const frames = [{ kind: "status", id: "ü\n" }, up] as const;
    const bytes = Buffer.from(frames.map((frame) => formatLine(frame)).join(""));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const reader = new LineReader(1_000, "x");
      const got = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
      expect(got).toEqual(frames);
    }
  });

  it("takes a line at the bound and refuses one past it by the name of the limit", () => {
    const line = Buffer.from('{"a":"bcd"}\n');
    expect(new LineReader(line.length - 1, "requestBytesMax").push(line)).toEqual([{ a: "bcd" }]);
    const error = failure(() => new LineReader(line.length - 2, "requestBytesMax").push(line));
    expect(error.code).toBe("LIMIT");
    expect(error.message).toContain("requestBytesMax");
  });

  it.each(["nonsense\n", "1\n", "null\n", "\n", "{\n"])("refuses %j", (text) => {
    const error = failure(() => new LineReader(100, "x").push(Buffer.from(text)));
    expect(error.code).toBe("BAD_REQUEST");
    expect(error.definite).toBe(true);
  });
});

function failure(act: () => unknown): BossError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(BossError);
    return error as BossError;
  }
  throw new Error("nothing was thrown");
}
