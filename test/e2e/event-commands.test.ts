// SPDX-License-Identifier: MIT
// Goal: tevc, eventdebug and `muster event` as commands, over a real door of a bus: exit codes,
// texts, what is on the wire, connections that are cut. Method: a bus with a door on loopback and a
// scheduler that says what a test wants, in this process; the commands of bin/ in their own.

import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatToken, hashSecret } from "../../src/edges/http/tokens.ts";
import { systemClock } from "../../src/host/clock.ts";
import { BusDoorBench } from "../unit/bus/bus-bench.ts";
import {
  credentialsWith,
  experiment,
  FakeScheduler,
  key,
  tokenOf,
} from "../unit/events/fake-scheduler.ts";
import { type Command, type Ended, run, scratch, start, until } from "./support/command.ts";

let bench: BusDoorBench;
let scheduler: FakeScheduler;
let keyFile = "";
beforeEach(async () => {
  bench = await new BusDoorBench({}).start();
  scheduler = newScheduler();
  keyFile = join(scratch(), "key");
  writeFileSync(keyFile, key);
});
afterEach(() => bench.close());

function newScheduler(): FakeScheduler {
  const wallUs = () => BigInt(systemClock.wallMs()) * 1000n;
  return new FakeScheduler(bench.memory, credentialsWith(key, wallUs));
}

const place = (): string => bench.url.replace("http://", "");
const [silent, strict] = [{}, { MUSTER_TEVC_STRICT: "1" }];

type Environment = Readonly<Record<string, string>>;

function tevcArguments(line: string): readonly string[] {
  const [host = "", port = ""] = place().split(":");
  return ["-s", host, "-p", port, "-k", keyFile, "-e", experiment, ...line.split(" ")];
}

const tevc = (line: string, env: Environment = silent): Promise<Ended> =>
  run("tevc", line.startsWith("-w") ? withOptions(line) : tevcArguments(line), { env });

/** Options of the line go before those of the bench: the first word that is none ends them. */
function withOptions(line: string): readonly string[] {
  const words = line.split(" ");
  const first = words.indexOf("now");
  return [...words.slice(0, first), ...tevcArguments(words.slice(first).join(" "))];
}

const muster = (...argv: readonly string[]): Promise<Ended> =>
  run("muster", ["event", ...argv, "--server", place()], {});

