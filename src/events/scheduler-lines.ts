// SPDX-License-Identifier: MIT
// The log of a scheduler, as scripts read it, and the record of what came while it ran: lines for
// standard output and rows of a CSV file. [EMULAB-EVENTS 2.1, 2.11]
import type { AgentRow } from "../client/static-data.ts";
import type { EdgeEffect, ObservedEffect } from "../core/effect.ts";
import type { Clock } from "../host/clock.ts";
import {
  addressOf,
  attributeNames,
  firingTimeOf,
  getText,
  type Notification,
} from "../wire/event/notification.ts";

export interface SchedulerLinesOptions {
  readonly clock: Clock;
  /** 0: what everybody must know. 1: each event. */
  readonly debug: number;
  readonly write: (line: string) => void;
  /** Row of the record file, if there is one. */
  readonly record: ((row: string) => void) | undefined;
}

export const recordHeader =
  "arrivaltime,firetime,vnode,objname,objecttype,eventtype,parent,arguments";

/** Where an object is and what it is, for the record. */
type Known = Pick<AgentRow, "vnode" | "objectType">;

export class SchedulerLines {
  readonly #options: SchedulerLinesOptions;
  readonly #agents = new Map<string, Known>();

  constructor(options: SchedulerLinesOptions) {
    this.#options = options;
    options.record?.(recordHeader);
  }

  agent(agent: AgentRow): void {
    const { name, objectType, vnode, nodeId, address } = agent;
    this.#agents.set(name, agent);
    this.#debug(`Agent: ${name} ${objectType} ${vnode} ${nodeId} ${address}`);
  }

  warning(text: string): void {
    this.#options.write(text);
  }

  observed(effect: ObservedEffect): void {
    const now = this.#now();
    switch (effect.kind) {
      case "event-dispatched": {
        const { object, event } = effect.event;
        this.#debug(
          `Sched: note:${effect.token} at:${this.#at(effect.dueStampUs)} now:${now} agent:${object} ${event}`,
        );
        return;
      }
      case "event-fired": {
        const at = this.#at(effect.firedStampUs - effect.latenessUs);
        this.#debug(`Fire:  note:${effect.token} at:${at} now:${now} agent:${effect.event.object}`);
        return;
      }
      case "event-completed":
        this.#debug(`Done:  now:${now} CTOKEN=${effect.token} ERROR=${effect.error}`);
        return;
      case "answer-refused":
        this.#debug(`ignored a report for note:${effect.token}: ${effect.why}`);
        return;
      case "agenda-problem":
        this.#options.write(effect.text);
        return;
      default:
        return;
    }
  }

  told(effect: EdgeEffect): void {
    if (effect.kind === "time-started") this.#options.write(`log: ${this.#now()} - Time started`);
    if (effect.kind === "error-report") {
      this.#options.write(`error report: ${effect.object} failed with error ${effect.error}`);
    }
  }

  /** A row for each event that came over the bus. */
  request(notification: Notification): void {
    const { record, clock } = this.#options;
    if (record === undefined) return;
    const { objname = "", eventtype = "", timeline = "" } = addressOf(notification);
    const { vnode = "", objectType = "" } = this.#agents.get(objname) ?? {};
    const wallMs = clock.wallMs();
    const arrival = `${Math.trunc(wallMs / 1_000)}:${Math.trunc((wallMs % 1_000) * 1_000)}`;
    const due = firingTimeOf(notification);
    const fire = due === undefined ? "" : `${due.seconds}:${due.microseconds}`;
    const args = getText(notification, attributeNames.args) ?? "";
    record([arrival, fire, vnode, objname, objectType, eventtype, timeline, args].join(","));
  }

  #debug(line: string): void {
    if (this.#options.debug > 0) this.#options.write(line);
  }

  #now(): string {
    return this.#at(this.#options.clock.nowUs());
  }

  /** `YYYYMMDD_HH:MM:SS.mmm`, in local time. */
  #at(us: number): string {
    const { clock } = this.#options;
    const date = new Date(clock.wallMs() + (us - clock.nowUs()) / 1_000);
    const two = (value: number): string => String(value).padStart(2, "0");
    const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
    const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
    return `${day}_${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  }
}
