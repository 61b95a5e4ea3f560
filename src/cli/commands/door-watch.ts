// SPDX-License-Identifier: MIT
// What the doors of one server hold, and what their bounds refuse, for the figures at /metrics
// (docs/reference/http.md): the doors tell, each http door that has a page of figures shows.
import type { Metrics } from "../../edges/http/index.ts";

/** What a door says of itself; rows that a protocol has no use for are left out. */
export interface DoorHolding {
  /** Open connections. */
  readonly connections: number;
  /** Bytes written to clients that they have not taken yet. */
  readonly unreadBytes?: number;
  /** Bytes of messages that it keeps. */
  readonly storedBytes?: number;
}

export class DoorWatch {
  readonly #doors: { readonly name: string; readonly read: () => DoorHolding }[] = [];
  readonly #pages: Metrics[] = [];

  /** A door is open. @param name as of --listen; doors of one name are added up */
  add(name: string, read: () => DoorHolding): void {
    this.#doors.push({ name, read });
  }

  /** A door has refused something by the limit of this name. */
  readonly refused = (limit: string): void => {
    for (const page of this.#pages) page.refused(limit);
  };

  /** Shows it on a page. */
  show(metrics: Metrics): void {
    this.#pages.push(metrics);
    const gauge = (name: string, help: string, key: keyof DoorHolding): void => {
      metrics.add({ name, help, kind: "gauge", read: () => this.#rows(key) });
    };
    gauge("muster_connections", "Open connections, by door.", "connections");
    const unread = "Bytes written to clients that they have not taken, by door.";
    gauge("muster_unread_bytes", unread, "unreadBytes");
    gauge("muster_stored_bytes", "Bytes of messages of topics, by door.", "storedBytes");
  }

  #rows(key: keyof DoorHolding) {
    const sums = new Map<string, number>();
    for (const { name, read } of this.#doors) {
      const value = read()[key];
      if (value !== undefined) sums.set(name, (sums.get(name) ?? 0) + value);
    }
    return [...sums].map(([door, value]) => ({ labels: { door }, value }));
  }
}
