// SPDX-License-Identifier: MIT
// Goal: events of an experiment go between servers of one log on NATS: sent at one, scheduled and
// performed by who is at another, seen by who watches at a third door; a server that is killed, and
// the broker that led, cost nothing but time. Method: real commands, a real cluster of three
// nats-servers, ports that the system chose.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { eventKey, experiment, writeDatabase } from "./events-support/scheduled.ts";
import { type Command, run, scratch, start } from "./support/command.ts";

let brokers: readonly NatsServer[];
beforeAll(async () => {
  brokers = await NatsServer.startThree();
});
afterAll(() => Promise.all(brokers.map((broker) => broker.dispose())));

/** Root's agent becomes somebody; anybody else's stays who he is. */
const user = process.geteuid?.() === 0 ? "nobody" : userInfo().username;

interface Served {
  readonly command: Command;
  readonly at: string;
}

async function serve(name: string): Promise<Served> {
  const log = `nats://${brokers.map(({ address }) => address).join(",")}/events?replicas=3`;
  const command = start("muster", [
    ...["serve", "--state", scratch(), "--name", name, "--role", "ops", "--log", log],
    ...["--listen", "events=127.0.0.1:0"],
  ]);
  const [, at = ""] = await command.prints(/ events at http:\/\/(\S+),/);
  return { command, at };
}

const ns = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set p [$a program-agent -command "true"]
$ns run
`;

function prepare(directory: string): { readonly key: string; readonly source: readonly string[] } {
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, "exp/tbdata"), { recursive: true });
  const key = join(directory, "exp/tbdata/eventkey");
  writeFileSync(key, eventKey, { mode: 0o644 });
  writeDatabase(directory, ns, ["a"]);
  const source = ["--database", join(directory, "db"), "--directory", join(directory, "exp")];
  return { key, source };
}

describe("events over several servers", () => {
  it("go from one to the other, and on when a server and a broker are killed", async () => {
    const [a, b] = await Promise.all([serve("a"), serve("b")]);
    expect(a.command.stdout).toContain("users' events over NATS, stream events-ops");
    const directory = scratch();
    const { key, source } = prepare(directory);
    const watch = start("muster", ["event", "watch", experiment, "--scheduled", "--server", b.at]);
    // The scheduler is at the server that is killed, the agent at the other.
    const scheduler = start("event-sched", [
      ...["-d", "-s", `${a.at},${b.at}`, ...source, ...experiment.split("/")],
    ]);
    await scheduler.prints(/scheduling the events of/);
    const config = join(directory, "agents");
    writeFileSync(config, `UID=${user}\nAGENT=p COMMAND='exit 0'\n`);
    const agent = start("program-agent", [
      ...["-d", "-v", "a", "-s", `${b.at},${a.at}`, "-e", experiment, "-c", config, "-k", key],
      ...["-o", join(directory, "logs"), "-i", join(directory, "pid")],
      ...["-t", join(directory, "logs/token")],
    ]);
    await agent.prints(/obeying for/);
    await watch.prints(/ALIVE/);
    const send = (servers: string) =>
      run("muster", [
        ...["event", "send", experiment, "p", "start", "--server", servers, "--key", key],
        ...["--wait", "--timeout", "30"],
      ]);
    expect(await send(a.at)).toMatchObject({ code: 0 });
    expect(watch.stdout).toMatch(/ p +START/);

    a.command.child.kill("SIGKILL");
    await a.command.ended;
    expect(await send(`${a.at},${b.at}`)).toMatchObject({ code: 0 });

    await brokers[0]?.kill();
    // When it was the leader, nobody takes anything until there is another.
    while ((await send(b.at)).code !== 0) await sleep(systemClock, 100);
    const starts = watch.stdout.split("\n").filter((line) => / p +START/.test(line));
    expect(starts.length).toBeGreaterThanOrEqual(6);
  });
});
