// SPDX-License-Identifier: MIT
// Clients of the old doors and the network between them and the servers: who is connected to whom,
// and what that suffers. What they say is in old-clients.ts.
import { Random } from "../../core/random.ts";
import type { Network, Pipe } from "../network.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { doorScope, type SimulatedServer } from "./cluster-server.ts";
import { startHttpClient } from "./http-clients.ts";
import {
  createTestgroundPeer,
  startGnunetClient,
  startSyncClient,
  startUdpClient,
  testgroundAnswer,
  testgroundRequest,
} from "./old-clients.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { AskStep, DoorName, FaultName, FaultRates } from "./script.ts";

/** What the fault `delay` makes of each message, at most. */
export const messageDelayMsMax = 30;

export interface OldDoorsOptions {
  readonly seed: number;
  readonly faults: FaultRates;
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly random: Random;
  readonly events: PartyEvents;
  readonly onStruck: (fault: FaultName) => void;
  readonly onMessage: (who: string, topic: string, number: number, message: string) => void;
}

/** What a connection of an old client goes over. */
interface Wire {
  readonly server: SimulatedServer;
  readonly pipe: Pipe | undefined;
  readonly party: Party;
  readonly isDriver: boolean;
  /** The client has closed it, and its server stands still and has not heard of it. */
  isClosed: boolean;
}

type NumberedAsk = AskStep & { readonly id: number };

export class OldDoors {
  readonly #options: OldDoorsOptions;
  readonly #wires = new Set<Wire>();
  /** When the last driver of a controller has closed its connection. */
  readonly #driverGoneUs = new Map<SimulatedServer, number>();
  #isCalm = false;

  constructor(options: OldDoorsOptions) {
    this.#options = options;
  }

  /** Datagrams arrive from here on, each once. */
  calm(): void {
    this.#isCalm = true;
  }

  start(party: Party, server: SimulatedServer, step: NumberedAsk, door: DoorName): void {
    if (door === "udp") this.#startUdp(party, server, step);
    else if (door === "testground") this.#startTestground(party, server, step);
    else this.#startStream(party, server, step, door);
  }

  /** A request over HTTP that may be asked for again. @returns what drops its connection */
  ask(party: Party, server: SimulatedServer, step: NumberedAsk, events: PartyEvents): () => void {
    const stream = this.#openStream(party, server, "http");
    return startHttpClient(party, stream, step, events);
  }

  /** A connection to the HTTP door of one who looks. */
  connect(party: Party, server: SimulatedServer): Pipe["client"] {
    return this.#openStream(party, server, "http");
  }

