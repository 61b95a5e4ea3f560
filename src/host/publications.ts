// SPDX-License-Identifier: MIT
// Stores the messages that sessions publish before the batch that names them is logged (D11), and
// remembers of each batch that is not known to be applied what became of it: a session that was cut
// sends it again, and then it must name the same messages.
//
//   M1. A batch that the log was given gets its messages stored once, however often it comes.
//   M2. What the log does not name and never will is given free: a batch that the log has not been
//       given when its link goes, what is left of one when those up to it count, and what an
//       incarnation leaves when it ends. To free what is free already does no harm (Y2).
//   M3. What the log may name stays. The next start finds out what it does not.
import type { Command, PayloadRef } from "../core/command.ts";
import type { EdgeCommand, TopicPublish } from "../wire/link/frames.ts";
import { refuse } from "./check-frame.ts";
import { keyOf } from "./life-table.ts";
import { whyNotStored } from "./message-writer.ts";

/** Where messages are kept. */
export interface MessageStore {
  write(message: Uint8Array): Promise<PayloadRef>;
  free(ids: readonly number[]): void;
}

interface Life {
  readonly edge: string;
  readonly incarnation: number;
}

/** A batch of a session, its messages stored or being stored. */
export interface PreparedBatch {
  /** As the log gets them; a message that could not be stored is refused in its place. */
  readonly commands: Promise<readonly Command[]>;
}

class Prepared implements PreparedBatch {
  commands: Promise<readonly Command[]> = Promise.resolve([]);
  /** The link that has sent it last. */
  owner: object;
  /** The log has been given it: it may come to name its messages. */
  isTaken = false;
  isDropped = false;
  /** Its messages that are in no topic yet. */
  readonly ids: Set<number> = new Set();

  constructor(owner: object) {
    this.owner = owner;
  }
}

export class Publications {
  readonly #store: MessageStore;
  /** By incarnation, then number of the batch. */
  readonly #lives = new Map<string, Map<number, Prepared>>();
  /** Whose message it is, while it is in no topic. */
  readonly #owners = new Map<number, Prepared>();

  constructor(store: MessageStore) {
    this.#store = store;
  }

  /** Incarnations of which something is remembered. */
  get size(): number {
    return this.#lives.size;
  }

  /** M1. The batch, if it was there before. @param owner the link that has sent it now. */
  find(owner: object, life: Life, number: number): PreparedBatch | undefined {
    if (this.#lives.size === 0) return undefined;
    const found = this.#lives.get(keyOf(life))?.get(number);
    if (found !== undefined) found.owner = owner;
    return found;
  }

  /** M1. */
  prepare(
    owner: object,
    life: Life,
    number: number,
    commands: readonly EdgeCommand[],
  ): PreparedBatch {
    const prepared = new Prepared(owner);
    const batches = this.#lives.get(keyOf(life)) ?? new Map<number, Prepared>();
    this.#lives.set(keyOf(life), batches);
    batches.set(number, prepared);
    prepared.commands = Promise.all(commands.map((command) => this.#storeOne(prepared, command)));
    return prepared;
  }

  /** The log is given the batch. */
  taken(life: Life, number: number): void {
    if (this.#lives.size === 0) return;
    const found = this.#lives.get(keyOf(life))?.get(number);
    if (found !== undefined) found.isTaken = true;
  }

  /** M2. The link is gone. */
  left(owner: object, life: Life): void {
    const batches = this.#lives.get(keyOf(life));
    for (const [number, prepared] of batches ?? []) {
      if (prepared.owner !== owner || prepared.isTaken) continue;
      batches?.delete(number);
      this.#drop(prepared);
    }
    if (batches?.size === 0) this.#lives.delete(keyOf(life));
  }

  /** M3. The message is in its topic. */
  kept(id: number): void {
    this.#owners.get(id)?.ids.delete(id);
    this.#owners.delete(id);
  }

  /** M2. The batches up to `number` count, and do not come again. */
  applied(life: Life, number: number): void {
    const batches = this.#lives.get(keyOf(life));
    if (batches === undefined) return;
    for (const [known, prepared] of batches) {
      if (known > number) continue;
      batches.delete(known);
      this.#drop(prepared);
    }
    if (batches.size === 0) this.#lives.delete(keyOf(life));
  }

  /** M2. The incarnation never comes back. */
  ended(life: Life): void {
    const batches = this.#lives.get(keyOf(life));
    this.#lives.delete(keyOf(life));
    for (const prepared of batches?.values() ?? []) this.#drop(prepared);
  }

  /** M3. The core knows nothing of the incarnation, and nobody is there who speaks for it. */
  forget(life: Life): void {
    const batches = this.#lives.get(keyOf(life));
    this.#lives.delete(keyOf(life));
    for (const { ids } of batches?.values() ?? []) for (const id of ids) this.#owners.delete(id);
  }

  async #storeOne(prepared: Prepared, command: EdgeCommand): Promise<Command> {
    if (command.kind !== "topic-publish") return command;
    try {
      const payload = await this.#store.write(Buffer.from(command.message));
      if (prepared.isDropped) this.#store.free([payload.id]);
      else {
        prepared.ids.add(payload.id);
        this.#owners.set(payload.id, prepared);
      }
      return publishOf(command, payload);
    } catch (error) {
      return refuse(command, "unavailable", whyNotStored(error));
    }
  }

  #drop(prepared: Prepared): void {
    prepared.isDropped = true;
    const ids = [...prepared.ids];
    prepared.ids.clear();
    for (const id of ids) this.#owners.delete(id);
    if (ids.length > 0) this.#store.free(ids);
  }
}

function publishOf(
  { scope, topic, connection, arrival }: TopicPublish,
  payload: PayloadRef,
): Command {
  const publish = { kind: "publish", scope, topic, connection, payload } as const;
  return arrival === undefined ? publish : { ...publish, arrival };
}
