// SPDX-License-Identifier: MIT
// An event server and a scheduler of an experiment as they are on ops, for tests of agents that are
// commands: the server in this process, the scheduler a process of its own.
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import { resolveBossLimits } from "../../../src/boss/limits.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { EventServer } from "../../../src/events/event-server.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { newRunId } from "../../../src/host/ids.ts";
import { parseReport } from "../../../src/wire/event/orders.ts";
import { type Command, type Ended, run, scratch, start, until } from "../support/command.ts";

export const experiment = "pp/ee";
export const eventKey = "0123456789abcdef0123456789abcdef";

export class Scheduled {
  readonly directory: string;
  readonly keyFile: string;
  readonly #ns: string;
  readonly #nodes: readonly string[];
  readonly bus: MemoryBus = new MemoryBus({ epoch: newRunId(), limits: resolveBusLimits() });
  readonly #server: EventServer;
  scheduler: Command | undefined;

  private constructor(ns: string, nodes: readonly string[]) {
    this.#ns = ns;
    this.#nodes = nodes;
    this.directory = scratch();
    // An agent that has become another user gets there.
    chmodSync(this.directory, 0o755);
    this.keyFile = join(this.directory, "exp/tbdata/eventkey");
    const logger = { log: () => undefined };
    this.#server = new EventServer({ bus: this.bus, clock: systemClock, logger, port: 0 });
  }

  /** @param ns the experiment file; nodes those in it, which are up */
  static async open(ns: string, nodes: readonly string[]): Promise<Scheduled> {
    const scheduled = await Scheduled.openBus(ns, nodes);
    await scheduled.startScheduler();
    return scheduled;
  }

  /** The same without a scheduler. */
  static async openBus(ns: string, nodes: readonly string[]): Promise<Scheduled> {
    const scheduled = new Scheduled(ns, nodes);
    scheduled.#furnish(scheduled.directory);
    await scheduled.#server.listen(["127.0.0.1"]);
    return scheduled;
  }

  #furnish(directory: string): void {
    mkdirSync(join(directory, "exp/tbdata"), { recursive: true });
    writeFileSync(join(directory, "exp/tbdata/eventkey"), eventKey, { mode: 0o644 });
    writeDatabase(directory, this.#ns, this.#nodes);
  }

  /** `-s HOST -p PORT`, as all old commands take it. */
  get where(): readonly string[] {
    return ["-s", "127.0.0.1", "-p", String(this.#server.port)];
  }

  async startScheduler(): Promise<void> {
    this.scheduler = this.#begin(this.directory, []);
    await this.scheduler.prints(/scheduling the events of/);
  }

  /** One on another machine: with a directory of its own. It may not have come up yet. */
  startOn(machine: string, more: readonly string[]): Command {
    const directory = join(this.directory, machine);
    if (!existsSync(directory)) this.#furnish(directory);
    return this.#begin(directory, more);
  }

  #begin(directory: string, more: readonly string[]): Command {
    const source = ["--database", join(directory, "db"), "--directory", join(directory, "exp")];
    const argv = ["-d", ...this.where, ...source, ...more, ...experiment.split("/")];
    return start("event-sched", argv);
  }

  /** @param argv from the time on. */
  tevc(...argv: readonly string[]): Promise<Ended> {
    return run("tevc", [...this.#tevcOptions, ...argv]);
  }

  /** Waits for the completion. */
  tevcWait(...argv: readonly string[]): Promise<Ended> {
    return run("tevc", ["-w", ...this.#tevcOptions, ...argv]);
  }

  /** Resolves when the scheduler knows that an agent serves the object. */
  async served(object: string): Promise<void> {
    await until(`an agent serves ${object}`, () => this.#alive.includes(object));
  }

  readonly #alive: string[] = [];

  /** Hears which agents say that they are there; from now on. */
  async watchAgents(): Promise<void> {
    await this.bus.subscribe(
      { address: { expt: experiment, eventtype: "ALIVE", scheduler: 1 }, slow: "end" },
      {
        onNotifications: (placed) => {
          for (const { notification } of placed) {
            const report = parseReport(notification);
            if (report?.kind === "alive") this.#alive.push(...report.alive.objects);
          }
        },
        onGap: () => undefined,
        onEnd: () => undefined,
      },
    );
  }

  async close(): Promise<void> {
    this.scheduler?.child.kill("SIGTERM");
    await this.scheduler?.ended;
    await this.#server.close();
    this.bus.close();
  }

  get #tevcOptions(): readonly string[] {
    return [...this.where, "-e", experiment, "-k", this.keyFile];
  }
}

/** What event-sched reads of an experiment that is up. */
export function writeDatabase(directory: string, ns: string, nodes: readonly string[]): void {
  const { rows = {} } = parseNsFile(ns, { file: "/a.ns", pid: "pp", eid: "ee", presets: [] });
  const database = ExperimentsDatabase.open(join(directory, "db"), resolveBossLimits());
  const deed = { user: "ann", atMs: 1, note: "" };
  database.transaction(() => {
    database.putUser("ann", 1_000);
    database.putProject("pp", deed);
    const definition = { file: "/a.ns", source: ns, presets: [], rows };
    const { exptidx } = database.define("pp", "ee", definition, deed);
    database.move("pp", "ee", "swap-in", deed);
    for (const vname of nodes) {
      const where = { nodeId: `${vname}.ee.pp`, vname, address: "127.0.0.9" };
      database.nodes.put({ exptidx, ...where, state: "ISUP", sinceMs: 1, opMode: "NORMAL" });
    }
  });
  database.close();
}
