// SPDX-License-Identifier: MIT
// Parties that enter a double barrier of etcd, a connection each, by its own gRPC: watch for
// `ready`, put a key of one's own and count the keys; whoever counts all of them puts `ready`. Put
// and count are one transaction, where the usual recipe asks twice.
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as dial } from "node:http2";
import { serve } from "../syncd/rpc.ts";
import { type Fields, Frames, field, frame, numberOf, parse } from "./protobuf.ts";

let port = 0;
let round = 0;
let revision = 0;
const parties: Party[] = [];

class Party {
  readonly #session: ClientHttp2Session;
  readonly #watch: ClientHttp2Stream;
  onWatched: (answer: Fields) => void = () => undefined;

  constructor(session: ClientHttp2Session) {
    this.#session = session;
    this.#watch = this.#request("/etcdserverpb.Watch/Watch");
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

  call(path: string, message: Buffer): Promise<Fields> {
    return new Promise((resolve, reject) => {
      const stream = this.#request(path);
      const frames = new Frames((answer) => resolve(parse(answer)));
      stream.on("data", (chunk: Buffer) => frames.push(chunk));
      stream.on("error", reject);
      stream.end(frame(message));
    });
  }

  close(): void {
    this.#session.destroy();
  }

  #request(path: string): ClientHttp2Stream {
    const headers = { "content-type": "application/grpc", te: "trailers" };
    return this.#session.request({ ":method": "POST", ":path": path, ...headers });
  }
}

async function open(): Promise<Party> {
  const session = dial(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  await once(session, "connect");
  return new Party(session);
}

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
    const count = parties.length;
    const ready = Buffer.concat([field(1, readyKey()), field(2, "x")]);
    let left = count;
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
        party.call("/etcdserverpb.KV/Txn", arrival(index)).then((answer) => {
          if (countOf(answer) === count) void party.call("/etcdserverpb.KV/Put", ready);
        }, reject);
      }
    });
  },
  async reset() {
    for (const [index, party] of parties.entries()) party.unwatch(watchIds[index] ?? 0);
    await parties[0]?.call("/etcdserverpb.KV/DeleteRange", remove(prefix(), rangeEnd()));
    await parties[0]?.call("/etcdserverpb.KV/DeleteRange", field(1, readyKey()));
  },
});