describe("tevc", () => {
  test("hands an event over and ends with 0, silent, whoever listens", async () => {
    expect(await tevc("now lnik0 down")).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    await scheduler.listen();
    expect((await tevc("+1.5 prog0 start timeout=5")).code).toBe(0);
    await until("the scheduler has it", () => scheduler.requests.length === 1);
    const wallUs = () => BigInt(systemClock.wallMs()) * 1000n;
    expect(credentialsWith(key, wallUs).verify(scheduler.requests[0] as never)).toBe(true);
  });

  test("-w ends with the error of the completion, and -t with 110", async () => {
    await scheduler.listen((sent) => scheduler.complete(sent, 3));
    expect(await tevc("-w now prog0 run")).toMatchObject({ code: 3, stdout: "", stderr: "" });
    await scheduler.listen(() => undefined);
    expect(await tevc("-w -t 1 now prog0 run")).toMatchObject({ code: 110, stderr: "" });
  });

  test("strict, says what the old one was silent of", async () => {
    const nobody = await tevc("now lnik0 down", strict);
    expect(nobody.code).toBe(255);
    expect(nobody.stderr).toContain("no scheduler listens for foo/bar");
    await scheduler.listen((sent) => scheduler.refuse(sent, "NO_SUCH_OBJECT", "there is no lnik0"));
    expect(await tevc("now lnik0 down", strict)).toMatchObject({
      ...{ code: 255, stdout: "" },
      stderr:
        "tevc: lnik0 DOWN is refused by the scheduler of foo/bar: there is no lnik0 (NO_SUCH_OBJECT)\n",
    });
    await scheduler.listen((sent) => scheduler.accept(sent, 4));
    expect(await tevc("now prog0 start", strict)).toMatchObject({ code: 0, stderr: "" });
  });

  test("waits on over a connection that is cut", async () => {
    await scheduler.listen((sent) => scheduler.accept(sent, tokenOf(sent)));
    const waiting = start("tevc", withOptions("-w now prog0 run"), { env: strict });
    await until("the request has come", () => scheduler.requests.length === 1);
    bench.cut();
    scheduler.complete(scheduler.requests[0] as never, 5);
    expect(await waiting.ended).toMatchObject({ code: 5 });
  });

  test("fault 7: says so when no bus is there, and finds it when it comes", async () => {
    const port = await freePort();
    const argv = ["-s", "127.0.0.1", "-p", String(port), "-k", keyFile, "-e", experiment];
    const early = start("tevc", [...argv, "now", "prog0", "start"], { env: strict });
    await early.prints(/tevc: no bus answers at 127\.0\.0\.1:\d+ \(ECONNREFUSED\).*; trying again/);
    await bench.close();
    bench = new BusDoorBench({});
    scheduler = newScheduler();
    await scheduler.listen((sent) => scheduler.accept(sent, 1));
    await bench.start(port);
    expect((await early.ended).code).toBe(0);
  });

  test("says at once that what answers is no bus", async () => {
    const other = createServer((socket) => socket.end("HTTP/1.1 404 Not Found\r\n\r\n"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const argv = ["-s", "127.0.0.1", "-p", String(port), "-k", keyFile, "-e", experiment];
    const { code, stderr } = await run("tevc", [...argv, "now", "prog0", "start"], {});
    other.close();
    expect(code).toBe(255);
    expect(stderr).toMatch(
      /^tevc: 127\.0\.0\.1:\d+ opens no bus: Unexpected server response: 404;/,
    );
  });
});

describe("eventdebug and muster event watch", () => {
  async function watching(command: Command): Promise<Command> {
    // A line of its own says that the subscription is in force.
    await until("the watch has begun", () => {
      void scheduler.say({ attributes: [] }, { eventtype: "ALERT" });
      return command.stdout.includes("ALERT");
    });
    return command;
  }

  test("print what comes, with arguments, and requests when asked", async () => {
    const [host = "", port = ""] = place().split(":");
    const debug = await watching(start("eventdebug", ["-s", host, "-p", port, "foo/bar"]));
    const json = await watching(
      start("muster", ["event", "watch", "foo/bar", "--scheduled", "--json", "--server", place()]),
    );
    await scheduler.listen((sent) => scheduler.complete(sent, 0));
    expect((await tevc("-w now prog0 run a=1")).code).toBe(0);
    await debug.prints(/^Event: \d{10} \* foo\/bar \* \* \* prog0 COMPLETE ERROR=0 CTOKEN=\d+$/m);
    await json.prints(/"eventtype":"COMPLETE"/);
    const seen = json.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(seen.find(({ scheduled }) => scheduled === true)).toMatchObject({
      ...{ objname: "prog0", eventtype: "RUN", args: "A=1 " },
    });
    expect(debug.stdout).not.toContain(" RUN");
  });

  test("end with a reason when there is no bus", async () => {
    const port = await freePort();
    const debug = await run("eventdebug", ["-s", "127.0.0.1", "-p", String(port)]);
    expect(debug.code).toBe(1);
    expect(debug.stderr).toMatch(
      /^eventdebug: no bus answers at 127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
    );
    const watch = await run("muster", ["event", "watch", "--server", `127.0.0.1:${port}`]);
    expect(watch.code).toBe(69);
  });
});

describe("muster event send", () => {
  test("answers, as text and as JSON", async () => {
    await scheduler.listen((sent) => {
      scheduler.accept(sent, tokenOf(sent) === -1 ? 9 : tokenOf(sent));
      scheduler.complete(sent, 0);
    });
    const sent = await muster("send", experiment, "prog0", "start", "--key", keyFile);
    expect(sent).toMatchObject({
      ...{ code: 0, stderr: "" },
      stdout: "prog0 START is accepted by the scheduler of foo/bar, token 9\n",
    });
    const waited = await muster(
      ...["send", experiment, "prog0", "run", "a=1", "--key", keyFile, "--wait", "--json"],
    );
    expect(JSON.parse(waited.stdout)).toMatchObject({
      outcome: "completed",
      error: 0,
      exitCode: 0,
    });
  });

  test("shows MUSTER_TOKEN to a door that asks for one", async () => {
    await bench.close();
    const hash = hashSecret("secret");
    const row = { id: "t0", hash, role: "driver", scope: null, expiresMs: null } as const;
    const rows = new Map([["t0", { ...row, createdMs: 0, note: "" }]]);
    bench = await new BusDoorBench({ access: { tokens: { rows: () => rows } } }).start();
    const argv = ["event", "send", experiment, "x", "start", "--key", keyFile, "--server", place()];
    const without = await run("muster", argv, { env: { MUSTER_TOKEN: undefined } });
    expect(without.code).toBe(69);
    const shown = await run("muster", argv, { env: { MUSTER_TOKEN: formatToken("t0", "secret") } });
    expect(shown.stderr).toContain("no scheduler listens for foo/bar");
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
