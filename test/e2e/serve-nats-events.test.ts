// SPDX-License-Identifier: MIT
// Goal: events of an experiment go between servers of one log on NATS: sent at one, scheduled and
// performed by who is at another, seen by who watches at a third door; a server that is killed, and
// the broker that led, cost nothing but time. Method: real commands, a real cluster of three
// nats-servers, ports that the system chose.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { AgentScene } from "./events-support/agent-scene.ts";
import { experiment } from "./events-support/scheduled.ts";
import { type Command, scratch, start } from "./support/command.ts";

let brokers: readonly NatsServer[];
beforeAll(async () => {
  brokers = await NatsServer.startThree();
});
afterAll(() => Promise.all(brokers.map((broker) => broker.dispose())));

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

describe("events over several servers", () => {
  it("go from one to the other, and on when a server and a broker are killed", async () => {
    const [a, b] = await Promise.all([serve("a"), serve("b")]);
    expect(a.command.stdout).toContain("users' events over NATS, stream events-ops");
    const watch = start("muster", ["event", "watch", experiment, "--scheduled", "--server", b.at]);
    // The scheduler is at the server that is killed, the agent at the other.
    const scene = await AgentScene.open({
      ...{ scheduler: `${a.at},${b.at}`, agent: `${b.at},${a.at}`, watch },
    });
    const send = (servers: string) => scene.send(servers);
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
