// SPDX-License-Identifier: MIT
// Everything at which a round can be played: each door of ours, the barest loop that speaks the
// same to the same clients, and the services of others. Servers and clients are processes of their
// own.
import { isInstalled, type PeerKind, peerKinds } from "../peers/servers.ts";
import { Remote, serverFlags } from "../syncd/rpc.ts";

export interface Contender {
  readonly name: string;
  readonly isOurs: boolean;
  /** The door that it is a bare loop of. */
  readonly floorOf?: string;
  /** Its server. */
  readonly pid: number;
  /**
   * The clients. `connect` so many, `prepare` what comes before a round, `play` it, `reset` what
   * the round leaves behind.
   */
  readonly clients: Remote;
  end(): void;
}

/** A door, its bare loop, and the clients of both, as files beside this one. */
interface Door {
  readonly name: string;
  readonly server: string;
  readonly floor: string;
  readonly clients: string;
}

const doors: readonly Door[] = [
  {
    name: "native",
    server: "./serve-ours.ts",
    floor: "./serve-floor.ts",
    clients: "./native-generator.ts",
  },
  {
    name: "http",
    server: "./serve-ours.ts",
    floor: "./serve-http-floor.ts",
    clients: "./http-generator.ts",
  },
  {
    name: "testground",
    server: "../testground/serve-ours.ts",
    floor: "../testground/serve-floor.ts",
    clients: "../testground/generator.ts",
  },
  {
    name: "syncd",
    server: "../syncd/serve-ours.ts",
    floor: "../syncd/serve-floor.ts",
    clients: "./syncd-generator.ts",
  },
  {
    name: "gnunet",
    server: "../gnunet/serve-ours.ts",
    floor: "./serve-gnunet-floor.ts",
    clients: "./gnunet-generator.ts",
  },
];

export const doorNames: readonly string[] = doors.map(({ name }) => name);

const remote = (file: string, args: readonly string[] = []): Remote =>
  new Remote(import.meta.resolve(file), args);

const remoteServer = (file: string, args: readonly string[]): Remote =>
  new Remote(import.meta.resolve(file), args, serverFlags);

async function startLocal(
  name: string,
  [server, clients]: readonly [Remote, Remote],
): Promise<Contender> {
  const port = await server.call<number>("port");
  if (port !== undefined) await clients.call("port", port);
  const end = (): void => {
    clients.end();
    server.end();
  };
  return { name, isOurs: true, pid: server.pid, clients, end };
}

async function startDoor(door: Door, folder: string): Promise<readonly Contender[]> {
  const start = (file: string, name: string, socket: string): Promise<Contender> =>
    startLocal(name, [remoteServer(file, [folder]), remote(door.clients, [folder, socket])]);
  const ours = await start(door.server, door.name, "ours");
  const floor = await start(door.floor, `${door.name}, bare loop`, "floor");
  return [ours, { ...floor, isOurs: false, floorOf: door.name }];
}

/** The native door on a log that survives the machine, as what others' services write does. */
async function startDurable(folder: string): Promise<Contender> {
  const server = remoteServer("./serve-ours.ts", [folder, "sqlite"]);
  return startLocal("native, SQLite", [server, remote("./native-generator.ts")]);
}

async function startPeer(kind: PeerKind, folder: string): Promise<Contender> {
  const { pid, port, version, end } = await kind.start(folder);
  const clients = remote(`../peers/${kind.name.toLowerCase()}-generator.ts`);
  await clients.call("port", port);
  const endBoth = (): void => {
    clients.end();
    end();
  };
  return { name: `${kind.name} ${version}`, isOurs: false, pid, clients, end: endBoth };
}

/** The services of others that are wanted: all of them, or those that are named. */
function wantedPeers(wanted: ReadonlySet<string>): readonly PeerKind[] {
  return peerKinds.filter(({ name }) => wanted.has("peers") || wanted.has(name.toLowerCase()));
}

/** What others' services lack to take part, in words; empty when all are installed. */
export function missingPeers(wanted: ReadonlySet<string>): string {
  const missing = wantedPeers(wanted).filter((kind) => !isInstalled(kind));
  const packages = missing.map((kind) => kind.debianPackage);
  if (packages.length === 0) return "";
  const list = packages.join(" ");
  return `not compared with: ${list} (apt-get install --no-install-recommends ${list})`;
}

/**
 * @param wanted doors by name, `sqlite`, and `peers` or some of them by name, `etcd`.
 * @param folder a new directory, for sockets and data.
 */
export async function startContenders(
  wanted: ReadonlySet<string>,
  folder: string,
): Promise<readonly Contender[]> {
  const contenders: Contender[] = [];
  try {
    for (const door of doors) {
      if (wanted.has(door.name)) contenders.push(...(await startDoor(door, folder)));
    }
    if (wanted.has("sqlite")) contenders.push(await startDurable(folder));
    for (const kind of wantedPeers(wanted)) {
      if (isInstalled(kind)) contenders.push(await startPeer(kind, folder));
    }
    return contenders;
  } catch (error) {
    for (const contender of contenders) contender.end();
    throw error;
  }
}
