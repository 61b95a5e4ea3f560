// SPDX-License-Identifier: MIT
// Parties that enter a double barrier of etcd, a connection each, by its own gRPC: watch for
// `ready`, put a key of one's own and count the keys; whoever counts all of them puts `ready`. Put
// and count are one transaction, where the usual recipe asks twice.
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { serve } from "../syncd/rpc.ts";
import { dialEtcd, EtcdConnection } from "./etcd-connection.ts";
import { type Fields, Frames, field, frame, numberOf, parse } from "./protobuf.ts";

/**
 * Arrivals that are not answered. Of 10,000 at once etcd lets most time out, after seven seconds:
 * each counts all keys.
 */
const arrivalsMax = 1_000;

let port = 0;
let round = 0;
let revision = 0;
const parties: Party[] = [];

class Party extends EtcdConnection {
  readonly #watch: ClientHttp2Stream;
  onWatched: (answer: Fields) => void = () => undefined;

  constructor(session: ClientHttp2Session) {
    super(session);
    this.#watch = this.request("/etcdserverpb.Watch/Watch");
    const frames = new Frames((message) => this.onWatched(parse(message)));
    this.#watch.on("data", (chunk: Buffer) => frames.push(chunk));
    this.#watch.on("error", () => undefined);
  }

  /** A new watch on the stream of this party. */
  watch(key: string, fromRevision: number): void {
    const create = Buffer.concat([field(1, key), field(3, fromRevision)]);
    this.#watch.write(frame(field(1, create)));
  }

  unwatch(id: number): void {
    this.#watch.write(frame(field(2, field(1, id))));
  }
}

const open = async (): Promise<Party> => new Party(await dialEtcd(port));

const prefix = (): string => `barrier-${round}/`;
const readyKey = (): string => `ready-${round}`;
/** The end of the range of all keys that begin with the prefix. */
const rangeEnd = (): string => `barrier-${round}0`;

/** A transaction: puts a key and counts those of the round. */
function arrival(index: number): Buffer {
  const put = Buffer.concat([field(1, `${prefix()}${index}`), field(2, "x")]);
  const range = Buffer.concat([field(1, prefix()), field(2, rangeEnd()), field(9, 1)]);
  return Buffer.concat([field(2, field(2, put)), field(2, field(1, range))]);
}

/** How many keys the transaction has counted. */
function countOf(answer: Fields): number {
  const second = answer.get(3)?.[1];
  if (!(second instanceof Uint8Array)) return 0;
  const range = parse(second).get(1)?.[0];
  return range instanceof Uint8Array ? numberOf(parse(range), 4) : 0;
}

function remove(key: string, end: string): Buffer {
  return Buffer.concat([field(1, key), field(2, end)]);
}

let watchIds: number[] = [];

/**
 * Takes the next party until all have arrived; whoever counts all of them says that it is ready.
 */
async function arriveInTurn(coming: Iterator<[number, Party]>): Promise<void> {
  const ready = Buffer.concat([field(1, readyKey()), field(2, "x")]);
  for (let next = coming.next(); next.done !== true; next = coming.next()) {
    const [index, party] = next.value;
    const answer = await party.call("/etcdserverpb.KV/Txn", arrival(index));
    if (countOf(answer) === parties.length) await party.call("/etcdserverpb.KV/Put", ready);
  }
}

serve({
  port: (given) => {
    port = given;
  },
  async connect(count) {
    while (parties.length < count) {
      const some = Math.min(50, count - parties.length);
      parties.push(...(await Promise.all(Array.from({ length: some }, open))));
    }
    for (const party of parties.splice(count)) party.close();
  },
  async prepare() {
    round += 1;
    const answer = await parties[0]?.call("/etcdserverpb.KV/Range", field(1, "nothing"));
    const header = answer?.get(1)?.[0];
    revision = header instanceof Uint8Array ? numberOf(parse(header), 3) + 1 : 0;
  },
  /** @returns microseconds from the first write until the last party knows that it is ready. */
  play() {
    let left = parties.length;
    watchIds = [];
    const begun = process.hrtime.bigint();
    return new Promise((resolve, reject) => {
      for (const [index, party] of parties.entries()) {
        party.onWatched = (answer) => {
          if (numberOf(answer, 3) === 1) watchIds[index] = numberOf(answer, 2);
          if (!answer.has(11)) return;
          left -= 1;
          if (left === 0) resolve(Number(process.hrtime.bigint() - begun) / 1_000);
        };
        party.watch(readyKey(), revision);
      }
      const coming = parties.entries();
      for (let at = 0; at < arrivalsMax; at += 1) arriveInTurn(coming).catch(reject);
    });
  },
  async reset() {
    for (const [index, party] of parties.entries()) party.unwatch(watchIds[index] ?? 0);
    await parties[0]?.call("/etcdserverpb.KV/DeleteRange", remove(prefix(), rangeEnd()));
    await parties[0]?.call("/etcdserverpb.KV/DeleteRange", field(1, readyKey()));
  },
});
