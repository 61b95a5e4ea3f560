// SPDX-License-Identifier: MIT
// The doors of `muster serve`: one core, and what `--listen EDGE=ADDR` opens to it, to the buses
// and to other servers. An emulab-sync client, curl and a client of the library meet at one barrier
// when they use one scope of the core.
import { assert } from "../../core/assert.ts";
import { defaultLimits } from "../../core/limits.ts";
import { mountBus } from "../../edges/bus/index.ts";
import { GnunetListenError } from "../../edges/gnunet/index.ts";
import { createGuard, warnOfOpenDoor } from "../../edges/guard.ts";
import { type JoinedHosts, mountHosts } from "../../edges/hosts/index.ts";
import {
  createHttpDoor,
  defaultScope,
  type HttpDoor,
  mountCore,
  TokenFile,
  TokenFileError,
} from "../../edges/http/index.ts";
import { ListenError, Syncd } from "../../edges/syncd/index.ts";
import { Testground } from "../../edges/testground/index.ts";
import { LogError } from "../../engine/log.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import { isKeptLog, isSharedLog } from "../../engine/open-log.ts";
import { watchLateness } from "../../events/bus-lateness.ts";
import { calmLogger } from "../../host/calm-logger.ts";
import { systemClock } from "../../host/clock.ts";
import { leaveLogInTime } from "../../host/leave-log.ts";
import { describeLimits } from "../../host/limit-teller.ts";
import { type LogState, logStateOf } from "../../host/log-state.ts";
import type { Logger } from "../../host/logger.ts";
import type { Shards } from "../../host/shards.ts";
import { warnOfClockSteps } from "../../host/warn-of-clock-steps.ts";
import { warnOfFullFiles } from "../../host/warn-of-full-files.ts";
import { warnOfOldVersion } from "../../host/warn-of-old-version.ts";
import { warnOfWaits } from "../../host/warn-of-waits.ts";
import { addLinkMetrics, type LinkHealth } from "../../testbed/link-metrics.ts";
import type { Bus } from "../../wire/event/bus.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { DoorWatch } from "./door-watch.ts";
import { checkFree } from "./free-addresses.ts";
import type { Opened } from "./opened.ts";
import { openEngine } from "./serve-engine.ts";
import { type Buses, openEventDoor, openRedirect } from "./serve-events.ts";
import { openGnunet } from "./serve-gnunet.ts";
import { type Listen, nameEdges } from "./serve-listen.ts";
import type { ServePlan } from "./serve-plan.ts";
import type { ListenSettings } from "./serve-settings.ts";
import { tlsOf } from "./serve-tls.ts";
import { openTree, treeLinkCount } from "./serve-tree.ts";

export interface DoorsOptions {
  readonly plan: ServePlan;
  readonly buses: Buses;
  /** Machines that join at the http door. */
  readonly hosts: JoinedHosts;
  /** File of the tokens. */
  readonly tokens: string;
  /** Where files for clients and for other controllers are. */
  readonly directory: string;
  readonly logger: Logger;
  /** How the links of its experiments are. */
  readonly linkHealth: () => readonly LinkHealth[];
  /** A line for people, later than those of what is open. */
  readonly say: (line: string) => void;
  /** The core has stopped for good, perhaps for another server of its name; it was logged. */
  readonly onFailed: (wasReplaced: boolean) => void;
}

/** What is open, and how it is closed. */
export interface Doors {
  /** Undefined without a log that outlasts the process. */
  readonly logState: () => LogState | undefined;
  /** A line for people each: `http at http://127.0.0.1:8470, asks for no token`. */
  readonly lines: readonly string[];
  /** Takes nobody new; resolves when nobody waits any more, after `drainMs` at the latest. */
  drain(drainMs: number): Promise<void>;
  /** @returns whether it went without its log, which took nothing (`logEndMs`). */
  close(): Promise<boolean>;
}

