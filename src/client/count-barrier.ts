// SPDX-License-Identifier: MIT
// The handle of a count barrier: inits add to a count, waits take one off, everybody goes on when
// it is 0 again. Who is released, and how, is decided by the server's core.
import type { Participant } from "../core/command.ts";
import type { Released } from "../core/effect.ts";
import { checkArrival, checkCount, checkText } from "./check-arguments.ts";
import { MusterError } from "./muster-error.ts";
import { PendingWait } from "./pending-wait.ts";
import type { Session, Settle } from "./session.ts";

export interface ArrivalOptions {
  /** The participant's name, for reports of who is there; the session's name when absent. */
  readonly name?: string;
  /** An error number brought to the barrier; everybody is told the largest. */
  readonly error?: number;
}

export interface WaitOptions extends ArrivalOptions {
  /** The wait ends with code `timeout` after this much of the server's time. */
  readonly timeoutMs?: number;
  /** Takes the arrival back: the participant leaves. */
  readonly signal?: AbortSignal;
}

/** A crossing, the same for everybody who was there. */
export interface Crossing {
  /** How often a barrier of this name has been opened. */
  readonly generation: number;
  /** The largest error number that anybody brought; 0 for none. */
  readonly error: number;
}

export class CountBarrier {
  readonly name: string;
  readonly #session: Session;

  constructor(session: Session, name: string) {
    this.#session = session;
    this.name = name;
  }

  /**
   * Asks for `count` waits, and goes on. Resolves when the server has counted it.
   * @throws MusterError
   */
  init(count: number, options: ArrivalOptions = {}): Promise<void> {
    return this.#send<void>({}, (pending) => {
      checkCount(count);
      const arrival = this.#arrival(options);
      return this.#session.request(
        "init",
        (connection) => ({ kind: "count-init", ...arrival, connection, count, waits: false }),
        {
          ...settleOf(pending),
          acknowledged: () => pending.resolve(),
          released: () => pending.resolve(),
        },
      );
    });
  }

  /** Asks for `count` waits of others, and waits with them. @throws MusterError */
  initAndWait(count: number, options: WaitOptions = {}): Promise<Crossing> {
    return this.#wait(options, (settle) => {
      checkCount(count);
      const arrival = { ...this.#arrival(options), ...timeout(options) };
      return this.#session.request(
        "init",
        (connection) => ({ kind: "count-init", ...arrival, connection, count, waits: true }),
        settle,
      );
    });
  }

  /**
   * Arrives and waits for the others.
   * @throws MusterError with code `timeout` (and who is missing), `cancelled`, ...; the reason of
   *   the signal when it was aborted.
   */
  wait(options: WaitOptions = {}): Promise<Crossing> {
    return this.#wait(options, (settle) => {
      const arrival = { ...this.#arrival(options), ...timeout(options) };
      return this.#session.request(
        "wait",
        (connection) => ({ kind: "count-wait", ...arrival, connection }),
        settle,
      );
    });
  }

  /**
   * Ends the barrier for everybody: who waits gets `cancelled` and this error number. Resolves when
   * the server has it in its log. @throws MusterError
   */
  cancel(error = 0): Promise<void> {
    return this.#session.cancel(this.name, error);
  }

  /** Waits on for a wait that ended because the server's log was away; it has counted once. */
  async resume(
    error: MusterError,
    { signal }: Pick<WaitOptions, "signal"> = {},
  ): Promise<Crossing> {
    if (error.resume === undefined) throw error;
    return (await error.resume(signal)) as Crossing;
  }

  #wait(options: WaitOptions, send: (settle: Settle) => number): Promise<Crossing> {
    return this.#send<Crossing>(options, (pending) =>
      send({
        ...settleOf(pending),
        acknowledged: () => undefined,
        released: (effect) => {
          const { outcome, generation, error } = effect;
          if (outcome === "crossed") pending.resolve({ generation, error });
          else pending.reject(explain(effect));
        },
      }),
    );
  }

  async #send<Result>(
    { signal }: Pick<WaitOptions, "signal">,
    send: (pending: PendingWait<Result>) => number,
  ): Promise<Result> {
    signal?.throwIfAborted();
    let connection = 0;
    const pending = new PendingWait<Result>(() => this.#session.leave(connection));
    connection = send(pending);
    return pending.wait(signal);
  }

  /** @throws MusterError (invalid) */
  #arrival(options: WaitOptions) {
    checkText("barrier", this.name);
    checkArrival(options);
    const { name = this.#session.participantName, error = 0 } = options;
    // Where it comes from is written by the server.
    const who: Participant = { address: "", ...(name === undefined ? {} : { name }) };
    return { scope: this.#session.scope, barrier: this.name, who, error };
  }
}

/** How a request ends that every handle sends. */
function settleOf<Result>(pending: PendingWait<Result>): Pick<Settle, "refused" | "suspended"> {
  return { refused: (error) => pending.reject(error), suspended: () => pending.suspend() };
}

function timeout({ timeoutMs }: WaitOptions): { readonly timeoutUs?: number } {
  return timeoutMs === undefined ? {} : { timeoutUs: Math.round(timeoutMs * 1000) };
}

function explain({ outcome, barrier, missing = [], error, reason }: Released): MusterError {
  if (outcome === "timeout") {
    const who = missing.length === 0 ? "nobody is known to be missing" : missing.join(", ");
    return new MusterError("timeout", `the wait at ${barrier} timed out; missing: ${who}`, {
      missing,
    });
  }
  const why = reason === undefined ? "" : `: ${reason}`;
  const message = `the barrier ${barrier} was ${outcome} (error ${error})${why}`;
  return new MusterError("cancelled", message);
}
