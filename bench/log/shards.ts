// SPDX-License-Identifier: MIT
// What several logs on NATS are worth beside one, in the same run: appends a second with eight on
// their way in each, and arrivals at a barrier of each scope, as many in all, at a server that has
// one log or several. Brokers are one, or a cluster of three.
import { shardOf } from "../../src/core/shard.ts";
import type { Log } from "../../src/engine/log.ts";
import { openLog } from "../../src/engine/open-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { formatMachine, median } from "../statistics.ts";
import { Remote } from "../syncd/rpc.ts";

export interface ShardsOptions {
  readonly shards: number;
  readonly rounds: number;
  /** In all logs together. */
  readonly appends: number;
  readonly parties: number;
  readonly connections: number;
  readonly append: (log: Log, count: number) => Promise<unknown>;
}

interface Figures {
  readonly appendsPerSecond: number[];
  readonly barrierMs: number[];
}

interface Side extends Figures {
  readonly shards: number;
  readonly logs: readonly Log[];
  readonly server: Remote;
  readonly generator: Remote;
}

export async function runShards(options: ShardsOptions): Promise<void> {
  const one = await NatsServer.start();
  const three = await NatsServer.startThree();
  const addresses = three.map(({ address }) => address).join(",");
  const machine = formatMachine();
  const rows: Row[] = [];
  for (const [brokers, log] of [
    ["1 broker", (name: string) => `nats://${one.address}/${name}`],
    ["3 brokers", (name: string) => `nats://${addresses}/${name}?replicas=3`],
  ] as const) {
    rows.push(await compare(brokers, log, options));
  }
  await Promise.all([one, ...three].map((server) => server.dispose()));
  print(machine, options, rows);
}

interface Row {
  readonly brokers: string;
  readonly one: Medians;
  readonly several: Medians;
  /** Medians of the ratios of the rounds, several to one. */
  readonly appendsRatio: number;
  readonly barrierRatio: number;
}

interface Medians {
  readonly appendsPerSecond: number;
  readonly barrierMs: number;
}

async function compare(
  brokers: string,
  log: (name: string) => string,
  options: ShardsOptions,
): Promise<Row> {
  const scopes = scopesOf(options.shards);
  const sides = [
    await openSide(log, 1, scopes, options),
    await openSide(log, options.shards, scopes, options),
  ] as const;
  // The first two rounds are for the compiler.
  for (let round = -2; round < options.rounds; round += 1) {
    // Who is first changes: the second finds the machine as the first has left it.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const perSecond = await appendTo(side.logs, options);
      const barrierMs = (await side.generator.call<number>("meet", options.parties)) / 1_000;
      if (round < 0) continue;
      side.appendsPerSecond.push(perSecond);
      side.barrierMs.push(barrierMs);
    }
  }
  for (const { logs, server, generator } of sides) {
    generator.end();
    server.end();
    for (const each of logs) await each.close();
  }
  const [one, several] = sides;
  const ratio = (above: readonly number[], below: readonly number[]): number =>
    median(above.map((value, at) => value / (below[at] ?? Number.NaN)));
  return {
    ...{ brokers, one: mediansOf(one), several: mediansOf(several) },
    appendsRatio: ratio(several.appendsPerSecond, one.appendsPerSecond),
    barrierRatio: ratio(several.barrierMs, one.barrierMs),
  };
}

function mediansOf({ appendsPerSecond, barrierMs }: Figures): Medians {
  return { appendsPerSecond: median(appendsPerSecond), barrierMs: median(barrierMs) };
}

/** Names of scopes, one of each log. */
function scopesOf(shards: number): readonly string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let number = 1; ; number += 1) {
      if (shardOf(`scope-${number}`, shards) === shard) return `scope-${number}`;
    }
  });
}

async function openSide(
  log: (name: string) => string,
  shards: number,
  scopes: readonly string[],
  { connections }: ShardsOptions,
): Promise<Side> {
  const logs: Log[] = [];
  for (let index = 0; index < shards; index += 1) {
    const shard = { index, count: shards };
    logs.push(await openLog(log(`appends-${shards}`), systemClock, { shard }));
  }
  const name = log(`barrier-${shards}`);
  const server = new Remote(import.meta.resolve("./serve-log.ts"), [name, String(shards)]);
  const generator = new Remote(import.meta.resolve("./scope-generator.ts"), scopes);
  await generator.call("port", await server.call<number>("port"));
  await generator.call("connect", connections);
  return { shards, logs, server, generator, appendsPerSecond: [], barrierMs: [] };
}

/** As many in each log. @returns appends a second in all */
async function appendTo(logs: readonly Log[], { appends, append }: ShardsOptions): Promise<number> {
  const begunUs = systemClock.nowUs();
  const share = Math.ceil(appends / logs.length);
  await Promise.all(logs.map((log) => append(log, share)));
  return (share * logs.length * 1e6) / (systemClock.nowUs() - begunUs);
}

function print(machine: string, options: ShardsOptions, rows: readonly Row[]): void {
  const { shards, rounds, appends, parties, connections } = options;
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  write(machine);
  write(`${rounds} rounds; ${parties} parties in ${shards} scopes over ${connections} connections`);
  write(
    `            appends: 1 log  ${shards} logs   ratio   barriers: 1 log  ${shards} logs   ratio`,
  );
  for (const { brokers, one, several, appendsRatio, barrierRatio } of rows) {
    write(
      [
        brokers.padEnd(10),
        `${one.appendsPerSecond.toFixed(0)}/s`.padStart(16),
        `${several.appendsPerSecond.toFixed(0)}/s`.padStart(7),
        `${appendsRatio.toFixed(2)} x`.padStart(7),
        `${one.barrierMs.toFixed(0)} ms`.padStart(17),
        `${several.barrierMs.toFixed(0)} ms`.padStart(7),
        `${barrierRatio.toFixed(2)} x`.padStart(7),
      ].join(" "),
    );
  }
  write(JSON.stringify({ machine, rounds, shards, appends, parties, connections, rows }));
}
