// SPDX-License-Identifier: MIT
// `muster node join NAME --server URL`: this machine dials in to a server and starts an agent for
// each run that has nodes here. It listens nowhere; what it runs is what the server's users ask
// for, as the user who started this.
import { type ChildProcess, spawn } from "node:child_process";
import { createSecureContext } from "node:tls";
import { createWebSocketStream, WebSocket } from "ws";
import type { ClientTls } from "../../client/tls-platform.ts";
import { errorText } from "../../core/text.ts";
import { isHostName, noHostName } from "../../edges/hosts/index.ts";
import { sleep, systemClock } from "../../host/clock.ts";
import { tokenProtocolPrefix } from "../../wire/link/frames.ts";
import { hostsPath, hostsProtocol } from "../../wire/node-link/index.ts";
import { readClientTls } from "../client-tls.ts";
import { describeDialFailure } from "../dial-failure.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { StopSignals } from "../stop-signals.ts";
import { type CallEnd, JoinCalls } from "./join-calls.ts";

export interface JoinArguments {
  readonly name: string;
  readonly server: string;
  readonly capacity?: string;
  readonly types?: string;
  /** Who has signed the server's certificate. */
  readonly ca?: string;
  /** A certificate to show. */
  readonly cert?: string;
  /** Its key, when it is not in the same file. */
  readonly certKey?: string;
}

/** Until a server that is away is called again. */
const retryMs = 2_000;
/** For a server to answer a call; one that stands still takes calls and says nothing. */
const handshakeMs = 15_000;
/** Servers ask for a sign of life more often; without one this end gives up. */
const silenceMs = 90_000;
/** For a server to take leave. */
const leaveMs = 2_000;
/** No token that is good, and one that may not do this. */
const [unauthorized, forbidden] = [4_401, 4_403];
/** What makes a token that lets a machine join. */
const tokenCommand = "muster token create --role admin --all-scopes";

/** @returns the exit status, when it was told to end. @throws CommandError */
export async function nodeJoinCommand(argv: JoinArguments, io: CommandIo): Promise<number> {
  if (!isHostName(argv.name)) throw new CommandError(exitCodes.usage, noHostName(argv.name));
  const url = urlOf(argv);
  checkToken();
  const signals = new StopSignals();
  const agents = new Set<ChildProcess>();
  const calls = new JoinCalls(systemClock);
  try {
    while (!signals.interrupt.aborted) {
      // Each time: certificates are renewed while a machine stays.
      const tls = readTls(argv, url);
      const end = await joinOnce({ url, tls }, signals.interrupt, {
        onJoined: () => {
          calls.joined();
          io.stdout(`muster: joined ${url.host} as ${argv.name}; Ctrl-C leaves\n`);
        },
        onStart: (link) => startAgent({ url: linkUrl(url, link), tls }, agents, io),
      });
      if (signals.interrupt.aborted) break;
      const said = calls.ended(end);
      if (said !== undefined) io.stderr(`muster: ${said}; calling again\n`);
      await Promise.race([sleep(systemClock, retryMs), aborted(signals.interrupt)]);
    }
    return exitCodes.ok;
  } finally {
    signals.dispose();
    await Promise.all([...agents].map(endAgent));
  }
}

