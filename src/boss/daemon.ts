// SPDX-License-Identifier: MIT
// The daemon: keeps experiments up and answers at a UNIX socket in the state directory. One state
// directory, one daemon: the lock is that of the database, and the socket belongs to who has it.
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { Limits } from "../core/limits.ts";
import { errorText } from "../core/text.ts";
import { type DoorIdentity, XmlRpcDoor } from "../edges/xmlrpc/index.ts";
import type { Clock } from "../host/clock.ts";
import type { LogState } from "../host/log-state.ts";
import type { Logger } from "../host/logger.ts";
import type { Faults } from "../testbed/guard-run.ts";
import type { LinkHealth } from "../testbed/link-metrics.ts";
import type { RunOptions } from "../testbed/run-options.ts";
import type { Bus } from "../wire/event/bus.ts";
import type { Network } from "../wire/networks.ts";
import { BossError } from "./boss-error.ts";
import { DaemonConnection } from "./daemon-connection.ts";
import { type ExperimentRow, ExperimentsDatabase } from "./database.ts";
import { DatabaseControl, type SendToRun } from "./experiment-control.ts";
import { Experiments, type FindMachines } from "./experiments.ts";
import type { BossLimits } from "./limits.ts";
import { shutdownMsMax } from "./limits.ts";
import { LinkControl } from "./link-control.ts";
import { Linktests } from "./linktests.ts";
import { Members } from "./members.ts";
import { watchNodesFor } from "./node-reports.ts";
import type { KeepRules } from "./old-runs.ts";
import { OpsLinktest, type OpsLinktestOptions } from "./ops-linktest.ts";
import { formatLine } from "./protocol.ts";
import { Retention } from "./retention.ts";
import type { EventSystem } from "./rpc/control.ts";
import { BossRpc } from "./rpc/service.ts";
import { OwnEvents, type Schedulers } from "./schedulers.ts";
import { StateDaemon } from "./state-daemon.ts";
import {
  experimentDirectory,
  prepareStateDirectory,
  type StateDirectory,
} from "./state-directory.ts";
import { linktestAtSwapIn } from "./swap-in-linktest.ts";
import { unixUid } from "./unix-user.ts";

export interface DaemonOptions {
  readonly state: StateDirectory;
  readonly clock: Clock;
  readonly coreLimits: Limits;
  readonly limits: BossLimits;
  readonly logger: Logger;
  readonly tools: Readonly<Record<string, string>>;
  readonly run: (options: RunOptions) => Promise<void>;
  /** Where the process tells what nobody has caught. */
  readonly faults: Faults;
  /** Boss's own bus, which nothing else publishes on. */
  readonly bus: Bus;
  /** Where XML-RPC is to be had over HTTPS; nowhere when absent. */
  readonly xmlrpc?: XmlRpcPlace | undefined;
  /** How schedulers are started; absent: they are in this process, and nobody controls them. */
  readonly schedulers?: Schedulers | undefined;
  /** Controls schedulers elsewhere, in place of those that this daemon has started. */
  readonly events?: EventSystem | undefined;
  /** How links are tested from ops, and that of swap-ins; by the run itself when absent. */
  readonly linktest?: LinktestPlace | undefined;
  /** How events get to runs; not at all when absent. */
  readonly sendToRun?: SendToRun | undefined;
  /** Machines that have joined, as an experiment is told of them. @throws BossError */
  readonly machines?: FindMachines | undefined;
  /** Of the log of the process; undefined, or absent, where there is none that outlasts it. */
  readonly logState?: () => LogState | undefined;
  /** A command line that mails reports. */
  readonly mailer?: string | undefined;
  /** Which results of old runs go, and who is told of each; none when absent. */
  readonly keep?: KeepWish | undefined;
  /** A client asked for the end; the owner of the daemon calls `close`. */
  readonly onStopAsked: () => void;
}

export interface KeepWish {
  readonly rules: KeepRules;
  readonly say: (line: string) => void;
}

export interface LinktestPlace {
  /** Template of the remote shell, the machine, and linktest.proxy there. */
  readonly ops: Pick<OpsLinktestOptions, "shell" | "place" | "proxy">;
  /** linktest_control, for swap-ins. */
  readonly control: string;
}

export interface XmlRpcPlace {
  readonly identity: DoorIdentity;
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  /** From where one may come; everybody when empty. */
  readonly networks?: readonly Network[];
}

/** Users log in to the machine of the daemon. */
const loopback = "127.0.0.1";

export class Daemon {
  /** Port of XML-RPC over HTTPS. */
  xmlrpcPort: number | undefined;
  /** Names of experiments that a daemon before this one has left. */
  readonly recovered: readonly string[];
  readonly #options: DaemonOptions;
  readonly #database: ExperimentsDatabase;
  readonly #experiments: Experiments;
  readonly #linkControl: LinkControl;
  readonly #linktests: Linktests;
  readonly #members: Members;
  readonly #states: StateDaemon;
  readonly #rpc: BossRpc;
  readonly #retention: Retention | undefined;
  readonly #user: string;
  readonly #connections = new Set<DaemonConnection>();
  #server: Server | undefined;
  #door: XmlRpcDoor | undefined;
  #closing: Promise<readonly string[]> | undefined;

