// SPDX-License-Identifier: MIT
// Goal: snapshots in a stream are those of the newest entries, newest first, whoever writes when,
// and of writers at one time none takes out what another has put in (D4). Method: two stores on one
// list of messages, one of them behind the other or in the middle of a write. What a real stream
// does is in snapshots.test.ts.
import { expect, it } from "vitest";
import {
  MessageSnapshots,
  type SnapshotMessages,
  type StoredMessage,
} from "../../../src/engine/message-snapshots.ts";
import { hashText, manifestFormat, sequenceOf } from "../../../src/engine/snapshots.ts";

function createMessages(): SnapshotMessages {
  const stored: StoredMessage[] = [];
  const indexes: StoredMessage[] = [];
  const deleted = new Set<number>();
  const store = (data: Uint8Array): StoredMessage => {
    const message = { sequence: stored.length + 1, data };
    stored.push(message);
    return message;
  };
  return {
    sendPart: async (data) => store(data).sequence,
    sendIndex: async (data, after) => {
      if ((indexes.at(-1)?.sequence ?? 0) !== after) return false;
      indexes.push(store(data));
      return true;
    },
    get: async (sequence) => (deleted.has(sequence) ? undefined : stored[sequence - 1]),
    newestIndex: async () => indexes.at(-1),
    indexFrom: async (from) => indexes.find(({ sequence }) => sequence >= from),
    describe: async () => ({ first: 1, deleted: [...deleted] }),
    delete: async (sequence) => void deleted.add(sequence),
    close: async () => undefined,
  };
}

/** @returns whether it was stored */
async function write(store: MessageSnapshots, sequence: number, text: string): Promise<boolean> {
  const parts = [hashText(text)];
  const manifest = { format: manifestFormat, sequence, digest: `d${sequence}`, parts };
  return (await store.write(manifest, new Map([[hashText(text), text]]))) !== undefined;
}

it("are not taken of one who is behind the newest", async () => {
  const messages = createMessages();
  const ahead = new MessageSnapshots(messages);
  const behind = new MessageSnapshots(messages);
  expect(await write(ahead, 105, "a")).toBe(true);
  expect(await write(behind, 100, "b")).toBe(false);
  expect((await ahead.list()).map(sequenceOf)).toEqual([105]);
  expect(await write(ahead, 110, "c")).toBe(true);
  expect(await write(behind, 90, "d")).toBe(false);
  await behind.prune();
  expect((await behind.list()).map(sequenceOf)).toEqual([110, 105]);
  expect(await behind.read(hashText("a"))).toBe("a");
  expect(await behind.read(hashText("c"))).toBe("c");
  await expect(behind.read(hashText("b"))).rejects.toThrow("is missing");
});

it("are taken of one of two who write at once, and of the other when it begins again (D4)", async () => {
  const messages = createMessages();
  const first = new MessageSnapshots(messages);
  await write(first, 100, "a");
  let isThere = false;
  const second = new MessageSnapshots({
    ...messages,
    // Between its parts and its index the other one writes, and deletes what nothing names.
    async sendIndex(data, after) {
      if (!isThere) {
        isThere = true;
        await write(first, 110, "b");
        await first.prune();
      }
      return messages.sendIndex(data, after);
    },
  });
  expect(await write(second, 120, "c")).toBe(false);
  expect((await first.list()).map(sequenceOf)).toEqual([110, 100]);
  expect(await write(second, 120, "c")).toBe(true);
  expect((await first.list()).map(sequenceOf)).toEqual([120, 110]);
  for (const text of ["b", "c"]) expect(await first.read(hashText(text))).toBe(text);
});

it("are those of the next index when the one that is being read is replaced, and none is damaged", async () => {
  const messages = createMessages();
  const said: string[] = [];
  const ahead = new MessageSnapshots(messages);
  for (const [sequence, text] of [
    [100, "a"],
    [110, "b"],
  ] as const) {
    await write(ahead, sequence, text);
  }
  let isThere = false;
  const reader = new MessageSnapshots(
    {
      ...messages,
      // What it asks for is deleted before it gets it.
      async get(sequence) {
        if (!isThere) {
          isThere = true;
          await write(ahead, 120, "c");
          await write(ahead, 130, "d");
          await ahead.prune();
        }
        return messages.get(sequence);
      },
    },
    (message) => said.push(message),
  );
  expect((await reader.list()).map(sequenceOf)).toEqual([130, 120]);
  expect(said).toEqual([]);
});

it("are those of a first index that is written while one is looked for, and none is damaged", async () => {
  const messages = createMessages();
  const first = new MessageSnapshots(messages);
  let asked = 0;
  const said: string[] = [];
  const onDamaged = (message: string): void => void said.push(message);
  const second = new MessageSnapshots(
    {
      ...messages,
      async newestIndex() {
        asked += 1;
        if (asked > 1) return messages.newestIndex();
        await write(first, 100, "a");
        return undefined;
      },
    },
    onDamaged,
  );
  expect(await write(second, 110, "b")).toBe(true);
  expect((await second.list()).map(sequenceOf)).toEqual([110, 100]);
  expect(said).toEqual([]);
});
