// SPDX-License-Identifier: MIT
// Goal: `muster topic` publishes what it is given, waits where it is told to, prints what comes,
// and says how it ended; `muster barrier` says who was missing. Method: the commands, a door on
// loopback.
import { afterEach, describe, expect, it } from "vitest";
import { barrierWaitCommand } from "../../../src/cli/commands/barrier.ts";
import { topicPublishCommand, topicSubscribeCommand } from "../../../src/cli/commands/topic.ts";
import { HttpBench } from "../http/http-bench.ts";

let bench: HttpBench;
afterEach(async () => {
  await bench?.close();
});

async function start() {
  bench = await HttpBench.start();
  let printed = "";
  const io = {
    stdout: (text: string) => {
      printed += text;
    },
    stderr: () => undefined,
  };
  const base = { server: bench.url, scope: "s", json: false };
  const take = (): string => {
    const text = printed;
    printed = "";
    return text;
  };
  return { io, base, take };
}

const ending = (promise: Promise<number>): Promise<unknown> =>
  promise.catch((error: Error & { exitCode?: number }) => [error.exitCode, error.message]);

describe("muster topic", () => {
  it("publishes JSON and texts, and prints them from an offset", async () => {
    const { io, base, take } = await start();
    const publish = (message: string, text = false) =>
      topicPublishCommand({ ...base, topic: "t", message, text, signal: false }, io);
    for (const message of ['{"a":1}', "plain text", "7"]) expect(await publish(message)).toBe(0);
    expect(await publish("7", true)).toBe(0);
    expect(take()).toBe("t: message 1\nt: message 2\nt: message 3\nt: message 4\n");
    const subscribe = (json: boolean, after: number | "last", count: number, timeout?: number) =>
      topicSubscribeCommand(
        { ...base, json, topic: "t", after, count, ...(timeout === undefined ? {} : { timeout }) },
        io,
      );
    expect(await subscribe(false, 0, 4)).toBe(0);
    expect(take()).toBe('{"a":1}\n"plain text"\n7\n"7"\n');
    expect(await subscribe(true, 3, 1)).toBe(0);
    expect(take()).toBe('{"number":4,"message":"7"}\n');
    expect(await ending(subscribe(false, "last", 1, 0.05))).toEqual([
      124,
      expect.stringContaining("no message of t came within 0.05 s"),
    ]);
  });

  it("publishes and waits at a state", async () => {
    const { io, base, take } = await start();
    const both = (at: object) =>
      topicPublishCommand(
        { ...base, topic: "t", message: "m", text: false, signal: true, ...at },
        io,
      );
    const waits = [1, 2].map(() => both({ state: "ready", target: 2 }));
    expect(await Promise.all(waits)).toEqual([0, 0]);
    expect(take().split("\n").toSorted().slice(1)).toEqual([
      "t: message 1; ready crossed",
      "t: message 2; ready crossed",
    ]);
    expect(() => both({ state: "ready" })).toThrow("--at STATE and --target N go together");
    expect(() => both({})).toThrow("--at STATE and --target N go together");
  });
});

describe("muster barrier wait", () => {
  it("B10 says at a time-out who was there and who was not, also as JSON", async () => {
    const { io, base, take } = await start();
    const argv = { ...base, barrier: "b", kind: "state", target: 2, signal: true } as const;
    const wait = (json: boolean) =>
      ending(barrierWaitCommand({ ...argv, json, name: "p", error: 0, timeout: 0.05 }, io));
    expect(await wait(true)).toEqual([
      124,
      expect.stringMatching(
        /^the wait at b timed out; missing: 1 more, anonymous\n {2}there: p for 0\.\d s\n {2}missing: 1 more, anonymous expected for/,
      ),
    ]);
    expect(JSON.parse(take())).toMatchObject({
      ...{ outcome: "timeout", exitCode: 124, missing: ["1 more, anonymous"] },
      parties: { arrived: [{ name: "p" }], missing: [{ name: "1 more, anonymous" }], dead: [] },
    });
  });

  it("B10 of a count says for how long nobody has opened it", async () => {
    const { io, base } = await start();
    const argv = { ...base, barrier: "c", kind: "count", signal: false, json: false } as const;
    const wait = barrierWaitCommand({ ...argv, name: "p", error: 0, timeout: 0.05 }, io);
    expect(await ending(wait)).toEqual([
      124,
      expect.stringMatching(
        /^the wait at c timed out; missing: somebody to open it for 1\n {2}there: p for 0\.\d s\n {2}nobody has opened it in 0\.\d s$/,
      ),
    ]);
  });
});
