// SPDX-License-Identifier: MIT
// Goal: snapshots in a stream are those of the newest entries, newest first, whoever writes when.
// Method: two stores on one list of messages, one of them behind the other. What a real stream does
// is in snapshots.test.ts.
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
  return {
    send: async (kind, data) => {
      const message = { sequence: stored.length + 1, data };
      stored.push(message);
      if (kind === "index") indexes.push(message);
      return message.sequence;
    },
    get: async (sequence) => (deleted.has(sequence) ? undefined : stored[sequence - 1]),
    newestIndex: async () => indexes.at(-1),
    describe: async () => ({ first: 1, deleted: [...deleted] }),
    delete: async (sequence) => void deleted.add(sequence),
    close: async () => undefined,
  };
}

async function write(store: MessageSnapshots, sequence: number, text: string): Promise<void> {
  const parts = [hashText(text)];
  const manifest = { format: manifestFormat, sequence, digest: `d${sequence}`, parts };
  await store.write(manifest, new Map([[hashText(text), text]]));
}

it("are in the order of their entries when one who is behind writes last", async () => {
  const messages = createMessages();
  const ahead = new MessageSnapshots(messages);
  const behind = new MessageSnapshots(messages);
  await write(ahead, 105, "a");
  await write(behind, 100, "b");
  expect((await ahead.list()).map(sequenceOf)).toEqual([105, 100]);
  await write(ahead, 110, "c");
  await write(behind, 90, "d");
  await behind.prune();
  expect((await behind.list()).map(sequenceOf)).toEqual([110, 105]);
  expect(await behind.read(hashText("a"))).toBe("a");
  expect(await behind.read(hashText("c"))).toBe("c");
  await expect(behind.read(hashText("b"))).rejects.toThrow("is missing");
});
