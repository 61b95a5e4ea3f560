// SPDX-License-Identifier: MIT
// Entries as messages of NATS (D4): at most `natsEntryBytesMax`, a larger single command alone, and
// of one that no message can carry a refusal in its place.
//
//   N1. Cut the same way each time: what is repeated after a failure has the same pieces.
//   N2. The pieces hold the commands of the entry in their order. A piece of a batch says how many
//       commands of it went before; all but the last say that others follow.
import type { Batch, Command, Entry } from "../core/command.ts";
import { LogError } from "./log.ts";
import { natsCommandBytesMax, natsEntryBytesMax } from "./nats-limits.ts";
import { parseStoredEntry } from "./stored-entry.ts";

/** The texts of the messages that carry an entry, at least one. */
export function cutEntry(entry: Entry): readonly string[] {
  const text = JSON.stringify(entry);
  if (Buffer.byteLength(text) <= natsEntryBytesMax) return [text];
  const { batches, ...head } = entry;
  const frame = Buffer.byteLength(JSON.stringify({ ...head, batches: [] }));
  const pieces: string[] = [];
  let batchTexts: string[] = [];
  let bytes = frame;
  const close = (): void => {
    if (batchTexts.length > 0) pieces.push(pieceOf(head, batchTexts));
    batchTexts = [];
    bytes = frame;
  };
  for (const batch of batches) {
    for (const part of cutBatch(batch, natsEntryBytesMax - frame)) {
      const partBytes = Buffer.byteLength(part) + 1;
      if (bytes + partBytes > natsEntryBytesMax) close();
      batchTexts.push(part);
      bytes += partBytes;
    }
  }
  close();
  return pieces;
}

function pieceOf(head: Omit<Entry, "batches">, batchTexts: readonly string[]): string {
  return `${JSON.stringify(head).slice(0, -1)},"batches":[${batchTexts.join(",")}]}`;
}

/** A batch as texts of at most `bytesMax`, but for single commands that are larger. */
function cutBatch(batch: Batch, bytesMax: number): readonly string[] {
  const whole = JSON.stringify(batch);
  if (Buffer.byteLength(whole) <= bytesMax) return [whole];
  const { commands, ...rest } = batch;
  // As long as the head of any piece of it.
  const longest = { ...rest, from: commands.length, more: true };
  const frame = Buffer.byteLength(JSON.stringify({ ...longest, commands: [] }));
  const cuts: { readonly from: number; readonly texts: string[] }[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [index, command] of commands.entries()) {
    const text = carried(command);
    const commandBytes = Buffer.byteLength(text) + 1;
    if (bytes + commandBytes > bytesMax) {
      cuts.push({ from: index, texts: [] });
      bytes = frame;
    }
    cuts.at(-1)?.texts.push(text);
    bytes += commandBytes;
  }
  return cuts.map(({ from, texts }, index) => {
    const head = { ...rest, from, ...(index === cuts.length - 1 ? {} : { more: true }) };
    return `${JSON.stringify(head).slice(0, -1)},"commands":[${texts.join(",")}]}`;
  });
}

function carried(command: Command): string {
  const text = JSON.stringify(command);
  if (Buffer.byteLength(text) <= natsCommandBytesMax) return text;
  const connection = "connection" in command ? command.connection : 0;
  const message = `a ${command.kind} of more than ${natsCommandBytesMax} bytes is too large for a log on NATS; send less at once`;
  return JSON.stringify({ kind: "refuse", connection, code: "limit", message });
}

/** @throws LogError (definite) when it is no entry. */
export function parseEntry(data: Uint8Array, sequence: number): Entry {
  const entry = parseStoredEntry(Buffer.from(data).toString());
  if (entry !== undefined) return entry;
  throw new LogError(`message ${sequence} of the log on NATS is no entry of a log`, {
    definite: true,
  });
}
