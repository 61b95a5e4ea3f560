// SPDX-License-Identifier: MIT
// The events that somebody has sent while a run goes and that have not fired: at its end they are
// said not to have, as those of the file are. Owns which they are, and nothing of when they fire.
import type {
  EventAccepted,
  EventFired,
  EventCancelled as TakenBack,
} from "../core/agenda/effects.ts";
import { defaultLimits } from "../core/limits.ts";
import type { EventCancelled } from "./run-event.ts";

/** As many as an agenda holds; beyond, the oldest are those of an epoch before. */
const sentMax = defaultLimits.eventsPerScopeMax;

export class SentEvents {
  /** By number. */
  readonly #open = new Map<number, EventAccepted>();

  note(effect: EventAccepted | EventFired | TakenBack): void {
    const { item } = effect;
    if (effect.kind === "event-accepted") {
      this.#open.delete(item);
      this.#open.set(item, effect);
      const [oldest = item] = this.#open.keys();
      if (this.#open.size > sentMax) this.#open.delete(oldest);
      // What ends with everything else has not been taken back by anybody.
    } else if (effect.kind === "event-fired" || effect.by === "request") this.#open.delete(item);
  }

  /** What has not fired when nothing fires any more. */
  leftOver(): readonly EventCancelled[] {
    return [...this.#open.values()].map(({ item: id, event: sent, plannedUs, parent }) => {
      const { object, type: objectType, event, args } = sent;
      const facts = { id, object, objectType, event, args };
      const why =
        parent === "" ? "the run ended before" : `${parent} was not performed after it was added`;
      const planned = parent === "" ? plannedUs : null;
      return { type: "event-cancelled", ...facts, plannedUs: planned, why, isLeftOver: true };
    });
  }
}
