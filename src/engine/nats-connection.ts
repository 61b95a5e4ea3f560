// SPDX-License-Identifier: MIT
// One connection to NATS: whether what answers there will do, and in which words it is said when it
// will not. Comes back by itself when a broker is gone; what that means for appends and readers is
// nats-log.ts's business.
import { isIP } from "node:net";
import { checkServerIdentity as checkIdentity } from "node:tls";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  delay,
  type NatsConnection,
  type TlsOptions,
} from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import { LogError } from "./log.ts";
import { callNats, closeNats, NoGreeting } from "./nats-calls.ts";
import {
  natsCommandBytesMax,
  natsConnectMs,
  natsOpenMs,
  natsOpenPauseMs,
  natsOverheadBytesMax,
  natsPingMs,
  natsReconnectMs,
  natsVersionMin,
} from "./nats-limits.ts";
import { type NatsPlace, type NatsTls, readText, wrong } from "./nats-place.ts";

/** A connection that was found good, and the manager of its streams. */
export interface NatsLink {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** With what subjects of requests to JetStream begin. */
  readonly api: string;
  readonly version: string;
}

/** @throws LogError (definite), with what to do. */
export async function connectNats(
  place: NatsPlace,
  more: Pick<ConnectionOptions, "noEcho"> = {},
): Promise<NatsLink> {
  let connection: NatsConnection | undefined;
  try {
    connection = await callNats({ ...connectionOptions(place), ...more });
    const version = checkBroker(connection, place);
    const { domain } = place;
    const asked = { timeout: natsConnectMs, ...(domain === undefined ? {} : { domain }) };
    const found = connection;
    const manager = await askManager(() => jetstreamManager(found, asked));
    const api = domain === undefined ? "$JS.API" : `$JS.${domain}.API`;
    return { connection, manager, api, version };
  } catch (error) {
    if (connection !== undefined) await closeNats(connection);
    if (error instanceof LogError) throw error;
    throw explainStart(place, error);
  }
}

/** For a question that another connection gets no answer to; it does not come back. */
export function connectOnce(place: NatsPlace): Promise<NatsConnection> {
  return callNats({ ...connectionOptions(place), reconnect: false, maxReconnectAttempts: 0 });
}

/**
 * A cluster of which a broker has just gone does not answer until the others have chosen a leader,
 * which takes them longer than one question waits; one that has just started says so at once.
 * @param pause between two questions that are answered at once
 */
export async function askManager<T>(
  ask: () => Promise<T>,
  pause: (ms: number) => Promise<unknown> = delay,
): Promise<T> {
  for (let leftMs = natsOpenMs; ; ) {
    try {
      return await ask();
    } catch (error) {
      const isSaid = isUnled(error);
      leftMs -= isSaid ? natsOpenPauseMs : natsConnectMs;
      if (leftMs <= 0 || !(isSaid || /timeout/i.test(errorText(error)))) throw error;
      if (isSaid) await pause(natsOpenPauseMs);
    }
  }
}

/** A broker of a cluster in which nobody leads JetStream, as with fewer than half of them. */
function isUnled(error: unknown): boolean {
  return /temporarily unavailable/i.test(errorText(error));
}

function connectionOptions(place: NatsPlace): ConnectionOptions {
  const { servers, user, password, credentialsFile, tls } = place;
  return {
    servers: [...servers],
    name: "muster",
    timeout: natsConnectMs,
    // For ever: a broker that is gone comes back, and until then appends are refused.
    maxReconnectAttempts: -1,
    reconnectTimeWait: natsReconnectMs,
    reconnectJitter: natsReconnectMs,
    ignoreAuthErrorAbort: true,
    pingInterval: natsPingMs,
    maxPingOut: 2,
    ...(user === undefined ? {} : { user, pass: password ?? "" }),
    ...(credentialsFile === undefined ? {} : { authenticator: readCredentials(credentialsFile) }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls, servers) }),
  };
}

/** @throws LogError (definite): the client would say it of the broker. */
function readCredentials(file: string): Authenticator {
  const text = readText(file, "the credentials");
  const authenticator = credsAuthenticator(new TextEncoder().encode(text));
  try {
    authenticator("what a broker would have signed");
  } catch (error) {
    const form = "give a file with a user's JWT and the seed of its key, as nsc writes it";
    throw wrong(`${file} has no credentials for NATS (${errorText(error)}); ${form}`);
  }
  return authenticator;
}

