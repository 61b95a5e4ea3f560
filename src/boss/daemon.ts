// SPDX-License-Identifier: MIT
// The daemon: keeps experiments up and answers at a UNIX socket in the state directory. One state
// directory, one daemon: the lock is that of the database, and the socket belongs to who has it.
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { userInfo } from "node:os";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { RunOptions } from "../testbed/run.ts";
import { BossError, textOf } from "./boss-error.ts";
import { DaemonConnection } from "./daemon-connection.ts";
import { ExperimentsDatabase } from "./database.ts";
import { Experiments } from "./experiments.ts";
import type { BossLimits } from "./limits.ts";
import { shutdownMsMax } from "./limits.ts";
import { Members } from "./members.ts";
import { formatLine } from "./protocol.ts";
import { prepareStateDirectory, type StateDirectory } from "./state-directory.ts";
import { unixUid } from "./unix-user.ts";

export interface DaemonOptions {
  readonly state: StateDirectory;
  readonly clock: Clock;
  readonly coreLimits: Limits;
  readonly limits: BossLimits;
  readonly logger: Logger;
  readonly tools: Readonly<Record<string, string>>;
  readonly run: (options: RunOptions) => Promise<void>;
  /** A client asked for the end; the owner of the daemon calls `close`. */
  readonly onStopAsked: () => void;
}

export class Daemon {
  /** Names of experiments that a daemon before this one has left. */
  readonly recovered: readonly string[];
  readonly #options: DaemonOptions;
  readonly #database: ExperimentsDatabase;
  readonly #experiments: Experiments;
  readonly #members: Members;
  readonly #user: string;
  readonly #connections = new Set<DaemonConnection>();
  #server: Server | undefined;
  #closing: Promise<readonly string[]> | undefined;

  private constructor(options: DaemonOptions, database: ExperimentsDatabase) {
    this.#options = options;
    this.#database = database;
    this.#experiments = new Experiments({ ...options, database });
    this.#members = new Members({ database, limits: options.limits, uidOf: unixUid });
    const { username, uid } = userInfo();
    this.#user = username;
    database.putUser(username, uid);
    this.recovered = this.#experiments.recover(username);
  }

  /**
   * @throws BossError (STATE_DIRECTORY, DATABASE); the latter also when another daemon is there.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { state, limits } = options;
    prepareStateDirectory(state);
    const database = ExperimentsDatabase.open(state.database, limits);
    try {
      chmodSync(state.database, 0o600);
      const daemon = new Daemon(options, database);
      await daemon.#listen();
      return daemon;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Swaps everything out in bounded time, and ends.
   * @returns names of what was not down in time: their nodes end with this process.
   */
  close(): Promise<readonly string[]> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<readonly string[]> {
    const left = await this.#experiments.close(this.#user, shutdownMsMax);
    this.#server?.close();
    // Those who waited for a swap-out are answered in the turn after it.
    await new Promise<void>((resolve) => this.#options.clock.endOfTurn(resolve));
    await Promise.all([...this.#connections].map((connection) => connection.finish()));
    this.#database.close();
    return left;
  }

  async #listen(): Promise<void> {
    const { path, socket } = this.#options.state;
    // Whoever has the lock of the database owns the path: a socket there is a dead daemon's.
    rmSync(socket, { force: true });
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        const message = `cannot listen at ${socket}: ${textOf(error)}; check ${path}`;
        reject(new BossError("STATE_DIRECTORY", message));
      });
      server.listen(socket, resolve);
    });
    chmodSync(socket, 0o600);
    this.#server = server;
  }

  #accept(client: Socket): void {
    const { limits, clock, logger, onStopAsked } = this.#options;
    if (this.#connections.size >= limits.connectionsMax) {
      const message = `${limits.connectionsMax} clients are connected (limit connectionsMax); end one of them, such as muster logs -f`;
      client.on("error", () => client.destroy());
      client.end(formatLine({ kind: "failed", code: "LIMIT", message }));
      return;
    }
    const connection: DaemonConnection = new DaemonConnection(client, {
      ...{ clock, limits, logger, onStopAsked },
      experiments: this.#experiments,
      members: this.#members,
      user: this.#user,
      onGone: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}
