// SPDX-License-Identifier: MIT
// Drivers of quorums that let go themselves, by requests: one makes the quorum, one waits until it
// has crossed, one lets whoever waits go on. Between them is nobody, so that the driver is this
// edge, which lives as long as the door.
//
//   J1. Each request is answered once: by what became of the quorum, or by `unavailable` while the
//       log takes nothing.
//   J2. How a quorum has ended is kept until another one of its name is made, for so many of them;
//       of whoever has made most the oldest is forgotten first, so that nobody else is disturbed.
import type { ConnectionId, QuorumInit } from "../../core/command.ts";
import type { EdgeEffect, QuorumStatus } from "../../core/effect.ts";
import type { Clock } from "../../host/clock.ts";
import { type ConnectEdge, type CoreLink, everyScope, type OfScope } from "../../host/core-link.ts";
import { AwayScopes } from "../away-scopes.ts";
import { KeyCounts } from "../key-counts.ts";
import type { Departure } from "./departure.ts";
import { HttpError } from "./errors.ts";
import { logIsAway, mailboxIsFull } from "./log-errors.ts";

export interface QuorumDriversOptions {
  readonly connect: ConnectEdge;
  readonly edge: string;
  readonly clock: Clock;
  /** Quorums that are remembered, those that have ended among them. */
  readonly driversMax: number;
}

const whatIsOpen = "whether this happens is open: ask again";

/** Which quorum. */
export interface QuorumPlace {
  readonly scope: string;
  readonly barrier: string;
}

/** Until which status somebody waits. */
type Aim = "initialised" | "crossed" | "released";
const order: readonly QuorumStatus["status"][] = ["initialised", "crossed", "released"];

interface Waiter {
  readonly aim: Aim;
  readonly resolve: (status: QuorumStatus) => void;
  readonly reject: (error: unknown) => void;
}

interface Driver extends QuorumPlace {
  /** Whose it is. */
  readonly account: string;
  readonly connection: ConnectionId;
  /** The last that was told. */
  status: QuorumStatus | undefined;
  readonly waiters: Set<Waiter>;
}

export class QuorumDrivers {
  readonly #options: QuorumDriversOptions;
  readonly #link: CoreLink;
  readonly #drivers = new Map<string, Driver>();
  /** Those in `#drivers`, of each account. */
  readonly #counts = new KeyCounts();
  readonly #byConnection = new Map<ConnectionId, Driver>();
  readonly #away = new AwayScopes();
  #lastConnection = 0;

