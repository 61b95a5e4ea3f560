// SPDX-License-Identifier: MIT
// Goal: who gives an order at a terminal while the server's log is away is told so, and that it is
// waited for, in words for a person; the order counts once. Method: the shipped client, session
// endpoint and host under virtual time, over a log that fails.
import { expect, it } from "vitest";
import { inWordsOfCommands, throughOutages } from "../../../src/cli/commands/barrier.ts";
import { readOrder } from "../../../src/cli/commands/barrier-kinds.ts";
import { MusterError } from "../../../src/client/muster-error.ts";
import { SessionBench } from "../client/session-bench.ts";

const outage = "muster: the server's log takes nothing; waiting on until it does again\n";

it.each([
  ["count", "2 more expected"],
  ["quorum", "open for 2"],
] as const)("an init of a %s waits on while the log is away", async (kind, text) => {
  const bench = new SessionBench();
  await bench.start();
  const session = await bench.session();
  const said: string[] = [];
  const io = { stdout: () => undefined, stderr: (line: string) => void said.push(line) };
  const rest = { member: [], phases: 1, whenDead: "fail", whenLate: "pass" } as const;
  const common = { barrier: "b", json: false, error: 0, wait: false };
  const order = readOrder({ ...common, ...rest, kind, count: "2" });
  const { signal } = new AbortController();
  bench.faulty.trouble({ definiteFailure: 1 });
  let isGiven = false;
  const given = throughOutages(order.give(session, signal), { io, signal }).then(() => {
    isGiven = true;
  });
  await bench.clock.pass(5_000_000);
  expect(isGiven).toBe(false);
  expect(said).toEqual([outage]);
  bench.faulty.calm();
  await bench.clock.pass(5_000_000);
  await given;
  expect(order.text).toBe(text);
  const described = session.describe("b");
  await bench.clock.pass(1_000_000);
  // Counted once: an order that was given anew would make four of two.
  expect((await described).barriers).toMatchObject([{ name: "b", expected: 2 }]);
});

it("an outage that ends a wait again and again is told once", async () => {
  let left = 3;
  const ended = (): Promise<string> => {
    left -= 1;
    if (left < 0) return Promise.resolve("crossed");
    return Promise.reject(new MusterError("unavailable", "the log is away", { resume: ended }));
  };
  const said: string[] = [];
  const io = { stdout: () => undefined, stderr: (line: string) => void said.push(line) };
  const { signal } = new AbortController();
  expect(await throughOutages(ended(), { io, signal })).toBe("crossed");
  expect(said).toEqual([outage]);
});

it("who waited longer than the lease is told what to do at a terminal", async () => {
  const bench = new SessionBench();
  await bench.start();
  const session = await bench.session();
  const wait = session
    .countBarrier("b")
    .wait()
    .catch((error: unknown) => error);
  await bench.clock.pass(1_000_000);
  bench.isDown = true;
  bench.cutAll();
  await bench.clock.pass(60_000_000);
  const { message } = (await wait) as Error;
  expect(inWordsOfCommands(message)).toMatch(
    /^the server was away for 30 s, .*; run it again, or name all servers .*--server/,
  );
});
