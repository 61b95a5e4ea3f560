// SPDX-License-Identifier: MIT
// Events in the load: the agents of many nodes, as shipped, each with a connection of its own to
// the bus, and senders that plan events seconds ahead and wait for their completion. Each round
// plans some for one instant and one object, whose order is that of their numbers.
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { connectEventBus, eventAddress, splitTime } from "../../src/cli/event-bus.ts";
import type { ConnectedBus } from "../../src/client/event-connection.ts";
import { createCredentials, type EventCredentials } from "../../src/client/event-credentials.ts";
import { type SendOutcome, sendEvent } from "../../src/client/event-request.ts";
import { BusAgent } from "../../src/events/bus-agent.ts";
import { SteadySubscription } from "../../src/events/steady-subscription.ts";
import { systemClock } from "../../src/host/clock.ts";
import { readClockName } from "../../src/host/clock-name.ts";
import { eventHash } from "../../src/host/event-hash.ts";
import { newNonce } from "../../src/host/ids.ts";
import { TimerFireClock } from "../../src/testbed/agents/firing/fire-clock.ts";
import { getArg, getIntegerArg, parseCompletionArgs } from "../../src/wire/event/args.ts";
import { BusError } from "../../src/wire/event/bus.ts";
import { attributeNames, getText } from "../../src/wire/event/notification.ts";
import type { EventNode } from "../cluster/scheduler.ts";
import { hashOf } from "../random.ts";
import { nowUs, pause } from "../wait.ts";
import { HistoryFile } from "./history-file.ts";

export interface EventLoad {
  readonly history: string;
  /** Doors of the bus, HOST:PORT. */
  readonly doors: readonly string[];
  readonly experiment: string;
  readonly key: string;
  readonly nodes: readonly EventNode[];
  readonly seed: number;
  /** Between the rounds of one sender. */
  readonly roundMs: number;
}

const sender = "127.0.0.1";
/** An event that is not completed so long after its instant is one of which nothing is known. */
const patienceMs = 40_000;
/** How far ahead events are planned, milliseconds. */
const [aheadMsMin, aheadMsMax] = [500, 6_000];
const publicationsMax = 1_000;
const retryMs = 500;

const load = JSON.parse(process.argv[2] ?? "{}") as EventLoad;
const { experiment, doors, nodes, seed } = load;
const history = new HistoryFile(load.history);
const runtime = { nowUs: systemClock.nowUs, after: systemClock.after, randomBytes: newNonce };
let isOver = false;

const input = createInterface({ input: process.stdin });
input.on("line", () => {
  isOver = true;
});
input.on("close", () => process.exit(1));

function credentials(): EventCredentials {
  const key = new TextEncoder().encode(load.key);
  const made = createCredentials({
    ...{ experiment, key, hash: eventHash, randomBytes: (count) => randomBytes(count) },
    wallUs: () => BigInt(Date.now()) * 1_000n,
  });
  if (typeof made === "string") throw new Error(made);
  return made;
}

/** Begins at the door of that number, and goes on at the next one. */
function connect(at: number): Promise<ConnectedBus> {
  const own = doors.map((_, index) => doors[(at + index) % doors.length] ?? "");
  return connectEventBus(eventAddress(own.join(",")), publicationsMax);
}

/** Until the bus is there: servers may be away when a client comes. */
async function opened<Result>(at: number, open: (bus: ConnectedBus) => Promise<Result>) {
  for (;;) {
    let bus: ConnectedBus | undefined;
    try {
      bus = await connect(at);
      return await open(bus);
    } catch (error) {
      bus?.close();
      if (!(error instanceof BusError) || error.code !== "unavailable") throw error;
      await pause(retryMs);
    }
  }
}

