// SPDX-License-Identifier: MIT
// A connection to the door of peers: it waits at one barrier at a time. [GNUNET-BARRIERS 3.2]
import type { GnunetMessage } from "../../wire/gnunet/index.ts";
import type { Connection, Party } from "./connection.ts";
import type { QuorumDesk, WaitEnd, WaitTicket } from "./quorum-desk.ts";

export class Waiter implements Party, WaitTicket {
  readonly #desk: QuorumDesk;
  readonly #connection: Connection;
  /** 0 while it does not wait. */
  #id = 0;

  constructor(desk: QuorumDesk, connection: Connection) {
    this.#desk = desk;
    this.#connection = connection;
  }

  take(message: GnunetMessage): void {
    if (message.kind !== "barrier-wait") {
      this.#connection.drop(`a ${message.kind} is not for the door of peers`);
    } else if (this.#id !== 0) {
      // Unlike in the old server its arrival goes with it: nothing is counted that does not wait.
      this.#connection.drop("it waits already; a connection waits at one barrier at a time");
    } else {
      this.#id = this.#desk.wait(message.name, this.#connection.who, this);
    }
  }

  /** After a crossing the connection stays open, as it always did. [GNUNET-BARRIERS 7.3] */
  ended({ kind, status }: WaitEnd): void {
    this.#id = 0;
    if (kind === "crossed") this.#connection.send(status);
    else this.#connection.finish(status);
  }

  over(): void {
    if (this.#id !== 0) this.#desk.giveUp(this.#id);
    this.#id = 0;
  }
}
