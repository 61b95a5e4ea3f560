// SPDX-License-Identifier: MIT
// Goal: a machine that has joined a server is where nodes of an experiment are that is brought up
// there, until either of them goes, also over TLS of a private authority; nobody joins without a
// token. Method: the commands in processes of their own; the machine is one with a directory of its
// own for temporary files.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Command } from "./support/command.ts";
import { run, scratch, start, until } from "./support/command.ts";
import { nodesWith, readResult, readText, sh } from "./support/experiment.ts";

interface Served {
  readonly serve: Command;
  readonly url: string;
  readonly state: string;
}

async function served(state: string, ...more: readonly string[]): Promise<Served> {
  const argv = ["serve", "--state", state, "--listen", "http=127.0.0.1:0", ...more];
  const serve = start("muster", argv);
  const [, url = ""] = await serve.prints(/http at (https?:\S+),/);
  return { serve, url, state };
}

function experimentFile(body: string): string {
  const file = join(scratch(), "joined.ns");
  writeFileSync(file, `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`);
  return file;
}

test("an experiment is brought up on a machine that has joined, and ends with it", async () => {
  const state = join(scratch(), "state");
  const created = await run("muster", [
    ...["token", "create", "--role", "admin", "--all-scopes", "--state", state, "--json"],
  ]);
  const { token } = JSON.parse(created.stdout) as { readonly token: string };
  const tls = scratch();
  for (const argv of [["init"], ["issue", "server", "127.0.0.1"]]) {
    expect((await run("muster", ["cert", ...argv, "--dir", tls])).code).toBe(0);
  }
  const { serve, url } = await served(state, "--tls", tls);
  const at = scratch();
  mkdirSync(join(at, "tmp"));
  const machine = { env: { MUSTER_TOKEN: token, TMPDIR: join(at, "tmp") } };
  const argv = ["node", "join", "far", "--server", url, "--ca", join(tls, "ca.pem")];
  const joining = start("muster", argv, machine);
  await joining.prints(/joined \S+ as far/);
  await serve.prints(/audit: join machine "far", by token \S+ \(admin\) from 127\.0\.0\.1:\d+\n/);
  const second = await run("muster", argv, machine);
  expect([second.code, second.stderr]).toEqual([
    1,
    "muster: a machine has joined as far; choose another name\n",
  ]);
  // One that is good for something else is told what makes another one, whole.
  const driver = await run("muster", [
    ...["token", "create", "--role", "driver", "--all-scopes", "--state", state, "--json"],
  ]);
  const { token: lesser } = JSON.parse(driver.stdout) as { readonly token: string };
  const refused = await run("muster", argv, { env: { MUSTER_TOKEN: lesser } });
  expect([refused.code, refused.stderr]).toEqual([
    1,
    "muster: a token of role driver may not do this (administer); " +
      "make one that may with: muster token create --role admin --all-scopes\n",
  ]);
  const nobody = await run("muster", argv, { env: { MUSTER_TOKEN: "" } });
  expect(nobody.stderr).toMatch(/^muster: no token was given, /);
  const stranger = await run("muster", argv, { env: { MUSTER_TOKEN: "mst_1_wrong" } });
  expect(stranger.code).toBe(1);
  expect(stranger.stderr).toContain("muster token create (here: in MUSTER_TOKEN)\n");

  const pair = nodesWith(
    sh("emulab-sync -i 1 -n met; ping -c 1 n1-l; sleep 1000"),
    sh("emulab-sync -n met; sleep 1000"),
  );
  const file = experimentFile(`${pair}\nset l [$ns duplex-link $n0 $n1 10Mb 10ms DropTail]`);
  const elsewhere = await run("muster", ["up", file, "--on", "near", "--state", state]);
  expect([elsewhere.code, elsewhere.stderr]).toEqual([
    64,
    "muster: no machine has joined as near; these have: far; on it: muster node join near --server URL\n",
  ]);
  const netns = ["--on", "far", "--nodes", "netns"];
  const up = await run("muster", ["up", file, ...netns, "--state", state]);
  expect(up.stderr).toBe("");
  const directory = /results in (.*)\n/.exec(up.stdout)?.[1] ?? "";
  const logs = join(directory, "nodes/n0/local/logs");
  const printed = (): string =>
    readdirSync(logs)
      .filter((name) => /\.out\.\d+$/.test(name))
      .map((name) => readText(join(logs, name)))
      .join("");
  await until("a node there has reached the other", () => printed().includes("1 received"));
  expect(Number(/ time=([\d.]+) ms/.exec(printed())?.[1])).toBeGreaterThanOrEqual(20);

  // What leaves in order takes its nodes along, and says so.
  joining.child.kill("SIGTERM");
  expect((await joining.ended).code).toBe(0);
  await serve.prints(/machine "far" is gone/);
  await until("the run is over", () => readText(join(directory, "result.json")) !== "");
  const { error, nodes } = readResult(directory);
  expect(error?.message).toMatch(/^the host far is lost, with its nodes: /);
  expect(nodes.map(({ host }) => host)).toEqual(["far", "far"]);
  expect(readdirSync(join(at, "tmp"))).toEqual([]);
  serve.child.kill("SIGTERM");
  expect((await serve.ended).code).toBe(0);
});

test("nobody joins without a token, also where none is asked for (E1)", async () => {
  const { url } = await served(join(scratch(), "state"));
  const joining = await run("muster", ["node", "join", "far", "--server", url]);
  expect([joining.code, joining.stderr]).toEqual([
    1,
    "muster: no token was given, and joining takes one of role admin; make one on the server with " +
      "muster token create --role admin --all-scopes, and set MUSTER_TOKEN to it here\n",
  ]);
});