/**
 * Opens what was asked for, and a core when a door to one was.
 * @throws CommandError; what was opened before is closed.
 */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const { plan, buses, tokens, logger } = options;
  const { listens, redirects, limits, name: serverName } = plan;
  const opened: Opened[] = [];
  let core: Core | undefined;
  const close = async (): Promise<boolean> => {
    const closed = core?.closing();
    for (const one of opened.reverse()) await one.close();
    const hasLeftLog = closed?.() ?? false;
    await core?.close();
    return hasLeftLog;
  };
  try {
    // Before the first is open: a core that joins its log has its name there from then on. The
    // daemon has opened its own already.
    if (isSharedLog(plan.log)) await checkFree(listens.filter(({ edge }) => edge !== "xmlrpc"));
    for (const listen of listens) {
      switch (listen.edge) {
        case "http":
        case "syncd":
        case "testground":
          core ??= await openCore(options);
          opened.push(await core.open(listen));
          break;
        case "events":
        case "boss-events": {
          const tls = tlsOf(listen, plan, plan.tls);
          const asked = { buses, tokens, logger, limits, tls, serverName };
          opened.push(await openEventDoor(listen, asked));
          break;
        }
        case "xmlrpc":
          break; // The daemon's.
      }
    }
    if (isController(plan)) {
      core ??= await openCore(options);
      opened.push(...(await core.openController()));
    }
    for (const redirect of redirects) {
      opened.push(await openRedirect(redirect, { logger, limits: limits.forwarder }));
    }
    return {
      logState: () => (isKeptLog(plan.log) ? core?.logState() : undefined),
      lines: [...(core?.lines ?? []), ...opened.map(({ line }) => line)],
      async drain(drainMs) {
        for (const one of opened) one.drain?.();
        await core?.quiet(drainMs);
      },
      close,
    };
  } catch (error) {
    await close();
    throw explain(error);
  }
}

interface Core {
  readonly logState: () => LogState;
  /** What is said of its log. */
  readonly lines: readonly string[];
  readonly open: (listen: Listen) => Promise<Opened>;
  /** The doors of GNUnet, and the links of a tree. */
  readonly openController: () => Promise<readonly Opened[]>;
  /** Resolves when nobody waits at a barrier, or after so long. */
  readonly quiet: (msMax: number) => Promise<void>;
  /** Doors are about to be closed. @returns call it when they are; whether the log was left */
  readonly closing: () => () => boolean;
  readonly close: () => Promise<void>;
}

/** The one core behind doors, or the several of a server that has several logs. */
interface CoreParts {
  readonly shards: Shards;
  readonly appended: ((tookUs: number) => void)[];
  readonly watch: DoorWatch;
  readonly edges: ReturnType<typeof nameEdges>;
}

async function openCore(options: DoorsOptions): Promise<Core> {
  const { plan, logger, say, onFailed } = options;
  const appended: ((tookUs: number) => void)[] = [];
  const onAppended = (tookUs: number): void => {
    for (const note of appended) note(tookUs);
  };
  const { shards, durability, close } = await openEngine({
    ...{ plan, logger, say, onAppended, onFailed },
  });
  const edges = nameEdges(plan.listens);
  const parts = { shards, appended, watch: new DoorWatch(), edges };
  const calm = calmLogger(logger, systemClock);
  const stopsWarning = shards.hosts.flatMap((host) => [
    warnOfWaits(host, calm),
    warnOfClockSteps(host, logger),
  ]);
  stopsWarning.push(warnOfFullFiles(systemClock, logger));
  if (plan.listens.some(({ edge }) => edge === "http")) {
    stopsWarning.push(warnOfOldVersion(shards, logger));
  }
  return {
    logState: () => logStateOf(shards),
    lines: [logLine(plan, durability), ...limitLines(shards)],
    open: (listen) => {
      if (listen.edge === "http") return openHttp(listen, parts, options);
      if (listen.edge === "syncd") return openSyncd(listen, parts, options);
      return openTestground(listen, parts, options);
    },
    openController: () => openController(parts, options),
    quiet: (msMax) => untilQuiet(shards, msMax),
    closing: () => {
      const closed = shards.hosts.map((host) => leaveLogInTime(host, systemClock));
      return () => closed.map((hasLeft) => hasLeft()).some((hasLeft) => hasLeft);
    },
    close: async () => {
      for (const stop of stopsWarning) stop();
      await close();
    },
  };
}

