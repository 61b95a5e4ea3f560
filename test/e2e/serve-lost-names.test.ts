// SPDX-License-Identifier: MIT
// Goal: nothing that `muster serve` has acknowledged is lost by a kill when files of its log were
// removed or moved while it ran, and a second server never gets a log that a first one has. Method:
// real servers, whose files are taken away between two requests, and `kill -9`.
import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashText, manifestFormat } from "../../src/engine/snapshots.ts";
import { SqliteSnapshots } from "../../src/engine/sqlite-snapshots.ts";
import { Command, repository, scratch } from "./support/command.ts";

const muster = join(repository, "bin/muster");
const servers: Command[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await kill(server);
});

let file = "";
beforeEach(() => {
  file = join(scratch(), "core.log");
});

function launch(path = file): Command {
  const argv = ["serve", "--state", scratch(), "--log", `sqlite:${path}`];
  const more = ["--limit", "snapshotEntriesMax=5"];
  const server = new Command(muster, [...argv, "--listen", "http=127.0.0.1:0", ...more]);
  servers.push(server);
  return server;
}

async function serve(): Promise<{ readonly server: Command; readonly url: string }> {
  const server = launch();
  const [, url = ""] = await server.prints(/http at (https?:\S+),/);
  return { server, url };
}

async function kill(server: Command): Promise<void> {
  server.child.kill("SIGKILL");
  await server.ended;
}

/** @returns the status of the answer */
async function publish(url: string, message: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  const asked = { method: "POST", headers, body: JSON.stringify({ message }) };
  return (await fetch(`${url}/v1/topics/t`, asked)).status;
}

const publishUntilTaken = (url: string, message: string): Promise<unknown> =>
  expect.poll(() => publish(url, message), { timeout: 30_000 }).toBe(200);

function newestOf(snapshots: string): number {
  const database = new DatabaseSync(snapshots, { readOnly: true });
  const row = database.prepare("SELECT max(sequence) AS newest FROM snapshots").get();
  database.close();
  return Number(row?.["newest"]);
}

async function messagesOf(url: string): Promise<readonly string[]> {
  const answer = await fetch(`${url}/v1/topics/t`);
  const { messages } = (await answer.json()) as { messages: { message: string }[] };
  return messages.map(({ message }) => message);
}

describe("a server whose files are taken away", () => {
  it.each([
    ["the log's write-ahead log", ["-wal"]],
    ["all beside the log", ["-wal", "-shm", ".lock"]],
    ["the topics' write-ahead log", [".topics-wal"]],
    ["all beside the topics", [".topics-wal", ".topics-shm"]],
  ])("has what it acknowledged after a kill: %s", async (_, ends) => {
    const { server, url } = await serve();
    for (const message of ["a", "b"]) expect(await publish(url, message)).toBe(200);
    for (const end of ends) rmSync(`${file}${end}`);
    for (const message of ["c", "d", "e"]) expect(await publish(url, message)).toBe(200);
    expect(server.stderr).toMatch(/-wal.* was removed or replaced while it was open; nothing is/);
    await kill(server);
    const again = await serve();
    expect(await messagesOf(again.url)).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("goes on when its log is back, and has what it acknowledged before and after", async () => {
    const { server, url } = await serve();
    for (const message of ["a", "b"]) expect(await publish(url, message)).toBe(200);
    renameSync(file, `${file}.old`);
    // Removes the write-ahead log that has the name of its own.
    const other = new DatabaseSync(file);
    other.exec("CREATE TABLE x (a)");
    other.close();
    expect(await publish(url, "c")).toBe(503);
    renameSync(`${file}.old`, file);
    await publishUntilTaken(url, "d");
    await kill(server);
    const again = await serve();
    const messages = await messagesOf(again.url);
    expect([messages.slice(0, 2), messages.at(-1)]).toEqual([["a", "b"], "d"]);
  });

  it("is the only one, by whichever name", async () => {
    await serve();
    symlinkSync(file, `${file}.sym`);
    expect(await launch(`${file}.sym`).ended).toMatchObject({
      code: 73,
      stderr: `muster: ${file} is in use by another Muster; stop it, or choose another file\n`,
    });
  });
});

describe("a start with snapshots that are damaged", () => {
  it("says once that the only one is not taken, and what is read in its place", async () => {
    const { server, url } = await serve();
    await publish(url, "a");
    await kill(server);
    const damaged = SqliteSnapshots.open(`${file}.snapshots`, () => undefined);
    const parts = [hashText("gone")];
    await damaged.write({ format: manifestFormat, sequence: 1, digest: "d", parts }, new Map());
    await damaged.close();
    const again = await serve();
    expect(await messagesOf(again.url)).toEqual(["a"]);
    for (const message of ["b", "c", "d", "e", "f"]) await publish(again.url, message);
    // Who makes snapshots has found it as well, before the next was made.
    await expect.poll(() => newestOf(`${file}.snapshots`), { timeout: 30_000 }).toBeGreaterThan(1);
    const said = again.server.stderr.match(/the snapshot at entry 1 is not taken: .*/g);
    expect(said).toEqual([
      expect.stringMatching(/is missing; there is none before it: the log is read from its begin/),
    ]);
  });

  it("says once what it does without them, and does that", async () => {
    const { server, url } = await serve();
    await publish(url, "a");
    await kill(server);
    const snapshots = `${file}.snapshots`;
    writeFileSync(snapshots, "no database ".repeat(1_000));
    rmSync(`${snapshots}-wal`, { force: true });
    const again = await serve();
    expect(await messagesOf(again.url)).toEqual(["a"]);
    expect(again.server.stderr).toContain(
      `it is put aside as ${snapshots}.damaged, and what it stood for is read from the log`,
    );
    expect(again.server.stderr).not.toContain("choose another file");
    expect(again.server.stderr.match(/put aside/g)).toHaveLength(1);
    expect(readFileSync(`${snapshots}.damaged`, "utf8")).toContain("no database");
  });
});
