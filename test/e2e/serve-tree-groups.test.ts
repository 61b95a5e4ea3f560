// SPDX-License-Identifier: MIT
// Goal: a controller of a tree may be a group of servers of one log: when the one that has a link
// dies, ends, stands still or is cut off, another one goes on with it, and who waits at the others
// is released, each once. Servers of a log that were told different things are refused. Method:
// real `muster serve` and a real nats-server; clients are the library.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type Session } from "../../src/client/index.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { Command, repository, scratch } from "./support/command.ts";

const muster = join(repository, "bin/muster");
let broker: NatsServer;
let logs = 0;

beforeAll(async () => {
  broker = await NatsServer.start();
});

afterAll(async () => {
  await broker.dispose();
});

/** A log that no other test has. */
function newLog(): string {
  logs += 1;
  return `nats://${broker.address}/group${logs}`;
}

interface Server {
  readonly command: Command;
  readonly state: string;
  readonly url: string;
}

function start(name: string, argv: readonly string[]): Omit<Server, "url"> {
  const state = scratch();
  const doors = ["--listen", "http=127.0.0.1:0", "--scheduler", "inside"];
  const command = new Command(muster, [
    "serve",
    "--state",
    state,
    "--name",
    name,
    ...doors,
    ...argv,
  ]);
  return { command, state };
}

async function serve(name: string, argv: readonly string[]): Promise<Server> {
  const { command, state } = start(name, argv);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  return { command, state, url };
}

async function below(server: Server): Promise<string> {
  const [, at = ""] = await server.command.prints(/controllers may join \S+ at (\S+),/);
  return at;
}

/** Resolves when so many are known there to wait at controllers below. */
async function arrived(session: Session, barrier: string, count: number): Promise<void> {
  for (;;) {
    const shown = await session.describe(barrier).catch(() => undefined);
    if (shown?.barriers[0]?.arrivedBelow === count) return;
    await sleep(systemClock, 20);
  }
}

/** One waits at each, of whom the first is known to all before `strike`; all are released. */
async function meet(
  barrier: string,
  [first, ...others]: readonly [Session, ...Session[]],
  strike: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const [root = first] = others;
  await root.countBarrier(barrier).init(1 + others.length);
  const waits = [first.countBarrier(barrier).wait()];
  await arrived(root, barrier, 1);
  await strike();
  for (const one of others) waits.push(one.countBarrier(barrier).wait());
  const generations = (await Promise.all(waits)).map(({ generation }) => generation);
  expect(generations).toEqual(waits.map(() => 1));
}

/** Leads to a socket, until it is closed. */
async function openWay(to: string) {
  const path = join(scratch(), "way.sock");
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(to);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on("error", () => one.destroy());
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(path);
  await once(server, "listening");
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const one of open) one.destroy();
    await closed;
  };
  return { path, close, [Symbol.asyncDispose]: close };
}

const scope = { scope: "default", leaseMs: 60_000 } as const;

describe("a group of servers below", () => {
  it.each([
    ["SIGKILL", "a socket"],
    ["SIGTERM", "a socket"],
    ["SIGSTOP", "a socket"],
    ["SIGKILL", "NATS"],
  ] as const)("goes on after %s of the one that has the link, over %s", async (signal, way) => {
    const at = way === "NATS" ? newLog() : join(scratch(), "c.sock");
    const top = await serve("top", ["--listen", `controllers=${at}`]);
    const key = join(top.state, "controllers.key");
    const parent = ["--parent", `top@${await below(top)}`, "--parent-key", key];
    const argv = ["--log", newLog(), "--controller", "east", ...parent];
    const e1 = await serve("e1", argv);
    await e1.command.prints(/east has joined top/);
    const e2 = await serve("e2", argv);
    await using atTop = await connect(top.url, scope);
    await using atE2 = await connect(e2.url, scope);
    await meet("before", [atE2, atTop]);
    await meet("during", [atE2, atTop], async () => {
      e1.command.child.kill(signal);
      await e2.command.prints(/east has joined top/);
    });
    if (signal === "SIGSTOP") {
      e1.command.child.kill("SIGCONT");
      await e1.command.prints(/joining anew/);
    }
    await meet("after", [atE2, atTop]);
    expect(top.command.stderr).not.toMatch(/lost/);
  });

  it("goes on by another when the one that has the link is cut off from the controller above", async () => {
    const top = await serve("top", ["--listen", `controllers=${join(scratch(), "c.sock")}`]);
    const key = join(top.state, "controllers.key");
    const argv = ["--log", newLog(), "--controller", "east", "--parent-key", key];
    await using way = await openWay(await below(top));
    const e1 = await serve("e1", [...argv, "--parent", `top@${way.path}`]);
    await e1.command.prints(/east has joined top/);
    const e2 = await serve("e2", [...argv, "--parent", `top@${await below(top)}`]);
    await using atTop = await connect(top.url, scope);
    await using atE1 = await connect(e1.url, scope);
    await using atE2 = await connect(e2.url, scope);
    await meet("before", [atE1, atTop, atE2]);
    await meet("during", [atE1, atTop, atE2], async () => {
      await way.close();
      await e2.command.prints(/east has joined top/);
    });
    expect(e1.command.stderr).toContain("nobody answers this server as top; another one of its");
    // Before the lease was over: with that a loss is told, and waits fail.
    expect(top.command.stderr + e2.command.stderr).not.toMatch(/lost|was failed/);
    await meet("after", [atE1, atTop, atE2]);
    expect(e2.command.stdout.match(/has joined top/g)).toHaveLength(1);
  });
});

