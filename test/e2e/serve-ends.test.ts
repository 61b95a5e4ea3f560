// SPDX-License-Identifier: MIT
// Goal: muster serve ends when it is told to, also while it still waits for its log. Method: the
// real command, and a broker that takes connections and says nothing.
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
  expect(stdout).toMatch(/^(muster: waiting .*\n)?muster: told to end before anybody was served\n$/);
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
