// SPDX-License-Identifier: MIT
// Three real NATS servers that are one cluster, each with its store on a small disk of its own (a
// tmpfs), which can be full.
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { until } from "../wait.ts";
import { Member } from "./member.ts";
import type { Network } from "./network.ts";

export const stream = "chaos";
const [clientPort, routePort, monitorPort] = [4222, 6222, 8222];
/** Room of a store, MiB. */
const diskMiB = 3_072;
const askMs = 1_000;
/** Who was started is well by then, or is started again, so often. */
const [startMs, startsMax] = [20_000, 5];

/** What is wrong with a copy, and whose it is. */
interface Behind {
  readonly what: string;
  readonly broker?: string;
}

export class Brokers {
  readonly members: readonly Member[];
  readonly addresses: readonly string[];
  readonly #hosts: readonly string[];
  readonly #disks: readonly string[];

  constructor(network: Network, folder: string, onSurprise: (what: string) => void) {
    const indexes = [0, 1, 2];
    this.#hosts = indexes.map((index) => network.address(11 + index, "back"));
    this.addresses = this.#hosts.map((host) => `${host}:${clientPort}`);
    const routes = this.#hosts.map((host) => `"nats-route://${host}:${routePort}"`).join(", ");
    this.#disks = indexes.map((index) => join(folder, `disk${index + 1}`));
    this.members = indexes.map((index) => {
      const name = `n${index + 1}`;
      network.add(name, 11 + index, ["back"]);
      const [host = "", disk = ""] = [this.#hosts[index], this.#disks[index]];
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskMiB}m`, name, disk]);
      const file = join(folder, `${name}.conf`);
      const lines = [
        `server_name: ${name}`,
        `listen: "${host}:${clientPort}"`,
        `http: "${host}:${monitorPort}"`,
        `jetstream: { store_dir: "${disk}", max_file_store: ${diskMiB}MB }`,
        `cluster: { name: chaos, listen: "${host}:${routePort}", routes: [${routes}] }`,
      ];
      writeFileSync(file, `${lines.join("\n")}\n`);
      const command = network.within(name, ["nats-server", "-c", file]);
      return new Member({ name, command, logFile: join(folder, `${name}.log`), onSurprise });
    });
  }

  /** Resolves when they are a cluster that keeps three copies of a stream. */
  async start(): Promise<void> {
    for (const member of this.members) member.start();
    await until("the brokers are a cluster", async () => {
      const connection = await this.connect();
      try {
        const { streams } = await jetstreamManager(connection, { timeout: askMs });
        await streams.add({ name: "ready", subjects: ["ready"], num_replicas: 3 });
        await streams.delete("ready");
        return true;
      } finally {
        await connection.close();
      }
    });
  }

  connect(): Promise<NatsConnection> {
    return connect({ servers: [...this.addresses], timeout: askMs, maxReconnectAttempts: 5 });
  }

  /**
   * Those whose copies are behind, one by one, each when the one before it is well again, as their
   * operator has to: NATS 2.9 may have cut off on a full disk what a broker knew of which streams
   * there are, and of each stream. The others tell it, which may take several starts, as long as
   * they are there; begun together with them it may lead, and then all streams are gone.
   *
   * @returns whom that was, so often as it was started
   * @throws Error when they are not whole even then
   */
  async restartBehind(): Promise<readonly string[]> {
    const behind = await this.#behind().catch(() => []);
    const ill = this.members.filter(({ name }) => behind.some(({ broker }) => broker === name));
    const started: string[] = [];
    for (const member of ill) {
      let isWell = false;
      for (let starts = 0; starts < startsMax && !isWell; starts += 1) {
        await member.end("SIGKILL");
        member.start();
        started.push(member.name);
        isWell = await this.#isWhole(member.name);
      }
    }
    await this.settled(startMs);
    return started;
  }

  /** Which of them leads the log's stream, undefined when nobody says so. */
  async leader(): Promise<Member | undefined> {
    let connection: NatsConnection | undefined;
    try {
      connection = await this.connect();
      const { streams } = await jetstreamManager(connection, { timeout: askMs });
      const { cluster } = await streams.info(stream);
      return this.members.find(({ name }) => name === cluster?.leader);
    } catch {
      return undefined;
    } finally {
      await connection?.close();
    }
  }

  /** Nothing more can be written to the store of one. */
  fillDisk(member: Member): void {
    const disk = this.#diskOf(member);
    for (let slackKiB = 64; ; slackKiB *= 2) {
      const { blocks, bfree, bsize } = statfsSync(disk);
      // As much as is used, and hardly a page more.
      const usedKiB = Math.ceil(((blocks - bfree) * bsize) / 1024) + slackKiB;
      try {
        execFileSync("mount", ["-o", `remount,size=${usedKiB}k`, disk], { stdio: "pipe" });
        return;
      } catch (error) {
        // More has been written meanwhile than there would be room for.
        if (slackKiB > 65_536) throw error;
      }
    }
  }

  freeDisk(member: Member): void {
    execFileSync("mount", ["-o", `remount,size=${diskMiB}m`, this.#diskOf(member)]);
  }

  /** Every copy of every stream is there and up to date again. */
  async settled(limitMs = 120_000): Promise<void> {
    let behind: readonly Behind[] = [];
    const isSo = async (): Promise<boolean> => {
      behind = await this.#behind();
      return behind.length === 0;
    };
    await until("every copy of the log is up to date", isSo, limitMs).catch((error: Error) => {
      throw new Error(`${error.message} (${behind.map(({ what }) => what).join(", ")})`);
    });
  }

  /** Whether all copies of one are up to date in time; those of others may be behind. */
  #isWhole(broker: string): Promise<boolean> {
    const isSo = async (): Promise<boolean> =>
      (await this.#behind()).every((each) => each.broker !== broker);
    return until(`the copies at ${broker} are up to date`, isSo, startMs).then(
      () => true,
      () => false,
    );
  }

  /** What is wrong with the copies, as who leads each stream sees it. */
  async #behind(): Promise<readonly Behind[]> {
    const connection = await this.connect();
    try {
      const { streams } = await jetstreamManager(connection, { timeout: askMs });
      const [names, behind]: [string[], Behind[]] = [[], []];
      for await (const name of streams.names()) names.push(name);
      for (const name of names) {
        const { cluster } = await streams.info(name);
        const replicas = cluster?.replicas ?? [];
        if (cluster?.leader === undefined) behind.push({ what: `nobody leads ${name}` });
        if (replicas.length !== 2) {
          behind.push({ what: `${name} has ${replicas.length + 1} copies` });
        }
        for (const { name: broker, current, offline } of replicas) {
          if (!current || offline) behind.push({ what: `${name} at ${broker}`, broker });
        }
      }
      return names.length === 0 ? [{ what: "no stream" }] : behind;
    } finally {
      await connection.close();
    }
  }

  #diskOf(member: Member): string {
    return this.#disks[this.members.indexOf(member)] ?? "";
  }
}
