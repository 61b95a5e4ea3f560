// SPDX-License-Identifier: MIT
// The one timer of a host: for the next deadline of log time, or the tick that keeps log time
// moving (D2, D3), or the entry by which a server says that it lives (V1).
import { tickIntervalUs } from "../core/limits.ts";
import type { Service } from "../core/service.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { ServerMembership } from "./server-membership.ts";

export interface TickTimerOptions {
  readonly clock: Clock;
  readonly core: Service;
  readonly membership: ServerMembership | undefined;
  /** A tick each second also without deadlines. */
  readonly steadyTicks: boolean;
  readonly onDue: () => void;
}

export class TickTimer {
  readonly #options: TickTimerOptions;
  #cancel: Cancel = () => undefined;
  #lastDeliveryUs = 0;

  constructor(options: TickTimerOptions) {
    this.#options = options;
  }

  /** Entries were applied. @param isAppending an entry of ours is on its way */
  applied(isAppending: boolean): void {
    const { clock, core, membership, steadyTicks, onDue } = this.#options;
    this.#lastDeliveryUs = clock.nowUs();
    this.#cancel();
    const steadyUs = steadyTicks ? core.nowUs + tickIntervalUs : undefined;
    const dueUs = core.nextDeadlineUs() ?? steadyUs;
    if (dueUs === undefined) return;
    const tickUs = Math.min(dueUs - core.nowUs, tickIntervalUs);
    const waitUs = membership ? this.#amongServersUs(tickUs, membership, isAppending) : tickUs;
    // Rounded up: a timer takes whole milliseconds, and a tick that comes early is wasted.
    this.#cancel = clock.after(Math.max(0, Math.ceil(waitUs / 1000)), onDue);
  }

  stop(): void {
    this.#cancel();
  }

  /** V1, V2. While an entry of ours is on its way it says that this server lives. */
  #amongServersUs(tickUs: number, membership: ServerMembership, isAppending: boolean): number {
    const waitUs = tickUs + membership.tickDelayUs;
    const heartbeatUs = membership.untilHeartbeatUs(this.#lastDeliveryUs);
    return isAppending ? waitUs : Math.min(waitUs, heartbeatUs);
  }
}
