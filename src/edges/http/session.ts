// SPDX-License-Identifier: MIT
// Sessions of the client library: `/v1/session`. A session is an edge of the core that a client is
// (ARCHITECTURE.md): its frames are those of a link between an edge and its core, one a message, so
// that a cut connection loses nothing and counts nothing twice. Participants are connections of
// that edge. The token decides what the edge may do, and is part of its name: a session is resumed
// with the token it was opened with.
import { EdgeConnection } from "../../host/edge-connection.ts";
import type { Host } from "../../host/host.ts";
import type { Logger } from "../../host/logger.ts";
import { asShards, type Shards } from "../../host/shards.ts";
import type { EdgeCommand, HelloFrame } from "../../wire/link/frames.ts";
import { parseFrame, sessionProtocol } from "../../wire/link/frames.ts";
import type { Caller } from "./access.ts";
import { defaultScope } from "./access.ts";
import { boundMessage } from "./bounds.ts";
import type { HttpDoor } from "./door.ts";
import type { SessionFeeds } from "./session-feeds.ts";
import type { DoorSocket, SocketEndpoint, SocketHandler } from "./socket.ts";
import { closeCodes } from "./socket.ts";
import type { TokenQuota } from "./token-quota.ts";

export interface SessionOptions {
  readonly host: Host | Shards;
  readonly logger: Logger;
  readonly bounds: HttpDoor["bounds"];
  readonly feeds: SessionFeeds;
  readonly quota: Pick<TokenQuota, "addSession">;
  /** Sees every command. @returns why it is one too many. */
  readonly judge: (caller: Caller, command: EdgeCommand) => string | undefined;
}

export function createSessionEndpoint(options: SessionOptions): SocketEndpoint {
  const shards = asShards(options.host);
  return {
    path: "/v1/session",
    protocol: sessionProtocol,
    summary: "Sessions of the client library",
    access: "look",
    messageBytesMax: options.bounds.sessionMessageBytesMax,
    perTokenMax: options.bounds.sessionsPerTokenMax,
    queueBytesMax: options.bounds.sessionQueueBytesMax,
    open: (socket, caller) => openSession(socket, caller, shards, options),
  };
}

/** What a session may call itself. */
const sessionName = /^[A-Za-z0-9_-]{1,64}$/;

function openSession(
  socket: DoorSocket,
  caller: Caller,
  shards: Shards,
  { logger, bounds, feeds, quota, judge }: SessionOptions,
): SocketHandler {
  const { role, scope, token } = caller;
  const grant = { role, ...(scope === undefined ? {} : { scope }) };
  const edge = new EdgeConnection({
    ...{ host: shards.of(scope ?? defaultScope), hostOf: (one) => shards.of(one), logger },
    objection(command, host) {
      const elsewhere = objectToShard(shards, host, command);
      if (elsewhere !== undefined) return { code: "invalid", message: elsewhere };
      const message = command.kind === "refuse" ? undefined : judge(caller, command);
      return message === undefined ? undefined : { code: "limit", message };
    },
    waitsMax: {
      count: bounds.sessionWaitsMax,
      message: `too many waits of one session: ${boundMessage(bounds, "sessionWaitsMax")}`,
    },
    openFeed: (peer) =>
      feeds.open(peer, (scope, topic) =>
        judge(caller, { kind: "topic-follow", scope, topic, connection: 0 }),
      ),
    queueBytesMax: bounds.sessionQueueBytesMax,
    transport: {
      get isOpen() {
        return socket.isOpen;
      },
      get queuedBytes() {
        return socket.queuedBytes;
      },
      send: (text) => socket.send(text),
      setReading: (isReading) => socket.setReading(isReading),
      end: () => socket.end(closeCodes.goingAway, "the session is closed"),
      destroy: () => socket.destroy(),
    },
    admit: (hello: HelloFrame) => {
      if (!sessionName.test(hello.edge)) {
        return "a session is named by 1 to 64 letters, digits, - and _";
      }
      const rights = { kind: "session", ...grant } as const;
      const edge = `session/${token}/${hello.edge}`;
      const objection = quota.addSession(caller, edge);
      if (objection !== undefined) return objection;
      const home = scope ?? hello.scope ?? defaultScope;
      return { edge, rights, grant, address: caller.address, scope: home };
    },
  });
  return {
    onMessage(message) {
      try {
        edge.receive(parseFrame(typeof message === "string" ? message : "a frame is text"));
      } catch (error) {
        edge.fail(error);
      }
    },
    onSent: () => edge.sent(),
    onClosed: () => edge.closed(),
  };
}

/** A session lives in one log: what is in another one is for a session of its own (D6). */
function objectToShard(shards: Shards, host: Host, command: EdgeCommand): string | undefined {
  if (!("scope" in command) || shards.of(command.scope) === host) return undefined;
  const there = `scope ${command.scope} is in shard ${shards.indexOf(command.scope)}`;
  const here = `this session in shard ${shards.hosts.indexOf(host)} of ${shards.hosts.length}`;
  return `${there}, ${here}; open a session for it, which says its scope in its hello`;
}
