// SPDX-License-Identifier: MIT
// How a command reaches the bus of events, and what it says of itself there.
import { networkInterfaces } from "node:os";
import { WebSocket } from "ws";
import { whoAnswers } from "../client/connection-failure.ts";
import { eventPorts, hostOf, resolveEventAddress } from "../client/event-address.ts";
import type { ConnectedBus } from "../client/event-connection.ts";
import { eventClientTime } from "../client/event-limits.ts";
import type { EventTime } from "../client/event-time.ts";
import { RemoteBus, type RemoteBusOptions } from "../client/remote-bus.ts";
import type { ClientRuntime } from "../client/runtime.ts";
import type { ClientTls } from "../client/tls-platform.ts";
import { systemClock } from "../host/clock.ts";
import { gatherWrites } from "../host/gather-writes.ts";
import { newNonce } from "../host/ids.ts";
import { BusError } from "../wire/event/bus.ts";
import { busProtocol } from "../wire/event/bus-frames.ts";
import { tokenProtocolPrefix } from "../wire/link/frames.ts";
import { readClientTls } from "./client-tls.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";

/**
 * A bus behind a door. Once it has been there its loss is not told: the connection is opened again,
 * and every subscription goes on where it was.
 *
 * @param url as of `resolveEventAddress`
 * @param publicationsMax that may be on their way at once; a command has one
 * @param how what it is spoken to with when the URL asks for TLS, and the option by which whoever
 *   has called names another one
 * @throws BusError: `unavailable` while nobody answers there, `refused` when the door turns us away
 */
export function connectEventBus(
  url: string,
  publicationsMax = 1,
  how: { readonly tls?: ClientTls | undefined; readonly option?: "-s" | "--server" } = {},
): Promise<ConnectedBus> {
  const { tls = readClientTls({}), option = "-s" } = how;
  return new Promise((resolve, reject) => {
    const dial = eventSocketDialer(url, tls);
    let left = url.split(",").length;
    let isThere = false;
    const open = (): WebSocket => {
      const socket = dial();
      if (isThere) return socket;
      socket.once("open", () => {
        isThere = true;
        resolve(bus);
      });
      // Before `open` it means that there was no connection; after it nobody hears it.
      socket.once("error", (error: NodeJS.ErrnoException) => {
        left -= 1;
        if (isThere || left > 0) return;
        bus.close();
        reject(describeFailure(url, error, option));
      });
      return socket;
    };
    const bus = new RemoteBus({
      open,
      ...eventRetry,
      runtime: eventWorld.runtime,
      publicationsMax,
    });
  });
}

/** How a client of a bus comes back, and how long what it has to say waits for that. */
export const eventRetry: Pick<RemoteBusOptions, "retryMs" | "retryMsMax" | "publishWaitMs"> = {
  retryMs: eventClientTime.impatientRetryMs,
  retryMsMax: eventClientTime.retryMs,
  publishWaitMs: eventClientTime.connectMs,
};

/** Opens connections to the servers of a bus, each time to the next one. */
export function eventSocketDialer(url: string, tls?: ClientTls): () => WebSocket {
  const urls = url.split(",");
  let calls = 0;
  return () => {
    const next = urls[calls % urls.length] ?? url;
    calls += 1;
    return openEventSocket(next, eventClientTime.silenceMs, tls);
  };
}

/**
 * A connection that ends itself when the other side is silently gone: a machine without power
 * closes nothing, and who only listens would never know.
 *
 * @param url one of those of `resolveEventAddress`
 */
export function openEventSocket(
  url: string,
  silenceMs: number = eventClientTime.silenceMs,
  { ca, certificate, key }: ClientTls = readClientTls({}),
): WebSocket {
  const socket = new WebSocket(url, protocols(), {
    handshakeTimeout: eventClientTime.connectMs,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate, key }),
  });
  let cancel = (): void => undefined;
  const onLife = (): void => {
    cancel();
    cancel = systemClock.after(silenceMs, () => socket.terminate());
  };
  socket.once("upgrade", ({ socket: stream }) => {
    const [gather, send] = [gatherWrites(stream, systemClock), socket.send.bind(socket)];
    socket.send = (text: Parameters<typeof send>[0]) => {
      gather();
      send(text);
    };
  });
  for (const sign of ["open", "message", "ping"]) socket.on(sign, onLife);
  socket.on("close", () => cancel());
  return socket;
}

/** A door that asks for a token gets it as a protocol. */
function protocols(): string[] {
  const { MUSTER_TOKEN: token = "" } = process.env;
  return [busProtocol, ...(token === "" ? [] : [`${tokenProtocolPrefix}${token}`])];
}

function describeFailure(url: string, error: NodeJS.ErrnoException, option: string): BusError {
  const where = hostOf(url);
  const who = whoAnswers(error);
  if (who !== undefined) {
    const help = `${option} and MUSTER_EVENTS name another`;
    return new BusError("unavailable", `${who} answers at ${where}, and no bus; ${help}`);
  }
  if (error.message.startsWith("Unexpected server response")) {
    const help = "is it a door of Muster, and does it take MUSTER_TOKEN?";
    return new BusError("refused", `${where} opens no bus: ${error.message}; ${help}`);
  }
  if (/CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|EPROTO/.test(error.code ?? "")) {
    const help =
      "--ca or MUSTER_CA names who has signed the server's certificate, --cert or MUSTER_CERT the one to show";
    return new BusError("refused", `no TLS with ${where}: ${error.message}; ${help}`);
  }
  // Several addresses were tried, each with its own reason, and the error itself has no message.
  const reason = error.code ?? error.message;
  const help = `is it running there? ${option} and MUSTER_EVENTS name another`;
  return new BusError("unavailable", `no bus answers at ${where} (${reason}); ${help}`);
}

/** What commands of events need of the world; tests hand in their own. */
export interface EventWorld {
  readonly runtime: ClientRuntime;
  /** @param url as of `resolveEventAddress`. @throws BusError */
  connect(url: string, tls?: ClientTls): Promise<ConnectedBus>;
  /** Microseconds since 1970. */
  wallUs(): bigint;
}

export const eventWorld: EventWorld = {
  runtime: { nowUs: systemClock.nowUs, after: systemClock.after, randomBytes: newNonce },
  connect: (url, tls) => connectEventBus(url, 1, { tls, option: "--server" }),
  wallUs: () => BigInt(systemClock.wallMs()) * 1000n,
};

/** Of the old commands, whose options are others. */
export const oldEventWorld: EventWorld = { ...eventWorld, connect: (url) => connectEventBus(url) };

export function splitTime(us: bigint): EventTime {
  return { seconds: Number(us / 1_000_000n), microseconds: Number(us % 1_000_000n) };
}

/**
 * Where a command of `muster` finds the bus.
 *
 * @param known where it is unless somebody says otherwise, HOST:PORT
 * @throws CommandError for what is no address.
 */
export function eventAddress(server: string | undefined, known?: string): string {
  const url = resolveEventAddress(
    { server, port: undefined },
    {
      environment: process.env["MUSTER_EVENTS"] ?? known,
      server: "localhost",
      port: eventPorts.experiments,
    },
  );
  if (url !== undefined) return url;
  const message = "--server or MUSTER_EVENTS is no host and no URL; give HOST, HOST:PORT";
  throw new CommandError(exitCodes.usage, message);
}

/** The address that notifications name as their sender's; it means nothing to Muster. */
export function senderAddress(environment: Readonly<Record<string, string | undefined>>): string {
  const { NODECNETIP: control = "" } = environment;
  if (control !== "") return control;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return (
    addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1"
  );
}
