// SPDX-License-Identifier: MIT
// Goal: a console copies what programs of its node printed between START and STOP, and nothing
// else. Method: files in place of programs.
import {
  appendFileSync,
  mkdirSync,
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
import { afterEach, beforeEach, expect, it } from "vitest";
import { ConsoleAgent } from "../../../src/testbed/agents/console-agent.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend } from "./fake-backend.ts";

let directory: string;
let agent: ConsoleAgent;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-console-"));
  mkdirSync(join(directory, "n0"));
  const clock = new FakeClock();
  const backend = new FakeBackend(clock, ["n0"], (node) => join(directory, node));
  agent = new ConsoleAgent({ backend, clock, logs: join(directory, "logs") });
});
afterEach(() => rmSync(directory, { recursive: true }));

const print = (file: string, text: string): void =>
  appendFileSync(join(directory, "n0", file), text);
const log = (name: string): string => readFileSync(join(directory, "logs", name), "utf8");

it("copies what was printed between START and STOP, by file, for owner and group", async () => {
  print("p.out.1", "before\n");
  print("quiet.out.1", "before\n");
  expect((await agent.start("n0-console")).outcome).toBe("done");
  print("p.out.1", "during\n");
  print("q.err.2", "new\n");
  symlinkSync("p.out.1", join(directory, "n0", "p.out"));
  writeFileSync(join(directory, "n0", "notes"), "not printed");
  expect((await agent.stop("n0-console", "one")).outcome).toBe("done");
  print("p.out.1", "after\n");
  expect(log("n0-console-one.log")).toBe("==> p.out.1 <==\nduring\n==> q.err.2 <==\nnew\n");
  expect(statSync(join(directory, "logs", "n0-console-one.log")).mode & 0o777).toBe(0o640);
});

it("copies more than fits into one piece", async () => {
  await agent.start("n0-console");
  const text = "0123456789abcdef".repeat(10_000);
  print("p.out.1", text);
  await agent.stop("n0-console", "large");
  expect(log("n0-console-large.log")).toBe(`==> p.out.1 <==\n${text}`);
});

it("starts anew with another START, and ends with any number of STOPs", async () => {
  await agent.start("n0-console");
  print("p.out.1", "one\n");
  await agent.stop("n0-console", "a");
  await agent.start("n0-console");
  print("p.out.1", "two\n");
  await agent.stop("n0-console", "b");
  print("p.out.1", "three\n");
  await agent.stop("n0-console", "c");
  expect(["a", "b", "c"].map((id) => log(`n0-console-${id}.log`))).toEqual([
    "==> p.out.1 <==\none\n",
    "==> p.out.1 <==\ntwo\n",
    "==> p.out.1 <==\ntwo\nthree\n",
  ]);
});

it.each([undefined, "", "../up", "a/b", "a b"])("refuses FILE=%s", async (file) => {
  await agent.start("n0-console");
  expect((await agent.stop("n0-console", file)).outcome).toMatch(/^failed: STOP needs FILE=NAME/);
  expect(readdirSync(directory)).toEqual(["n0"]);
});

it("refuses a console that was not started, and one of no node", async () => {
  expect((await agent.stop("n0-console", "a")).outcome).toBe("failed: it was not started");
  expect((await agent.start("n1-console")).outcome).toBe("failed: there is no console n1-console");
  expect([agent.knows("n0-console"), agent.knows("n0"), agent.knows("n1-console")]).toEqual([
    ...[true, false, false],
  ]);
});