/** Where the log is, and what happens to what it has taken. */
function logLine({ log, shards, name }: ServePlan, durability: string): string {
  if (!isKeptLog(log)) return `log ${durability}`;
  if (!isSharedLog(log)) return `log at ${log}: ${durability}`;
  const many = shards === 1 ? "" : ` in ${shards} shards`;
  return `log at ${maskNatsName(log)}${many}, as server ${name}: ${durability}`;
}

/** Which limits hold that are no defaults, and who has set them: of each log that says others. */
function limitLines({ hosts }: Shards): readonly string[] {
  const told = hosts.map(({ toldLimits }) =>
    describeLimits(toldLimits.rows.filter(({ name, value }) => value !== defaultLimits[name])),
  );
  const isOne = new Set(told).size === 1;
  const named = isOne ? told.slice(0, 1) : told;
  return named.flatMap((text, index) =>
    text === "" ? [] : [`limits of the log${isOne ? "" : ` of shard ${index}`}: ${text}`],
  );
}

function isController({ gnunet, tree }: ServePlan): boolean {
  return gnunet.listens.length > 0 || treeLinkCount(tree) > 0;
}

async function openController(
  { shards, watch }: CoreParts,
  { plan, directory, logger, say }: DoorsOptions,
): Promise<readonly Opened[]> {
  const { gnunet, tree } = plan;
  const { gnunetBounds: bounds } = plan.limits;
  const shared = {
    ...{ shards, watch, limits: shards.limits, bounds, logger, directory },
    tlsOf: (listen: ListenSettings) => tlsOf({ ...listen, edge: "controller" }, plan, plan.tls),
  };
  const opened: Opened[] = [...(await openGnunet({ plan: gnunet, ...shared }))];
  const named = [...new Set(gnunet.listens.map(({ scope }) => scope))];
  const scopes = named.length > 0 ? named : [defaultScope];
  try {
    opened.push(...(await openTree({ plan: tree, scopes, ...shared, say })));
  } catch (error) {
    for (const { close } of opened) await close();
    throw error;
  }
  return opened;
}

function untilQuiet(shards: Shards, msMax: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (shards.figures().waiters > 0) return;
      done();
    };
    const done = (): void => {
      cancel();
      stop();
      resolve();
    };
    const cancel = shards.clock.after(msMax, done);
    const stop = shards.observe(look);
    look();
  });
}

async function openHttp(
  listen: Listen,
  { shards, appended, watch, edges }: CoreParts,
  { plan, buses, hosts, tokens: tokenFile, logger, linkHealth }: DoorsOptions,
): Promise<Opened> {
  const clock = systemClock;
  const bus: Bus = buses.ops;
  const { networks } = listen;
  const { bounds, busBounds } = plan.limits;
  const tokens = new TokenFile(tokenFile, logger);
  const tls = tlsOf(listen, plan, plan.tls);
  const door: HttpDoor = createHttpDoor({
    ...{ clock, logger, bounds, networks, serverName: plan.name },
    access: { tokens, origins: plan.origins },
    logVersion: () => shards.facts.version,
    ...(tls === undefined ? {} : { tls }),
  });
  const leave = mountCore({ door, host: shards, clock, logger, edge: edgeOf(listen, edges) });
  mountBus(door, { bus, clock, busBounds });
  door.addReadiness(buses.away);
  mountHosts(door, hosts, logger);
  watch.show(door.metrics);
  addLinkMetrics(door.metrics, linkHealth);
  watch.add("http", () => ({ connections: door.connectionCount }));
  const addSeconds = door.metrics.addSeconds("muster_append_seconds", "Time an append took.");
  appended.push((tookUs) => addSeconds(tookUs / 1e6));
  const late = "How much later than planned events fired, as their agents say.";
  const addLateness = door.metrics.addSeconds("muster_event_lateness_seconds", late);
  const stopWatching = await watchLateness({
    ...{ bus, clock },
    onLateness: (us) => addLateness(us / 1e6),
    onWarning: (text) => logger.log("warn", text),
  });
  const close = async (): Promise<void> => {
    stopWatching();
    await door.close();
    await leave();
  };
  const { url } = await door.listen(listen).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const asks = door.access.asksForTokens ? "asks for a token" : "asks for no token";
  return {
    line: `http at ${url}, ${asks}`,
    drain: () => door.drain(),
    close,
  };
}

