// SPDX-License-Identifier: MIT
// The handle of a state: a counter that only grows, and waits for values of it.
import type { StateWait } from "../core/command.ts";
import { BarrierHandle } from "./barrier-handle.ts";
import {
  type ArrivalFields,
  type Crossing,
  crossingEnds,
  crossingOf,
  type Ends,
  endsOf,
} from "./barrier-requests.ts";
import { checkCount } from "./check-arguments.ts";
import type { RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

export interface SignalOptions extends RequestOptions {
  /** As of an arrival. */
  readonly name?: string;
}

/** The crossing of one's target, and which signal was one's own: 1 for the first. */
export interface SignalledCrossing extends Crossing {
  readonly value: number;
}

export class StateBarrier extends BarrierHandle {
  constructor(session: Requester, name: string) {
    super(session, "state", name);
  }

  /**
   * Adds one. Resolves with the value after it, which nobody else is told: 1 for the first. Nothing
   * takes a signal back, an aborted `signal` neither. @throws MusterError
   */
  async signal(options: SignalOptions = {}): Promise<number> {
    const { scope, barrier, who } = this.requests.arrival(options);
    return this.requests.send<number>(
      options,
      "wait",
      (connection) => ({ kind: "state-signal", scope, barrier, who, connection }),
      signalEnds,
    );
  }

  /** Waits until the value is `target`, or more; not at all when it is. @throws MusterError */
  async wait(target: number, options: WaitOptions = {}): Promise<Crossing> {
    checkCount(target, "target");
    const build = (arrival: ArrivalFields, connection: number): StateWait => ({
      ...{ kind: "state-wait", ...arrival, connection, target },
    });
    return this.requests.wait("wait", options, build, crossingEnds);
  }

  /**
   * Adds one and waits for `target`, at one instant and in one exchange. Whoever is taken back by
   * its signal has signalled all the same. @throws MusterError
   */
  async signalAndWait(target: number, options: WaitOptions = {}): Promise<SignalledCrossing> {
    checkCount(target, "target");
    let own = 0;
    return this.requests.wait<SignalledCrossing>(
      "wait",
      options,
      (arrival, connection) => ({
        ...{ kind: "state-signal-and-wait", ...arrival, connection, target },
      }),
      {
        ...endsOf((effect) => ({ ...crossingOf(effect), value: own })),
        signalled(_pending, value) {
          own = value;
          return false;
        },
      },
    );
  }
}

const signalEnds: Ends<number> = {
  signalled(pending, value) {
    pending.resolve(value);
    return true;
  },
};
