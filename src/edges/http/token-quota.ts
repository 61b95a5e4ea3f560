// SPDX-License-Identifier: MIT
// What one token may have at this door in all, over its requests and sessions: barriers that it has
// come to and that are open, sessions, parties that wait, messages of living scopes and their
// bytes. At a door without tokens it is what one client may have, by its address.
//
//   N1. What is counted is what was let in. What is gone meanwhile is looked for when a bound is
//       reached, so that the usual command costs a look into a table.
//   N2. Clients without a token have as many addresses as they like: those that have nothing any
//       more are forgotten when there are twice as many as at the last look.
import type { BarrierKind } from "../../core/effect.ts";
import { payloadOverheadBytes } from "../../core/limits.ts";
import type { EdgeCommand } from "../../wire/link/frames.ts";
import type { Caller } from "./access.ts";
import { boundMessage, type HttpBounds } from "./bounds.ts";
import type { Metrics } from "./metrics.ts";

export interface TokenQuotaOptions {
  readonly bounds: HttpBounds;
  readonly metrics: Pick<Metrics, "refused">;
  readonly hasBarrier: (scope: string, kind: BarrierKind, barrier: string) => boolean;
  /** Whether an incarnation of the edge lives. */
  readonly isAlive: (edge: string) => boolean;
  /** Parties of an edge that wait. */
  readonly waitersOf: (edge: string) => number;
  /** Waits by requests of those whom this is true of. */
  readonly waitsOf: (isMeant: (caller: Caller) => boolean) => number;
}

/** Clients that are remembered without a look whether they have anything. */
const accountsMin = 1_024;
/** Sessions of a token that are remembered without a look whether they live. */
const sessionsMin = 16;

const barrierKinds = ["count", "state", "quorum", "roster"] as const;

/** Each kind has names of its own. */
type NamesByKind = Readonly<Record<BarrierKind, Set<string>>>;

interface Sum {
  count: number;
  bytes: number;
}

interface Account {
  /** By scope. */
  readonly barriers: Map<string, NamesByKind>;
  barrierCount: number;
  /** Not less than there are. */
  waiters: number;
  /** Edges, and whether each was looked for and not found: it may be on its way to the core. */
  readonly sessions: Map<string, boolean>;
  /** So many sessions, and those that have ended are looked for. */
  sessionsMax: number;
  readonly messages: Map<string, Sum>;
  readonly allMessages: Sum;
}

export class TokenQuota {
  readonly #options: TokenQuotaOptions;
  readonly #accounts = new Map<string, Account>();
  /** So many, and those that have nothing any more are looked for. */
  #accountsMax = accountsMin;

  constructor(options: TokenQuotaOptions) {
    this.#options = options;
  }

  /** Clients of which something is remembered. */
  get accountCount(): number {
    return this.#accounts.size;
  }

  /**
   * The parties of this edge are the caller's. A session counts while it may come back: without a
   * connection it costs an edge of the core, of which there are `edgesMax` for everybody.
   * @returns why it is one too many, if it is; then it is not counted.
   */
  addSession(caller: Caller, edge: string): string | undefined {
    const account = this.#account(caller);
    const { sessions } = account;
    if (sessions.has(edge)) return undefined;
    const { sessionsPerTokenMax } = this.#options.bounds;
    if (sessions.size >= Math.min(account.sessionsMax, sessionsPerTokenMax)) {
      this.#forgetSessions(account);
    }
    if (sessions.size >= sessionsPerTokenMax) return this.#refuse("sessionsPerTokenMax");
    sessions.set(edge, false);
    return undefined;
  }

  #forgetSessions(account: Account): void {
    const { sessions } = account;
    for (const [known, wasMissed] of sessions) {
      if (this.#options.isAlive(known)) continue;
      if (wasMissed) sessions.delete(known);
      else sessions.set(known, true);
    }
    account.sessionsMax = Math.max(sessionsMin, 2 * sessions.size);
  }

  /** Counts the command. @returns why it is one too many, if it is; then it is not counted. */
  objection(caller: Caller, command: EdgeCommand): string | undefined {
    if (command.kind === "publish" || command.kind === "topic-publish") {
      return this.#onPublication(caller, command);
    }
    const kind = kindOf(command.kind);
    if (kind === undefined || !("barrier" in command)) return undefined;
    const account = this.#account(caller);
    const { scope, barrier } = command;
    return (
      this.#onBarrier(account, scope, kind, barrier) ??
      (isWait(command) ? this.#onWait(account, caller) : undefined)
    );
  }

  /** What was in the scope is gone. */
  scopeEnded(scope: string): void {
    for (const account of this.#accounts.values()) {
      const { barriers, messages, allMessages } = account;
      account.barrierCount -= countOf(barriers.get(scope));
      barriers.delete(scope);
      const { count = 0, bytes = 0 } = messages.get(scope) ?? {};
      allMessages.count -= count;
      allMessages.bytes -= bytes;
      messages.delete(scope);
    }
  }

  #account(caller: Caller): Account {
    const { account: key } = caller;
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    if (this.#accounts.size >= this.#accountsMax) this.#forgetAccounts();
    const account: Account = {
      ...{ barriers: new Map(), barrierCount: 0, waiters: 0, sessions: new Map() },
      sessionsMax: sessionsMin,
      ...{ messages: new Map(), allMessages: { count: 0, bytes: 0 } },
    };
    this.#accounts.set(key, account);
    return account;
  }

  /** N2. */
  #forgetAccounts(): void {
    for (const [key, account] of this.#accounts) {
      this.#forgetSessions(account);
      this.#dropEnded(account);
      const { sessions, barrierCount, allMessages } = account;
      // Who waits has come to a barrier that is open.
      if (sessions.size + barrierCount + allMessages.count === 0) this.#accounts.delete(key);
    }
    this.#accountsMax = Math.max(accountsMin, 2 * this.#accounts.size);
  }

