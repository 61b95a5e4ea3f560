// SPDX-License-Identifier: MIT
// Goal: the sync server keeps the barrier rules of the specification over real connections.
// Method: raw requests over TCP against the shipped host, on a good log and on one that delays,
// reorders completions and refuses.
import { afterEach, describe, expect, test } from "vitest";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import {
  arrived,
  ask,
  dial,
  init,
  logKinds,
  startServer,
  type TestServer,
  type TestServerOptions,
  until,
  v1,
  v2,
  wait,
} from "./harness.ts";

describe.each(logKinds)("syncd on the %s", (kind) => {
  let server: TestServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });
  async function start(options: TestServerOptions = {}): Promise<TestServer> {
    server = await startServer(kind, options);
    return server;
  }

  test("releases all when the count returns to 0, wherever the master is in the order", async () => {
    const syncd = await start();
    for (const position of [0, 1, 3]) {
      const clients = [];
      for (let index = 0; index < 4; index += 1) {
        clients.push(await ask(syncd, index === position ? init(3) : wait()));
        if (index < 3) await arrived(syncd, index + 1);
        if (index < 3) expect(clients.every((client) => !client.isOver)).toBe(true);
      }
      expect(await Promise.all(clients.map((client) => client.value()))).toEqual([0, 0, 0, 0]);
    }
  });

  test("adds several inits up", async () => {
    const syncd = await start();
    const first = await ask(syncd, init(1));
    const second = await ask(syncd, init(1));
    const third = await ask(syncd, wait());
    await arrived(syncd, 3);
    expect(first.isOver || second.isOver || third.isOver).toBe(false);
    const fourth = await ask(syncd, wait());
    const all = [first, second, third, fourth];
    expect(await Promise.all(all.map((client) => client.value()))).toEqual([0, 0, 0, 0]);
  });

  test("answers an initialiser that does not wait at once, and drops its error", async () => {
    const syncd = await start();
    const master = await ask(syncd, init(2, false, "barrier", 200));
    expect(await master.value()).toBe(0);
    expect(syncd.log.count("is not waiting")).toBe(1);
    const waiters = [await ask(syncd, wait("barrier", 7)), await ask(syncd, wait())];
    expect(await Promise.all(waiters.map((client) => client.value()))).toEqual([7, 7]);
  });

  test("tells everyone the largest error, also that of a waiter who left", async () => {
    const syncd = await start();
    const master = await ask(syncd, init(2, true, "barrier", 33));
    const leaver = await ask(syncd, wait("barrier", 90));
    await arrived(syncd, 2);
    leaver.stream.destroy();
    await arrived(syncd, 1);
    const rest = [await ask(syncd, wait("barrier", 40)), await ask(syncd, wait())];
    const values = [master, ...rest].map((client) => client.value());
    expect(await Promise.all(values)).toEqual([90, 90, 90]);
  });

  test("keeps the byte order and the version of each client of one barrier", async () => {
    const syncd = await start();
    const big = await ask(syncd, init(3, true, "barrier", 33), { version: 2, byteOrder: "big" });
    const old = await ask(syncd, wait(), v1);
    const oldBig = await ask(syncd, wait(), { version: 1, byteOrder: "big", wideWord: true });
    await arrived(syncd, 3);
    const last = await ask(syncd, wait());
    expect((await big.heard).bytes.toString("hex")).toBe("00000021");
    expect((await old.heard).bytes.toString("hex")).toBe("01000000");
    expect((await oldBig.heard).bytes.toString("hex")).toBe("00000001");
    expect((await last.heard).bytes.toString("hex")).toBe("21000000");
  });

  test("a name may be used again at once", async () => {
    const syncd = await start();
    for (let round = 0; round < 5; round += 1) {
      const clients = [await ask(syncd, wait()), await ask(syncd, init(1))];
      expect(await Promise.all(clients.map((client) => client.value()))).toEqual([0, 0]);
    }
  });

  test("clear() answers every waiter of every barrier with 240, and names live on", async () => {
    const syncd = await start();
    const clients = [await ask(syncd, wait("a")), await ask(syncd, init(2, true, "b"))];
    await arrived(syncd, 1, "a");
    await arrived(syncd, 1, "b");
    syncd.syncd.clear();
    expect(await Promise.all(clients.map((client) => client.value()))).toEqual([240, 240]);
    const again = [await ask(syncd, wait("a")), await ask(syncd, init(1, true, "a"))];
    expect(await Promise.all(again.map((client) => client.value()))).toEqual([0, 0]);
  });

  test("a request word of 7 is closed without an answer, and the barrier goes on", async () => {
    const syncd = await start();
    const waiter = await ask(syncd, wait());
    const bad = await dial(syncd.syncd.port);
    const bytes = encodeRequest(wait(), v2);
    bytes[64] = 7;
    bad.stream.write(bytes);
    expect((await bad.heard).bytes).toHaveLength(0);
    expect(syncd.log.count("request word 7 is neither 1 (init) nor 2 (wait)")).toBe(1);
    expect(waiter.isOver).toBe(false);
    const master = await ask(syncd, init(1));
    expect(await Promise.all([waiter.value(), master.value()])).toEqual([0, 0]);
  });

  test("a limit of the core closes the request that passes it, and only that", async () => {
    const syncd = await start({ limits: { waitersPerBarrierMax: 2 } });
    const two = [await ask(syncd, wait()), await ask(syncd, wait())];
    await arrived(syncd, 2);
    const third = await ask(syncd, wait());
    expect((await third.heard).bytes).toHaveLength(0);
    expect(syncd.log.count("--limit waitersPerBarrierMax=VALUE")).toBe(1);
    two[0]?.stream.destroy();
    await arrived(syncd, 1);
    const master = await ask(syncd, init(1));
    expect(await Promise.all([master.value(), two[1]?.value()])).toEqual([0, 0]);
  });

  test("the describe request names who is there and who is missing", async () => {
    const syncd = await start({ nodeOf: () => "node7" });
    await ask(syncd, init(2));
    await ask(syncd, wait());
    await arrived(syncd, 2);
    const asker = await ask(syncd, { kind: "describe", name: "barrier" });
    const { bytes } = await asker.heard;
    expect(bytes.readUInt32LE()).toBe(bytes.length - 4);
    const { barrier } = JSON.parse(bytes.toString("utf8", 4));
    expect(barrier).toMatchObject({ name: "barrier", expected: 3, arrived: 2, count: 1 });
    expect(barrier.waiting[0].who.node).toBe("node7");
    expect(barrier.missing[0]).toContain("1 more, anonymous");
    const nobody = await ask(syncd, { kind: "describe", name: "other" });
    const other = (await nobody.heard).bytes.toString("utf8", 4);
    expect(JSON.parse(other)).toEqual({ version: 1, barrier: null });
  });

  test("report() lists every barrier with its waiters", async () => {
    const syncd = await start();
    await ask(syncd, wait("a", 5));
    await ask(syncd, init(4, true, "line\nbreak"));
    await arrived(syncd, 1, "a");
    await arrived(syncd, 1, "line\nbreak");
    await syncd.syncd.report();
    expect(syncd.log.count("barrier 'a': 1 waiters, count -1")).toBe(1);
    expect(syncd.log.count("barrier 'line\\x0abreak': 1 waiters, count 4")).toBe(1);
    expect(syncd.log.lines.some((line) => /^ {2}127\.0\.0\.1:\d+\/tcp error 5$/.test(line))).toBe(
      true,
    );
  });

  test("verbose lines tell of creation, inits, waits and releases, with counts", async () => {
    const syncd = await start({ verbose: true });
    const master = await ask(syncd, init(1));
    await arrived(syncd, 1);
    const waiter = await ask(syncd, wait());
    await Promise.all([master.value(), waiter.value()]);
    const told = syncd.log.lines.map((line) => line.replace(/127\.0\.0\.1:\d+/, "ADDRESS"));
    expect(told).toEqual([
      "barrier 'barrier': created",
      "barrier 'barrier': initialised by ADDRESS/tcp with 1, count 1",
      "barrier 'barrier': waiter ADDRESS/tcp, count 0",
      "barrier 'barrier': releasing ADDRESS/tcp",
      "barrier 'barrier': releasing ADDRESS/tcp",
    ]);
    syncd.syncd.setVerbose(false);
    const quiet = await ask(syncd, wait());
    await arrived(syncd, 1);
    quiet.stream.destroy();
    await until(() => syncd.log.count("removing") === 1, "removing is logged without verbose");
    expect(syncd.log.lines.slice(5, -1)).toEqual(["verbose logging off"]);
  });
});
