// SPDX-License-Identifier: MIT
// One run: starts cluster and load, injects faults as planned, lets everything come to rest, and
// hands histories and record to the checker.
import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { check, type Verdict } from "./checker/check.ts";
import { HistoryReader } from "./checker/operations.ts";
import { Record, type RecordLine } from "./checker/record.ts";
import { type Violation, violation } from "./checker/violation.ts";
import { Brokers, stream } from "./cluster/brokers.ts";
import { Network } from "./cluster/network.ts";
import { busOf, EventScheduler, eventKey, eventNodes, experiment } from "./cluster/scheduler.ts";
import { Servers, syncScope } from "./cluster/servers.ts";
import { type Injected, inject, planFaults, type Stage, type Victim } from "./faults.ts";
import { parseLine } from "./history.ts";
import { LoadProcess } from "./load-process.ts";
import { type Latency, measure } from "./measure.ts";
import { MortalClients } from "./mortal-clients.ts";
import type { ChaosOptions } from "./options.ts";
import { Random } from "./random.ts";
import { nowUs, pause, until } from "./wait.ts";

/** Operations of one party in one round, on average: what the rate is made from. */
const operationsPerRound = 1.35;
/**
 * Rounds that are still played when the end is announced: nobody is past it when he hears it. Those
 * of the HTTP door took seconds until then.
 */
const [roundsToEnd, httpRoundsToEnd] = [40, 8];
/**
 * Lanes whose processes are killed, and half of what their parties pause between rounds, at most.
 */
const [mortalLanes, mortalRoundMs] = [4, 250];
/** Between the rounds of one of the three senders of events; a round has two on average. */
const eventRoundMs = 400;
/** Within this time of the last fault everybody has had every answer. */
const restMs = 60_000;
const progressMs = 5_000;
/** Brokers that are not whole so long after a fault need somebody who looks after them. */
const recoverMs = 60_000;

export interface RunResult {
  readonly options: ChaosOptions;
  readonly startedMs: number;
  readonly loadSeconds: number;
  readonly faults: readonly Injected[];
  readonly verdict: Verdict;
  readonly latencies: readonly Latency[];
  readonly entries: number;
  /** What servers said that ended because the brokers had replaced what they had delivered. */
  readonly replacements: readonly string[];
  /** The longest time that the brokers took to be whole after a fault, seconds. */
  readonly recoveredSeconds: number;
  /** Brokers whose copies did not come up by themselves, as often as each was started again. */
  readonly restarted: readonly string[];
  /** How often each process was started. */
  readonly lives: readonly (readonly [string, number])[];
  readonly notes: readonly string[];
}

interface Cluster {
  readonly brokers: Brokers;
  readonly servers: Servers;
  readonly clients: readonly LoadProcess[];
  readonly mortals: MortalClients;
  readonly recorder: LoadProcess;
}

export class Run {
  readonly #options: ChaosOptions;
  readonly #folder: string;
  readonly #violations: Violation[] = [];
  readonly #notes: string[] = [];
  readonly #faults: Injected[] = [];
  #isEnding = false;
  #startedUs = 0;
  /** The longest time that the brokers took to be whole after a fault. */
  #recoveredMs = 0;
  readonly #restarted: string[] = [];

