// SPDX-License-Identifier: MIT
// A session of ZooKeeper by its own protocol: answers come in the order of requests.
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";

export const requestTypes = { create: 1, delete: 2, exists: 3 } as const;
/** Of a session that nobody keeps alive by pings. */
const sessionTimeoutMs = 3_600_000;

export class Writer {
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

/** @param xid that its answer has */
export function create(xid: number, path: string, isEphemeral: boolean, data = ""): Buffer {
  const writer = new Writer().int(xid).int(requestTypes.create).bytes(path).bytes(data);
  const [permissionsAll, entries] = [31, 1];
  writer.int(entries).int(permissionsAll).bytes("world").bytes("anyone");
  return writer.int(isEphemeral ? 1 : 0).packet();
}

export class ZooKeeperSession {
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

/** @throws Error when nobody listens */
export async function openZooKeeper(port: number): Promise<ZooKeeperSession> {
  const socket = dial({ host: "127.0.0.1", port });
  await once(socket, "connect");
  const session = new ZooKeeperSession(socket);
  const hello = new Writer().int(0).long(0n).int(sessionTimeoutMs).long(0n).bytes(Buffer.alloc(16));
  await session.ask(hello.packet());
  return session;
}
