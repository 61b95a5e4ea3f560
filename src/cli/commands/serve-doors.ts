// SPDX-License-Identifier: MIT
// The doors of `muster serve`: one core, and what `--listen EDGE=ADDR` opens to it, to the buses
// and to other servers. An emulab-sync client, curl and a client of the library meet at one barrier
// when they use one scope of the core.
import { defaultLimits, type Limits, resolveLimits } from "../../core/limits.ts";
import { type BusDoorBounds, defaultBusDoorBounds, mountBus } from "../../edges/bus/index.ts";
import {
  createHttpDoor,
  defaultHttpBounds,
  type HttpBounds,
  type HttpDoor,
  mountCore,
  type TlsFiles,
  TokenFile,
  TokenFileError,
} from "../../edges/http/index.ts";
import { ListenError, Syncd } from "../../edges/syncd/index.ts";
import { LogError } from "../../engine/log.ts";
import { openLog } from "../../engine/open-log.ts";
import { watchLateness } from "../../events/bus-lateness.ts";
import { defaultForwarderLimits, type ForwarderLimits } from "../../events/forwarder-limits.ts";
import { systemClock } from "../../host/clock.ts";
import { Host } from "../../host/host.ts";
import type { Logger } from "../../host/logger.ts";
import type { Bus } from "../../wire/event/bus.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { type Buses, openEventDoor, openRedirect } from "./serve-events.ts";
import type { Listen, Redirect } from "./serve-listen.ts";

export interface DoorsArguments {
  readonly log: string;
  readonly origin: readonly string[];
  readonly limit: readonly string[];
  /** Clients of the http door must show a certificate that --tls-ca has signed. */
  readonly httpClientCerts: boolean;
}

export interface DoorsOptions {
  readonly argv: DoorsArguments;
  /** Doors to the core and the buses; XML-RPC is the daemon's. */
  readonly listens: readonly Listen[];
  readonly redirects: readonly Redirect[];
  readonly buses: Buses;
  readonly tls: TlsFiles | undefined;
  /** File of the tokens. */
  readonly tokens: string;
  readonly logger: Logger;
}

/** What is open, and how it is closed. */
export interface Doors {
  /** A line for people each: `http at http://127.0.0.1:8470, asks for no token`. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens what was asked for, and a core when a door to one was.
 * @throws CommandError; what was opened before is closed.
 */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const { argv, listens, redirects, buses, tokens, logger } = options;
  const limits = parseDoorLimits(argv.limit);
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  const lines: string[] = [];
  const add = (opened: Opened): void => {
    lines.push(opened.line);
    closers.push(opened.close);
  };
  try {
    const toCore = listens.filter(({ edge }) => edge === "http" || edge === "syncd");
    if (toCore.length > 0) {
      const core = await openCore(options, limits);
      closers.push(core.close);
      for (const listen of toCore) add(await core.open(listen));
    }
    for (const listen of listens) {
      if (toCore.includes(listen)) continue;
      add(await openEventDoor(listen, { buses, tokens, logger, limits }));
    }
    for (const redirect of redirects) {
      add(await openRedirect(redirect, { logger, limits: limits.forwarder }));
    }
    return { lines, close };
  } catch (error) {
    await close();
    throw explain(error);
  }
}

/** Something that is open. */
export interface Opened {
  readonly line: string;
  readonly close: () => Promise<void>;
}

interface Core {
  readonly open: (listen: Listen) => Promise<Opened>;
  readonly close: () => Promise<void>;
}

async function openCore(
  { argv, buses, tls, tokens, logger }: DoorsOptions,
  { limits, bounds, busBounds }: DoorLimits,
): Promise<Core> {
  const log = await openLog(argv.log, systemClock.nowUs);
  const appended: ((tookUs: number) => void)[] = [];
  const onAppended = (tookUs: number): void => {
    for (const note of appended) note(tookUs);
  };
  const host = new Host({ log, clock: systemClock, limits, logger, onAppended });
  try {
    await host.start();
  } catch (error) {
    await log.close();
    throw error;
  }
  return {
    open: (listen) =>
      listen.edge === "http"
        ? openHttp({
            ...{ listen, host, bus: buses.ops, logger, bounds, busBounds, tls, tokens, appended },
            argv,
          })
        : openSyncd({ listen, host, logger, limits }),
    close: async () => {
      await host.close();
      await log.close();
    },
  };
}

