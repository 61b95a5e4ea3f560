// SPDX-License-Identifier: MIT
// The place of a server of foreign clients in its core. Owns the link: when it is made, how long
// connections outlive a cut of it or a log that takes nothing, and whether it is made anew when it
// has ended. How clients are sent away is the door's business: their wires have no word for it.
import type { EdgeEffect } from "../core/effect.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { ConnectEdge, CoreLink, OfScope } from "../host/core-link.ts";

export interface CoreMembershipOptions {
  /** Name of the edge, unique in the core. */
  readonly edge: string;
  /** The scope of all its clients; absent where theirs differ. */
  readonly scope?: string;
  readonly connect: ConnectEdge;
  readonly clock: Clock;
  /** How long the core keeps the edge after its link was lost. */
  readonly edgeLeaseUs: number;
  /** A link that ended after at least this long is opened anew, not given up. */
  readonly rejoinMs: number;
  /** What it is, in lines of the log, such as `server`. */
  readonly what: string;
  readonly log: (level: "info" | "warn" | "error", line: string) => void;
  readonly onEffects: (effects: readonly EdgeEffect[]) => void;
  readonly onRoom: () => void;
  /** How long clients wait for a log that takes nothing, milliseconds (D10). */
  readonly logAwayMs: number;
  /**
   * Closes every connection without an answer, because no answer is to be had and silence is no
   * outcome. Who waits leaves: that is submitted behind what is on its way.
   * @param of of whose scopes: those of other logs go on
   */
  readonly sendAway: (why: string, of: OfScope) => void;
  /** Nobody who is connected will be answered: the core has forgotten them. */
  readonly dismissAll: (why: string) => void;
  /** It has joined anew. */
  readonly onRejoined?: () => void;
  /** The core refuses this edge for good: nothing will ever be answered again. */
  readonly onClosed?: ((reason: string) => void) | undefined;
}

export class CoreMembership {
  readonly #options: CoreMembershipOptions;
  #joined: CoreLink | undefined;
  #joinedUs = 0;
  #cancelLinkLost: Cancel = () => undefined;
  /** The logs that take nothing, by their scopes, and what ends the patience with each. */
  readonly #away = new Map<OfScope, Cancel>();

  constructor(options: CoreMembershipOptions) {
    this.#options = options;
  }

  get hasJoined(): boolean {
    return this.#joined !== undefined;
  }

  /** The link to the core, made when it is first needed. */
  get link(): CoreLink {
    return this.join();
  }

  /** For a server that listens: whoever sees it join may call at once. */
  join(): CoreLink {
    this.#joined ??= this.#connect();
    return this.#joined;
  }

  /** A cut is of no matter any more: the door closes its connections by itself. */
  ignoreCuts(): void {
    this.#cancelLinkLost();
    for (const [of, cancel] of this.#away) {
      cancel();
      this.#away.set(of, () => undefined);
    }
  }

  /** Ends the edge. */
  async close(): Promise<void> {
    this.ignoreCuts();
    await this.#joined?.close();
  }

  #connect(): CoreLink {
    const { clock, connect, edge, onEffects, onRoom } = this.#options;
    this.#joinedUs = clock.nowUs();
    return connect(edge, {
      ...{ onEffects, onRoom },
      onLogAway: (isAway, of) => this.#noteLogAway(isAway, of),
      onLink: (up) => this.#onLink(up),
      onClosed: (reason, isMomentary) => this.#onClosed(reason, isMomentary),
    });
  }

  /** Connections outlive a cut no longer than their places in the core do (D5, D10). */
  #onLink(up: boolean): void {
    const { clock, edgeLeaseUs, log, dismissAll } = this.#options;
    this.#cancelLinkLost();
    log("info", up ? "the core is back" : "the core is away; waiting for it");
    if (up) return;
    this.#cancelLinkLost = clock.after(edgeLeaseUs / 1000, () => {
      log("warn", "the core is away for too long; closing every connection");
      dismissAll("the core is away");
    });
  }

  /**
   * A log that has none of its clients is of no matter to it. Who comes while one is away waits on
   * as well, and no longer than those before him (D10).
   */
  #noteLogAway(isAway: boolean, of: OfScope): void {
    const { scope, clock, log, logAwayMs, sendAway } = this.#options;
    if (scope !== undefined && !of(scope)) return;
    const cancel = this.#away.get(of);
    if (isAway === (cancel !== undefined)) return;
    log("warn", isAway ? "the log takes nothing; clients wait on" : "the log is back");
    cancel?.();
    this.#away.delete(of);
    if (!isAway) return;
    const look = (): void => {
      log("warn", "the log is away for too long; closing every connection that has to do with it");
      sendAway("the log is away", of);
      this.#away.set(of, clock.after(logAwayMs, look));
    };
    this.#away.set(of, clock.after(logAwayMs, look));
  }

  /**
   * An edge whose lease ran out joins anew (D5), and one whose server has begun anew; one that is
   * refused at the door gives up.
   */
  #onClosed(reason: string, isMomentary = false): void {
    const { clock, rejoinMs, what, log, dismissAll, onRejoined, onClosed } = this.#options;
    const livedMs = (clock.nowUs() - this.#joinedUs) / 1000;
    this.ignoreCuts();
    // Whether a log takes anything, the next link is told.
    this.#away.clear();
    dismissAll(reason);
    if (isMomentary || livedMs >= rejoinMs) {
      log("warn", `${reason}; every connection is closed, joining anew`);
      this.#joined = this.#connect();
      onRejoined?.();
    } else {
      log("error", `the core refuses this ${what}: ${reason}`);
      onClosed?.(reason);
    }
  }
}
