// SPDX-License-Identifier: MIT
// Clients of the HTTP door whose request has an id: when its connection is lost, or its server says
// that what has become of it is open, they ask again with that id, at once, at the same server or
// at another one of the log. One that is lost meanwhile, too, is asked for again until it is known
// no longer.
import type { VirtualClock } from "../virtual-clock.ts";
import type { SimulatedServer } from "./cluster-server.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { AskStep } from "./script.ts";

type NumberedAsk = AskStep & { readonly id: number };

interface AskingAgainOptions {
  readonly clock: VirtualClock;
  readonly servers: readonly SimulatedServer[];
  readonly events: PartyEvents;
  readonly trace: (who: string, what: string) => void;
  /** Asks one server. @returns what drops the connection */
  readonly ask: (
    party: Party,
    server: SimulatedServer,
    step: NumberedAsk,
    events: PartyEvents,
  ) => () => void;
}

/** So long somebody who reaches nobody, or whom nobody can serve, waits before the next attempt. */
const retryMs = 500;
/** Somebody who has lost a request for longer does not count on its being known yet. */
const giveUpUs = 25_000_000;

/** A request, at all servers at which it is asked for. */
interface Asking {
  readonly party: Party;
  readonly step: NumberedAsk;
  /** The server that is asked next, or now. */
  index: number;
  /** Counts attempts and losses: what an earlier attempt hears is not heard. */
  attempts: number;
  /** Since when it is lost. */
  lostUs: number | undefined;
}

export class AskingAgain {
  readonly #options: AskingAgainOptions;

  constructor(options: AskingAgainOptions) {
    this.#options = options;
  }

  start(party: Party, step: NumberedAsk, index: number): void {
    this.#try({ party, step, index, attempts: 0, lostUs: undefined });
  }

  #try(asking: Asking): void {
    const { clock, servers, events, trace, ask } = this.#options;
    const { party, step, lostUs } = asking;
    if (party.end !== undefined) return;
    if (lostUs !== undefined && clock.elapsedUs - lostUs > giveUpUs) {
      party.excuse ??= "nobody could be asked again in time";
      events.closed(party, "nobody could be asked again in time");
      return;
    }
    const server = servers[asking.index];
    if (server?.doors === undefined || server.state === "draining") {
      this.#lose(asking, retryMs);
      return;
    }
    asking.attempts += 1;
    const attempt = asking.attempts;
    const isFirst = lostUs === undefined;
    if (!isFirst) trace(party.name, `asks ${server.name} again`);
    const isNow = (): boolean => asking.attempts === attempt && party.end === undefined;
    const drop = ask(party, server, step, {
      answered: (_, answer) => {
        if (isNow()) events.answered(party, answer);
      },
      closed: (_, why) => {
        if (!isNow()) return;
        trace(party.name, `has lost its request: ${why}`);
        // One that says that the log is away says it at once, however often.
        this.#lose(asking, /unavailable/.test(why) ? retryMs : 0);
      },
    });
    const { patienceMs } = step.again ?? {};
    if (!isFirst || patienceMs === undefined) return;
    clock.after(patienceMs, () => {
      if (!isNow()) return;
      trace(party.name, "its connection is cut");
      drop();
      this.#lose(asking, 0);
    });
  }

  #lose(asking: Asking, afterMs: number): void {
    const { clock, servers } = this.#options;
    asking.attempts += 1;
    asking.lostUs ??= clock.elapsedUs;
    asking.index = (asking.index + (asking.step.again?.server ?? 0)) % servers.length;
    clock.after(afterMs, () => this.#try(asking));
  }
}
