// SPDX-License-Identifier: MIT
// Machines that have joined a server (`muster node join`), and streams to agents that are started
// there: one for each run. A machine dials in, so that it needs no door of its own; who asks for an
// agent gets the stream that the machine opens for it.
//
//   J1. A name belongs to the machine that joined first under it, for as long as it is there.
//   J2. A stream is given to who asked for it, and to nobody else: its number cannot be guessed.
import type { Duplex } from "node:stream";
import type { Cancel, Clock } from "../../host/clock.ts";
import { newSecret } from "../../host/ids.ts";

export interface JoinedHost {
  readonly name: string;
  /** Nodes it has room for; undefined: what its processors and memory say. */
  readonly capacity: number | undefined;
  /** Types of nodes it is for; none: any. */
  readonly types: readonly string[];
}

export const hostsLimits = {
  /** Machines that have joined one server. */
  joinedHostsMax: 200,
  /** For a machine to open the stream to an agent. */
  openMs: 30_000,
} as const;

interface Joined extends JoinedHost {
  readonly start: (link: string) => void;
}

interface Awaited {
  readonly host: Joined;
  readonly resolve: (stream: Duplex) => void;
  readonly reject: (error: Error) => void;
  /** Of the time limit and of the interrupt. */
  readonly cancel: Cancel;
}

/** Of a machine that joins, and as `--on` of an experiment that is brought up there names it. */
export function isHostName(name: string): boolean {
  return /^\w[\w.-]{0,62}$/.test(name);
}

/** What somebody is told whose name is none. */
export function noHostName(name: string): string {
  return `${JSON.stringify(name.slice(0, 40))} is no name of a machine; use letters, digits, dots and dashes`;
}

export class JoinedHosts {
  readonly #clock: Clock;
  readonly #hosts = new Map<string, Joined>();
  readonly #awaited = new Map<string, Awaited>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  names(): readonly string[] {
    return [...this.#hosts.keys()];
  }

  find(name: string): JoinedHost | undefined {
    return this.#hosts.get(name);
  }

  /** @param start asks the machine for a stream. @returns what ends it, or why it may not join */
  join(host: JoinedHost, start: (link: string) => void): (() => void) | string {
    const { name } = host;
    if (!isHostName(name)) return noHostName(name);
    if (this.#hosts.has(name)) return `a machine has joined as ${name}; choose another name`; // J1.
    if (this.#hosts.size >= hostsLimits.joinedHostsMax) {
      return `${hostsLimits.joinedHostsMax} machines have joined (joinedHostsMax)`;
    }
    const joined: Joined = { ...host, start };
    this.#hosts.set(name, joined);
    return () => this.#leave(joined);
  }

  /** A new agent on that machine. @param interrupt gives up. @throws Error with a clause */
  open(name: string, interrupt: AbortSignal): Promise<Duplex> {
    const host = this.#hosts.get(name);
    if (host === undefined) return Promise.reject(new Error("it is not joined now"));
    if (interrupt.aborted) return Promise.reject(new Error(gaveUp));
    const link = newSecret();
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => this.#take(link)?.reject(new Error(why));
      const onAbort = (): void => fail(gaveUp);
      const stopTimer = this.#clock.after(hostsLimits.openMs, () => {
        fail(`it opened no stream within ${hostsLimits.openMs / 1_000} s`);
      });
      const cancel = (): void => {
        stopTimer();
        interrupt.removeEventListener("abort", onAbort);
      };
      interrupt.addEventListener("abort", onAbort);
      this.#awaited.set(link, { host, resolve, reject, cancel });
      host.start(link);
    });
  }

  /** J2. @returns false for a stream that nobody waits for. */
  accept(link: string, stream: Duplex): boolean {
    const awaited = this.#take(link);
    awaited?.resolve(stream);
    return awaited !== undefined;
  }

  /** Nobody else is given it, or told anything of it. */
  #take(link: string): Awaited | undefined {
    const awaited = this.#awaited.get(link);
    this.#awaited.delete(link);
    awaited?.cancel();
    return awaited;
  }

  #leave(joined: Joined): void {
    if (this.#hosts.get(joined.name) === joined) this.#hosts.delete(joined.name);
    for (const [link, { host }] of this.#awaited) {
      if (host === joined) this.#take(link)?.reject(new Error("it has left"));
    }
  }
}

const gaveUp = "the run was interrupted while it was waited for";