  constructor(options: ChaosOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  async play(): Promise<RunResult> {
    const { dist, servers: count, seed } = this.#options;
    const startedMs = Date.now();
    const network = new Network();
    const [folder, onSurprise] = [this.#folder, (what: string) => this.#surprise(what)];
    const brokers = new Brokers(network, folder, onSurprise);
    const { addresses } = brokers;
    const common = { network, folder, dist, onSurprise };
    const servers = new Servers({ ...common, count, brokers: addresses });
    await brokers.start();
    await servers.start();
    const scheduler = new EventScheduler({ ...common, servers: servers.addresses });
    await scheduler.start();
    const { clients, mortals, recorder } = this.#startLoad(brokers, servers);
    const schedulers = [scheduler.member];
    const { members: killed } = mortals;
    const stage: Stage = { network, brokers, servers, clients, mortals: killed, schedulers };
    // Faults that came before clients did would be faults of nothing, on a slow machine.
    await until("every client is under way", async () =>
      [...clients, ...killed].every(({ operations }) => operations > 0),
    );
    this.#startedUs = nowUs();
    const progress = setInterval(() => this.#progress([...clients, ...killed]), progressMs);
    await this.#disturb(stage, new Random(seed));
    const loadSeconds = (nowUs() - this.#startedUs) / 1e6;
    await this.#rest({ brokers, servers, clients, mortals, recorder });
    clearInterval(progress);
    this.#say("all is quiet; checking");
    const verdict = await this.#check();
    const members = [...brokers.members, ...servers.members, ...killed, ...schedulers];
    return {
      ...{ options: this.#options, startedMs, loadSeconds, faults: this.#faults },
      ...verdict,
      replacements: servers.replacements,
      recoveredSeconds: this.#recoveredMs / 1_000,
      restarted: this.#restarted,
      lives: members.map(({ name, lives }) => [name, lives]),
      notes: this.#notes,
    };
  }

  #startLoad(brokers: Brokers, servers: Servers) {
    const { dist, lanes, rate, seed, servers: parties } = this.#options;
    const roundMs = Math.round((1000 * lanes * parties * operationsPerRound) / rate);
    const urls = servers.addresses.map(({ url }) => url);
    const common = { folder: this.#folder, onSurprise: (what: string) => this.#surprise(what) };
    const native = urls.map(
      (_, party) =>
        new LoadProcess({ ...common, name: `c${party + 1}`, program: "native.ts" }, (history) => ({
          ...{ history, urls, seed, party, parties, lanes, roundMs, httpLanes: lanes },
          client: join(dist, "client/index.js"),
        })),
    );
    const old = new LoadProcess({ ...common, name: "old", program: "old.ts" }, (history) => ({
      ...{ history, servers: servers.addresses, roundMs: 250, syncScope },
    }));
    const events = new LoadProcess(
      { ...common, name: "events", program: "events.ts" },
      (history) => ({
        ...{ history, doors: busOf(servers.addresses), experiment, key: eventKey },
        ...{ nodes: eventNodes, seed, roundMs: eventRoundMs },
      }),
    );
    const recorder = new LoadProcess({ ...common, name: "record", program: "record.ts" }, () => ({
      ...{ file: join(this.#folder, "record.ndjson"), brokers: brokers.addresses, stream },
    }));
    const mortals = new MortalClients({
      ...{ ...common, lanes: mortalLanes },
      load: { client: join(dist, "client/index.js"), urls, seed, parties, roundMs: mortalRoundMs },
    });
    return { clients: [...native, old, events], mortals, recorder };
  }

  /** Faults until the time is over; each is undone when this resolves. */
  async #disturb(stage: Stage, random: Random): Promise<void> {
    const { faults, seconds } = this.#options;
    const endUs = nowUs() + seconds * 1e6;
    const busy = new Set<Victim>();
    const open: Promise<void>[] = [];
    await pause(Math.min(2_000, seconds * 100));
    for (const fault of planFaults(faults, random)) {
      if (nowUs() + fault.lastsMs * 1000 >= endUs) break;
      if (fault.isAlone) await Promise.all(open);
      const done = this.#inject(fault, stage, busy);
      open.push(done);
      if (!fault.overlaps) {
        await Promise.all(open);
        await this.#recover(stage.brokers);
      }
      await pause(fault.pauseMs);
    }
    await Promise.all(open);
    const leftMs = (endUs - nowUs()) / 1000;
    if (leftMs > 0) await pause(leftMs);
  }

  /** The next fault waits until the brokers are whole: what they do not get over, we look into. */
  async #recover(brokers: Brokers): Promise<void> {
    const startedUs = nowUs();
    try {
      await brokers.settled(recoverMs);
    } catch (error) {
      this.#say(`brokers are not whole: ${error}`);
      await brokers.restartBehind().then(
        (restarted) => this.#restarted.push(...restarted),
        (again) => this.#surprise(`brokers have not recovered by a restart: ${again}`),
      );
    }
    const ms = (nowUs() - startedUs) / 1000;
    this.#recoveredMs = Math.max(this.#recoveredMs, ms);
    if (ms > 10_000) this.#say(`the brokers were whole again after ${(ms / 1000).toFixed(1)} s`);
  }

  async #inject(
    fault: Parameters<typeof inject>[0],
    stage: Stage,
    busy: Set<Victim>,
  ): Promise<void> {
    this.#say(`${fault.name} for ${(fault.lastsMs / 1000).toFixed(1)} s`);
    try {
      const injected = await inject(fault, stage, busy);
      if (injected !== undefined) this.#faults.push(injected);
    } catch (error) {
      this.#surprise(`${fault.name} could not be injected, or undone: ${error}`);
    }
  }

  /** All faults are undone: everybody has to come to an end now. */
  async #rest({ brokers, servers, clients, mortals, recorder }: Cluster): Promise<void> {
    this.#say("the faults are over; waiting for what is under way");
    const [longest = []] = clients.map(({ rounds }) => rounds).toSorted(byLength);
    const lastRounds = longest.map((_, lane) => {
      const latest = Math.max(0, ...clients.map(({ rounds }) => rounds[lane] ?? 0));
      return latest + (lane < this.#options.lanes ? roundsToEnd : httpRoundsToEnd);
    });
    for (const client of clients) client.tell(JSON.stringify(lastRounds));
    mortals.end();
    const everybody = [...clients, ...mortals.members];
    const all = Promise.all(everybody.map(({ completed }) => completed));
    const timer = pause(restMs).then(() => "late" as const);
    if ((await Promise.race([all, timer])) === "late") {
      const late = everybody.filter(({ isComplete }) => !isComplete).map(({ name }) => name);
      const text = `${late.join(", ")}: not all answers in ${restMs / 1000} s after the last fault`;
      this.#violations.push(violation("lost", "clients", text));
      for (const server of servers.members)
        this.#notes.push(`${server.name}: ${server.lastLines()}`);
    }
    await this.#look(brokers, servers, recorder);
  }

  /** The servers themselves, when nobody is there any more; then the end of the record. */
  async #look(brokers: Brokers, servers: Servers, recorder: LoadProcess): Promise<void> {
    try {
      await servers.ready();
      await brokers.settled();
      let counts: readonly number[] = [];
      await until(
        "nobody waits at any server",
        async () => {
          counts = await servers.waiters();
          return counts.every((count) => count === 0);
        },
        60_000,
      ).catch((error: Error) => {
        const text = `${error.message}; they count ${counts.join(", ")} who wait`;
        this.#violations.push(violation("session", "servers", text));
      });
    } catch (error) {
      this.#violations.push(violation("process", "the cluster", String(error)));
    }
    this.#isEnding = true;
    const connection = await brokers.connect();
    const { jetstreamManager } = await import("@nats-io/jetstream");
    const { state } = await (await jetstreamManager(connection)).streams.info(stream);
    await connection.close();
    recorder.tell(String(state.last_seq));
    const isRead = await Promise.race([recorder.completed, pause(60_000).then(() => false)]);
    if (isRead === false) {
      this.#violations.push(violation("history", "the record", "it was not read to its end"));
    }
  }

  async #check(): Promise<Pick<RunResult, "verdict" | "latencies" | "entries">> {
    const reader = new HistoryReader();
    const files = readdirSync(this.#folder).filter((name) => name.endsWith(".history"));
    for (const file of files) {
      await forLines(join(this.#folder, file), (line) => reader.take(parseLine(line)));
      reader.endFile(file);
    }
    const record = new Record();
    await forLines(join(this.#folder, "record.ndjson"), (line) => {
      record.take(JSON.parse(line) as RecordLine | "again");
    });
    const histories = reader.result();
    const verdict = check(histories, record);
    const violations = [...this.#violations, ...verdict.violations];
    const { entries } = record;
    return { verdict: { ...verdict, violations }, latencies: measure(histories), entries };
  }

  #surprise(what: string): void {
    if (this.#isEnding) return;
    this.#say(what);
    this.#violations.push(violation("process", what.split(" ", 1)[0] ?? "", what));
  }

  #progress(clients: readonly { readonly operations: number }[]): void {
    const operations = clients.reduce((sum, client) => sum + client.operations, 0);
    this.#say(`${operations} operations, ${this.#faults.length} faults`);
  }

  #say(what: string): void {
    const seconds = this.#startedUs === 0 ? 0 : (nowUs() - this.#startedUs) / 1e6;
    process.stdout.write(`chaos: ${seconds.toFixed(0).padStart(5)} s  ${what}\n`);
  }
}

const byLength = (a: readonly unknown[], b: readonly unknown[]): number => b.length - a.length;

async function forLines(path: string, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: createReadStream(path) })) take(line);
}