function edgeOf(listen: Listen, edges: CoreParts["edges"]): string {
  const name = edges.get(listen);
  assert(name !== undefined, "a door that was not asked for");
  return name;
}

/** What the doors of old protocols have in common: who is let in, TLS, and what is said of it. */
function guarded(
  listen: Listen,
  { shards, watch, edges }: CoreParts,
  { plan, logger }: DoorsOptions,
) {
  const { edge, scope, port, networks, host: address } = listen;
  const tls = tlsOf(listen, plan, plan.tls);
  const guard = createGuard({
    ...{ door: edge, networks, logger },
    onRefused: () => watch.refused("allow"),
  });
  const asksForCertificates = tls?.authority !== undefined;
  return {
    settings: {
      ...{ scope, port, logger, limits: shards.limits, clock: systemClock },
      edge: edgeOf(listen, edges),
      connect: shards.connectEdge,
      onLimit: watch.refused,
      addresses: [address],
      allows: (peer: string | undefined) => guard.admits(peer),
      ...(tls === undefined ? {} : { tls }),
    },
    withTls: tls === undefined ? "" : ", with TLS",
    warn: () => warnOfOpenDoor({ door: edge, address, networks, asksForCertificates, logger }),
  };
}

async function openSyncd(listen: Listen, parts: CoreParts, options: DoorsOptions): Promise<Opened> {
  const { settings, withTls, warn } = guarded(listen, parts, options);
  const syncd = new Syncd({
    ...{ ...settings, bounds: options.plan.limits.syncdBounds, portOption: "--listen" },
  });
  parts.watch.add("syncd", () => ({ connections: syncd.counters.tcpOpen }));
  const bound = await syncd.listen();
  warn();
  return {
    line: `syncd at ${listen.host}:${bound}, scope ${listen.scope}${withTls}`,
    drain: () => syncd.stopListening(),
    close: () => syncd.close(),
  };
}

async function openTestground(
  listen: Listen,
  parts: CoreParts,
  options: DoorsOptions,
): Promise<Opened> {
  const { settings, withTls, warn } = guarded(listen, parts, options);
  const bounds = options.plan.limits.testground;
  const door = new Testground({ ...settings, bounds, topics: parts.shards.topics });
  parts.watch.add("testground", () => {
    const { connections, queuedBytes: unreadBytes, topicBytes: storedBytes } = door.counters;
    return { connections, unreadBytes, storedBytes };
  });
  const bound = await door.listen();
  warn();
  const scopes = `each run a scope, other keys in scope ${listen.scope}`;
  return {
    line: `testground at ${listen.host}:${bound}, ${scopes}${withTls}`,
    drain: () => door.stopListening(),
    close: () => door.close(),
  };
}

/** Errors of sockets, logs and files are the user's to mend. */
function explain(error: unknown): unknown {
  if (error instanceof CommandError) return error;
  if (
    error instanceof TokenFileError ||
    error instanceof ListenError ||
    error instanceof GnunetListenError ||
    error instanceof LogError
  ) {
    return new CommandError(exitCodes.cannotCreate, error.message);
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!(error instanceof Error)) return error;
  if (code === "EADDRINUSE") {
    const message = `${error.message}; stop the server that has it, or choose another port with --listen`;
    return new CommandError(exitCodes.cannotCreate, message);
  }
  if (code === "EADDRNOTAVAIL" || code === "EACCES") {
    const message = `${error.message}; choose another address or port with --listen`;
    return new CommandError(exitCodes.cannotCreate, message);
  }
  if (code.startsWith("ERR_OSSL") || code.startsWith("ERR_TLS")) {
    const message = `the certificate or its key cannot be used: ${error.message}; check --tls`;
    return new CommandError(exitCodes.cannotCreate, message);
  }
  return error;
}
