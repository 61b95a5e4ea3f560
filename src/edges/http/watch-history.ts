// SPDX-License-Identifier: MIT
// What watchers are told of that is over once it has happened: how barriers ended, and waits that
// are old. Kept for a while for those who come back, for all scopes together, bounded in bytes. The
// state of barriers is not in it: whoever comes back gets that as it is then.
//
//   M1. Each piece of news has a place, 1, 2, 3, ..., and a watcher is told all of his scope after
//       the place he names, or that some are lost.
//   M2. Places are of one life of the server: its epoch is in every id that a watcher sees.
import type { LogEntry } from "../../core/command.ts";
import type { Applied, BarrierClosed, WaitWarning } from "../../core/effect.ts";

export type PastNews =
  | {
      readonly kind: "closed";
      readonly closed: BarrierClosed & { readonly participantsLeftOut?: number };
    }
  | { readonly kind: "warning"; readonly warning: WaitWarning };

interface Row {
  readonly place: number;
  readonly scope: string;
  readonly news: PastNews;
  readonly bytes: number;
}

export interface WatchHistoryOptions {
  /** Names this life of the server. */
  readonly epoch: string;
  readonly bytesMax: number;
  /** Participants that one piece of news lists; of the others it has the number. */
  readonly participantsMax: number;
}

/** Everything that `since` has to say. */
export interface Replay {
  readonly rows: readonly { readonly id: string; readonly news: PastNews }[];
  /** Something that happened after the place is not kept any more. */
  readonly isGap: boolean;
}

export class WatchHistory {
  readonly #options: WatchHistoryOptions;
  #rows: Row[] = [];
  #bytes = 0;
  #lastPlace = 0;
  /** News up to this place are forgotten. */
  #forgotten = 0;

  constructor(options: WatchHistoryOptions) {
    this.#options = options;
  }

  /** The place of the newest piece of news. */
  get place(): number {
    return this.#lastPlace;
  }

  /** For an observer of the host. */
  readonly note = (_entry: LogEntry, { observed }: Pick<Applied, "observed">): void => {
    for (const effect of observed) {
      if (effect.kind === "barrier-closed") this.#add(effect.scope, this.#closed(effect));
      if (effect.kind === "wait-warning") {
        this.#add(effect.scope, { kind: "warning", warning: effect });
      }
    }
  };

  /** M1. */
  since(place: number, scope: string): Replay {
    const rows = this.#rows
      .slice(Math.max(0, place - this.#forgotten))
      .filter((row) => row.scope === scope)
      .map(({ place: at, news }) => ({ id: this.idOf(at), news }));
    return { rows, isGap: place < this.#forgotten };
  }

  idOf(place: number): string {
    return `${this.#options.epoch}.${place}`;
  }

  /** @returns the place of an id; undefined for one of another life (M2), or that is none. */
  placeOf(id: string): number | undefined {
    const [epoch, text = "", ...rest] = id.split(".");
    const place = Number(text);
    const isOne = epoch === this.#options.epoch && rest.length === 0 && /^\d{1,15}$/.test(text);
    return isOne && place <= this.#lastPlace ? place : undefined;
  }

  #closed(effect: BarrierClosed): PastNews {
    const { participantsMax: max } = this.#options;
    const { participants } = effect;
    if (participants.length <= max) return { kind: "closed", closed: effect };
    const participantsLeftOut = participants.length - max;
    const closed = { ...effect, participants: participants.slice(0, max), participantsLeftOut };
    return { kind: "closed", closed };
  }

  #add(scope: string, news: PastNews): void {
    this.#lastPlace += 1;
    const bytes = Buffer.byteLength(JSON.stringify(news));
    this.#rows.push({ place: this.#lastPlace, scope, news, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#options.bytesMax) {
      const oldest = this.#rows.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.bytes;
      this.#forgotten = oldest.place;
    }
  }
}
