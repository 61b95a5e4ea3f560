// SPDX-License-Identifier: MIT
// The program agent at a bus: hears the events of its programs and of time, has the agent obey, and
// answers with COMPLETE. The agent is the one of a run; only who asks it differs.
// [EMULAB-EVENTS 4.3, 4.4, 4.5]
//
//   A1. Events are obeyed in the order in which the bus has them; what takes time does not hold up
//       the next one.
//   A2. Each START, RUN and HALT with a token is answered once, with its own token (fault 23).

import { type ClockEstimate, toOwnUs } from "../../events/clock-offset.ts";
import { RefusedNotices } from "../../events/refused-notices.ts";
import type { Clock } from "../../host/clock.ts";
import { formatCompletionArgs, getArg } from "../../wire/event/args.ts";
import type { Bus, BusPlace, Subscribed } from "../../wire/event/bus.ts";
import {
  type Address,
  attributeNames,
  createNotification,
  firingTimeOf,
  getInt32,
  getText,
  type Notification,
  textAttribute,
} from "../../wire/event/notification.ts";
import { parseProgramArgs } from "../../wire/event/program-args.ts";
import type { ProgramAgent, ProgramResult } from "./program-agent.ts";

/** The key of the experiment at work. */
export interface NotificationGuard {
  sign(notification: Notification): Notification;
  /** Whether somebody with the key has sent it. */
  verify(notification: Notification): boolean;
}

export interface ProgramAgentBusOptions {
  readonly bus: Bus;
  readonly agent: ProgramAgent;
  /** Names of the agent's programs. */
  readonly programs: readonly string[];
  /** `pid/eid` */
  readonly experiment: string;
  /** Name of the node, for events to the agent itself. */
  readonly node: string;
  /** IPv4 address that answers name as their sender's. */
  readonly sender: string;
  /** Left out, everything is believed and nothing is signed. */
  readonly guard?: NotificationGuard;
  readonly clock: Clock;
  /**
   * How the clock that firing times are of (microseconds since 1970) stands to the monotonic one.
   * Undefined: as this machine's own.
   */
  readonly estimate?: () => ClockEstimate | undefined;
  /** RELOAD: the configuration is to be read again; who does it answers with this token. */
  readonly onReload: (token: number) => void;
  readonly onWarning: (text: string) => void;
}

/** MODIFY too: the old agent had a handler for it and forgot to ask (fault 23). */
const programEvents = "RUN,START,STOP,HALT,KILL,MODIFY";
/** Names in one subscription: far below what its text may take. [EMULAB-EVENTS 1.4] */
const namesPerSubscription = 50;

export class ProgramAgentBus {
  readonly #options: ProgramAgentBusOptions;
  readonly #subscribed = new Set<Subscribed>();
  readonly #refused: RefusedNotices;
  #isClosed = false;

  private constructor(options: ProgramAgentBusOptions) {
    this.#options = options;
    this.#refused = new RefusedNotices(options.clock, options.onWarning);
  }

