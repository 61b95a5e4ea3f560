// SPDX-License-Identifier: MIT
// Goal: `muster serve` processes are a tree of controllers: a driver of GNUnet at the root, peers
// below, each told when another process dies. Method: real commands, C programs over Debian's
// library; leases of a second, so that a death is known soon.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { GnunetPrograms } from "../conformance/gnunet/programs.ts";
import { until } from "../unit/syncd/harness.ts";
import { Command, repository, scratch } from "./support/command.ts";

const muster = join(repository, "bin/muster");
const lease = ["--limit", "edgeLeaseUs=1000000"];
let programs: GnunetPrograms;
let broker: NatsServer;

beforeAll(async () => {
  programs = await GnunetPrograms.build();
  broker = await NatsServer.start();
}, 120_000);

afterAll(async () => {
  programs.close();
  await broker.dispose();
});

interface Controller {
  readonly command: Command;
  readonly state: string;
  readonly config: string;
  /** Where others join below it, and the file of the key. */
  readonly below: string;
}

interface Above {
  readonly name: string;
  readonly controller: Controller;
}

/** @param at where others may join, if not at a path */
async function serve(name: string, peers: number, above?: Above, at?: string): Promise<Controller> {
  const state = scratch();
  const parent =
    above === undefined
      ? []
      : [
          ...["--parent", `${above.name}@${above.controller.below}`],
          ...["--parent-key", join(above.controller.state, "controllers.key")],
        ];
  const command = new Command(muster, [
    ...["serve", "--state", state, "--name", name, ...parent, ...lease],
    ...["--listen", `gnunet=${join(state, "t.sock")}`, "--gnunet-peers", String(peers)],
    ...["--listen", `gnunet-barrier=${join(state, "b.sock")}`],
    ...["--listen", `controllers=${at ?? join(state, "c.sock")}`],
  ]);
  const [, config = ""] = await command.prints(/GNUNET_TESTBED_CONTROLLER_CONFIG=(\S+)/);
  const [, below = ""] = await command.prints(/controllers may join \S+ at (\S+),/);
  if (above !== undefined) await command.prints(/has joined/);
  return { command, state, config, below };
}

