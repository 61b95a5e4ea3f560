// SPDX-License-Identifier: MIT
// The WebSocket at which machines join: `/v1/hosts?name=NAME[&capacity=N][&types=A,B]`. The server
// asks for an agent by a text frame `{"start":LINK}`; the machine then opens `/v1/hosts?link=LINK`,
// whose binary frames are what the agent says and hears.
//
//   E1. It takes a token that may administer, which nobody is without one: whoever joins is given
//       the commands and the keys of the experiments that are brought up there.
import { Duplex } from "node:stream";
import type { Logger } from "../../host/logger.ts";
import { hostsPath, hostsProtocol } from "../../wire/node-link/index.ts";
import {
  type Caller,
  closeCodes,
  type DoorSocket,
  formatAudit,
  type HttpDoor,
  type SocketEndpoint,
  type SocketHandler,
} from "../http/index.ts";
import type { JoinedHosts } from "./joined-hosts.ts";

/** One frame: pieces of a pipe are at most 64 KiB. */
const messageBytesMax = 1_048_576;
/** Sockets of one token: machines, and an agent each for every run. */
const perTokenMax = 2_048;
/** What may lie unread on its way to a machine. */
const queueBytesMax = 262_144;

/** Hears who comes and goes. */
export interface HostsTeller {
  readonly joined: (name: string, caller: Caller) => void;
  readonly gone: (name: string) => void;
}

/** Lets machines join at a door; the log says which, by whom, and which are gone. */
export function mountHosts(door: HttpDoor, hosts: JoinedHosts, logger: Logger): void {
  const teller: HostsTeller = {
    joined: (name, caller) => logger.log("info", formatAudit(caller, `join machine "${name}"`)),
    gone(name) {
      // The server's own end is told already.
      if (!door.isDraining) logger.log("warn", `machine "${name}" is gone, with its nodes if any`);
    },
  };
  door.socket(createHostsEndpoint(hosts, teller));
}

export function createHostsEndpoint(hosts: JoinedHosts, teller: HostsTeller): SocketEndpoint {
  return {
    ...{ path: hostsPath, protocol: hostsProtocol, access: "administer" },
    summary: "Machines that experiments are brought up on join here.",
    ...{ messageBytesMax, perTokenMax },
    open(socket, caller, query) {
      const link = query.get("link");
      if (link !== null) return carry(hosts, socket, link);
      return join({ hosts, socket, query, caller, teller });
    },
  };
}

interface Joining {
  readonly hosts: JoinedHosts;
  readonly socket: DoorSocket;
  readonly query: URLSearchParams;
  readonly caller: Caller;
  readonly teller: HostsTeller;
}

function join({ hosts, socket, query, caller, teller }: Joining): SocketHandler {
  const room = query.get("capacity");
  const capacity = room === null ? undefined : Number(room);
  if (capacity !== undefined && (!Number.isSafeInteger(capacity) || capacity < 1)) {
    return refuse(socket, closeCodes.invalid, "capacity is a number of nodes, from 1");
  }
  const types = (query.get("types") ?? "").split(",").filter((type) => type !== "");
  const host = { name: query.get("name") ?? "", capacity, types };
  const leave = hosts.join(host, (link) => socket.send(JSON.stringify({ start: link })));
  if (typeof leave === "string") return refuse(socket, closeCodes.invalid, leave);
  socket.send(JSON.stringify({ joined: host.name }));
  teller.joined(host.name, caller);
  return {
    // Nothing is to be said on it.
    onMessage: () => socket.end(closeCodes.invalid, "a machine that has joined only listens"),
    onClosed: () => {
      leave();
      teller.gone(host.name);
    },
  };
}

function carry(hosts: JoinedHosts, socket: DoorSocket, link: string): SocketHandler {
  const { stream, handler } = streamOf(socket);
  if (hosts.accept(link, stream)) return handler;
  return refuse(socket, closeCodes.invalid, "nobody waits for that stream");
}

function refuse(socket: DoorSocket, code: number, reason: string): SocketHandler {
  socket.end(code, reason);
  return { onMessage: () => undefined, onClosed: () => undefined };
}

/** A socket of the door as a stream of bytes, with pressure both ways. */
function streamOf(socket: DoorSocket): {
  readonly stream: Duplex;
  readonly handler: SocketHandler;
} {
  let goOn: (() => void) | undefined;
  const sent = (): void => {
    if (socket.isOpen && socket.queuedBytes > queueBytesMax) return;
    const next = goOn;
    goOn = undefined;
    next?.();
  };
  const stream = new Duplex({
    read: () => socket.setReading(true),
    write(chunk: Buffer, _encoding, callback) {
      socket.send(chunk);
      goOn = callback;
      sent();
    },
    final(callback) {
      socket.end(closeCodes.goingAway, "the run has ended");
      callback();
    },
    destroy(error, callback) {
      socket.destroy();
      callback(error);
    },
  });
  const handler: SocketHandler = {
    onMessage: (message) => {
      if (!stream.push(Buffer.from(message))) socket.setReading(false);
    },
    onSent: sent,
    onClosed: () => {
      stream.push(null);
      stream.destroy();
    },
  };
  return { stream, handler };
}