  constructor(options: QuorumDriversOptions) {
    this.#options = options;
    this.#link = options.connect(options.edge, {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onLogAway: (isAway, of) => {
        this.#away.note(isAway, of);
        if (isAway) this.#failAll(logIsAway(whatIsOpen), of);
      },
      onClosed: (reason) => this.#onClosed(reason),
    });
  }

  /** Makes a quorum; resolves when all controllers have it. @throws HttpError */
  init(
    account: string,
    made: Omit<QuorumInit, "kind" | "connection" | "echo">,
  ): Promise<QuorumStatus> {
    this.#expectLog(made.scope);
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    const { scope, barrier } = made;
    const waiters = new Set<Waiter>();
    const driver = { account, scope, barrier, connection, status: undefined, waiters };
    const init = { kind: "quorum-init", ...made, connection, echo: "explicit" } as const;
    if (!this.#link.submit(init)) throw mailboxIsFull();
    this.#byConnection.set(connection, driver);
    return this.#until(driver, "initialised");
  }

  /**
   * Resolves when the quorum has crossed. @throws HttpError, `timeout` when it has not after
   * `timeoutMs`; why its client has gone
   */
  async crossed(
    place: QuorumPlace,
    { timeoutMs, gone }: { readonly timeoutMs: number | undefined; readonly gone: Departure },
  ): Promise<QuorumStatus> {
    return this.#until(this.#find(place), "crossed", { timeoutMs, gone });
  }

  /** Lets whoever waits go on; resolves when they have been told. @throws HttpError */
  async letGo(place: QuorumPlace): Promise<QuorumStatus> {
    const driver = this.#find(place);
    const { connection } = driver;
    if (driver.status?.status === "crossed") {
      const { scope, barrier } = driver;
      this.#expectLog(scope);
      const echo = { kind: "quorum-echo", scope, barrier, connection } as const;
      if (!this.#link.submit(echo)) throw mailboxIsFull();
    } else if (driver.status === undefined || driver.status.status === "initialised") {
      const message = `the quorum ${place.barrier} has not crossed yet; wait for: .../crossed`;
      throw new HttpError("invalid", message);
    }
    return this.#until(driver, "released");
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /**
   * Before something is submitted: it would happen, perhaps, after whoever asked has been told.
   * @throws HttpError while the log of the scope is away
   */
  #expectLog(scope: string): void {
    if (this.#away.has(scope)) throw logIsAway(whatIsOpen);
  }

  #find(place: QuorumPlace): Driver {
    const found = this.#drivers.get(keyOf(place));
    if (found !== undefined) return found;
    const message = `no quorum ${place.barrier} was made here with echo "explicit"`;
    throw new HttpError("unknown", message);
  }

  #until(
    driver: Driver,
    aim: Aim,
    options: { readonly timeoutMs?: number | undefined; readonly gone?: Departure } = {},
  ): Promise<QuorumStatus> {
    const { timeoutMs, gone } = options;
    return new Promise((resolve, reject) => {
      gone?.throwIfGone();
      const settle = (): void => {
        cancel();
        stay?.();
        driver.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        aim,
        resolve: (status) => {
          settle();
          resolve(status);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const late = (): void => {
        waiter.reject(new HttpError("timeout", `${driver.barrier} has not crossed yet`));
      };
      const { clock } = this.#options;
      const cancel = timeoutMs === undefined ? () => undefined : clock.after(timeoutMs, late);
      const stay = gone?.onGone((why) => waiter.reject(why));
      driver.waiters.add(waiter);
      this.#settle(driver);
      const isWaiting = driver.waiters.has(waiter);
      if (isWaiting && this.#away.has(driver.scope)) waiter.reject(logIsAway(whatIsOpen));
    });
  }

  /** Tells those who wait for what has come, or for what cannot come any more. */
  #settle({ status, waiters }: Driver): void {
    if (status === undefined) return;
    const at = order.indexOf(status.status);
    for (const waiter of [...waiters]) {
      if (at < 0 || at >= order.indexOf(waiter.aim)) waiter.resolve(status);
    }
  }

  #onEffect(effect: EdgeEffect): void {
    if (effect.kind === "refused") {
      const driver = this.#byConnection.get(effect.connection);
      // A quorum that has not begun; of one that has, an answer that came too early or twice.
      if (driver?.status === undefined) this.#byConnection.delete(effect.connection);
      const error = new HttpError(effect.code, effect.message);
      for (const waiter of [...(driver?.waiters ?? [])]) waiter.reject(error);
      return;
    }
    if (effect.kind !== "quorum-status") return;
    const driver = this.#byConnection.get(effect.connection);
    if (driver === undefined) return;
    if (driver.status === undefined) this.#remember(driver);
    driver.status = effect;
    this.#settle(driver);
  }

  /** J2. */
  #remember(driver: Driver): void {
    const key = keyOf(driver);
    const before = this.#drivers.get(key);
    if (before !== undefined) {
      this.#byConnection.delete(before.connection);
      this.#forget(key, before);
    }
    this.#drivers.set(key, driver);
    this.#counts.add(driver.account);
    if (this.#drivers.size <= this.#options.driversMax) return;
    const { most } = this.#counts;
    for (const [oldest, known] of this.#drivers) {
      if (this.#counts.of(known.account) !== most) continue;
      this.#byConnection.delete(known.connection);
      this.#forget(oldest, known);
      // It drives no more: nobody could let those who wait go on.
      this.#link.submit({ kind: "leave", connection: known.connection });
      for (const waiter of [...known.waiters]) waiter.reject(this.#forgotten(known));
      return;
    }
  }

  #forgotten({ barrier }: Driver): HttpError {
    const { driversMax } = this.#options;
    const limit = `limit httpDriversMax (${driversMax}) reached`;
    const message = `the quorum ${barrier} has made room for another; ${limit}; raise it with --limit httpDriversMax=VALUE`;
    return new HttpError("ended", message);
  }

  #forget(key: string, { account }: Driver): void {
    this.#drivers.delete(key);
    this.#counts.drop(account);
  }

  /** Quorums that were not over have lost their driver, and are over now. */
  #onClosed(reason: string): void {
    // Whether the log takes anything, the next life of the edge is told.
    this.#away.clear();
    this.#failAll(new HttpError("ended", reason));
    this.#byConnection.clear();
    for (const [key, driver] of this.#drivers) {
      const { status } = driver;
      const at = status === undefined ? 0 : order.indexOf(status.status);
      if (at >= 0 && at < order.length - 1) this.#forget(key, driver);
    }
  }

  #failAll(error: HttpError, of: OfScope = everyScope): void {
    for (const { scope, waiters } of this.#byConnection.values()) {
      if (!of(scope)) continue;
      for (const waiter of [...waiters]) waiter.reject(error);
    }
  }
}

function keyOf({ scope, barrier }: QuorumPlace): string {
  return JSON.stringify([scope, barrier]);
}
