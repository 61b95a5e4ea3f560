// SPDX-License-Identifier: MIT
// Reads the log as it comes, from the brokers themselves and with their own client, and writes down
// which command stood in it when: what the checker holds the clients' histories against. Reads
// along, because a log may be cut behind a snapshot. One JSON array a line:
// [sequence, stampUs, [[edge, connection, kind, scope, name, key], ...]].
import { closeSync, openSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { pause } from "../wait.ts";

export interface RecordLoad {
  readonly file: string;
  readonly brokers: readonly string[];
  readonly stream: string;
}

export type RecordedCommand = readonly [
  edge: string,
  connection: number,
  kind: string,
  scope: string,
  name: string,
  /** By which all servers know an arrival that is asked for again. */
  key?: string,
];
export type RecordLine = readonly [
  sequence: number,
  stampUs: number,
  commands: readonly RecordedCommand[],
];

interface Entry {
  readonly batches: readonly {
    readonly edge: string;
    readonly incarnation: number;
    readonly commands: readonly Record<string, unknown>[];
  }[];
}

const load = JSON.parse(process.argv[2] ?? "{}") as RecordLoad;
const file = openSync(load.file, "a");
let next = 1;
/** The last entry that is to be read, once it is known. */
let end = Number.POSITIVE_INFINITY;

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  end = Number(line);
});
input.on("close", () => process.exit(1));

function write(sequence: number, stampUs: number, entry: Entry): void {
  const commands = entry.batches.flatMap(({ edge, incarnation, commands }) =>
    commands.map((command): RecordedCommand => {
      const { connection = 0, kind = "", scope = "", barrier, topic, edge: other } = command;
      const life = `${edge}.${incarnation}`;
      // Of commands about the servers themselves it is for who looks for the reason of something.
      const name = barrier ?? topic ?? other ?? "";
      const keyed: [string?] = command["key"] === undefined ? [] : [String(command["key"])];
      return [life, Number(connection), String(kind), String(scope), String(name), ...keyed];
    }),
  );
  writeSync(file, `${JSON.stringify([sequence, stampUs, commands])}\n`);
}

/** Until the end, or until the brokers have something to say that is no message. */
async function readOn(): Promise<void> {
  const connection = await connect({ servers: [...load.brokers], timeout: 2_000 });
  try {
    const manager = await jetstreamManager(connection, { timeout: 2_000 });
    await manager.streams.info(load.stream);
    const consumer = await jetstream(connection).consumers.get(load.stream, {
      ...{ opt_start_seq: next, deliver_policy: DeliverPolicy.StartSequence },
    });
    while (next <= end) {
      const messages = await consumer.fetch({ max_messages: 2_000, expires: 1_000 });
      for await (const message of messages) {
        if (message.seq < next) continue;
        if (message.seq > next) throw new Error(`${next} to ${message.seq - 1} are gone`);
        write(message.seq, Number(message.timestampNanos / 1000n), message.json<Entry>());
        next = message.seq + 1;
      }
      process.stdout.write(`${next - 1}\n`);
    }
  } finally {
    await connection.close();
  }
}

async function readToEnd(): Promise<void> {
  while (next <= end) {
    try {
      await readOn();
    } catch {
      await pause(200);
    }
  }
}

await readToEnd();
// Once more from the beginning, now that all is quiet: a broker may have taken back what it had
// given, to this reader or to a server.
writeSync(file, '"again"\n');
next = 1;
await readToEnd();
closeSync(file);
process.exit(0);
