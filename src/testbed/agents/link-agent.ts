// SPDX-License-Identifier: MIT
// Link agent: obeys LINK events for all links of a run, whatever shapes them. What is due at one
// instant becomes one change. The back end is told a little ahead, so that the change is in force
// at the instant itself and not when somebody has got round to it. [EMULAB-EVENTS 5.1]
//
//   A1. Events of one instant are one change, in the order in which they were given; one that is
//       refused fails alone.
//   A2. An order can be taken back until its instant is handed to the back end, and not after.
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import { describeAmbiguous, findLinkObject, readLinkEvent } from "../../network/link-args.ts";
import type { LinkChange, ShapedLink } from "../../network/model.ts";
import { mayOverload } from "../../network/overload.ts";
import type { ShapedLinks } from "../../network/shaped-links.ts";
import {
  type ArmedOrder,
  ignored,
  type ObjectAgent,
  type Performed,
  type PerformOptions,
} from "./performed.ts";
import { refused } from "./program-result.ts";

/** So long before its instant a change is handed over at least: timers of a busy loop are late. */
const handOverUs = 5_000;

interface Entry {
  readonly changes: readonly LinkChange[];
  readonly resolve: (performed: Performed | undefined) => void;
  isTakenBack: boolean;
}

/** What is due at one instant. */
interface Batch {
  readonly entries: Entry[];
  isHandedOver: boolean;
}

export interface LinkAgentOptions {
  readonly links: ShapedLinks;
  readonly clock: Clock;
  /** Links may ask for more bandwidth than before. */
  readonly onFaster?: () => void;
}

export class LinkAgent implements ObjectAgent {
  readonly #links: ShapedLinks;
  readonly #clock: Clock;
  readonly #onFaster: () => void;
  readonly #batches = new Map<number, Batch>();

  constructor({ links, clock, onFaster }: LinkAgentOptions) {
    this.#links = links;
    this.#clock = clock;
    this.#onFaster = onFaster ?? (() => undefined);
  }

  /** Events that are for now come together when they come in one turn of the loop. */
  async perform(event: AgendaEvent, _how: PerformOptions): Promise<Performed> {
    const read = this.#read(event);
    if ("problem" in read) return read.problem;
    const [performed] = this.#plan(0, read.changes);
    return (await performed) ?? refused(this.#clock.nowUs(), "it was taken back");
  }

  arm(event: AgendaEvent, { dueUs }: PerformOptions): ArmedOrder | undefined {
    const read = this.#read(event);
    // What cannot be done is said when it is due.
    if (dueUs === undefined || "problem" in read) return undefined;
    this.#links.prepare?.(read.changes);
    const [performed, takeBack] = this.#plan(dueUs, read.changes);
    return { performed, takeBack };
  }

  #read(event: AgendaEvent): { readonly changes: readonly LinkChange[] } | { problem: Performed } {
    const { table } = this.#links;
    const known = table.names.map((name) => table.link(name) as ShapedLink);
    const object = findLinkObject(known, event.object);
    const nowUs = this.#clock.nowUs();
    if (object === undefined)
      return { problem: ignored(nowUs, `there is no link ${event.object}`) };
    const changes =
      describeAmbiguous(known, event.object) ?? readLinkEvent(object, event.event, event.args);
    return typeof changes === "string" ? { problem: refused(nowUs, changes) } : { changes };
  }

  #plan(
    dueUs: number,
    changes: readonly LinkChange[],
  ): readonly [Promise<Performed | undefined>, () => "revoked" | "already fired"] {
    const batch = this.#batchAt(dueUs);
    const { promise, resolve } = Promise.withResolvers<Performed | undefined>();
    const entry: Entry = { changes, resolve, isTakenBack: false };
    batch.entries.push(entry);
    const takeBack = (): "revoked" | "already fired" => {
      if (batch.isHandedOver && !entry.isTakenBack) return "already fired";
      entry.isTakenBack = true;
      resolve(undefined);
      return "revoked";
    };
    return [promise, takeBack];
  }

  #batchAt(dueUs: number): Batch {
    const open = this.#batches.get(dueUs);
    if (open !== undefined) return open;
    const batch: Batch = { entries: [], isHandedOver: false };
    this.#batches.set(dueUs, batch);
    const handOver = (): void => {
      this.#batches.delete(dueUs);
      void this.#handOver(batch, dueUs);
    };
    const waitMs =
      (dueUs - Math.max(handOverUs, this.#links.aheadUs ?? 0) - this.#clock.nowUs()) / 1_000;
    if (waitMs > 0) this.#clock.after(waitMs, handOver);
    else this.#clock.endOfTurn(handOver);
    return batch;
  }

  /** Never rejects. */
  async #handOver(batch: Batch, dueUs: number): Promise<void> {
    batch.isHandedOver = true;
    const accepted: Entry[] = [];
    const changes: LinkChange[] = [];
    const draft = this.#links.table.draft();
    for (const entry of batch.entries) {
      if (entry.isTakenBack) continue;
      // A1: it builds on what was accepted before. A run that is late has thousands in one batch.
      const problem = draft.add(entry.changes);
      if (problem !== undefined) {
        entry.resolve(refused(this.#clock.nowUs(), problem));
        continue;
      }
      accepted.push(entry);
      changes.push(...entry.changes);
    }
    if (accepted.length === 0) return;
    let performed: Performed;
    try {
      const firedMonotonicUs = await this.#links.setAt(changes, dueUs);
      performed = { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
      if (mayOverload(changes)) this.#onFaster();
    } catch (error) {
      const why = errorText(error);
      performed = refused(this.#clock.nowUs(), why);
    }
    for (const { resolve } of accepted) resolve(performed);
  }
}
