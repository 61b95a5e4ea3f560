// SPDX-License-Identifier: MIT
// Real `nats-server` processes for tests and benchmarks: on loopback, at ports that the system
// chose, with their files in a directory of their own. Ends only what it started.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { sleep, systemClock } from "../host/clock.ts";

export interface NatsServerOptions {
  /** Lines of its configuration, besides address, ports and files. */
  readonly config?: string;
  /** Without JetStream when false. */
  readonly hasJetStream?: boolean;
  /** Of its JetStream. */
  readonly domain?: string;
}

export class NatsServer {
  readonly port: number;
  readonly folder: string;
  readonly #arguments: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, options: NatsServerOptions) {
    this.port = port;
    this.folder = folder;
    const file = join(folder, "nats.conf");
    const domain = options.domain === undefined ? "" : `, domain: ${options.domain}`;
    const stored = `jetstream: { store_dir: "${folder}/store"${domain} }`;
    const lines = [
      `listen: "127.0.0.1:${port}"`,
      options.hasJetStream === false ? "" : stored,
      options.config ?? "",
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    this.#arguments = ["-c", file];
  }

  /** A server that is ready. */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const [port = 0] = await freePorts(1);
    const server = NatsServer.#prepare(port, options);
    await server.startAgain();
    return server;
  }

  /** Three servers that are one cluster, ready when it has a leader. */
  static async startThree(): Promise<readonly NatsServer[]> {
    const [ports, routes] = [await freePorts(3), await freePorts(3)];
    const addresses = routes.map((port) => `"nats-route://127.0.0.1:${port}"`).join(", ");
    const servers = ports.map((port, index) => {
      const cluster = `{ name: muster, listen: "127.0.0.1:${routes[index]}", routes: [${addresses}] }`;
      return NatsServer.#prepare(port, { config: `server_name: n${index}\ncluster: ${cluster}` });
    });
    await Promise.all(servers.map((server) => server.startAgain()));
    await untilReplicated(servers.map(({ address }) => address));
    return servers;
  }

  static #prepare(port: number, options: NatsServerOptions): NatsServer {
    return new NatsServer(port, mkdtempSync(join(tmpdir(), "muster-nats-")), options);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** At the same port, with the files that it had. */
  async startAgain(): Promise<void> {
    const child = spawn("nats-server", this.#arguments, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    const seen: string[] = [];
    const lines = createInterface({ input: child.stderr });
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`nats-server ended (${code}): ${seen}`)));
      lines.on("line", (line) => {
        if (seen.length < 100) seen.push(line);
        if (line.includes("Server is ready")) resolve();
      });
    });
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Ends it and deletes its files. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Asks for a stream with three copies until there is one: what servers print is no sure sign. */
async function untilReplicated(servers: readonly string[]): Promise<void> {
  for (;;) {
    const connection = await connect({ servers: [...servers] });
    try {
      const { streams } = await jetstreamManager(connection, { timeout: askMs });
      await streams.add({ name: "ready", subjects: ["ready"], num_replicas: 3 });
      await streams.delete("ready");
      return;
    } catch {
      await sleep(systemClock, retryMs);
    } finally {
      await connection.close();
    }
  }
}

/** How long a cluster may take for an answer, and until it is asked again, milliseconds. */
const [askMs, retryMs] = [2_000, 50];

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  return ports;
}
