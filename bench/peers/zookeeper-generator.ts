// SPDX-License-Identifier: MIT
// Parties that enter a double barrier of ZooKeeper, a session each: watch for `ready`, make a node
// of one's own that goes with the session, count the nodes; whoever counts all of them makes
// `ready`. All three requests are one write: ZooKeeper answers a session in order. The count is
// taken from the parent's stat, where the usual recipe lists all children.
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { serve } from "../syncd/rpc.ts";

const requestTypes = { create: 1, delete: 2, exists: 3 } as const;
const watchXid = -1;
/** Of a session that nobody keeps alive by pings. */
const sessionTimeoutMs = 3_600_000;
/** Where `numChildren` is in the answer to `exists`: after a header of 16 bytes, in the stat. */
const numChildrenOffset = 16 + 8 * 4 + 4 * 3 + 8 + 4;

let port = 0;
let round = 0;
const parties: Party[] = [];

class Writer {
  #parts: Buffer[] = [];

  int(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  long(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(value);
    this.#parts.push(part);
    return this;
  }

  byte(value: number): this {
    this.#parts.push(Buffer.from([value]));
    return this;
  }

  bytes(value: Uint8Array | string): this {
    const part = Buffer.from(value);
    this.int(part.length);
    this.#parts.push(part);
    return this;
  }

  /** With its length before it. */
  packet(): Buffer {
    const body = Buffer.concat(this.#parts);
    return Buffer.concat([new Writer().int(body.length).raw(), body]);
  }

  raw(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function create(xid: number, path: string, isEphemeral: boolean): Buffer {
  const writer = new Writer().int(xid).int(requestTypes.create).bytes(path).bytes("");
  const [permissionsAll, entries] = [31, 1];
  writer.int(entries).int(permissionsAll).bytes("world").bytes("anyone");
  return writer.int(isEphemeral ? 1 : 0).packet();
}

function exists(xid: number, path: string, watches: boolean): Buffer {
  const writer = new Writer().int(xid).int(requestTypes.exists).bytes(path);
  return writer.byte(watches ? 1 : 0).packet();
}

function remove(xid: number, path: string): Buffer {
  return new Writer().int(xid).int(requestTypes.delete).bytes(path).int(-1).packet();
}

class Party {
  readonly socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  onPacket: (packet: Buffer) => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      while (data.length >= 4 && data.length >= 4 + data.readInt32BE(0)) {
        const end = 4 + data.readInt32BE(0);
        this.onPacket(data.subarray(4, end));
        data = data.subarray(end);
      }
      this.#rest = data;
    });
  }

  /** Resolves with the next packet, or the one with this number. */
  ask(packet: Buffer, xid?: number): Promise<Buffer> {
    this.socket.write(packet);
    return new Promise((resolve) => {
      this.onPacket = (answer) => {
        if (xid === undefined || answer.readInt32BE(0) === xid) resolve(answer);
      };
    });
  }
}

async function open(): Promise<Party> {
  const socket = dial({ host: "127.0.0.1", port });
  await once(socket, "connect");
  const party = new Party(socket);
  const hello = new Writer().int(0).long(0n).int(sessionTimeoutMs).long(0n).bytes(Buffer.alloc(16));
  await party.ask(hello.packet());
  return party;
}

const pathOf = (index: number): string => `/barrier-${round}/party-${index}`;
const readyPath = (): string => `/ready-${round}`;

serve({
  port: (given) => {
    port = given;
  },
  async connect(count) {
    while (parties.length < count) {
      const some = Math.min(100, count - parties.length);
      parties.push(...(await Promise.all(Array.from({ length: some }, open))));
    }
    for (const { socket } of parties.splice(count)) socket.destroy();
  },
  async prepare() {
    round += 1;
    await parties[0]?.ask(create(1, `/barrier-${round}`, false), 1);
  },
  /** @returns microseconds from the first write until the last party knows that it is ready. */
  play() {
    const parent = `/barrier-${round}`;
    const ready = create(5, readyPath(), false);
    const count = parties.length;
    let left = count;
    const arrivals = parties.map((_, index) =>
      Buffer.concat([
        exists(2, readyPath(), true),
        create(3, pathOf(index), true),
        exists(4, parent, false),
      ]),
    );
    const begun = process.hrtime.bigint();
    return new Promise((resolve) => {
      for (const [index, party] of parties.entries()) {
        party.onPacket = (packet) => {
          const xid = packet.readInt32BE(0);
          if (xid === 4 && packet.readInt32BE(numChildrenOffset) === count) {
            party.socket.write(ready);
          }
          if (xid !== watchXid) return;
          left -= 1;
          if (left === 0) resolve(Number(process.hrtime.bigint() - begun) / 1_000);
        };
        party.socket.write(arrivals[index] ?? Buffer.alloc(0));
      }
    });
  },
  async reset() {
    await Promise.all(parties.map((party, index) => party.ask(remove(6, pathOf(index)), 6)));
    await parties[0]?.ask(remove(7, readyPath()), 7);
    await parties[0]?.ask(remove(8, `/barrier-${round}`), 8);
  },
});
