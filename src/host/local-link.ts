// SPDX-License-Identifier: MIT
// The link of an edge that lives in the core's process: calls, no bytes.
import type { Attach, Command } from "../core/command.ts";
import type { BarrierPageAsk } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";
import { EdgeOutbox } from "../wire/link/edge-outbox.ts";
import { type CoreLink, type EdgeHandler, everyScope } from "./core-link.ts";
import type { Port, PortHost } from "./port.ts";

/** Which life of an edge a link carries. */
export interface LocalLife {
  readonly incarnation: number;
  /** Log time for which it may be away; the usual when absent. */
  readonly leaseUs?: number | undefined;
  /** What it is where several servers have the log. */
  readonly as?: Attach["as"];
  /** Of a server (D12, V3). */
  readonly offers?: number;
  readonly behind?: number;
  /** What waits behind it may be another process's later, which keeps what it has not seen. */
  readonly isPassedOn?: boolean;
  /** It goes on where a process before this one ended, which had the effects up to here. */
  readonly seenSequence?: number | undefined;
}

/** Attaches an edge of this process to the host. */
export function connectLocalEdge(
  host: PortHost,
  edge: string,
  handler: EdgeHandler,
  life: LocalLife,
): LocalLink {
  return new LocalLink(host, edge, handler, life);
}

/**
 * Attaches an edge of this process that outlives it: after a crash the next process goes on with
 * the incarnation that the log has, and what waits for the edge does not end with it.
 */
export function connectLastingEdge(
  host: PortHost & { readonly newIncarnation: () => number },
  edge: string,
  handler: EdgeHandler,
  life: { readonly incarnation?: number | undefined; readonly seenSequence?: number | undefined },
): LocalLink {
  const { incarnation = host.newIncarnation(), seenSequence } = life;
  const leaseUs = host.limits.edgeLeaseUsMax;
  return connectLocalEdge(host, edge, handler, { incarnation, leaseUs, seenSequence });
}

/**
 * Ends an edge that was in the process before this one: its connections are gone with that. Also
 * when nobody takes its name: who comes back through another door would count twice until its lease
 * is over.
 */
export function endLocalEdge(
  host: PortHost,
  edge: string,
  incarnation: number,
  seenSequence: number,
): void {
  const life = { incarnation, as: "local", seenSequence } as const;
  void connectLocalEdge(host, edge, { onEffects: () => undefined }, life).close();
}

export class LocalLink implements CoreLink, Port {
  readonly edge: string;
  readonly incarnation: number;
  readonly source: EdgeOutbox;
  readonly #host: PortHost;
  readonly #handler: EdgeHandler;
  #closing: (() => void) | undefined;
  /** It is not ended with the process, as the core sees it: another one may go on. */
  readonly isPassedOn: boolean;
  #closed = false;
  #whenClosed: Promise<void> = Promise.resolve();
  /** Who reads what is behind so many commands. */
  #awaited: readonly { readonly commands: number; readonly resolve: () => void }[] = [];

  constructor(host: PortHost, edge: string, handler: EdgeHandler, life: LocalLife) {
    const { incarnation, leaseUs, as, offers, behind } = life;
    const { seenSequence = 0, isPassedOn = false } = life;
    this.isPassedOn = isPassedOn;
    this.#host = host;
    this.edge = edge;
    this.#handler = handler;
    this.incarnation = incarnation;
    const lastBatch = host.lastBatch(edge, incarnation);
    this.source = new EdgeOutbox(edge, incarnation, host.limits, () => host.wake(this), lastBatch);
    this.source.submitAlways({
      kind: "attach",
      ...(leaseUs === undefined ? {} : { leaseUs }),
      ...(as === undefined ? {} : { as }),
      ...(offers === undefined ? {} : { offers }),
      ...(behind === undefined ? {} : { behind }),
    });
    host.attach(this, seenSequence);
  }

  submit(command: Command): boolean {
    if (this.#closed) return false;
    const isGoing = command.kind === "leave" || command.kind === "topic-unfollow";
    if (!isGoing) return this.source.submit(command);
    // A full mailbox must not hold a party that is gone. No more go than have come.
    this.source.submitAlways(command);
    return true;
  }

  async describe(
    scope: string,
    barrier?: string,
    page: BarrierPageAsk = {},
  ): ReturnType<CoreLink["describe"]> {
    return this.#host.describe(scope, barrier, page);
  }

  async listEvents(scope: string, after: number): ReturnType<CoreLink["listEvents"]> {
    if (this.source.depth > 0 && !this.#closed) await this.#whenApplied();
    return this.#host.listEvents(scope, after);
  }

  /** Resolves when the core has what was submitted so far, or nothing more comes of it. */
  #whenApplied(): Promise<void> {
    const commands = this.source.done + this.source.depth;
    return new Promise((resolve) => {
      this.#awaited = [...this.#awaited, { commands, resolve }];
    });
  }

  #resolveAwaited(done: number): void {
    if (this.#awaited.length === 0) return;
    const reached = this.#awaited.filter(({ commands }) => commands <= done);
    this.#awaited = this.#awaited.filter(({ commands }) => commands > done);
    for (const { resolve } of reached) resolve();
  }

  close(): Promise<void> {
    if (this.#closed) return this.#whenClosed;
    this.#closed = true;
    // Nothing comes back any more from a host that has stopped.
    if (this.#host.hasStopped) return this.#whenClosed;
    this.source.submitAlways({ kind: "end-edge" });
    this.#whenClosed = new Promise((resolve) => {
      this.#closing = resolve;
    });
    return this.#whenClosed;
  }

  letGo(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.detach(this, true);
  }

  deliver(sequence: number, effects: readonly EdgeEffect[]): boolean {
    if (this.isPassedOn) this.#host.hasSeen(this, sequence);
    const rest = effects.filter(({ kind }) => kind !== "revoked");
    if (rest.length > 0) this.#handler.onEffects(rest);
    if (rest.length === effects.length) return true;
    const { why, isMomentary } = this.#host.whyRevoked();
    this.end(`the core ended this edge: ${why}`, isMomentary);
    return true;
  }

  applied(_number: number, hasRoom: boolean): void {
    this.#resolveAwaited(this.source.done);
    if (hasRoom) this.#handler.onRoom?.();
  }

  logAway(isAway: boolean): void {
    this.#handler.onLogAway?.(isAway, everyScope);
  }

  /** Never: each local link is an incarnation of its own. */
  replaced(): void {}

  /** Its host goes without its log: that its end is there is not waited for any more. */
  leave(): void {
    const closing = this.#closing;
    this.#closing = undefined;
    this.#resolveAwaited(Number.POSITIVE_INFINITY);
    closing?.();
  }

  /** The incarnation is over, because it asked for it or because the core says so. */
  end(reason: string, isMomentary: boolean): void {
    const closing = this.#closing;
    this.#closing = undefined;
    const wasAsked = closing !== undefined;
    this.#closed = true;
    this.#host.detach(this, false);
    this.#resolveAwaited(Number.POSITIVE_INFINITY);
    closing?.();
    if (!wasAsked) this.#handler.onClosed?.(reason, isMomentary);
  }
}