  private constructor(options: DaemonOptions, database: ExperimentsDatabase) {
    this.#options = options;
    this.#database = database;
    const { bus, clock, logger, limits, state } = options;
    const { waitsMax } = limits;
    const states = new StateDaemon({ database, bus, clock, logger, waitsMax });
    this.#states = states;
    database.onMoved = (...moved) => states.experimentMoved(...moved);
    const watchNodes = watchNodesFor(states);
    const { schedulers, linktest } = options;
    const testLinks =
      linktest && linktestAtSwapIn({ command: linktest.control, state: state.path, clock });
    this.#experiments = new Experiments({
      ...{ ...options, database, watchNodes, testLinks },
      linksAsked: (...of) => this.#linkControl.live.over(...of),
    });
    const demanded: Experiments["demanded"] = (...asked) => this.#experiments.demanded(...asked);
    this.#linktests = new Linktests({
      ...{ database, demanded },
      ops: linktest && new OpsLinktest({ ...linktest.ops, clock, pathOf: this.#pathOf }),
    });
    this.#linkControl = new LinkControl({
      ...{ database, demanded, sendToRun: options.sendToRun },
      running: (row) => this.#experiments.running(row)?.links,
    });
    const own = schedulers === undefined ? undefined : new OwnEvents(this.#experiments);
    this.#rpc = new BossRpc({
      database,
      control: new DatabaseControl(
        database,
        this.#experiments,
        options.events ?? own,
        options.sendToRun,
      ),
      waits: states,
      audit: (line) => logger.log("info", line),
      // Where schedulers are processes, this is what they can reach.
      pathOf: (pid, eid) =>
        schedulers?.directoryOf({ pid, eid }) ?? experimentDirectory(state, pid, eid),
      opsAddress: loopback,
    });
    this.#members = new Members({ database, limits: options.limits, uidOf: unixUid });
    this.#retention = options.keep && this.#createRetention(options.keep);
    const { username, uid } = userInfo();
    this.#user = username;
    database.putUser(username, uid);
    this.recovered = this.#experiments.recover(username);
  }

  /** How late the links are of what is up, for figures. */
  linkHealth(): readonly LinkHealth[] {
    return this.#experiments.linkHealth();
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
      await daemon.#open();
      return daemon;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Where an experiment that is up has its key and logs. */
  readonly #pathOf = (row: ExperimentRow): string => {
    const { schedulers, state } = this.#options;
    if (schedulers !== undefined) return schedulers.directoryOf(row);
    const run = this.#database.lastRun(row.exptidx);
    return run === undefined
      ? experimentDirectory(state, row.pid, row.eid)
      : join(run.directory, "proj");
  };

  async #open(): Promise<void> {
    try {
      await this.#states.start();
      await this.#listen();
      await this.#listenXmlRpc();
      this.#retention?.start();
    } catch (error) {
      // Its timers would look into a database that is closed.
      this.#states.close();
      throw error;
    }
  }

  /** Experiments that are up, or on their way. */
  get heldCount(): number {
    return this.#experiments.heldCount;
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
    // While there is a bus that takes its KILL.
    const tested = this.#linktests.close();
    const swept = this.#retention?.close();
    const left = await this.#experiments.close(this.#user, shutdownMsMax);
    await tested;
    await swept;
    this.#server?.close();
    this.#states.close();
    // Those who waited for a swap-out are answered in the turn after it.
    await new Promise<void>((resolve) => this.#options.clock.endOfTurn(resolve));
    await Promise.all([...this.#connections].map((connection) => connection.finish()));
    this.#door?.close();
    this.#database.close();
    return left;
  }

  #createRetention({ rules, say }: KeepWish): Retention {
    const { state, clock, limits, logger } = this.#options;
    return new Retention({
      ...{ state, rules, clock, say, runsRemovedMax: limits.runsRemovedMax },
      isUnderWay: (directory) => this.#experiments.isUnderWay(directory),
      warn: (line) => logger.log("warn", line),
    });
  }

  async #listen(): Promise<void> {
    const { path, socket } = this.#options.state;
    // Whoever has the lock of the database owns the path: a socket there is a dead daemon's.
    try {
      rmSync(socket, { force: true });
    } catch (error) {
      const message = `${socket} is no socket and cannot be taken away: ${errorText(error)}; remove it`;
      throw new BossError("STATE_DIRECTORY", message);
    }
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        const message = `cannot listen at ${socket}: ${errorText(error)}; check ${path}`;
        reject(new BossError("STATE_DIRECTORY", message));
      });
      server.listen(socket, resolve);
    });
    // Without descriptors the next client may be taken; unheard, it would end the experiments.
    const { logger } = this.#options;
    server.on("error", (error) => logger.log("error", `daemon: ${error.message}`));
    chmodSync(socket, 0o600);
    this.#server = server;
  }

  async #listenXmlRpc(): Promise<void> {
    const { xmlrpc, logger } = this.#options;
    if (xmlrpc === undefined) return;
    const { identity, address, port, networks = [] } = xmlrpc;
    this.#door = new XmlRpcDoor({ service: this.#rpc, identity, networks, logger });
    try {
      this.xmlrpcPort = await this.#door.listen(address, port);
    } catch (error) {
      this.#server?.close();
      throw new BossError("LISTEN", errorText(error));
    }
  }

  #accept(client: Socket): void {
    const { limits, clock, logger, onStopAsked } = this.#options;
    const { logState = () => undefined } = this.#options;
    if (this.#connections.size >= limits.connectionsMax) {
      const message = `${limits.connectionsMax} clients are connected (limit connectionsMax); end one of them, such as muster logs -f`;
      client.on("error", () => client.destroy());
      client.end(formatLine({ kind: "failed", code: "LIMIT", message }));
      return;
    }
    const connection: DaemonConnection = new DaemonConnection(client, {
      ...{ clock, limits, logger, onStopAsked, logState },
      experiments: this.#experiments,
      linkControl: this.#linkControl,
      linktests: this.#linktests,
      members: this.#members,
      rpc: this.#rpc,
      user: this.#user,
      onGone: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}