  /** Whoever is connected to a server waits in its kernel. */
  hold(server: SimulatedServer): void {
    for (const wire of this.#wires) if (wire.server === server) wire.pipe?.partition();
  }

  heal(server: SimulatedServer): void {
    for (const wire of [...this.#wires]) {
      if (wire.server !== server) continue;
      wire.pipe?.heal();
      if (wire.isClosed) this.#forget(wire);
    }
  }

  /** The server is gone, and its connections. */
  cut(server: SimulatedServer): void {
    for (const wire of [...this.#wires]) {
      if (wire.server !== server) continue;
      this.#wires.delete(wire);
      const { pipe, party } = wire;
      if (pipe !== undefined) pipe.cut();
      else if (party.end === undefined) this.#options.events.closed(party, "its server is gone");
    }
  }

  #startStream(party: Party, server: SimulatedServer, step: NumberedAsk, door: DoorName): void {
    const isDriver = door === "gnunet" && step.ask.what === "quorum-init";
    const stream = this.#openStream(party, server, door, isDriver);
    const random = new Random(this.#options.seed ^ (step.id * 0x9e3779b1));
    const { events } = this.#options;
    if (door === "syncd") startSyncClient(party, stream, step, random, events);
    else if (door === "http") startHttpClient(party, stream, step, events);
    else startGnunetClient(party, stream, step, events);
  }

  #openStream(
    party: Party,
    server: SimulatedServer,
    door: DoorName,
    isDriver = false,
  ): Pipe["client"] {
    const pipe = this.#options.network.connect();
    const wire: Wire = { server, pipe, party, isDriver, isClosed: false };
    if (isDriver) this.#excuseDrivers(wire);
    this.#wires.add(wire);
    if (server.state === "paused") pipe.partition();
    const { life } = server;
    server.whenAwake(() => {
      const { doors } = server;
      // Who comes between what the server reads first and its going on has not been let go by it.
      pipe.heal();
      if (doors === undefined || server.life !== life) pipe.cut();
      else if (door === "syncd") doors.syncd.accept(pipe.server, { address: party.name });
      else if (door === "http") doors.http.accept(pipe.server);
      else {
        const service = isDriver ? "testbed" : "testbed-barrier";
        doors.gnunet.accept(service, pipe.server, { address: party.name });
      }
    });
    pipe.client.on("close", () => {
      if (server.state === "paused" && this.#wires.has(wire)) wire.isClosed = true;
      else this.#forget(wire);
    });
    return pipe.client;
  }

  /** A controller has one driver at a time, and closes the connection of a second one. */
  #excuseDrivers(wire: Wire): void {
    const { server } = wire;
    const others = [...this.#wires].filter((one) => one.server === server && one.isDriver);
    const goneMs =
      (this.#options.clock.elapsedUs - (this.#driverGoneUs.get(server) ?? -1e9)) / 1000;
    if (others.length === 0 && goneMs >= 10 * messageDelayMsMax) return;
    // Which of them comes first is not known here.
    for (const { party: other } of [...others, wire]) other.excuse ??= "there are two drivers";
  }

  #forget(wire: Wire): void {
    this.#wires.delete(wire);
    if (wire.isDriver) this.#driverGoneUs.set(wire.server, this.#options.clock.elapsedUs);
  }

  #startTestground(party: Party, server: SimulatedServer, step: AskStep): void {
    const line = this.#createTextLine();
    const { clock } = server.process;
    const peer = createTestgroundPeer((text) => line.toClient(text), clock);
    const wire: Wire = { server, pipe: undefined, party, isDriver: false, isClosed: false };
    this.#wires.add(wire);
    let isOver = false;
    const end = (): void => {
      isOver = true;
      this.#wires.delete(wire);
      line.toServer(undefined);
    };
    line.onClient = (text) => {
      if (isOver || party.end !== undefined) return;
      if (text === undefined) {
        isOver = true;
        this.#wires.delete(wire);
        this.#options.events.closed(party, "closed without an answer");
        return;
      }
      const answer = testgroundAnswer(text);
      if ("message" in answer) {
        line.count += 1;
        const { barrier } = step;
        this.#options.onMessage(party.name, `${doorScope} ${barrier}`, line.count, answer.message);
        return;
      }
      party.answers += 1;
      this.#options.events.answered(party, answer);
      end();
    };
    line.onServer = (text) => server.process.clock.endOfTurn(() => peer.receive(text));
    party.leave = () => {
      party.end ??= { kind: "left" };
      end();
    };
    const { life } = server;
    server.whenAwake(() => {
      const address = `${party.name}/ws`;
      const who = { address, node: undefined, name: undefined, isGo: false };
      if (server.doors !== undefined && server.life === life) {
        server.doors.testground.accept(peer.socket, who);
      }
      line.toServer(testgroundRequest(party, step));
    });
  }

  #startUdp(party: Party, server: SimulatedServer, step: NumberedAsk): void {
    const { life } = server;
    const random = new Random(this.#options.seed ^ (step.id * 0x9e3779b1));
    this.#wires.add({ server, pipe: undefined, party, isDriver: false, isClosed: false });
    startUdpClient(
      party,
      (bytes, source) => {
        // A server that starts anew knows nobody: whoever asks it, asks again.
        if (server.life !== life || server.doors === undefined) {
          this.#options.events.closed(party, "nobody is there any more");
          return;
        }
        const send = (reply: Buffer): void =>
          this.#datagram(() => source.send(reply, source.port, source.address));
        this.#datagram(() =>
          server.process.clock.endOfTurn(() =>
            server.doors?.syncd.receive(bytes, { ...source, send }),
          ),
        );
      },
      step,
      { clock: this.#options.clock, random, events: this.#options.events },
    );
  }

  /** Datagrams are lost, doubled, and overtake each other. */
  #datagram(arrive: () => void): void {
    const random = this.#options.random;
    const strikes = (fault: FaultName): boolean => {
      if (this.#isCalm || !random.chance(this.#rate(fault))) return false;
      this.#options.onStruck(fault);
      return true;
    };
    if (strikes("lose-datagrams")) return;
    const copies = strikes("double-datagrams") ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const lateMs = strikes("reorder-datagrams") ? random.below(200) : 0;
      const delayMs =
        this.#rate("delay") > 0 && !this.#isCalm ? random.below(messageDelayMsMax) : 0;
      this.#options.clock.after(lateMs + delayMs, arrive);
    }
  }

  /** Texts in order, each way, by the clock. */
  #createTextLine() {
    const line = {
      count: 0,
      onClient: (_text: string | undefined): void => undefined,
      onServer: (_text: string | undefined): void => undefined,
      toClient: (text: string | undefined): void => carry("client", () => line.onClient(text)),
      toServer: (text: string | undefined): void => carry("server", () => line.onServer(text)),
    };
    const arrivesUs = { client: 0, server: 0 };
    const carry = (to: "client" | "server", arrive: () => void): void => {
      const { delayMsMax } = this.#options.network.faults;
      const delayUs = delayMsMax === 0 ? 0 : this.#options.random.below(delayMsMax * 1000);
      const nowUs = this.#options.clock.elapsedUs;
      arrivesUs[to] = Math.max(arrivesUs[to], nowUs + delayUs);
      this.#options.clock.after((arrivesUs[to] - nowUs) / 1000, arrive);
    };
    return line;
  }

  #rate(fault: FaultName): number {
    return this.#options.faults[fault] ?? 0;
  }
}
