// SPDX-License-Identifier: MIT
// When the requests of a connection are begun that came before the ones ahead of them were
// answered: a piece from the network holds a thousand short ones.
//
//   T1. One is begun when each ahead of it has been answered and the answer was handed to the
//       kernel, or waits for others: who reads nothing has one answer made for him. What waits
//       keeps nobody back, because it may be for one of those behind it.
//   T2. Of those that had to queue one is begun in a turn of the event loop, whosever it is: timers
//       run in between, and who has asked one thing is answered.
//   T3. Each that was taken is over when its connection goes. Node 20 says `close` of the answer
//       only that is being sent; of those behind it this says so.
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../host/clock.ts";

export interface TurnsOptions {
  readonly clock: Pick<Clock, "endOfTurn">;
  /** Requests of one connection that are not answered. */
  readonly requestsMax: number;
}

/** Begins to answer. `onWaits` is to be told that it waits for others (T1). */
export type Begin = (onWaits: () => void) => void;

/** The requests of a connection. */
interface Line {
  readonly open: Set<ServerResponse>;
  /** Those that are not begun. */
  queue: { readonly response: ServerResponse; readonly begin: Begin }[];
  /** What keeps the others back (T1). */
  current: ServerResponse | undefined;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #lines = new WeakMap<Socket, Line>();
  readonly #answers = new Set<ServerResponse>();
  /** Lines whose next one may be begun, each once. */
  readonly #ready = new Set<Line>();
  #isArmed = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Those that are not over. */
  get answers(): Iterable<ServerResponse> {
    return this.#answers;
  }

  /** Requests of a connection that are not answered. */
  countOf(socket: Socket): number {
    return this.#lines.get(socket)?.open.size ?? 0;
  }

  /** Begins it, or has it queue. @returns false when the connection has too many already. */
  take(socket: Socket, response: ServerResponse, begin: Begin): boolean {
    const line = this.#lineOf(socket);
    if (line.open.size >= this.#options.requestsMax) return false;
    line.open.add(response);
    this.#answers.add(response);
    response.on("close", () => {
      line.open.delete(response);
      this.#answers.delete(response);
      this.#passOn(line, response);
    });
    if (line.current === undefined && line.queue.length === 0) this.#begin(line, response, begin);
    else line.queue.push({ response, begin });
    return true;
  }

  #lineOf(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { open: new Set(), queue: [], current: undefined };
    this.#lines.set(socket, line);
    socket.on("close", () => this.#leave(line));
    return line;
  }

  #begin(line: Line, response: ServerResponse, begin: Begin): void {
    line.current = response;
    begin(() => this.#passOn(line, response));
  }

  #passOn(line: Line, response: ServerResponse): void {
    if (line.current !== response) return;
    line.current = undefined;
    if (line.queue.length === 0) return;
    this.#ready.add(line);
    this.#arm();
  }

  /** T2. */
  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#options.clock.endOfTurn(() => {
      this.#isArmed = false;
      const [line] = this.#ready;
      if (line === undefined) return;
      this.#ready.delete(line);
      const next = line.queue.shift();
      if (next !== undefined) this.#begin(line, next.response, next.begin);
      if (this.#ready.size > 0) this.#arm();
    });
  }

  /** T3. */
  #leave(line: Line): void {
    line.queue = [];
    this.#options.clock.endOfTurn(() => {
      for (const response of [...line.open]) {
        response.destroy();
        response.emit("close");
      }
    });
  }
}
