// SPDX-License-Identifier: MIT
// The buses of `muster serve` and what is open to them: the users' (`--listen events`), boss's own
// (`--listen boss-events`), and ways from old addresses to the first (`--redirect-events`). Two
// buses that have nothing to do with each other, also in one process.
import { BossBus } from "../../boss/index.ts";
import { eventServerName } from "../../client/event-address.ts";
import { createEventDoor } from "../../edges/bus/index.ts";
import { type TlsFiles, TokenFile } from "../../edges/http/index.ts";
import type { BusLimits } from "../../engine/bus-limits.ts";
import { MemoryBus } from "../../engine/memory-bus.ts";
import { Forwarder } from "../../events/forwarder.ts";
import { type ForwarderLimits, resolveForwarderLimits } from "../../events/forwarder-limits.ts";
import { OpsBus } from "../../events/ops-bus.ts";
import { systemClock } from "../../host/clock.ts";
import { newRunId } from "../../host/ids.ts";
import type { Logger } from "../../host/logger.ts";
import type { Bus } from "../../wire/event/bus.ts";
import type { Opened } from "./opened.ts";
import type { ServeLimits } from "./serve-limits.ts";
import type { Listen, Redirect } from "./serve-listen.ts";

export interface Buses {
  /** Of users. */
  readonly ops: Bus;
  /** Of the testbed. */
  readonly boss: Bus;
  /** Close the doors first: their clients then come back to the bus that follows. */
  close(): void;
}

export function createBuses(limits: BusLimits): Buses {
  const create = (): MemoryBus => new MemoryBus({ epoch: newRunId(), limits });
  const [ops, boss] = [create(), create()];
  return {
    ops: new OpsBus(ops),
    boss: new BossBus(boss),
    close() {
      ops.close();
      boss.close();
    },
  };
}

export interface EventDoorsOptions {
  readonly buses: Buses;
  /** File of the tokens. */
  readonly tokens: string;
  readonly logger: Logger;
  readonly limits: Pick<ServeLimits, "bounds" | "busBounds">;
  readonly tls: TlsFiles | undefined;
  readonly serverName: string;
}

/** @throws Error when the address cannot be had. */
export async function openEventDoor(
  { edge, host, port, networks }: Listen,
  { buses, tokens, logger, limits, tls, serverName }: EventDoorsOptions,
): Promise<Opened> {
  const door = createEventDoor({
    bus: edge === "boss-events" ? buses.boss : buses.ops,
    ...{ clock: systemClock, logger, name: edge, serverName, networks },
    ...(tls === undefined ? {} : { tls }),
    ...{ bounds: limits.bounds, busBounds: limits.busBounds },
    access: { tokens: new TokenFile(tokens, logger), names: [eventServerName] },
  });
  const { url } = await door.listen({ host, port });
  const asks = door.access.asksForTokens ? "asks for a token" : "asks for no token";
  return {
    line: `${edge} at ${url}, ${asks}`,
    drain: () => door.drain(),
    close: () => door.close(),
  };
}

/** @throws Error when the address cannot be had. */
export async function openRedirect(
  { from, to }: Redirect,
  { logger, limits }: { readonly logger: Logger; readonly limits: Partial<ForwarderLimits> },
): Promise<Opened> {
  const forwarder = new Forwarder({
    ...{ to, clock: systemClock, logger },
    limits: resolveForwarderLimits(limits),
  });
  const port = await forwarder.listen(from);
  return {
    line: `who connects to ${from.host}:${port} gets to ${to.host}:${to.port}`,
    close: () => forwarder.close(),
  };
}
