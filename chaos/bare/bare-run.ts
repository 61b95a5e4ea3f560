// SPDX-License-Identifier: MIT
// `--bare`: the same brokers and the same faults without Muster. Writers publish with
// acknowledgement, each one message after the other; readers read along with NATS' own client;
// afterwards the stream is held against what it said (judge.ts). What is found here is no fault of
// Muster's.
import {
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  type OrderedConsumerOptions,
  StorageType,
} from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { Brokers, stream } from "../cluster/brokers.ts";
import { Network } from "../cluster/network.ts";
import { type Injected, inject, planFaults, type Stage } from "../faults.ts";
import type { ChaosOptions } from "../options.ts";
import { Random } from "../random.ts";
import { nowUs, pause } from "../wait.ts";
import { type Acknowledged, type Delivered, type Finding, judge } from "./judge.ts";

export interface BareResult {
  readonly options: ChaosOptions;
  readonly version: string;
  readonly startedMs: number;
  readonly seconds: number;
  readonly faults: readonly Injected[];
  readonly acknowledged: number;
  readonly refused: number;
  readonly delivered: number;
  readonly stored: number;
  readonly findings: readonly Finding[];
  /** What went wrong that is no finding about messages. */
  readonly notes: readonly string[];
}

/** As long as Muster waits for one. */
const ackMs = 5_000;
const retryMs = 50;
const writersPerConnection = 8;
const nobody = { clients: [], mortals: [], schedulers: [] };

export class BareRun {
  readonly #options: ChaosOptions;
  readonly #folder: string;
  readonly #acknowledged: Acknowledged[] = [];
  readonly #delivered: Delivered[] = [];
  readonly #notes: string[] = [];
  #refused = 0;
  #isOver = false;
  #startedUs = 0;
  /** The last one that has begun. */
  #fault = "none yet";

  constructor(options: ChaosOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  async play(): Promise<BareResult> {
    const { seconds, seed, faults: names } = this.#options;
    const startedMs = Date.now();
    const network = new Network();
    const brokers = new Brokers(network, this.#folder, (what) => this.#note(what));
    await brokers.start();
    await this.#makeStream(brokers);
    const connections = await Promise.all(brokers.addresses.map((_, at) => connectAt(brokers, at)));
    const work = connections.flatMap((connection, at) => [
      this.#read(connection, at),
      ...Array.from({ length: writersPerConnection }, (_, writer) =>
        this.#write(connection, at * writersPerConnection + writer),
      ),
    ]);
    this.#startedUs = nowUs();
    const stage: Stage = { network, brokers, servers: { members: [] }, ...nobody };
    const faults: Injected[] = [];
    for (const fault of planFaults(names, new Random(seed))) {
      if (this.#seconds + fault.lastsMs / 1000 > seconds) break;
      this.#say(`${fault.name} for ${(fault.lastsMs / 1000).toFixed(1)} s`);
      this.#fault = fault.name;
      const injected = await inject(fault, stage, new Set());
      if (injected !== undefined) faults.push(injected);
      await brokers.settled().catch((error: Error) => this.#note(error.message));
      await pause(fault.pauseMs);
      this.#say(`${this.#acknowledged.length} acknowledged, ${faults.length} faults`);
    }
    await pause(Math.max(0, seconds - this.#seconds) * 1_000);
    const loadSeconds = this.#seconds;
    this.#isOver = true;
    await brokers.settled().catch((error: Error) => this.#note(error.message));
    await Promise.race([Promise.all(work), pause(ackMs * 2)]);
    const held = await readAll(brokers);
    const { version = "" } = connections[0]?.info ?? {};
    return {
      ...{ options: this.#options, version, startedMs, seconds: loadSeconds, faults },
      acknowledged: this.#acknowledged.length,
      refused: this.#refused,
      delivered: this.#delivered.length,
      stored: held.size,
      notes: this.#notes,
      findings: judge({
        ...{ acknowledged: this.#acknowledged, delivered: this.#delivered, stream: held },
      }),
    };
  }

  /** As Muster makes that of a log. */
  async #makeStream(brokers: Brokers): Promise<void> {
    const connection = await brokers.connect();
    const { streams } = await jetstreamManager(connection);
    await streams.add({
      ...{ name: stream, subjects: [stream], num_replicas: 3, storage: StorageType.File },
      ...{ discard: DiscardPolicy.New, allow_direct: true },
    });
    await connection.close();
  }

  async #write(connection: NatsConnection, writer: number): Promise<void> {
    const writing = jetstream(connection, { timeout: ackMs });
    const pauseMs = (1000 * 3 * writersPerConnection) / this.#options.rate;
    for (let number = 1; !this.#isOver; number += 1) {
      const text = `writer ${writer} message ${number}`;
      try {
        const { seq: sequence } = await writing.publish(stream, text, { retries: 0 });
        this.#acknowledged.push({ writer, text, sequence, fault: this.#fault });
        await pause(pauseMs);
      } catch {
        this.#refused += 1;
        await pause(retryMs);
      }
    }
  }

  async #read(connection: NatsConnection, reader: number): Promise<void> {
    let next = 1;
    while (!this.#isOver) {
      try {
        const options: Partial<OrderedConsumerOptions> = {
          ...{ opt_start_seq: next, deliver_policy: DeliverPolicy.StartSequence },
        };
        const consumer = await jetstream(connection).consumers.get(stream, options);
        while (!this.#isOver) {
          const messages = await consumer.fetch({ max_messages: 500, expires: 1_000 });
          for await (const message of messages) {
            if (message.seq < next) continue;
            const { seq: sequence } = message;
            const [text, fault] = [message.string(), this.#fault];
            this.#delivered.push({ reader, sequence, text, fault });
            next = message.seq + 1;
          }
        }
      } catch {
        await pause(retryMs);
      }
    }
  }

  get #seconds(): number {
    return (nowUs() - this.#startedUs) / 1e6;
  }

  #note(what: string): void {
    this.#say(what);
    this.#notes.push(what);
  }

  #say(what: string): void {
    const seconds = this.#startedUs === 0 ? 0 : this.#seconds;
    process.stdout.write(`bare: ${seconds.toFixed(0).padStart(5)} s  ${what}\n`);
  }
}

/** Begins at that broker, and goes on at another one when it is gone. */
function connectAt({ addresses }: Brokers, at: number): Promise<NatsConnection> {
  const servers = addresses.map((_, index) => addresses[(at + index) % addresses.length] ?? "");
  return connect({
    ...{ servers, noRandomize: true, maxReconnectAttempts: -1, reconnectTimeWait: 100 },
    pingInterval: 2_000,
  });
}

async function readAll(brokers: Brokers): Promise<ReadonlyMap<number, string>> {
  const held = new Map<number, string>();
  const connection = await brokers.connect();
  const { state } = await (await jetstreamManager(connection)).streams.info(stream);
  const consumer = await jetstream(connection).consumers.get(stream);
  let last = 0;
  while (last < state.last_seq) {
    const messages = await consumer.fetch({ max_messages: 2_000, expires: 1_000 });
    for await (const message of messages) {
      held.set(message.seq, message.string());
      last = message.seq;
    }
  }
  await connection.close();
  return held;
}