/** @throws CommandError */
function urlOf({ name, server, capacity, types }: JoinArguments): URL {
  try {
    const url = new URL(hostsPath, /^\w+:\/\//.test(server) ? server : `http://${server}`);
    url.protocol = /^(https|wss):$/.test(url.protocol) ? "wss:" : "ws:";
    url.searchParams.set("name", name);
    if (capacity !== undefined) url.searchParams.set("capacity", capacity);
    if (types !== undefined) url.searchParams.set("types", types);
    return url;
  } catch {
    throw new CommandError(exitCodes.usage, `--server ${server} is no URL; give http://HOST:PORT`);
  }
}

/** It is said as a name of a protocol, which has no other characters. @throws CommandError */
function checkToken(): void {
  if (/^[\w!#$%&'*+.^`|~-]*$/.test(tokenOf())) return;
  throw new CommandError(exitCodes.usage, `MUSTER_TOKEN is no token; ${tokenAdvice}`);
}

const tokenAdvice = "give the one that muster token create has printed, and nothing else";

function tokenOf(): string {
  const { MUSTER_TOKEN: token = "" } = process.env;
  return token;
}

function linkUrl(joined: URL, link: string): URL {
  const url = new URL(joined.pathname, joined);
  url.searchParams.set("link", link);
  return url;
}

/** @throws CommandError for files that cannot be read, or that are not what they should be */
function readTls({ ca, cert, certKey: key }: JoinArguments, { protocol, host }: URL): ClientTls {
  const given = { "--ca": ca, "--cert": cert, "--cert-key": key };
  const [idle] = Object.entries(given).find(([, file]) => file !== undefined) ?? [];
  if (idle !== undefined && protocol === "ws:") {
    const message = `${idle} is for a server that speaks TLS; give --server https://${host}`;
    throw new CommandError(exitCodes.usage, message);
  }
  const tls = readClientTls({ ca, cert, key });
  const { MUSTER_CA, MUSTER_CERT } = process.env;
  checkPem(`--ca ${ca ?? MUSTER_CA}`, "a certificate", tls.ca, { ca: tls.ca });
  const shown = { cert: tls.certificate, key: tls.key };
  checkPem(`--cert ${cert ?? MUSTER_CERT}`, "a certificate and its key", tls.certificate, shown);
  return tls;
}

/** @throws CommandError */
function checkPem(
  option: string,
  wanted: string,
  text: string | undefined,
  context: Parameters<typeof createSecureContext>[0],
): void {
  if (text === undefined) return;
  try {
    if (!text.includes("-----BEGIN ")) throw new Error("there is no PEM block in it");
    createSecureContext(context);
  } catch (error) {
    const why = errorText(error);
    const advice = "see docs/reference/certificates.md for which file goes where";
    throw new CommandError(exitCodes.noInput, `${option} is not ${wanted} (${why}); ${advice}`);
  }
}

/** Where a call goes, and what it speaks TLS with where that is asked for. */
interface Callee {
  readonly url: URL;
  readonly tls: ClientTls;
}

interface JoinEvents {
  readonly onJoined: () => void;
  readonly onStart: (link: string) => void;
}

/** Resolves when it is over. */
function joinOnce(
  callee: Callee,
  interrupt: AbortSignal,
  { onJoined, onStart }: JoinEvents,
): Promise<CallEnd> {
  const socket = dial(callee);
  let cancel = (): void => undefined;
  const leave = (): void => {
    socket.close();
    cancel();
    cancel = systemClock.after(leaveMs, () => socket.terminate());
  };
  interrupt.addEventListener("abort", leave);
  const onLife = (): void => {
    if (interrupt.aborted) return;
    cancel();
    cancel = systemClock.after(silenceMs, () => socket.terminate());
  };
  for (const sign of ["open", "message", "ping"]) socket.on(sign, onLife);
  socket.on("message", (data) => {
    const { joined, start } = readOrder(String(data));
    if (joined !== undefined) onJoined();
    if (start !== undefined) onStart(start);
  });
  return new Promise((resolve) => {
    let failure: string | undefined;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      failure ??= describeDialFailure(callee.url, error);
    });
    socket.on("close", (code, reason) => {
      cancel();
      interrupt.removeEventListener("abort", leave);
      const said = reason.toString() || "the server has gone";
      resolve({ why: failure ?? describeRefusal(code, said), code });
    });
  });
}

/** What the door says is for all clients; a machine lacks one kind of token. */
function describeRefusal(code: number, said: string): string {
  const isForAdmin = code === forbidden && / \(administer\); /.test(said);
  if (tokenOf() === "" && (isForAdmin || code === unauthorized)) {
    const how = `make one on the server with ${tokenCommand}, and set MUSTER_TOKEN to it here`;
    return `no token was given, and joining takes one of role admin; ${how}`;
  }
  const whole = isForAdmin ? said.replace(/muster token create$/, tokenCommand) : said;
  return code === unauthorized ? `${whole} (here: in MUSTER_TOKEN)` : whole;
}

function dial({ url, tls: { ca, certificate, key } }: Callee): WebSocket {
  const token = tokenOf();
  return new WebSocket(url, [hostsProtocol, ...(token ? [`${tokenProtocolPrefix}${token}`] : [])], {
    handshakeTimeout: handshakeMs,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate, key }),
  });
}

function readOrder(text: string): { readonly joined?: string; readonly start?: string } {
  try {
    return (JSON.parse(text) ?? {}) as { joined?: string; start?: string };
  } catch {
    return {};
  }
}

/** One agent, which ends with its connection. */
function startAgent(callee: Callee, agents: Set<ChildProcess>, io: CommandIo): void {
  const [, entry = ""] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, entry, "node", "agent"], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  agents.add(child);
  const socket = dial(callee);
  const stream = createWebSocketStream(socket);
  child.once("error", ({ message }) => {
    agents.delete(child);
    // Who asked for it hears that the connection ended.
    stream.destroy();
    io.stderr(`muster: an agent cannot be started: ${message}\n`);
  });
  child.once("exit", () => {
    agents.delete(child);
    // Nothing that is said on it would go before the server has answered.
    if (socket.readyState === WebSocket.CONNECTING) stream.destroy();
    else stream.end();
  });
  child.stdin?.on("error", () => undefined); // It ended; `exit` says so.
  stream.on("error", () => undefined);
  stream.once("close", () => child.stdin?.end());
  if (child.stdin !== null) stream.pipe(child.stdin);
  child.stdout?.pipe(stream);
}

/** It ends what it has started. */
function endAgent(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.stdin?.end();
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
