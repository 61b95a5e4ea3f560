// SPDX-License-Identifier: MIT
// Those who look at what is open, by a session or over HTTP, page by page: what each was shown, and
// between which entries of the log. Whether it was right is judged in looks.ts.
import type { Duplex } from "node:stream";
import type { BarrierDescription, BarrierPlace } from "../../core/description.ts";
import type { ClusterChecker } from "./cluster-checker.ts";
import type { SimulatedServer } from "./cluster-server.ts";
import { exchange, httpScope } from "./http-clients.ts";
import type { Looked, Shown } from "./looks.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { AskStep } from "./script.ts";

interface LookingOptions {
  readonly checker: ClusterChecker;
  readonly events: PartyEvents;
  readonly connect: (party: Party, server: SimulatedServer) => Duplex;
}

/** What a server had read when it was asked, in this life of it. */
interface Sight {
  readonly server: SimulatedServer;
  readonly life: number;
  readonly from: number;
}

export class Looking {
  readonly #options: LookingOptions;
  readonly #sights = new Map<Party, Sight>();

  constructor(options: LookingOptions) {
    this.#options = options;
  }

  /** @param heard the newest entry that who looks knows of */
  begin(party: Party, server: SimulatedServer, heard = 0): void {
    const from = Math.max(heard, this.#options.checker.positionOf(server.name));
    this.#sights.set(party, { server, life: server.life, from });
  }

  end(party: Party, scope: string, looked: Looked, shown: Shown): void {
    const sight = this.#sights.get(party);
    this.#sights.delete(party);
    if (sight === undefined || sight.server.life !== sight.life) return;
    const { checker } = this.#options;
    const through = checker.positionOf(sight.server.name);
    const who = `${party.name} at ${party.at}`;
    checker.onLook({ who, scope, looked, shown, from: sight.from, through });
  }

  /** Over HTTP, page after page. */
  ask(party: Party, server: SimulatedServer, step: AskStep): void {
    this.#askPage(party, server, lookedBy(step));
  }

  #askPage(party: Party, server: SimulatedServer, looked: Looked): void {
    const { events, connect } = this.#options;
    this.begin(party, server);
    const stream = connect(party, server);
    party.leave = () => {
      party.end ??= { kind: "left" };
      stream.destroy();
    };
    let hasAnswer = false;
    exchange(
      stream,
      { method: "GET", path: pathOf(looked) },
      {
        onAnswer: (text) => {
          hasAnswer = true;
          if (party.end !== undefined) return;
          const shown = shownIn(text);
          if (shown === undefined) {
            events.closed(party, text);
            return;
          }
          this.end(party, httpScope, looked, shown);
          const { next: after } = shown;
          if (after !== undefined) this.#askPage(party, server, { ...looked, after } as Looked);
          else events.answered(party, { text: "what is open", fits: () => true, isUntold: true });
        },
        onClosed: () => {
          if (!hasAnswer && party.end === undefined)
            events.closed(party, "closed without an answer");
        },
      },
    );
  }
}

function lookedBy({ ask, barrier: name }: AskStep): Looked {
  if (ask.what === "look-at") return { of: "one", name, kind: ask.kind };
  return { of: "page", max: (ask.what === "look" ? ask.max : undefined) ?? 1_000 };
}

function pathOf(looked: Looked): string {
  const scope = `?scope=${httpScope}`;
  if (looked.of !== "page") {
    const kind = looked.of === "one" && looked.kind !== undefined ? `&kind=${looked.kind}` : "";
    return `/v1/barriers/${looked.name}${scope}${kind}`;
  }
  const { max, after } = looked;
  const place =
    after && Buffer.from(JSON.stringify([after.name, after.kind])).toString("base64url");
  return `/v1/barriers${scope}&limit=${max}${place === undefined ? "" : `&after=${place}`}`;
}

/** Undefined for an answer that says nothing of what is open. */
function shownIn(text: string): Shown | undefined {
  const said = JSON.parse(text) as {
    readonly code?: string;
    readonly barriers?: readonly BarrierDescription[];
    readonly next?: string;
  };
  if (said.code === "unknown") return { barriers: [] };
  if (said.code !== undefined) return undefined;
  const { barriers, next } = said;
  if (barriers === undefined) return { barriers: [said as unknown as BarrierDescription] };
  return next === undefined ? { barriers } : { barriers, next: placeIn(next) };
}

function placeIn(word: string): BarrierPlace {
  const [name, kind] = JSON.parse(Buffer.from(word, "base64url").toString("utf8"));
  return { name, kind };
}
