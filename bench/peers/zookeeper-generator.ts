// SPDX-License-Identifier: MIT
// Parties that enter a double barrier of ZooKeeper, a session each: watch for `ready`, make a node
// of one's own that goes with the session, count the nodes; whoever counts all of them makes
// `ready`. All three requests are one write: ZooKeeper answers a session in order. The count is
// taken from the parent's stat, where the usual recipe lists all children.
import { serve } from "../syncd/rpc.ts";
import {
  create,
  openZooKeeper,
  requestTypes,
  Writer,
  type ZooKeeperSession,
} from "./zookeeper-session.ts";

const watchXid = -1;
/** Where `numChildren` is in the answer to `exists`: after a header of 16 bytes, in the stat. */
const numChildrenOffset = 16 + 8 * 4 + 4 * 3 + 8 + 4;

let port = 0;
let round = 0;
const parties: ZooKeeperSession[] = [];

function exists(xid: number, path: string, watches: boolean): Buffer {
  const writer = new Writer().int(xid).int(requestTypes.exists).bytes(path);
  return writer.byte(watches ? 1 : 0).packet();
}

function remove(xid: number, path: string): Buffer {
  return new Writer().int(xid).int(requestTypes.delete).bytes(path).int(-1).packet();
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
      parties.push(...(await Promise.all(Array.from({ length: some }, () => openZooKeeper(port)))));
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
