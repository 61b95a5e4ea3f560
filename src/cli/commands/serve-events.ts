// SPDX-License-Identifier: MIT
// The buses of `muster serve` and what is open to them: the users' (`--listen events`), boss's own
// (`--listen boss-events`), and ways from old addresses to the first (`--redirect-events`). Two
// buses that have nothing to do with each other, also in one process.
import { BossBus } from "../../boss/index.ts";
import { eventServerName } from "../../client/event-address.ts";
import { createEventDoor } from "../../edges/bus/index.ts";
import { createGuard } from "../../edges/guard.ts";
import { type TlsFiles, TokenFile } from "../../edges/http/index.ts";
import { LogError } from "../../engine/log.ts";
import { MemoryBus } from "../../engine/memory-bus.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import { checkSharedLogs, isSharedLog, natsPlace } from "../../engine/open-log.ts";
import { Forwarder } from "../../events/forwarder.ts";
import { type ForwarderLimits, resolveForwarderLimits } from "../../events/forwarder-limits.ts";
import { OpsBus } from "../../events/ops-bus.ts";
import { calmLogger } from "../../host/calm-logger.ts";
import { systemClock } from "../../host/clock.ts";
import { newRunId } from "../../host/ids.ts";
import type { Logger } from "../../host/logger.ts";
import { Outage, outagePaces } from "../../host/outage.ts";
import type { Bus } from "../../wire/event/bus.ts";
import { isLoopbackAddress } from "../../wire/networks.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import type { Opened } from "./opened.ts";
import { sayIfSlow, whyWaiting } from "./say-if-slow.ts";
import type { ServeLimits } from "./serve-limits.ts";
import { coreDoors, type Listen, type Redirect } from "./serve-listen.ts";
import type { ServePlan } from "./serve-plan.ts";

export interface Buses {
  /** Of users. */
  readonly ops: Bus;
  /** Of the testbed. */
  readonly boss: Bus;
  /** Why nobody should be sent here, where the stream of a bus does not answer. */
  readonly away: () => readonly string[];
  /** A line for people where a bus is not of this process alone. */
  readonly lines: readonly string[];
  /** Close the doors first: their clients then come back to the bus that follows. */
  close(): Promise<void>;
}

/** What is asked for, that decides which buses several servers have in common. */
export type BusesPlan = Pick<
  ServePlan,
  "log" | "shards" | "natsCreds" | "role" | "listens" | "limits"
>;

/**
 * The users' bus is that of the log, where several servers have it. Boss's own is shared only where
 * it was said that there is one boss: servers that keep experiments each for themselves must not
 * hear of each other's nodes.
 *
 * @throws CommandError with what to do when NATS does not let us.
 */