/** One with a door for `muster barrier`. */
async function serveBarriers(name: string, argv: readonly string[]) {
  const state = scratch();
  const scheduler = ["--scheduler", "inside"];
  const command = new Command(muster, [
    "serve",
    "--state",
    state,
    "--name",
    name,
    ...scheduler,
    ...argv,
  ]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  return { command, state, url };
}

describe("muster serve --parent", () => {
  it.each([
    ["sockets in the file system", () => undefined],
    ["TCP", () => "0"],
    ["NATS", () => `nats://${broker.address}`],
  ])("makes one barrier of three processes in a row, over %s", async (_what, place) => {
    const at = place();
    const root = await serve("top", 0, undefined, at);
    const middle = await serve("middle", 1, { name: "top", controller: root }, at);
    const leaf = await serve("leaf", 2, { name: "middle", controller: middle }, at);
    const driver = programs.driver(root.config);
    driver.send("init start 100");
    await driver.said(/^status start 1$/);
    const peers = [middle, leaf, leaf].map(({ config }) => programs.waiter(config, "start"));
    for (const peer of peers) expect(await peer.ended).toBe(0);
    await driver.said(/^status start 2$/);
  });

  it.each([
    ["a socket in the file system", () => undefined],
    ["NATS", () => `nats://${broker.address}/barriers`],
  ])(
    "makes one barrier of every kind of two processes over %s, from whichever it is made",
    async (_what, place) => {
      const http = ["--listen", "http=127.0.0.1:0"];
      const root = await serveBarriers("top", [
        ...["--listen", `controllers=${place() ?? join(scratch(), "c.sock")}`, ...lease, ...http],
      ]);
      const [, at = ""] = await root.command.prints(/controllers may join \S+ at (\S+),/);
      const key = join(root.state, "controllers.key");
      const leaf = await serveBarriers("leaf", [
        ...["--parent", `top@${at}`, "--parent-key", key, ...lease, ...http],
      ]);
      await leaf.command.prints(/has joined/);
      const barrier = (url: string, ...argv: readonly string[]): Command =>
        new Command(muster, ["barrier", ...argv, "--server", url]);
      const waits = [leaf, root, leaf].map(({ url }) =>
        barrier(url, "wait", "b", "--kind", "count"),
      );
      expect((await barrier(leaf.url, "init", "b", "3").ended).code).toBe(0);
      expect(await Promise.all(waits.map(async ({ ended }) => (await ended).code))).toEqual([
        0, 0, 0,
      ]);

      // Ended from below, for those at the root.
      const wait = barrier(root.url, "wait", "c", "--kind", "count");
      const order = (): Promise<{ code: number | null }> =>
        barrier(leaf.url, "fail", "c", "no more").ended;
      let code = (await order()).code;
      for (; code !== 0; code = (await order()).code) expect(code).toBe(1);
      const ended = await wait.ended;
      expect([ended.code, ended.stderr]).toEqual([4, expect.stringContaining("no more")]);

      // A roster whose members come to both, opened below.
      const parts = ["--member", "n2", "--at", "/=n1"];
      const opened = await barrier(leaf.url, "init", "r", "--kind", "roster", ...parts).ended;
      expect([opened.code, opened.stdout]).toEqual([0, expect.stringContaining("open for 2")]);
      const first = barrier(leaf.url, "wait", "r", "--name", "n2");
      const strange = await barrier(leaf.url, "wait", "r", "--name", "n1").ended;
      expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining("not expected")]);
      const second = await barrier(root.url, "wait", "r", "--name", "n1").ended;
      expect([second.code, (await first.ended).code]).toEqual([0, 0]);

      const signals = [leaf, root].map(({ url }) =>
        barrier(url, "wait", "s", "--signal", "--target", "2", "--kind", "state"),
      );
      expect(await Promise.all(signals.map(async ({ ended }) => (await ended).code))).toEqual([
        0, 0,
      ]);

      // Who dies below is told of at the root.
      const left = barrier(root.url, "wait", "d", "--kind", "count");
      const below = barrier(leaf.url, "wait", "d", "--kind", "count");
      const shown = async () => (await barrier(root.url, "show", "d").ended).stdout;
      let text = await shown();
      for (; !text.includes("2 are there"); text = await shown())
        expect(left.child.exitCode).toBeNull();
      expect(text).toContain("at controllers below: 1");
      leaf.command.child.kill("SIGKILL");
      const told = await left.ended;
      expect([told.code, told.stderr]).toEqual([4, expect.stringContaining("sub-controller leaf")]);
      below.child.kill("SIGKILL");
      await below.ended;
    },
  );

  it("tells who waits that the controller above is gone, and does not wait for it", async () => {
    const root = await serve("root", 0);
    const east = await serve("east", 2, { name: "root", controller: root });
    const driver = programs.driver(root.config);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const client = programs.python();
    for (const [id, name] of [
      ["counted", "b"],
      ["refused", "nobody"],
    ] as const) {
      await client.open(id, join(east.state, "b.sock"));
      client.send(id, { wait: { name } });
    }
    // They are answered in the order in which they came.
    await client.heard("refused", 1);
    expect(client.told("counted")).toEqual([]);
    root.command.child.kill("SIGKILL");
    const [told] = await client.heard("counted", 1);
    expect(told).toMatchObject({ status: 3, name: "b" });
    expect(told?.text).toContain("the controller above, root, was lost");
    await driver.ended;
  });

  it("tells the driver the name of a controller that is killed", async () => {
    const root = await serve("root", 0);
    const east = await serve("east", 2, { name: "root", controller: root });
    const driver = programs.driver(root.config);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    east.command.child.kill("SIGKILL");
    expect(await driver.said(/^status b -1/)).toContain("controller east: ");
  });

  it.each([
    ["here", []],
    // What a remote shell does: its last word is a line for the shell over there.
    ["over a remote shell", ["--below-shell", "env TOLD=%u@%h:%p sh -c"]],
  ])("starts controllers below it %s, again when one dies, and ends them", async (_what, shell) => {
    const state = scratch();
    writeFileSync(
      join(state, "start"),
      `host=$1; shift; echo $$ "$TOLD" >"${state}/$host.pid"
exec "${muster}" serve --state "${state}/$host" --parent-key "${state}/controllers.key" \\
  --listen "gnunet-barrier=${state}/$host.sock" --gnunet-peers 1 "$@"\n`,
    );
    const command = new Command(muster, [
      ...["serve", "--state", state, "--name", "top", "--listen", `gnunet=${state}/t.sock`],
      ...["--listen", `controllers=${state}/c.sock`, ...lease, ...shell],
      ...["--below", "ann@east:2222", "--below", "west"],
      ...["--below-command", `sh ${state}/start %h`],
    ]);
    const pidOf = (host: string) => readFileSync(join(state, `${host}.pid`), "utf8").split(" ");
    await command.prints(/west: west has joined top/);
    await command.prints(/east: east has joined top/);
    const driver = programs.driver(join(state, "gnunet.conf"));
    const meet = async (name: string): Promise<void> => {
      driver.send(`init ${name} 100`);
      await driver.said(new RegExp(`^status ${name} 1$`));
      const waiters = ["east", "west"].map((host) =>
        programs.waiter(join(state, host, "gnunet.conf"), name),
      );
      for (const waiter of waiters) expect(await waiter.ended).toBe(0);
    };
    await meet("first");
    const [pid, told] = pidOf("east");
    expect(told?.trim()).toBe(shell.length === 0 ? "" : "ann@east:2222");
    process.kill(Number(pid), "SIGKILL");
    await command.prints(/(?:east has joined top[\s\S]*){2}/);
    await meet("second");
    command.child.kill("SIGTERM");
    expect((await command.ended).code).toBe(0);
    for (const host of ["east", "west"]) {
      await until(() => !isAlive(Number(pidOf(host)[0])), `${host} has ended`);
    }
  });

  it("says what is wrong with a parent", async () => {
    const state = scratch();
    const run = (...argv: readonly string[]) =>
      new Command(muster, ["serve", "--state", state, ...argv]).ended;
    const noKey = await run("--name", "east", "--parent", "root@127.0.0.1:1");
    expect([noKey.code, noKey.stderr]).toEqual([66, expect.stringContaining("controllers.key")]);
    const same = await run("--parent", "127.0.0.1:1");
    expect([same.code, same.stderr]).toEqual([64, expect.stringContaining("is called so, too")]);
    const noDoor = await run("--below", "east");
    expect([noDoor.code, noDoor.stderr]).toEqual([64, expect.stringContaining("controllers=")]);
    const option = await run("--below", "-oProxy", "--below-shell", "ssh %h");
    expect([option.code, option.stderr]).toEqual([64, expect.stringContaining("no name of a")]);
    const nowhere = await run("--name", "east", "--parent", "nowhere");
    expect([nowhere.code, nowhere.stderr]).toEqual([64, expect.stringContaining("NAME@ADDRESS")]);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
