// SPDX-License-Identifier: MIT
// The order in which batches of edges go into entries: the host's own before all others.
import type { Batch } from "../core/command.ts";
import type { Port } from "./port.ts";

type Sender = Pick<Port, "source">;

/** Ports that have something to append. */
export class ReadyPorts {
  readonly #ports = new Set<Port>();

  add(port: Port): void {
    this.#ports.add(port);
  }

  delete(port: Port): void {
    this.#ports.delete(port);
  }

  /** The next batch of everybody, the host's own first. */
  take(own: Sender | undefined): readonly Batch[] {
    const batches: Batch[] = [];
    const first = own?.source.take();
    if (first !== undefined) batches.push(first);
    // The loss of a link goes before what its edge sends when it is back, or the lease would run
    // for an edge that is here.
    if (own?.source.hasQueued) return batches;
    for (const port of this.#ports) {
      const batch = port.source.take();
      if (batch !== undefined) batches.push(batch);
      if (!port.source.hasQueued) this.#ports.delete(port);
    }
    return batches;
  }
}

/** Everything that was sent and is not applied, the host's own first. */
export function unacknowledged(own: Sender | undefined, ports: Iterable<Sender>): readonly Batch[] {
  const batches = [...(own?.source.unacknowledged() ?? [])];
  for (const { source } of ports) {
    if (source !== own?.source) batches.push(...source.unacknowledged());
  }
  return batches;
}
