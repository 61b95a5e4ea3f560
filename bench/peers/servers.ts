// SPDX-License-Identifier: MIT
// Redis, etcd and ZooKeeper as Debian packages them, each one server, started by the benchmark in a
// directory of its own, on loopback, and ended by its process. etcd and ZooKeeper write to disk as
// they do by default; Redis keeps nothing.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface PeerServer {
  readonly pid: number;
  readonly port: number;
  readonly version: string;
  end(): void;
}

export interface PeerKind {
  readonly name: string;
  readonly debianPackage: string;
  /** Found here when it is installed. */
  readonly program: string;
  start(folder: string): Promise<PeerServer>;
}

/** Ends with this process, however that ends: a benchmark that is killed ends nobody by itself. */
export function spawnPeer(program: string, args: readonly string[]): ChildProcess {
  return spawn("setpriv", ["--pdeathsig=KILL", "--", program, ...args], { stdio: "ignore" });
}

/** How long a server may take until it listens. */
const startMsMax = 30_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** @param question what it has to answer to; without one it has to take a connection. */
async function answers(port: number, question: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const end = (): void => {
      socket.destroy();
      resolve(true);
    };
    socket.on("connect", () => (question === "" ? end() : socket.write(question)));
    socket.on("data", (text: Buffer) => text.includes("Mode:") && end());
    // One that is starting may take a question and forget it.
    socket.setTimeout(500, () => socket.destroy());
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });
}

/** Resolves when it takes connections. @throws Error when it has ended instead */
async function listening(
  child: ChildProcess,
  port: number,
  version: string,
  question = "",
): Promise<PeerServer> {
  const giveUpAt = Date.now() + startMsMax;
  while (!(await answers(port, question))) {
    if (child.exitCode !== null || Date.now() > giveUpAt) {
      child.kill();
      throw new Error(`${child.spawnfile} does not listen (exit status ${child.exitCode})`);
    }
    await sleep(50);
  }
  return { pid: child.pid ?? 0, port, version, end: () => void child.kill() };
}

/** The version number in what a program prints. */
function versionOf(program: string, args: readonly string[]): string {
  const text = execFileSync(program, [...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? "unknown";
}

const redis: PeerKind = {
  name: "Redis",
  debianPackage: "redis-server",
  program: "/usr/bin/redis-server",
  async start(folder) {
    const port = await freePort();
    const keepNothing = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
    const where = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder];
    const args = [...where, ...keepNothing, "--maxclients", "15000", "--tcp-backlog", "4096"];
    const child = spawnPeer(redis.program, args);
    return listening(child, port, versionOf(redis.program, ["--version"]));
  },
};

export const etcd: PeerKind = {
  name: "etcd",
  debianPackage: "etcd-server",
  program: "/usr/bin/etcd",
  async start(folder) {
    const [port, peerPort] = [await freePort(), await freePort()];
    const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
    const child = spawnPeer(etcd.program, [
      ...["--data-dir", join(folder, "etcd"), "--name", "bench"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", `bench=${peer}`, "--log-level", "error", "--logger", "zap"],
    ]);
    return listening(child, port, versionOf(etcd.program, ["--version"]));
  },
};

const zookeeperJar = "/usr/share/java/zookeeper.jar";

export const zookeeper: PeerKind = {
  name: "ZooKeeper",
  debianPackage: "zookeeper",
  program: zookeeperJar,
  async start(folder) {
    const port = await freePort();
    const data = join(folder, "zookeeper");
    mkdirSync(data);
    const lines = [
      ...[`dataDir=${data}`, `clientPort=${port}`, "clientPortAddress=127.0.0.1"],
      ...["tickTime=2000", "maxSessionTimeout=3600000", "maxClientCnxns=0"],
      "admin.enableServer=false",
    ];
    const file = join(folder, "zoo.cfg");
    writeFileSync(file, `${lines.join("\n")}\n`);
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    const quiet = "-Dzookeeper.root.logger=ERROR,CONSOLE";
    const classes = `${folder}:${zookeeperJar}`;
    writeFileSync(join(folder, "log4j.properties"), "log4j.rootLogger=OFF\n");
    const child = spawnPeer("java", [quiet, "-cp", classes, main, file]);
    const version = versionOf("dpkg-query", ["-W", "-f", "${Version}", "zookeeper"]);
    // It listens before it serves.
    return listening(child, port, version, "srvr");
  },
};

export const peerKinds: readonly PeerKind[] = [redis, etcd, zookeeper];

export function isInstalled({ program }: PeerKind): boolean {
  return existsSync(program);
}
