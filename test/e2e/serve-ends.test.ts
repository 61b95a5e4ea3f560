// SPDX-License-Identifier: MIT
// Goal: muster serve ends when it is told to, also while it still waits for its log, or when
// something of it would go on. Method: the real command; a broker that takes connections and says
// nothing; a server in its process that it knows nothing of.
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run, scratch, start } from "./support/command.ts";

it("ends by SIGTERM while its broker says nothing", async () => {
  const broker = createServer();
  const connected = new Promise((resolve) => broker.once("connection", resolve));
  await new Promise<void>((resolve) => broker.listen(0, "127.0.0.1", resolve));
  const { port } = broker.address() as AddressInfo;
  const log = ["--log", `nats://127.0.0.1:${port}/silent`, "--listen", "http=127.0.0.1:0"];
  const server = start("muster", ["serve", "--state", scratch(), ...log]);
  await connected;
  server.child.kill("SIGTERM");
  const { code, stdout } = await server.ended;
  // A slow machine may have said what it waits for.
  expect(code).toBe(143);
  expect(stdout).toMatch(
    /^(muster: waiting .*\n)?muster: told to end before anybody was served\n$/,
  );
  broker.close();
});

it("says that it swaps out where there is something up, and only there", async () => {
  const state = scratch();
  const file = join(scratch(), "up.ns");
  const node = "set n [$ns node]\n$n program-agent -command {sleep 1000}";
  writeFileSync(file, `set ns [new Simulator]\nsource tb_compat.tcl\n${node}\n$ns run\n`);
  for (const [isUp, said] of [
    [false, "closing"],
    [true, "swapping everything out"],
  ] as const) {
    const server = start("muster", ["serve", "--state", state]);
    await server.prints(/keeping the experiments/);
    if (isUp) expect((await run("muster", ["up", file, "--state", state])).code).toBe(0);
    server.child.kill("SIGTERM");
    const { code, stdout } = await server.ended;
    expect(code).toBe(0);
    expect(stdout.match(/^muster: (closing|swapping.*)$/gm)).toEqual([`muster: ${said}`]);
  }
});

it("ends when all is down, and says what would have kept it", async () => {
  const directory = scratch();
  const keeper = join(directory, "keeper.mjs");
  const listens = 'createServer().listen(0, "127.0.0.1")';
  const imports = ["createServer } from 'node:net'", "isMainThread } from 'node:worker_threads'"];
  const lines = imports.map((line) => `import { ${line};\n`).join("");
  writeFileSync(keeper, `${lines}if (isMainThread) ${listens};\n`);
  const env = { NODE_OPTIONS: `--import=${keeper}` };
  const server = start("muster", ["serve", "--state", join(directory, "state")], { env });
  await server.prints(/keeping the experiments/);
  server.child.kill("SIGTERM");
  const { code, stdout, stderr } = await server.ended;
  expect([code, stdout.split("\n").at(-2)]).toEqual([0, "muster: closing"]);
  expect(stderr).toMatch(/something keeps this process alive \(.*TCPServerWrap/);
});
