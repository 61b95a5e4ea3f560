// SPDX-License-Identifier: MIT
// The scheduler of the events of a run: real `event-sched` of an experiment that is up, with its
// log in a file of its own, at the users' bus of the Muster servers. Started again when it dies, as
// its supervisor does.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ExperimentsDatabase } from "../../src/boss/database.ts";
import { resolveBossLimits } from "../../src/boss/limits.ts";
import { parseNsFile } from "../../src/experiment/index.ts";
import { until } from "../wait.ts";
import { Member } from "./member.ts";
import type { Network } from "./network.ts";
import type { ServerAddresses } from "./servers.ts";

/** `pid/eid` */
export const experiment = "chaos/events";
export const eventKey = "0123456789abcdef0123456789abcdef";

export interface EventNode {
  readonly name: string;
  /** Programs, which obey events. */
  readonly objects: readonly string[];
}

const [nodeCount, objectsPerNode] = [12, 2];
/** Its status when it cannot start: the bus is not there, or nobody answers. */
const cannotStart = 255;

export const eventNodes: readonly EventNode[] = Array.from({ length: nodeCount }, (_, node) => ({
  name: `node${node + 1}`,
  objects: Array.from({ length: objectsPerNode }, (_, at) => `prog${node + 1}x${at + 1}`),
}));

/** Where clients of the bus find it: every server has a door to it. */
export function busOf(addresses: readonly ServerAddresses[]): readonly string[] {
  return addresses.map(({ url }) => url.replace("http://", ""));
}

export class EventScheduler {
  readonly member: Member;
  #isScheduling = false;

  constructor(options: {
    readonly network: Network;
    readonly folder: string;
    readonly dist: string;
    readonly servers: readonly ServerAddresses[];
    readonly onSurprise: (what: string) => void;
  }) {
    const { network, folder, dist, servers, onSurprise } = options;
    const own = join(folder, "events");
    mkdirSync(join(own, "tbdata"), { recursive: true });
    const keyFile = join(own, "tbdata/eventkey");
    writeFileSync(keyFile, eventKey, { mode: 0o600 });
    writeDatabase(join(folder, "boss"));
    const name = "sched";
    network.add(name, 31, ["front"]);
    const [pid = "", eid = ""] = experiment.split("/");
    const command = network.within(name, [
      ...[process.execPath, "--disable-warning=ExperimentalWarning"],
      ...[join(dist, "programs/event-sched.js"), "-s", busOf(servers).join(","), "-k", keyFile],
      ...["--database", join(folder, "boss"), "--directory", own, pid, eid],
    ]);
    this.member = new Member({
      ...{ name, command, logFile: join(folder, `${name}.log`), onSurprise },
      startsAgainAfter: (code) => code === cannotStart,
      onLine: (line) => {
        this.#isScheduling ||= line.includes("scheduling the events of");
      },
    });
  }

  /** Resolves when it hears requests. */
  async start(): Promise<void> {
    this.member.start();
    await until("events are scheduled", async () => this.#isScheduling);
  }
}

/** What event-sched reads of an experiment that is up. */
function writeDatabase(folder: string): void {
  const programs = eventNodes.flatMap(({ name, objects }) => [
    `set ${name} [$ns node]`,
    ...objects.map((object) => `set ${object} [$${name} program-agent -command "true"]`),
  ]);
  const source = ["set ns [new Simulator]", "source tb_compat.tcl", ...programs, "$ns run", ""];
  const [pid = "", eid = ""] = experiment.split("/");
  const text = source.join("\n");
  const { rows = {} } = parseNsFile(text, { file: "/chaos.ns", pid, eid, presets: [] });
  const database = ExperimentsDatabase.open(folder, resolveBossLimits());
  const deed = { user: "chaos", atMs: 1, note: "" };
  database.transaction(() => {
    database.putUser("chaos", 1_000);
    database.putProject(pid, deed);
    const definition = { file: "/chaos.ns", source: text, presets: [], rows };
    const { exptidx } = database.define(pid, eid, definition, deed);
    database.move(pid, eid, "swap-in", deed);
    for (const { name: vname } of eventNodes) {
      const where = { nodeId: `${vname}.${eid}.${pid}`, vname, address: "10.78.0.254" };
      database.nodes.put({ exptidx, ...where, state: "ISUP", sinceMs: 1, opMode: "NORMAL" });
    }
  });
  database.close();
}