async function obey(node: EventNode, bus: ConnectedBus): Promise<void> {
  const clockName = readClockName();
  await BusAgent.open({
    ...{ name: node.name, experiment, objects: node.objects, bus, sender },
    ...{ credentials: credentials(), clock: systemClock, clockName },
    fire: new TimerFireClock(systemClock),
    perform: async ({ objname, args, due }) => {
      const firedMonotonicUs = systemClock.nowUs();
      history.fired(objname, getArg(args, "E") ?? args, due.monotonic?.us ?? 0);
      return { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
    },
    onWarning: (text) => void process.stderr.write(`${node.name}: ${text}\n`),
  });
}

/** Completions, also those that their sender is not told. */
async function watch(bus: ConnectedBus): Promise<void> {
  const trusted = credentials();
  await SteadySubscription.open({
    ...{ bus, clock: systemClock },
    address: { expt: experiment, eventtype: "COMPLETE", scheduler: 0 },
    onNotifications: (placed) => {
      for (const { notification } of placed) {
        const text = getText(notification, attributeNames.args) ?? "";
        const completion = parseCompletionArgs(text);
        if (completion === undefined || !trusted.verify(notification)) continue;
        history.completed(completion.token, completion.error);
      }
    },
    onGap: (lost) => void process.stderr.write(`watch: a gap of ${lost}\n`),
    onWarning: (text) => void process.stderr.write(`watch: ${text}\n`),
  });
}

async function plan(bus: ConnectedBus, object: string, atUs: bigint, text: string): Promise<void> {
  const id = history.ask(`sender ${object}`, experiment, object, {
    ...{ kind: "event", text, atWallUs: Number(atUs) },
  });
  let number: number | undefined;
  let token: number | undefined;
  const outcome = await sendEvent({
    ...{ bus, runtime, sender, credentials: credentials(), asks: true, waits: true },
    request: {
      ...{ experiment, objname: object, eventtype: "RUN", args: `E=${text}` },
      at: splitTime(atUs),
    },
    timeoutMs: Number(atUs) / 1_000 - Date.now() + patienceMs,
    onAccepted: (given, answer) => {
      number = getIntegerArg(getText(answer, attributeNames.args) ?? "", "ID");
      token = given;
    },
  });
  history.end(id, codeOf(outcome), {
    ...(number === undefined ? {} : { number }),
    ...(token === undefined ? {} : { token }),
    ...(outcome.kind === "completed" ? { error: outcome.error } : {}),
    ...("message" in outcome ? { message: outcome.message } : {}),
  });
}

/** `ok`, `refused`, or what leaves it open whether the event fires. */
function codeOf(outcome: SendOutcome): string {
  if (outcome.kind === "completed") return "ok";
  return outcome.kind === "failed" ? outcome.code : outcome.kind;
}

const open = new Set<Promise<void>>();

async function send(bus: ConnectedBus, own: number): Promise<void> {
  const objects = nodes.flatMap(({ objects }) => objects);
  for (let round = 1; !isOver; round += 1) {
    const startedUs = nowUs();
    const chance = (what: number, end: number): number => hashOf(seed, own, round, what) % end;
    const object = objects[chance(1, objects.length)] ?? "";
    const ahead = aheadMsMin + chance(2, aheadMsMax - aheadMsMin);
    const atUs = BigInt(Date.now() + ahead) * 1_000n;
    for (let index = 0; index <= chance(3, 3); index += 1) {
      const text = `${own}-${round}-${index}`;
      const one = plan(bus, object, atUs, text).finally(() => open.delete(one));
      open.add(one);
    }
    await pause(Math.max(0, load.roundMs - (nowUs() - startedUs) / 1_000));
  }
}

const report = setInterval(() => {
  process.stdout.write(`${JSON.stringify({ rounds: [], operations: history.ended })}\n`);
}, 500);
await opened(1, watch);
await Promise.all(nodes.map((node, at) => opened(at, (bus) => obey(node, bus))));
const buses = await Promise.all(doors.map((_, at) => opened(at, async (bus) => bus)));
await Promise.all(buses.map(send));
await Promise.all(open);
clearInterval(report);
history.complete();
process.exit(0);
