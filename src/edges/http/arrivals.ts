// SPDX-License-Identifier: MIT
// Those who arrive by a request: each is a connection of the door's own edge, answered when the
// core says how it ended. A client that goes before leaves, unless it gave its wait an id.
//
//   V1. Every request is answered once: by an effect, by the error that ended its call, or
//       by `unavailable` while the log takes nothing (D10).
//   V2. Whoever is gone leaves the barrier, unless its outcome was on its way (B4).
//   V3. A wait with an id counts once, however often it is asked for, here or at another server of
//       the log (X1 to X3): it is kept for `keptMs` after its request has ended without its
//       outcome, and its outcome is kept as long.
import { createHash } from "node:crypto";
import { type Command, type ConnectionId, keyFieldOf } from "../../core/command.ts";
import type { BarrierPageAsk, ScopeDescription } from "../../core/description.ts";
import type {
  Acknowledged,
  EdgeEffect,
  QuorumStatus,
  Refused,
  Released,
  Signalled,
} from "../../core/effect.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { ConnectEdge, CoreLink, OfScope } from "../../host/core-link.ts";
import { AwayScopes } from "../away-scopes.ts";
import { KeyCounts } from "../key-counts.ts";
import type { Departure } from "./departure.ts";
import { HttpError } from "./errors.ts";
import { logIsAway, mailboxIsFull } from "./log-errors.ts";

/** A release with which signal and which message were one's own, for one who had them. */
export type ArrivalEnd =
  | (Released & { readonly value?: number; readonly number?: number })
  | Acknowledged
  | Signalled
  | QuorumStatus;

export interface ArrivalsOptions {
  readonly connect: ConnectEdge;
  readonly edge: string;
  readonly clock: Clock;
  /** Milliseconds (V3). */
  readonly keptMs: number;
  /** Waits with an id that one account may have kept at once, and what is said beyond it. */
  readonly keptMax: number;
  readonly tooMany: () => HttpError;
}

/** Which wait is asked for again. */
export interface WaitId {
  /** Of its token: nobody takes up another's wait. */
  readonly owner: string;
  /** Whose bounds it uses up; without tokens all have one owner. */
  readonly account: string;
  readonly key: string;
}

interface Asking {
  readonly resolve: (effect: ArrivalEnd) => void;
  readonly reject: (error: unknown) => void;
  /** It does not matter any more whether the client goes. */
  readonly forget: () => void;
}