  /** Resolves when everything that is sent from now on is heard. @throws BusError */
  static async attach(options: ProgramAgentBusOptions): Promise<ProgramAgentBus> {
    const attached = new ProgramAgentBus(options);
    const addresses = attached.#addresses();
    await Promise.all(addresses.map((address) => attached.#subscribe(address, undefined)));
    return attached;
  }

  close(): void {
    this.#isClosed = true;
    this.#refused.close();
    for (const subscribed of this.#subscribed) subscribed.close();
  }

  /** The COMPLETE of a RELOAD that the agent before this one was asked for. */
  async completeReload(token: number): Promise<void> {
    await this.#complete(this.#own(), token, 0);
  }

  async #subscribe(address: Address, after: BusPlace | undefined): Promise<void> {
    const { bus, onWarning } = this.#options;
    const subscription = {
      address,
      slow: "end",
      ...(after === undefined ? {} : { after }),
    } as const;
    const subscribed = await bus.subscribe(subscription, {
      onNotifications: (placed) => {
        for (const { notification } of placed) this.#hear(notification);
      },
      onGap: (lost) => onWarning(`events are lost (${lost}): the bus has forgotten them`),
      onEnd: (reason, place) => {
        this.#subscribed.delete(subscribed);
        if (this.#isClosed) return;
        onWarning(`the bus has ended a subscription: ${reason}; going on where it was`);
        this.#subscribe(address, place).catch((error: unknown) => {
          onWarning(`and takes no other: ${String(error)}; restart the agent`);
        });
      },
    });
    if (this.#isClosed) subscribed.close();
    else this.#subscribed.add(subscribed);
  }

  #addresses(): readonly Address[] {
    const { experiment: expt, programs } = this.#options;
    const addresses: Address[] = [
      { expt, objtype: "TIME", eventtype: "START", scheduler: 0 },
      { expt, objtype: "PROGRAM", objname: this.#own(), eventtype: "RELOAD", scheduler: 0 },
    ];
    for (let at = 0; at < programs.length; at += namesPerSubscription) {
      const objname = programs.slice(at, at + namesPerSubscription).join(",");
      addresses.push({ expt, objtype: "PROGRAM", objname, eventtype: programEvents, scheduler: 0 });
    }
    return addresses;
  }

  #own(): string {
    return `__${this.#options.node}_program-agent`;
  }

  #hear(notification: Notification): void {
    const { guard, agent, onReload } = this.#options;
    const text = (name: string): string => getText(notification, name) ?? "";
    const name = text(attributeNames.objname);
    if (guard?.verify(notification) === false) {
      this.#refused.add(name);
      return;
    }
    const token = getInt32(notification, attributeNames.token);
    const event = text(attributeNames.eventtype);
    if (text(attributeNames.objtype) === "TIME") void agent.startTime();
    else if (event === "RELOAD") onReload(token ?? -1);
    else void this.#obey(notification, { name, event, token });
  }

  async #obey(notification: Notification, { name, event, token }: Heard): Promise<void> {
    const { agent, onWarning } = this.#options;
    const args = getText(notification, attributeNames.args) ?? "";
    switch (event) {
      case "START":
      case "RUN": {
        const dueUs = this.#dueUs(notification);
        const options = { ...(token === undefined ? {} : { token }), dueUs };
        const result = await agent.start(name, parseProgramArgs(args), options);
        return await this.#answer(name, token, result);
      }
      case "HALT":
        return await this.#answer(name, token, agent.halt(name));
      case "MODIFY":
        agent.modify(name, parseProgramArgs(args));
        return;
      case "STOP":
        this.#warnUnlessDone(name, agent.stop(name));
        return;
      case "KILL":
        this.#warnUnlessDone(name, agent.kill(name, getArg(args, "SIGNAL") ?? "TERM"));
        return;
      default:
        onWarning(`${name}: there is no event ${event} for programs`);
    }
  }

  /** When it is to fire, on the own monotonic clock; 0, which is long ago, when it does not say. */
  #dueUs(notification: Notification): number {
    const time = firingTimeOf(notification);
    if (time === undefined) return 0;
    const { clock, estimate } = this.#options;
    const wallUs = time.seconds * 1_000_000 + time.microseconds;
    const known = estimate?.();
    if (known !== undefined) return Math.round(toOwnUs(known, wallUs));
    return Math.round(wallUs - clock.wallMs() * 1_000 + clock.nowUs());
  }

  /** A2. */
  async #answer(name: string, token: number | undefined, result: ProgramResult): Promise<void> {
    this.#warnUnlessDone(name, result);
    const error = await result.done;
    if (token !== undefined) await this.#complete(name, token, error);
  }

  async #complete(objname: string, token: number, error: number): Promise<void> {
    const { bus, experiment: expt, sender, guard, onWarning } = this.#options;
    const address = {
      ...{ expt, objname, objtype: "PROGRAM", eventtype: "COMPLETE" },
      scheduler: 1,
    } as const;
    const args = textAttribute(attributeNames.args, formatCompletionArgs({ error, token }));
    const plain = createNotification(address, { sender, layout: "2011", extra: [args] });
    try {
      await bus.publish(guard?.sign(plain) ?? plain);
    } catch (fault) {
      onWarning(`the completion ${token} of ${objname} could not be sent: ${String(fault)}`);
    }
  }

  #warnUnlessDone(name: string, { outcome }: ProgramResult): void {
    if (outcome !== "done") this.#options.onWarning(`${name}: ${outcome}`);
  }
}

interface Heard {
  readonly name: string;
  readonly event: string;
  readonly token: number | undefined;
}
