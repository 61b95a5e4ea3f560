// SPDX-License-Identifier: MIT
// Goal: `muster serve` is a GNUnet controller: the library, unchanged, finds it by the file that
// the server writes, at sockets or ports, and what is wrong on the command line is said. Method:
// real commands, C programs over Debian's library.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GnunetPrograms } from "../conformance/gnunet/programs.ts";
import { Command, repository, scratch } from "./support/command.ts";

const muster = join(repository, "bin/muster");
let programs: GnunetPrograms;

beforeAll(async () => {
  programs = await GnunetPrograms.build();
}, 120_000);

afterAll(() => programs.close());

/** @returns the path of the file for clients. */
async function serve(state: string, more: readonly string[]): Promise<string> {
  const command = new Command(muster, ["serve", "--state", state, ...more]);
  const [, config = ""] = await command.prints(/GNUNET_TESTBED_CONTROLLER_CONFIG=(\S+)/);
  return config;
}

async function meet(config: string): Promise<void> {
  const driver = programs.driver(config);
  driver.send("init start 100");
  await driver.said(/^status start 1$/);
  const waiters = programs.waiter(config, "start", "2");
  expect(await waiters.ended).toBe(0);
  await driver.said(/^status start 2$/);
  driver.send("quit");
  expect(await driver.ended).toBe(0);
}

describe("muster serve --listen gnunet", () => {
  it("is a controller at sockets that only its owner may use", async () => {
    const state = scratch();
    const [testbed, barrier] = [join(state, "t.sock"), join(state, "b.sock")];
    const config = await serve(state, [
      ...["--listen", `gnunet=${testbed}`, "--listen", `gnunet-barrier=${barrier}`],
      ...["--gnunet-peers", "2"],
    ]);
    expect(config).toBe(join(state, "gnunet.conf"));
    for (const path of [testbed, barrier]) expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readFileSync(config, "utf8")).toContain(`UNIXPATH = ${barrier}\n`);
    await meet(config);
  });

  it("is one at ports, in a scope of its own", async () => {
    const state = scratch();
    const config = await serve(state, [
      ...["--listen", "gnunet=0,scope=p/e", "--listen", "gnunet-barrier=127.0.0.1:0,scope=p/e"],
      ...["--gnunet-peers", "2"],
    ]);
    expect(config).toBe(join(state, "gnunet-p%2Fe.conf"));
    await meet(config);
  });

  it("turns away at a port who is in none of its networks", async () => {
    const state = scratch();
    const config = await serve(state, [
      ...["--listen", "gnunet=0", "--listen", "gnunet-barrier=0,allow=127.0.0.2"],
      ...["--gnunet-peers", "1", "--allow", "gnunet=127.0.0.0/8"],
    ]);
    const driver = programs.driver(config);
    driver.send("init start 100");
    await driver.said(/^status start 1$/);
    // The library comes from 127.0.0.1, and hears the end of its connection.
    expect(await programs.waiter(config, "start").ended).toBe(1);
  });

  it("reads the same from a file, and says what it would do", async () => {
    const directory = scratch();
    const file = join(directory, "serve.yaml");
    writeFileSync(
      file,
      [
        "name: east",
        "listen: [gnunet-barrier=/run/b.sock, controllers=2106]",
        "gnunet-peers: 4",
        "parent: top@127.0.0.1:2105",
        "parent-key: top.key",
        "",
      ].join("\n"),
    );
    const argv = ["serve", "--config", file, "--check-config"];
    const { stdout, stderr, code } = await new Command(muster, argv).ended;
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain("testbed-barrier at /run/b.sock, scope default\n");
    expect(stdout).toContain("controllers may join east at 127.0.0.1:2106\n");
    expect(stdout).toContain("east joins top at 127.0.0.1:2105\n");
  });

  it.each([
    [["--listen", "gnunet=nowhere:1"], 64, "nowhere is neither an address of this machine nor"],
    [["--listen", "gnunet=99999"], 64, "there is no port 99999"],
    [["--listen", "gnunet-barrier=2103,colour=red"], 64, "there is no setting 'colour'"],
    [["--listen", "gnunet=/missing/t.sock"], 73, "the directory of /missing/t.sock is not there"],
    [["--gnunet-peers", "2"], 64, "add --listen gnunet"],
    [["--listen", "gnunet", "--allow", "gnunet-barrier=10.0.0.0/8"], 64, "there is no such door"],
    [["--listen", "gnunet", "--allow", "gnunet=everybody"], 64, "DOOR=NETWORK,NETWORK"],
    [["--gnunet-peers", "many"], 64, "It must be a whole number from 0"],
    [["--limit", "gnunetBarriersMax=0", "--listen", "gnunet"], 64, "a positive whole number"],
  ])("refuses %j", async (argv, code, why) => {
    const command = new Command(muster, ["serve", "--state", scratch(), ...argv]);
    const end = await command.ended;
    expect(end.stderr).toContain(why);
    expect(end.code).toBe(code);
  });
});