describe("a group of another log, of the same name and key", () => {
  it("does not take the place of the first, whose server is killed and comes back", async () => {
    const top = await serve("top", ["--listen", `controllers=${join(scratch(), "c.sock")}`]);
    const key = join(top.state, "controllers.key");
    const parent = ["--parent", `top@${await below(top)}`, "--parent-key", key];
    const argv = ["--log", newLog(), "--controller", "east", ...parent];
    const e1 = await serve("e1", argv);
    await e1.command.prints(/east has joined top/);
    const x1 = await serve("x1", ["--log", newLog(), "--controller", "east", ...parent]);
    const refused = /another controller has joined top as east with a log of origin \d+, this one/;
    await x1.command.prints(refused);
    e1.command.child.kill("SIGKILL");
    await e1.command.ended;
    const again = await serve("e1", argv);
    await again.command.prints(/east has joined top/);
    expect(x1.command.stderr).not.toMatch(/east has joined top/);
    await using atTop = await connect(top.url, scope);
    await using atEast = await connect(again.url, scope);
    await meet("after", [atEast, atTop]);
  });
});

describe("a group of servers above", () => {
  it.each(["TCP", "NATS"])("goes on after kill -9 of one of them, over %s", async (way) => {
    const [log, nats] = [newLog(), newLog()];
    const key = join(scratch(), "top.key");
    const argv = ["--log", log, "--controller", "top", "--controllers-key", key];
    const at = way === "NATS" ? nats : "127.0.0.1:0";
    const listening = [...argv, "--listen", `controllers=${at}`];
    const t1 = await serve("t1", listening);
    const t2 = await serve("t2", listening);
    const places = way === "NATS" ? nats : `${await below(t1)},${await below(t2)}`;
    const east = await serve("east", ["--parent", `top@${places}`, "--parent-key", key]);
    await east.command.prints(/east has joined top/);
    await using atT2 = await connect(t2.url, scope);
    await using atEast = await connect(east.url, scope);
    await meet("during", [atEast, atT2], async () => {
      t1.command.child.kill("SIGKILL");
      await t1.command.ended;
    });
    await meet("after", [atEast, atT2]);
  });
});

describe("servers of one log", () => {
  it("have one key for those below", async () => {
    const argv = ["--log", newLog(), "--controller", "top", "--listen", "controllers=127.0.0.1:0"];
    await below(await serve("t1", argv));
    const other = join(scratch(), "other.key");
    writeFileSync(other, "another key of controllers\n");
    const { code, stderr } = await start("t2", [...argv, "--controllers-key", other]).command.ended;
    expect([code, stderr]).toEqual([
      64,
      expect.stringContaining("t1, which has the same log, has"),
    ]);
    expect(stderr).toContain(`another key for those below than ${other}; give all servers`);
  });

  it("have one name in a tree", async () => {
    const argv = ["--log", newLog(), "--listen", "controllers=127.0.0.1:0"];
    const t1 = await serve("t1", argv);
    await below(t1);
    const { code, stderr } = await start("t2", argv).command.ended;
    const why = "t1 says that it is t1, not t2; give --controller NAME, the same for all of them";
    expect([code, stderr]).toEqual([64, expect.stringContaining(why)]);
  });
});