export async function openBuses(
  plan: BusesPlan,
  told: { readonly logger: Logger; readonly say: (line: string) => void },
): Promise<Buses> {
  const has = (...edges: readonly Listen["edge"][]): boolean =>
    plan.listens.some(({ edge }) => edges.includes(edge));
  const isShared = isSharedLog(plan.log);
  const opened: OpenedBus[] = [];
  try {
    // A start that its log refuses leaves no stream of a bus behind.
    if (isShared && has(...coreDoors)) {
      const { log, natsCreds, shards: count } = plan;
      const checking = checkSharedLogs(log, { natsCreds, count, clock: systemClock });
      await sayIfSlow(checking, `the log at ${maskNatsName(log)}: ${whyWaiting}`, told.say);
    }
    const ops = await openBus("ops", { plan, ...told }, isShared && has("http", "events"));
    opened.push(ops);
    const isBoss = plan.role === "boss" && has("boss-events");
    const boss = await openBus("boss", { plan, ...told }, isShared && isBoss);
    opened.push(boss);
    return {
      ...{ ops: new OpsBus(ops.bus), boss: new BossBus(boss.bus) },
      away: () => opened.flatMap(({ whyAway }) => whyAway?.() ?? []),
      lines: opened.flatMap(({ line }) => (line === undefined ? [] : [line])),
      close: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    if (error instanceof LogError) throw new CommandError(exitCodes.cannotCreate, error.message);
    throw error;
  }
}

/** A leader that is chosen anew within this time is no outage of a bus, milliseconds. */
const quietBusMs = 1_000;
const busPace = { ...outagePaces.patient, reasonsMax: 1, still: outagePaces.urgent.still };
const busAdvice = "senders are told so, and who listens goes on when it is back";

interface BusOptions {
  readonly plan: BusesPlan;
  readonly logger: Logger;
  readonly say: (line: string) => void;
}

interface OpenedBus {
  readonly bus: Bus & { close(): void | Promise<void> };
  readonly line?: string;
  readonly outage?: Outage;
  readonly whyAway?: () => string | undefined;
}

async function closeAll(opened: readonly OpenedBus[]): Promise<void> {
  for (const { bus, outage } of opened) {
    outage?.end();
    await bus.close();
  }
}

/** @throws LogError */
async function openBus(
  bus: "ops" | "boss",
  { plan, logger, say }: BusOptions,
  isShared: boolean,
): Promise<OpenedBus> {
  const { log, natsCreds, limits } = plan;
  if (!isShared) return { bus: new MemoryBus({ epoch: newRunId(), limits: limits.bus }) };
  const { NatsBus } = await import("../../engine/nats-bus.ts");
  const { natsBusNames } = await import("../../engine/nats-bus-stream.ts");
  const place = natsPlace(log, { natsCreds });
  const whose = bus === "ops" ? "users' events" : "boss's own events";
  const what = `the stream ${natsBusNames(place, bus).stream} of NATS for ${whose}`;
  const away = `${what} is away`;
  const outage = new Outage({
    ...{ clock: systemClock, logger, pace: busPace, quietMs: quietBusMs },
    words: {
      failed: (why) => `${away} (${why}); ${busAdvice}`,
      over: (lasted) => `${what} is there again, after ${lasted}`,
    },
  });
  const opening = NatsBus.open({
    ...{ place, bus, clock: systemClock, limits: limits.bus, newEpoch: newRunId },
    onStream: (hasAnswered, why) => (hasAnswered ? outage.over() : outage.failed(why)),
  });
  const opened = await sayIfSlow(opening, `${what}: ${whyWaiting}`, say);
  const line = `${whose} over NATS, stream ${opened.stream}`;
  return { bus: opened, line, outage, whyAway: () => (outage.isSaid ? away : undefined) };
}

export interface EventDoorsOptions {
  readonly buses: Buses;
  /** File of the tokens. */
  readonly tokens: string;
  readonly logger: Logger;
  readonly limits: Pick<ServeLimits, "bounds" | "busBounds">;
  readonly tls: TlsFiles | undefined;
  readonly serverName: string;
}

/** @throws Error when the address cannot be had. */
export async function openEventDoor(
  { edge, host, port, networks }: Listen,
  { buses, tokens, logger, limits, tls, serverName }: EventDoorsOptions,
): Promise<Opened> {
  const door = createEventDoor({
    bus: edge === "boss-events" ? buses.boss : buses.ops,
    ...{ clock: systemClock, logger, name: edge, serverName, networks },
    ...(tls === undefined ? {} : { tls }),
    ...{ bounds: limits.bounds, busBounds: limits.busBounds },
    access: { tokens: new TokenFile(tokens, logger), names: [eventServerName] },
  });
  const { url } = await door.listen({ host, port });
  const asks = door.access.asksForTokens ? "asks for a token" : "asks for no token";
  return {
    line: `${edge} at ${url}, ${asks}`,
    drain: () => door.drain(),
    close: () => door.close(),
  };
}

/** @throws Error when the address cannot be had. */
export async function openRedirect(
  { from, to, networks }: Redirect,
  { logger, limits }: { readonly logger: Logger; readonly limits: Partial<ForwarderLimits> },
): Promise<Opened> {
  const way = `${from.host}:${from.port}=${to.host}:${to.port}`;
  const advice = `let it in with --redirect-events ${way},allow=NETWORK`;
  const guard = createGuard({ door: "redirect", networks, logger, advice });
  const forwarder = new Forwarder({
    // Whoever is cut by a limit may come again at once.
    ...{ to, clock: systemClock, logger: calmLogger(logger, systemClock) },
    limits: resolveForwarderLimits(limits),
    admits: (peer) => guard.admits(peer),
  });
  const port = await forwarder.listen(from);
  if (!isLoopbackAddress(from.host) && networks.length === 0) {
    const whither = `${to.host}:${to.port}, past the networks of the door there`;
    const who = `say who may with --redirect-events ${way},allow=NETWORK`;
    logger.log("warn", `whoever reaches ${from.host}:${port} gets to ${whither}; ${who}`);
  }
  return {
    line: `who connects to ${from.host}:${port} gets to ${to.host}:${to.port}`,
    close: () => forwarder.close(),
  };
}
