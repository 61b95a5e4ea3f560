// SPDX-License-Identifier: MIT
// The handle of a quorum: a driver makes it, peers wait at it, and it crosses when so many of the
// peers of each controller have come.
//
//   U1. `crossed` and `ended` settle once each, `crossed` first; with the session at the latest.
import type { QuorumWait } from "../core/barriers/commands.ts";
import type { Quorum } from "../core/barriers/rules.ts";
import type { QuorumStatus } from "../core/effect.ts";
import { barrierCountMax } from "../core/limits.ts";
import { BarrierHandle } from "./barrier-handle.ts";
import {
  type ArrivalFields,
  type BarrierRequests,
  type Crossing,
  crossingEnds,
  describeBadEnd,
  partiesOf,
} from "./barrier-requests.ts";
import { checkWhole } from "./check-arguments.ts";
import { type BarrierDeadline, deadlineOf } from "./deadline.ts";
import { MusterError } from "./muster-error.ts";
import { untilAborted } from "./pending-wait.ts";
import type { RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

/** How many of the peers of each controller: 0 to 100 percent, or a number. */
export type QuorumSize = { readonly percent: number } | { readonly count: number };

export interface QuorumInitOptions extends RequestOptions {
  /** As of an arrival. */
  readonly name?: string;
  /**
   * `automatic`, the default: who waits goes on when it crosses. `explicit`: when the driver has
   * said `letGo`, and the driver has to stay until then.
   */
  readonly echo?: "automatic" | "explicit";
  readonly deadline?: BarrierDeadline;
}

export class QuorumBarrier extends BarrierHandle {
  constructor(session: Requester, name: string) {
    super(session, "quorum", name);
  }

  /**
   * Makes it; resolves when all controllers have it. Who aborts by `signal` is its driver no more.
   * @throws MusterError, `invalid` when one of this name is open
   */
  async init(size: QuorumSize, options: QuorumInitOptions = {}): Promise<QuorumDriver> {
    const quorum = quorumOf(size);
    const { signal, name, echo = "automatic" } = options;
    const deadline = deadlineOf(options.deadline, this.requests.session.platform);
    const [place, who] = [this.requests.place, this.requests.who(name)];
    const driver = new QuorumDriver(this.requests);
    return this.requests.send<QuorumDriver>(
      signal === undefined ? {} : { signal },
      "init",
      (connection) => {
        driver.connection = connection;
        return { kind: "quorum-init", ...place, connection, who, quorum, echo, ...deadline };
      },
      {
        refused(pending, error) {
          pending.reject(error);
          driver.lost(error);
        },
        statusChanged(pending, status) {
          const isEnd = driver.statusChanged(status);
          if (status.status === "initialised") pending.resolve(driver);
          if (isEnd && driver.error !== undefined) pending.reject(driver.error);
          return isEnd;
        },
      },
    );
  }

  /** Arrives and waits for the others. @throws MusterError, `unknown` when there never was one */
  async wait(options: WaitOptions = {}): Promise<Crossing> {
    const build = (arrival: ArrivalFields, connection: number): QuorumWait => ({
      ...{ kind: "quorum-wait", ...arrival, connection },
    });
    return this.requests.wait("wait", options, build, crossingEnds);
  }

  /** Another quorum, while people wait. @throws MusterError, `invalid` once it has crossed */
  async change(size: QuorumSize, options: RequestOptions = {}): Promise<void> {
    const quorum = quorumOf(size);
    const { place } = this.requests;
    await this.requests.ask("init", options, (connection) => ({
      ...{ kind: "quorum-change", ...place, connection, quorum },
    }));
  }
}

/** Who made a quorum, and watches it. */
export class QuorumDriver implements AsyncDisposable {
  /** It is reached everywhere, and now nothing takes it back. */
  readonly crossed: Promise<Crossing>;
  /** Whoever waits has been told to go on. */
  readonly ended: Promise<Crossing>;
  /** That of its init; set when it is sent. */
  connection = 0;
  readonly #requests: BarrierRequests;
  #error: MusterError | undefined;
  #hasEnded = false;
  #hasLetGo = false;
  #generation = 0;
  #settleCrossed: Settled | undefined;
  #settleEnded: Settled | undefined;

  constructor(requests: BarrierRequests) {
    this.#requests = requests;
    this.crossed = new Promise((resolve, reject) => {
      this.#settleCrossed = { resolve, reject };
    });
    this.ended = new Promise((resolve, reject) => {
      this.#settleEnded = { resolve, reject };
    });
    // Who wants to know of a failure waits for one of them.
    this.crossed.catch(() => undefined);
    this.ended.catch(() => undefined);
  }

  /** Which barrier of this name it is; set when it is initialised. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether it is over. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Why it did not end by a crossing, if it did not. */
  get error(): MusterError | undefined {
    return this.#error;
  }

  /**
   * Of one made with `echo: "explicit"`: when it has crossed, whoever waits goes on. Resolves when
   * they have been told. @throws MusterError when it ends otherwise; the signal's reason
   */
  async letGo({ signal }: RequestOptions = {}): Promise<Crossing> {
    await untilAborted(this.crossed, signal);
    if (!this.#hasLetGo && !this.#hasEnded) {
      this.#hasLetGo = true;
      const { place, session } = this.#requests;
      await session.order("init", {
        ...{ kind: "quorum-echo", ...place, connection: this.connection },
      });
    }
    return untilAborted(this.ended, signal);
  }

  /** Ends the barrier, when it is still open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.#requests.cancel(0, { reason: "its driver is gone" });
  }

  /** For the barrier's handle. @returns whether this was the end. */
  statusChanged(effect: QuorumStatus): boolean {
    const { status, generation, error, reason, controller } = effect;
    this.#generation = generation;
    if (status === "initialised") return false;
    if (status === "crossed") {
      this.#settleCrossed?.resolve({ generation, error });
      return false;
    }
    if (status === "released") {
      this.#hasEnded = true;
      this.#settleCrossed?.resolve({ generation, error });
      this.#settleEnded?.resolve({ generation, error });
      return true;
    }
    const where = controller === undefined ? "" : ` at ${controller}`;
    const how = status === "timeout" ? "timed out" : `was ${status}`;
    const what = `the barrier ${this.#requests.name} ${how}${where}`;
    const message = describeBadEnd(what, { error, reason });
    const { missing = [], presence } = effect;
    const parties = presence === undefined ? {} : { parties: partiesOf(presence) };
    this.lost(new MusterError(status, message, { reason, missing, ...parties }));
    return true;
  }

  /** For the barrier's handle: nothing more will be heard of it. */
  lost(error: unknown): void {
    this.#hasEnded = true;
    this.#error = error instanceof MusterError ? error : new MusterError("ended", String(error));
    this.#settleCrossed?.reject(error);
    this.#settleEnded?.reject(error);
  }
}

interface Settled {
  readonly resolve: (crossing: Crossing) => void;
  readonly reject: (error: unknown) => void;
}

/** @throws MusterError (invalid) */
function quorumOf(size: QuorumSize): Quorum {
  checkQuorum(size);
  if ("percent" in size) return { kind: "percent", percent: size.percent };
  return { kind: "count", count: size.count };
}

/** @throws MusterError (invalid) */
function checkQuorum(size: QuorumSize): void {
  if ("percent" in size) checkWhole("percent", size.percent, 100);
  else checkWhole("count", size.count, barrierCountMax);
}
