// SPDX-License-Identifier: MIT
// Goal: the list of a backup is taken only when it can be what was written (A2, A3): a list of
// several logs is never read as one, nor one of one log as several, and nothing that is missing in
// it is guessed. Two who make one at a time do not mix what they write (A4). Method: real
// directories; the list of a good backup, changed in one place.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type BackupList,
  backupParts,
  folderOfShard,
  makeBackup,
  readBackup,
  type SavedLog,
  type SavedLogs,
} from "../../../src/engine/backup.ts";
import { LogError } from "../../../src/engine/log.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "muster-backup-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const stream = { config: { name: "s" }, state: { last_seq: 10 } };
const about = { log: stream, topics: stream, snapshots: stream };

/** Of so many logs, with a few bytes in each file. */
function make(count: number, kind: BackupList["kind"] = "nats"): Promise<BackupList> {
  const fill = async (folder: string) => {
    const logs = Array.from({ length: count }, (_, shard): SavedLog => {
      const into = folderOfShard(folder, shard);
      mkdirSync(into, { recursive: true });
      for (const part of backupParts) writeFileSync(join(into, part), `${shard} ${part}`);
      return { first: 1, head: 10 + shard, about };
    });
    const [first, ...others] = logs as [SavedLog, ...SavedLog[]];
    return { kind, of: "a log", ...first, ...(count === 1 ? {} : { others }) };
  };
  return makeBackup(join(root, "saved"), fill, 0);
}

const listFile = (): string => join(root, "saved/backup.json");
function change(edit: (list: Record<string, unknown>) => unknown): void {
  const list = JSON.parse(readFileSync(listFile(), "utf8")) as Record<string, unknown>;
  writeFileSync(listFile(), JSON.stringify(edit(list)));
}

async function refusal(): Promise<string> {
  const error = await readBackup(join(root, "saved")).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LogError);
  expect((error as LogError).definite).toBe(true);
  return (error as LogError).message;
}

describe("the directory of a backup", () => {
  const fillWith =
    (text: string, meanwhile: () => Promise<void>) =>
    async (folder: string): Promise<SavedLogs> => {
      for (const part of backupParts) writeFileSync(join(folder, part), `${text} ${part}`);
      await meanwhile();
      for (const part of backupParts) writeFileSync(join(folder, part), `${text} ${part} whole`);
      return { kind: "nats", of: "a log", first: 1, head: 10, about };
    };

  it("A4: of two who make it at a time, one has it, whole, and the other is told", async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const slow = makeBackup(
      join(root, "saved"),
      fillWith("slow", () => {
        begin();
        return done;
      }),
      Date.now(),
    );
    await begun;
    const quick = fillWith("quick", () => Promise.resolve());
    await makeBackup(join(root, "saved"), quick, Date.now());
    finish();
    await expect(slow).rejects.toThrow("is not empty; name a directory that is not there");
    expect((await readBackup(join(root, "saved"))).head).toBe(10);
    expect(readFileSync(join(root, "saved/log"), "utf8")).toBe("quick log whole");
    expect(readdirSync(root)).toEqual(["saved"]);
  });

  it("is made beside what one left who was killed, which goes after a day", async () => {
    const dayMs = 86_400_000;
    const [old, young] = [".saved.partial-a", ".saved.partial-b"];
    for (const left of [old, young]) mkdirSync(join(root, left));
    utimesSync(join(root, old), 0, (Date.now() - dayMs - 60_000) / 1000);
    await makeBackup(
      join(root, "saved"),
      fillWith("one", () => Promise.resolve()),
      Date.now(),
    );
    expect(readdirSync(root).sort()).toEqual([young, "saved"]);
  });

  it("takes the place of an empty one, with rights for its owner alone", async () => {
    mkdirSync(join(root, "saved"));
    await make(1);
    expect(statSync(join(root, "saved")).mode & 0o777).toBe(0o700);
  });
});

describe("the list of a backup", () => {
  it("that is not there is said to be so", async () => {
    expect(await refusal()).toMatch(/saved is not there; name the directory that muster backup/);
    mkdirSync(join(root, "saved"));
    expect(await refusal()).toContain("is no backup of Muster");
  });

  it.each([1, 2, 3])("of %d logs is read as it was written", async (count) => {
    const made = await make(count);
    expect(made.format).toBe(count === 1 ? 1 : 2);
    expect(await readBackup(join(root, "saved"))).toEqual(JSON.parse(JSON.stringify(made)));
  });

  it("A3: of one log is not one of several, nor the other way round", async () => {
    await make(1);
    change((list) => ({ ...list, format: 2 }));
    expect(await refusal()).toContain("has the format of several logs (2), and names one; use");
    rmSync(join(root, "saved"), { recursive: true });
    await make(3);
    change((list) => ({ ...list, format: 1 }));
    expect(await refusal()).toContain("has the format of one log (1), and names 3; use another");
    change(({ others, ...list }) => ({ ...list, format: 2 }));
    expect(await refusal()).toContain("and names one");
  });

  const withoutAbout = ({ files, ...list }: Record<string, unknown>, part: string) => {
    const { about: _, ...file } = (files as Record<string, Record<string, unknown>>)[part] ?? {};
    return { ...list, files: { ...(files as object), [part]: file } };
  };

  it.each<readonly [string, (list: Record<string, unknown>) => unknown]>([
    ["was made by a newer Muster (format 3, this one reads 2)", (list) => ({ ...list, format: 3 })],
    ["has no format", ({ format, ...list }) => list],
    ["has no format", () => null],
    ["has no format", (list) => ({ ...list, format: 0 })],
    ["has no format", (list) => ({ ...list, format: "1" })],
    ["says of no log what it is", (list) => ({ ...list, kind: "paper" })],
    ["has others that are no logs", (list) => ({ ...list, format: 2, others: [] })],
    ["has others that are no logs", (list) => ({ ...list, format: 2, others: { length: 1 } })],
    ["does not name every file", (list) => ({ ...list, files: {} })],
    ["does not name every file", ({ files, ...list }) => list],
    ["does not name every file", (list) => ({ ...list, format: 2, others: [null] })],
    ["does not say of every file which stream", (list) => withoutAbout(list, "topics")],
    ["shard-1/log is missing", (list) => ({ ...list, format: 2, others: [list] })],
  ])("is refused when it %s", async (why, edit) => {
    await make(1);
    change(edit);
    expect(await refusal()).toContain(why);
  });

  it("is refused when a log in a file is said to be several", async () => {
    await make(2, "sqlite");
    expect(await refusal()).toContain("a log in a file is one");
  });
});
