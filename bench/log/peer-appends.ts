// SPDX-License-Identifier: MIT
// Appends to etcd and ZooKeeper: a key or node of its own for each, with the text of an entry. Both
// write to disk before they answer, as they do by default; one server each.
import type { Entry } from "../../src/core/command.ts";
import { dialEtcd, EtcdConnection } from "../peers/etcd-connection.ts";
import { field } from "../peers/protobuf.ts";
import { etcd, isInstalled, type PeerServer, zookeeper } from "../peers/servers.ts";
import { create, openZooKeeper } from "../peers/zookeeper-session.ts";

/** A server that takes appends. */
export interface PeerLog {
  readonly name: string;
  readonly durability: string;
  /** Resolves when it has been acknowledged. */
  append(entry: Entry): Promise<unknown>;
  close(): void;
}

/** Those that are installed. @throws Error when one does not start */
export async function startPeerLogs(folder: string): Promise<readonly PeerLog[]> {
  return [
    ...(isInstalled(etcd) ? [await startEtcdLog(folder)] : []),
    ...(isInstalled(zookeeper) ? [await startZooKeeperLog(folder)] : []),
  ];
}

async function startEtcdLog(folder: string): Promise<PeerLog> {
  const server = await etcd.start(folder);
  const connection = new EtcdConnection(await dialEtcd(server.port));
  let number = 0;
  return {
    name: nameOf("etcd", server),
    durability,
    append(entry) {
      number += 1;
      const put = Buffer.concat([field(1, `log/${number}`), field(2, JSON.stringify(entry))]);
      return connection.call("/etcdserverpb.KV/Put", put);
    },
    close() {
      connection.close();
      server.end();
    },
  };
}

async function startZooKeeperLog(folder: string): Promise<PeerLog> {
  const server = await zookeeper.start(folder);
  const session = await openZooKeeper(server.port);
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  session.onPacket = (packet) => {
    const [xid, error] = [packet.readInt32BE(0), packet.readInt32BE(12)];
    const asked = waiting.get(xid);
    waiting.delete(xid);
    if (error === 0) asked?.resolve(undefined);
    else asked?.reject(new Error(`ZooKeeper refuses a node (error ${error})`));
  };
  let number = 0;
  return {
    name: nameOf("ZooKeeper", server),
    durability,
    append(entry) {
      number += 1;
      const xid = number;
      session.socket.write(create(xid, `/entry-${xid}`, false, JSON.stringify(entry)));
      return new Promise((resolve, reject) => waiting.set(xid, { resolve, reject }));
    },
    close() {
      session.socket.destroy();
      server.end();
    },
  };
}

const durability = "synced to disk before it is acknowledged";
const nameOf = (name: string, { version }: PeerServer): string => `${name} ${version}`;