interface OpenHttpOptions {
  readonly listen: Listen;
  readonly host: Host;
  readonly bus: Bus;
  readonly logger: Logger;
  readonly bounds: Partial<HttpBounds>;
  readonly busBounds: Partial<BusDoorBounds>;
  readonly tls: TlsFiles | undefined;
  readonly tokens: string;
  readonly argv: DoorsArguments;
  readonly appended: ((tookUs: number) => void)[];
}

async function openHttp(options: OpenHttpOptions): Promise<Opened> {
  const { listen, host, logger, bounds, busBounds, tls, argv, appended } = options;
  const clock = systemClock;
  const tokens = new TokenFile(options.tokens, logger);
  const door: HttpDoor = createHttpDoor({
    ...{ clock, logger, bounds, access: { tokens, origins: argv.origin } },
    ...(tls === undefined ? {} : { tls: argv.httpClientCerts ? tls : withoutAuthority(tls) }),
  });
  const address = `${listen.host}:${listen.port}`;
  const leave = mountCore({ door, host, clock, logger, edge: `http/${address}` });
  mountBus(door, { bus: options.bus, clock, busBounds });
  const addSeconds = door.metrics.addSeconds("muster_append_seconds", "Time an append took.");
  appended.push((tookUs) => addSeconds(tookUs / 1e6));
  const late = "How much later than planned events fired, as their agents say.";
  const addLateness = door.metrics.addSeconds("muster_event_lateness_seconds", late);
  const stopWatching = await watchLateness({
    ...{ bus: options.bus, clock },
    onLateness: (us) => addLateness(us / 1e6),
    onWarning: (text) => logger.log("warn", text),
  });
  const { url } = await door.listen(listen);
  const asks = door.access.asksForTokens ? "asks for a token" : "asks for no token";
  return {
    line: `http at ${url}, ${asks}`,
    close: async () => {
      stopWatching();
      await door.close();
      await leave();
    },
  };
}

/** The authority is for XML-RPC then: users of the http door are known by their tokens. */
function withoutAuthority({ key, certificate }: TlsFiles): TlsFiles {
  return { key, certificate };
}

interface OpenSyncdOptions {
  readonly listen: Listen;
  readonly host: Host;
  readonly logger: Logger;
  readonly limits: Limits;
}

async function openSyncd({ listen, host, logger, limits }: OpenSyncdOptions): Promise<Opened> {
  const { scope, port } = listen;
  const syncd = new Syncd({
    ...{ scope, port, logger, limits, clock: systemClock },
    edge: `syncd/${listen.host}:${port}`,
    connect: host.connectEdge,
    addresses: [listen.host],
  });
  const bound = await syncd.listen();
  return {
    line: `syncd at ${listen.host}:${bound}, scope ${scope}`,
    close: () => syncd.close(),
  };
}

export interface DoorLimits {
  readonly limits: Limits;
  readonly bounds: Partial<HttpBounds>;
  readonly busBounds: Partial<BusDoorBounds>;
  readonly forwarder: Partial<ForwarderLimits>;
}

/** @throws CommandError */
export function parseDoorLimits(settings: readonly string[]): DoorLimits {
  const known: Readonly<Record<string, number>> = {
    ...defaultLimits,
    ...defaultHttpBounds,
    ...defaultBusDoorBounds,
    ...defaultForwarderLimits,
  };
  const given: Record<string, number> = {};
  for (const setting of settings) {
    const [name = "", text = ""] = setting.split("=");
    const value = Number(text);
    if (!Object.hasOwn(known, name) || !Number.isSafeInteger(value) || value < 1) {
      const message = `--limit ${setting}: give NAME=VALUE, a positive whole number; the names are ${Object.keys(known).join(", ")}`;
      throw new CommandError(exitCodes.usage, message);
    }
    given[name] = value;
  }
  const of = (names: object): Record<string, number> =>
    Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(names, name)));
  return {
    limits: resolveLimits(of(defaultLimits)),
    bounds: of(defaultHttpBounds),
    busBounds: of(defaultBusDoorBounds),
    forwarder: of(defaultForwarderLimits),
  };
}

/** Errors of sockets, logs and files are the user's to mend. */
function explain(error: unknown): unknown {
  if (error instanceof CommandError) return error;
  if (
    error instanceof TokenFileError ||
    error instanceof ListenError ||
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
    const message = `the certificate or its key cannot be used: ${error.message}; check --tls-cert and --tls-key`;
    return new CommandError(exitCodes.cannotCreate, message);
  }
  return error;
}