interface Waiting {
  readonly connection: ConnectionId;
  readonly scope: string;
  readonly id: WaitId | undefined;
  /** Whether it is over when its signal has counted. */
  readonly isSignal: boolean;
  /** Which signal was its own, and which message of its topic. */
  value: number | undefined;
  number: number | undefined;
  asking: Asking | undefined;
  end: ArrivalEnd | HttpError | undefined;
  cancelExpiry: Cancel;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #link: CoreLink;
  readonly #waiting = new Map<ConnectionId, Waiting>();
  readonly #named = new Map<string, Waiting>();
  readonly #namedCounts = new KeyCounts();
  #lastConnection = 0;
  readonly #away = new AwayScopes();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#link = options.connect(options.edge, {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onLogAway: (isAway, of) => this.#onLogAway(isAway, of),
      onClosed: (reason) => {
        // Whether the log takes anything, the next life of the edge is told.
        this.#away.clear();
        this.#failAll(new HttpError("ended", reason));
      },
    });
  }

  /**
   * @param gone when its client has gone, an arrival without an id is taken back.
   * @param onUnsent nothing was submitted, and nothing will be.
   * @throws HttpError
   */
  arrive(
    build: (connection: ConnectionId) => Command,
    gone: Departure,
    id?: WaitId,
    onUnsent?: () => void,
  ): Promise<ArrivalEnd> {
    return new Promise((resolve, reject) => {
      const waiting = this.#obtain(build, gone, id, onUnsent);
      waiting.cancelExpiry();
      takeAsking(waiting)?.reject(new HttpError("ended", movedText));
      const forget = gone.onGone((why) => {
        waiting.asking = undefined;
        this.#part(waiting);
        reject(why);
      });
      waiting.asking = { resolve, reject, forget };
      if (waiting.end !== undefined) this.#answer(waiting, waiting.end);
      else if (this.#away.has(waiting.scope)) this.#suspend(waiting);
    });
  }

  /**
   * Before something is kept for an arrival without an id. @throws HttpError while the log of the
   * scope is away
   */
  expectLog(scope: string): void {
    if (this.#away.has(scope)) throw logIsAway(whatIsOpen);
  }

  /** A command without an answer of its own. @throws HttpError when the mailbox is full */
  submit(command: Command): void {
    if (!this.#link.submit(command)) throw mailboxIsFull();
  }

  describe(scope: string, barrier?: string, page?: BarrierPageAsk): Promise<ScopeDescription> {
    return this.#link.describe(scope, barrier, page);
  }

  async close(): Promise<void> {
    for (const { cancelExpiry } of this.#named.values()) cancelExpiry();
    await this.#link.close();
  }

  #obtain(
    build: (connection: ConnectionId) => Command,
    gone: Departure,
    id: WaitId | undefined,
    onUnsent?: () => void,
  ): Waiting {
    try {
      gone.throwIfGone();
      const known = id === undefined ? undefined : this.#named.get(nameOf(id));
      return known ?? this.#open(build, id);
    } catch (error) {
      onUnsent?.();
      throw error;
    }
  }

  #open(build: (connection: ConnectionId) => Command, id: WaitId | undefined): Waiting {
    const count = id === undefined ? 0 : this.#namedCounts.of(id.account);
    if (count >= this.#options.keptMax) throw this.#options.tooMany();
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    const built = build(connection);
    const command = id === undefined ? built : withKey(built, id);
    const scope = "scope" in command ? command.scope : "";
    // Nothing has happened then; the code leaves it open all the same (D10).
    if (id === undefined) this.expectLog(scope);
    this.submit(command);
    const rest = { asking: undefined, end: undefined, cancelExpiry: () => undefined };
    const signal = {
      isSignal: command.kind === "state-signal",
      value: undefined,
      number: undefined,
    };
    const waiting: Waiting = { connection, scope, id, ...signal, ...rest };
    this.#waiting.set(connection, waiting);
    if (id !== undefined) {
      this.#named.set(nameOf(id), waiting);
      this.#namedCounts.add(id.account);
    }
    return waiting;
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released":
        for (const connection of effect.connections) this.#release(connection, effect);
        return;
      case "signalled":
        this.#onSignalled(effect);
        return;
      case "published": {
        const waiting = this.#waiting.get(effect.connection);
        if (waiting !== undefined) waiting.number = effect.number;
        return;
      }
      case "quorum-status":
        // Who made it need not stay: what follows is told to those who wait.
        this.#end(effect.connection, effect);
        return;
      case "acknowledged":
        this.#end(effect.connection, effect);
        return;
      case "moved":
        this.#onMoved(effect.connection);
        return;
      case "refused":
        this.#end(effect.connection, refusalError(effect));
        return;
      default:
        return; // The link tells of its end; the rest is of agendas, of which this edge has none.
    }
  }

  #release(connection: ConnectionId, effect: Released): void {
    const { value, number } = this.#waiting.get(connection) ?? {};
    if (value === undefined && number === undefined) {
      this.#end(connection, effect); // The same for all of a crowd.
      return;
    }
    const own = {
      ...(value === undefined ? {} : { value }),
      ...(number === undefined ? {} : { number }),
    };
    this.#end(connection, { ...effect, ...own });
  }

  #onSignalled(effect: Signalled): void {
    const waiting = this.#waiting.get(effect.connection);
    if (waiting === undefined) return;
    if (waiting.isSignal) this.#end(effect.connection, effect);
    else waiting.value = effect.value;
  }

  /** Another server was asked for this id; whoever comes back asks anew. */
  #onMoved(connection: ConnectionId): void {
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) return;
    this.#waiting.delete(connection);
    this.#drop(waiting);
    takeAsking(waiting)?.reject(new HttpError("ended", movedText));
  }

  #end(connection: ConnectionId, end: ArrivalEnd | HttpError): void {
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) return;
    this.#waiting.delete(connection);
    if (isOpen(end)) this.#drop(waiting);
    waiting.end = end;
    // Nobody asks just now: the outcome is kept for whoever comes back (V3).
    if (waiting.asking !== undefined) this.#answer(waiting, end);
  }

  #answer(waiting: Waiting, end: ArrivalEnd | HttpError): void {
    const asking = takeAsking(waiting);
    if (end instanceof HttpError) asking?.reject(end);
    else asking?.resolve(end);
    // The answer may be lost on its way.
    if (waiting.id !== undefined && !isOpen(end)) this.#keep(waiting);
  }

  /** Its client is gone, or was told that the log is away. */
  #part(waiting: Waiting): void {
    if (waiting.id !== undefined) {
      this.#keep(waiting);
      return;
    }
    this.#waiting.delete(waiting.connection);
    this.#link.submit({ kind: "leave", connection: waiting.connection });
  }

  /** V3. */
  #keep(waiting: Waiting): void {
    waiting.cancelExpiry();
    waiting.cancelExpiry = this.#options.clock.after(this.#options.keptMs, () => {
      this.#forget(waiting);
      if (!this.#waiting.delete(waiting.connection)) return;
      this.#link.submit({ kind: "leave", connection: waiting.connection });
    });
  }

  /** Whoever comes back asks anew; when its time is over, nobody else of its id is forgotten. */
  #drop(waiting: Waiting): void {
    waiting.cancelExpiry();
    this.#forget(waiting);
  }

  #forget({ id }: Waiting): void {
    if (id !== undefined && this.#named.delete(nameOf(id))) this.#namedCounts.drop(id.account);
  }

  #onLogAway(isAway: boolean, of: OfScope): void {
    this.#away.note(isAway, of);
    if (!isAway) return;
    for (const waiting of [...this.#waiting.values()]) {
      if (of(waiting.scope)) this.#suspend(waiting);
    }
  }

  #suspend(waiting: Waiting): void {
    const asking = takeAsking(waiting);
    if (asking === undefined) return;
    asking.reject(logIsAway(whatIsOpen));
    this.#part(waiting);
  }

  #failAll(error: HttpError): void {
    // Also of those whose outcome is kept: a process that ends would wait for their time.
    for (const { cancelExpiry } of this.#named.values()) cancelExpiry();
    for (const waiting of [...this.#waiting.values()]) takeAsking(waiting)?.reject(error);
    this.#waiting.clear();
    this.#named.clear();
    this.#namedCounts.clear();
  }
}

const whatIsOpen = "whether this happens is open: ask again, with the same id if it had one";

/** The core does not know yet, and is asked anew by whoever comes back. */
function isOpen(end: ArrivalEnd | HttpError): boolean {
  return end instanceof HttpError && end.code === "unavailable";
}

const movedText = "another request waits for this id now";

/**
 * The key by which the servers of a log know the wait (keyed-arrivals.ts). No id and no token is
 * read out of it, and nobody finds the same key for another wait: 132 bits of its hash.
 */
function withKey(command: Command, id: WaitId): Command {
  const field = keyFieldOf(command);
  if (field === undefined) return command;
  const hash = createHash("sha256").update(nameOf(id)).digest("base64url");
  return Object.assign({ [field]: hash.slice(0, keyLength) }, command);
}

const keyLength = 22;

/** Whoever is answered asks no more. */
function takeAsking(waiting: Waiting): Asking | undefined {
  const { asking } = waiting;
  asking?.forget();
  waiting.asking = undefined;
  return asking;
}

function nameOf({ owner, key }: WaitId): string {
  return JSON.stringify([owner, key]);
}

function refusalError({ code, message }: Refused): HttpError {
  return new HttpError(code, message);
}