/**
 * The client names no host to TLS when it calls an address, so that Node compares the certificate
 * with `localhost`: it has to be one of an address that the user has named.
 */
function tlsOptions(tls: NatsTls, servers: readonly string[]): TlsOptions {
  const hosts = servers.map((server) => server.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1"));
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  const checkServerIdentity: typeof checkIdentity = (host, certificate) => {
    if (host !== "localhost" || addresses.length === 0) return checkIdentity(host, certificate);
    const errors = addresses.map((address) => checkIdentity(address, certificate));
    return errors.includes(undefined) ? undefined : errors[0];
  };
  return { ...tls, ...{ checkServerIdentity } };
}

function checkBroker({ info }: NatsConnection, { servers }: NatsPlace): string {
  const version = info?.version ?? "0.0.0";
  const at = servers.join(", ");
  if (isOlder(version, natsVersionMin)) {
    throw wrong(
      `NATS at ${at} is ${version}; Muster needs ${natsVersionMin} or newer (Debian 12 has 2.9.10)`,
    );
  }
  const bytesMax = natsCommandBytesMax + natsOverheadBytesMax;
  if ((info?.max_payload ?? 0) < bytesMax) {
    const message = `NATS at ${at} takes messages of ${info?.max_payload} bytes; set max_payload to ${bytesMax} or more there`;
    throw wrong(message);
  }
  return version;
}

export function isOlder(version: string, least: string): boolean {
  const [found, wanted] = [version, least].map((text) => text.split(".").map(Number.parseFloat));
  for (const [index, part] of (wanted ?? []).entries()) {
    const here = found?.[index] ?? 0;
    if (here !== part) return !(here > part);
  }
  return false;
}

/** Why a start has failed, and what to do. */
export function explainStart(
  { servers, credentialsFile, plan }: NatsPlace,
  error: unknown,
): LogError {
  const at = servers.join(", ");
  const text = errorText(error);
  const name = error instanceof Error ? error.name : "";
  const because = (message: string, isAway: boolean): LogError =>
    new LogError(message, { definite: true, cause: error, isAway });
  const option = plan === undefined ? "--log" : "--plan";
  if (error instanceof NoGreeting) {
    const { isSilent, message } = error;
    const advice = isSilent
      ? `correct ${option}, or start it again if it is one`
      : `correct ${option}`;
    const what = `what listens at ${at} does not speak NATS (${message}, and NATS says INFO first)`;
    return because(`${what}; ${advice}`, isSilent);
  }
  const lack = explainRights(error);
  if (lack !== undefined) return because(lack, false);
  if (isUnled(error)) {
    const advice = "start the missing ones: a cluster needs more than half of its servers";
    return because(`nobody leads JetStream at ${at} (${text}); ${advice}`, true);
  }
  if (/Authorization|Authentication/i.test(name + text)) {
    const what =
      credentialsFile === undefined ? "give --nats-creds FILE" : `check ${credentialsFile}`;
    const advice = `${what}, or USER:PASSWORD@ in the name of the log`;
    return because(`NATS at ${at} does not let us in (${text}); ${advice}`, false);
  }
  if (/JetStream ?(is )?(not )?enabled|NotEnabled/i.test(name + text)) {
    const advice = "allow JetStream to the account, or name its domain= behind a leaf node";
    const what = `NATS at ${at} has no JetStream for us; start it with 'nats-server -js'`;
    return because(`${what}, ${advice}`, true);
  }
  if (/503|no responders|timeout/i.test(text) && !/connect/i.test(text)) {
    const advice = "a cluster needs more than half of its servers";
    return because(`JetStream at ${at} does not answer (${text}); ${advice}`, true);
  }
  if (/certificate|tls|ssl|self.signed/i.test(text)) {
    const advice = "check tls:// and ca= in the name of the log";
    return because(`TLS with NATS at ${at} failed (${text}); ${advice}`, false);
  }
  return because(`NATS at ${at} cannot be reached (${text}); start it, or correct ${option}`, true);
}

/** @returns undefined where it is not for want of a right */
export function explainRights(error: unknown): string | undefined {
  const pattern = /permissions violation for (publish|subscription) to "([^"]+)"/i;
  const [, what = "", subject] = pattern.exec(errorText(error)) ?? [];
  if (subject === undefined) return undefined;
  const right = /publish/i.test(what) ? "publish" : "subscribe";
  const where = "the accounts in docs/guides/three-servers.md have what is needed";
  return `the user that NATS let in may not ${right} ${subject}; give it that right: ${where}`;
}