  #onPublication(
    caller: Caller,
    command: Extract<EdgeCommand, { kind: "publish" | "topic-publish" }>,
  ): string | undefined {
    const account = this.#account(caller);
    const { scope, arrival } = command;
    const length =
      "message" in command ? Buffer.byteLength(command.message) : command.payload.bytes;
    const bytes = length + payloadOverheadBytes;
    const { allMessages, messages } = account;
    const { tokenMessagesMax, tokenMessageBytesMax } = this.#options.bounds;
    if (allMessages.count >= tokenMessagesMax) return this.#refuse("tokenMessagesMax");
    if (allMessages.bytes + bytes > tokenMessageBytesMax) {
      return this.#refuse("tokenMessageBytesMax");
    }
    if (arrival !== undefined) {
      const objection =
        this.#onBarrier(account, scope, "state", arrival.barrier) ?? this.#onWait(account, caller);
      if (objection !== undefined) return objection;
    }
    const ofScope = messages.get(scope) ?? { count: 0, bytes: 0 };
    messages.set(scope, ofScope);
    for (const sum of [ofScope, allMessages]) {
      sum.count += 1;
      sum.bytes += bytes;
    }
    return undefined;
  }

  #onBarrier(
    account: Account,
    scope: string,
    kind: BarrierKind,
    barrier: string,
  ): string | undefined {
    const known = account.barriers.get(scope) ?? createNames();
    if (known[kind].has(barrier)) return undefined;
    const { tokenBarriersMax } = this.#options.bounds;
    if (account.barrierCount >= tokenBarriersMax) this.#dropEnded(account);
    if (account.barrierCount >= tokenBarriersMax) return this.#refuse("tokenBarriersMax");
    known[kind].add(barrier);
    account.barriers.set(scope, known);
    account.barrierCount += 1;
    return undefined;
  }

  /** N1. */
  #dropEnded(account: Account): void {
    account.barrierCount = 0;
    for (const [scope, known] of account.barriers) {
      for (const kind of barrierKinds) {
        for (const name of known[kind]) {
          if (!this.#options.hasBarrier(scope, kind, name)) known[kind].delete(name);
        }
      }
      const count = countOf(known);
      if (count === 0) account.barriers.delete(scope);
      account.barrierCount += count;
    }
  }

  #onWait(account: Account, caller: Caller): string | undefined {
    const { bounds, waitersOf, waitsOf } = this.#options;
    if (account.waiters >= bounds.tokenWaitersMax) {
      // N1.
      account.waiters = waitsOf((other) => other.account === caller.account);
      for (const edge of account.sessions.keys()) account.waiters += waitersOf(edge);
    }
    if (account.waiters >= bounds.tokenWaitersMax) return this.#refuse("tokenWaitersMax");
    account.waiters += 1;
    return undefined;
  }

  #refuse(bound: keyof typeof words): string {
    const { bounds, metrics } = this.#options;
    metrics.refused(bound);
    return `${words[bound]} of one token or client: ${boundMessage(bounds, bound)}`;
  }
}

function createNames(): NamesByKind {
  return { count: new Set(), state: new Set(), quorum: new Set(), roster: new Set() };
}

function countOf(names: NamesByKind | undefined): number {
  if (names === undefined) return 0;
  return barrierKinds.reduce((sum, kind) => sum + names[kind].size, 0);
}

const words = {
  sessionsPerTokenMax: "too many sessions, with those that may come back,",
  tokenBarriersMax: "too many open barriers",
  tokenWaitersMax: "too many waiting parties",
  tokenMessagesMax: "too many messages of topics",
  tokenMessageBytesMax: "too many bytes in messages of topics",
} satisfies Partial<Record<keyof HttpBounds, string>>;

/** Of what the command opens, if there is none yet. */
function kindOf(kind: EdgeCommand["kind"]): BarrierKind | undefined {
  switch (kind) {
    case "count-init":
    case "count-wait":
      return "count";
    case "state-signal":
    case "state-wait":
    case "state-signal-and-wait":
      return "state";
    case "quorum-init":
    case "quorum-wait":
      return "quorum";
    case "roster-open":
    case "roster-arrive":
      return "roster";
    default:
      return undefined;
  }
}

function isWait(command: EdgeCommand): boolean {
  switch (command.kind) {
    case "count-init":
      return command.waits;
    case "count-wait":
    case "state-wait":
    case "state-signal-and-wait":
    case "quorum-wait":
    case "roster-arrive":
      return true;
    default:
      return false;
  }
}
