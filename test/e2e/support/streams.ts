// SPDX-License-Identifier: MIT
// What lies in the streams of a broker, read by its own client and not by ours.
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import type { NatsServer } from "../../../src/testing/nats-server.ts";

/** The text of all entries, by stream. */
export async function entriesOf(broker: NatsServer): Promise<ReadonlyMap<string, string>> {
  const connection = await connectNats({ servers: broker.address });
  const manager = await jetstreamManager(connection);
  const texts = new Map<string, string>();
  for await (const { config, state } of manager.streams.list()) {
    // What lies beside the logs, and the users' bus.
    if (/-(topics|snapshots|ops)$/.test(config.name)) continue;
    let text = "";
    for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
      text += (await manager.streams.getMessage(config.name, { seq }))?.string() ?? "";
    }
    texts.set(config.name, text);
  }
  await connection.close();
  return texts;
}

/** Of three logs those in whose entries the scope is. */
export async function homesOf(broker: NatsServer, scope: string): Promise<readonly string[]> {
  const named = `"scope":"${scope}"`;
  return [...(await entriesOf(broker))].flatMap(([name, text]) =>
    text.includes(named) ? [name] : [],
  );
}

/** Lets the stream take no more than it has, or as much as it likes. */
export async function setFull(broker: NatsServer, name: string, isFull: boolean): Promise<void> {
  const connection = await connectNats({ servers: broker.address });
  const { streams } = await jetstreamManager(connection);
  const { state } = await streams.info(name);
  await streams.update(name, { max_msgs: isFull ? Math.max(1, state.messages) : -1 });
  await connection.close();
}
