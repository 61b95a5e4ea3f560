// SPDX-License-Identifier: MIT
// Goal: an old and a new build serve one log together, whichever is replaced by the other (D12):
// nothing of the new one's is in the log while the old one lives, so that it may be taken back; and
// an old one that comes too late stops with what to do, before anybody hears of it. Method: the
// programs as they are built, and a copy of them that knows one version more, on a real
// nats-server.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterEach, expect, it } from "vitest";
import { coreVersionMax, keysVersion } from "../../src/core/version.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { Command, repository, scratch } from "./support/command.ts";

const brokers: NatsServer[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

/** The modules as they are built, with another version as the newest that they can follow. */
function buildOf(version: number): string {
  const folder = scratch();
  const isModule = (path: string): boolean => !path.startsWith(join(repository, "dist/programs"));
  cpSync(join(repository, "dist"), join(folder, "dist"), { recursive: true, filter: isModule });
  cpSync(join(repository, "package.json"), join(folder, "package.json"));
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const file = join(folder, "dist/core/version.js");
  const [text, other] = [coreVersionMax, version].map((max) => `VersionMax = ${max};`);
  const module = readFileSync(file, "utf8");
  expect(module.split(text ?? "")).toHaveLength(2);
  writeFileSync(file, module.replace(text ?? "", other ?? ""));
  return join(folder, "dist/cli/main.js");
}

const old = join(repository, "dist/programs/muster.js");

async function serve(program: string, name: string, log: string) {
  const state = scratch();
  const command = new Command(join(repository, "bin/node"), [
    ...[program, "serve", "--state", state, "--name", name, "--log", log],
    ...["--listen", "http=127.0.0.1:0", "--scheduler", "inside"],
  ]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  /** What `muster status` of this build prints of it. */
  const status = async (...argv: readonly string[]): Promise<string> => {
    const asked = [old, "status", "--state", state, ...argv];
    return (await new Command(join(repository, "bin/node"), asked).ended).stdout;
  };
  return { command, url, status };
}

/** Two parties of one barrier, each at another server. */
async function meet(barrier: string, ...urls: readonly string[]): Promise<void> {
  const post = async (url: string, what: string, body: unknown): Promise<number> => {
    const headers = { "content-type": "application/json" };
    const place = `${url}/v1/barriers/${barrier}/${what}`;
    return (await fetch(place, { method: "POST", headers, body: JSON.stringify(body) })).status;
  };
  const waits = urls.map((url) => post(url, "wait", { timeoutMs: 20_000 }));
  expect(await post(urls[0] ?? "", "init", { count: urls.length })).toBeLessThan(300);
  expect(new Set(await Promise.all(waits))).toEqual(new Set([200]));
}

it("an old and a new build are one cluster, in both directions, until the old one is gone", async () => {
  const broker = await NatsServer.start();
  brokers.push(broker);
  const log = `nats://${broker.address}/t`;
  const newer = buildOf(coreVersionMax + 1);
  const connection = await connectNats({ servers: broker.address });
  const raised: string[] = [];
  let onRaised: () => void = () => undefined;
  connection.subscribe("muster.t.log", {
    callback: (_, message) => {
      const text = message.string();
      if (!text.includes(`"kind":"version","version":${coreVersionMax + 1}`)) return;
      raised.push(text);
      onRaised();
    },
  });

  // The new one comes, serves beside the old one, and is taken back.
  const first = await serve(old, "a", log);
  const tried = await serve(newer, "b", log);
  await meet("both", first.url, tried.url);
  tried.command.child.kill("SIGTERM");
  expect((await tried.command.ended).code).toBe(0);
  const second = await serve(old, "c", log);
  await meet("back", first.url, second.url);

  // It comes for good. One old one ends, another one is away for longer than its lease.
  const good = await serve(newer, "b", log);
  await meet("again", first.url, second.url, good.url);
  second.command.child.kill("SIGTERM");
  await second.command.ended;
  first.command.child.kill("SIGSTOP");
  raised.length = 0;
  await new Promise<void>((resolve) => {
    onRaised = resolve;
  });
  const words = `raises the log to version ${coreVersionMax + 1}, and this build knows versions up to ${coreVersionMax}`;
  first.command.child.kill("SIGCONT");
  const stopped = await first.command.ended;
  expect(stopped.code).toBe(1);
  expect(stopped.stderr).toContain(words);
  const late = await new Command(join(repository, "bin/node"), [
    ...[old, "serve", "--state", scratch(), "--name", "a", "--log", log],
    ...["--listen", "http=127.0.0.1:0", "--scheduler", "inside"],
  ]).ended;
  expect([late.code, late.stdout]).toEqual([73, expect.not.stringContaining("http at")]);
  expect(late.stderr).toContain(words);
  await meet("alone", good.url);
  await connection.close();
});

it("a server says when ids of requests hold at one server only, and when they hold at all", async () => {
  const broker = await NatsServer.start();
  brokers.push(broker);
  const log = `nats://${broker.address}/t`;
  const first = await serve(buildOf(keysVersion - 1), "a", log);
  const second = await serve(old, "b", log);
  const readiness = async (): Promise<unknown> => (await fetch(`${second.url}/readyz`)).json();
  await second.command.prints(/(version \d+ until no server of an older build lives \(.*\));/);
  const ready = { name: "b", ready: true, why: [] };
  expect(await readiness()).toEqual({ ...ready, logVersion: keysVersion - 1 });
  const nothingUp = "no experiments; start one with: muster up FILE\n";
  expect(await second.status()).toBe(
    `${nothingUp}the log is of version ${keysVersion - 1} until no server of an older build lives ` +
      `(a), then of ${coreVersionMax}\n`,
  );
  const waiting = { version: keysVersion - 1, versionMax: coreVersionMax, olderServers: ["a"] };
  expect(JSON.parse(await second.status("--json"))).toEqual({ experiments: [], log: waiting });
  first.command.child.kill("SIGTERM");
  await first.command.ended;
  await second.command.prints(/an id of an HTTP request holds at all servers now/);
  expect(await readiness()).toEqual({ ...ready, logVersion: coreVersionMax });
  expect(await second.status()).toBe(
    `${nothingUp}the log is of version ${coreVersionMax}, the newest known here\n`,
  );
  // A log that ends with its server waits for nobody.
  expect(await (await serve(old, "c", "memory")).status()).toBe(nothingUp);
  second.command.child.kill("SIGTERM");
  const { stderr } = await second.command.ended;
  const lines = stderr.split("\n").filter((line) => line.includes("an id of an HTTP request"));
  const until = `until no server of an older build lives (a)`;
  const what = "until then an id of an HTTP request holds only at the server that heard it first";
  expect(lines).toEqual([
    `muster: the log is of version ${keysVersion - 1} ${until}; ${what}`,
    `muster: the log is of version ${coreVersionMax}: an id of an HTTP request holds at all servers now`,
  ]);
});
