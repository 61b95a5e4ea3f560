// SPDX-License-Identifier: MIT
// Goal: what was acknowledged stands, and what was refused stays refused, whatever --limit a server
// starts with later; and servers of one log judge alike, whatever each of them was told. Method:
// the programs as they are built, with a log in a file and on a real nats-server; servers are
// killed and started again at the same port, where sessions find them.
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { type Command, scratch, start } from "./support/command.ts";

const brokers: NatsServer[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

interface Server {
  readonly command: Command;
  readonly url: string;
}

/** One server, in lives of which each is told other limits. */
class Lives {
  readonly #argv: readonly string[];
  #port = 0;

  constructor(log: string, name = "muster") {
    this.#argv = ["serve", "--state", scratch(), "--name", name, "--log", log];
  }

  async start(...limits: readonly string[]): Promise<Server> {
    const told = limits.flatMap((limit) => ["--limit", limit]);
    const listen = ["--listen", `http=127.0.0.1:${this.#port}`, "--scheduler", "inside"];
    const command = start("muster", [...this.#argv, ...listen, ...told]);
    const [, url = ""] = await command.prints(/http at (http:\S+),/);
    this.#port = Number(new URL(url).port);
    return { command, url };
  }
}

async function end({ command }: Server, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  command.child.kill(signal);
  await command.ended;
}

async function post(url: string, body: unknown): Promise<readonly [number, string]> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return [answer.status, await answer.text()];
}

const publish = async ({ url }: Server, message: string): Promise<number> =>
  (await post(`${url}/v1/topics/t`, { message }))[0];

async function messages({ url }: Server): Promise<readonly string[]> {
  const answer = await fetch(`${url}/v1/topics/t`);
  const { messages: found } = (await answer.json()) as { messages: { message: string }[] };
  return found.map(({ message }) => message);
}

/** Until so many wait at barrier x. */
async function untilWait({ url }: Server, count: number): Promise<void> {
  for (;;) {
    if ((await arrived(url)) === count) return;
    await sleep(systemClock, 20);
  }
}

async function arrived(url: string): Promise<number> {
  const found = await (await fetch(`${url}/v1/barriers/x`)).json();
  return (found as { readonly arrived: number }).arrived;
}

/** A party with a session, which comes to the next life of its server by itself. */
function party({ url }: Server): Command {
  return start("muster", ["barrier", "wait", "x", "--timeout", "100", "--server", url]);
}

const most = (max: number): string => `waitersPerBarrierMax=${max}`;
const full = (max: number): string => `limit waitersPerBarrierMax (${max}) reached`;

it("messages that were acknowledged are read after every restart, and those refused by nobody", async () => {
  const lives = new Lives(`sqlite:${join(scratch(), "log")}`);
  const small = await lives.start("topicBytesPerScopeMax=170", "messageBytesMax=100");
  expect(small.command.stdout).toContain(
    "limits of the log: messageBytesMax=100, topicBytesPerScopeMax=170",
  );
  const answers: number[] = [];
  for (const word of ["one", "two", "three"]) answers.push(await publish(small, word));
  expect(answers).toEqual([200, 200, 429]);
  await end(small, "SIGTERM");
  // As the refusal says.
  const larger = await lives.start("topicBytesPerScopeMax=10000", "messageBytesMax=100");
  expect(await messages(larger)).toEqual(["one", "two"]);
  expect(await publish(larger, "four")).toBe(200);
  await end(larger, "SIGKILL");
  const smallest = await lives.start("topicBytesPerScopeMax=165", "messageBytesMax=100");
  expect([await messages(smallest), await publish(smallest, "five")]).toEqual([
    ["one", "two", "four"],
    429,
  ]);
  await end(smallest, "SIGTERM");
  const silent = await lives.start();
  expect(silent.command.stdout).toContain(
    "limits of the log: messageBytesMax=100, topicBytesPerScopeMax=165",
  );
  expect([await messages(silent), await publish(silent, "six")]).toEqual([
    ["one", "two", "four"],
    429,
  ]);
});

it("arrivals that were acknowledged count after every restart, and those refused never", async () => {
  const lives = new Lives(`sqlite:${join(scratch(), "log")}`);
  const one = await lives.start(most(1));
  const wait = { timeoutMs: 60_000 };
  expect((await post(`${one.url}/v1/barriers/x/init`, { count: 3 }))[0]).toBeLessThan(300);
  const parties = [party(one)];
  await untilWait(one, 1);
  expect(await post(`${one.url}/v1/barriers/x/wait`, wait)).toEqual([
    429,
    expect.stringContaining(full(1)),
  ]);
  await end(one, "SIGKILL");
  const many = await lives.start(most(10));
  expect(await arrived(many.url)).toBe(1);
  parties.push(party(many));
  await untilWait(many, 2);
  await end(many, "SIGKILL");
  const again = await lives.start(most(1));
  expect(await arrived(again.url)).toBe(2);
  expect(await post(`${again.url}/v1/barriers/x/wait`, wait)).toEqual([
    429,
    expect.stringContaining(full(1)),
  ]);
  await end(again, "SIGTERM");
  const last = await lives.start(most(3));
  expect((await post(`${last.url}/v1/barriers/x/wait`, wait))[0]).toBe(200);
  const codes = await Promise.all(parties.map(async ({ ended }) => (await ended).code));
  expect(codes).toEqual([0, 0]);
});

it("servers of one log judge alike, by what was said last, and say whose that is", async () => {
  const broker = await NatsServer.start();
  brokers.push(broker);
  const log = `nats://${broker.address}/t`;
  const [first, second] = [new Lives(log, "a"), new Lives(log, "b")];
  const a = await first.start(most(1));
  const silent = await second.start();
  expect(silent.command.stdout).toContain(`limits of the log: ${most(1)} (set by server a)`);
  await post(`${a.url}/v1/barriers/x/init`, { count: 3 });
  const wait = { timeoutMs: 60_000 };
  const parties = [post(`${silent.url}/v1/barriers/x/wait`, wait)];
  await untilWait(silent, 1);
  expect(await post(`${silent.url}/v1/barriers/x/wait`, wait)).toEqual([
    429,
    expect.stringContaining(full(1)),
  ]);
  const c = await new Lives(log, "c").start(most(5));
  const news = `the limits of the log are now ${most(5)} (set by server c)`;
  await a.command.prints(
    new RegExp(`${news.replace(/[()]/g, "\\$&")}; this server was told ${most(1)}, which holds`),
  );
  await silent.command.prints(new RegExp(news.replace(/[()]/g, "\\$&")));
  for (const { url } of [a, c]) parties.push(post(`${url}/v1/barriers/x/wait`, wait));
  const statuses = (await Promise.all(parties)).map(([status]) => status);
  expect(statuses).toEqual([200, 200, 200]);
});
