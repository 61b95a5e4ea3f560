// SPDX-License-Identifier: MIT
// One core that is played without host, log or network: takes batches as entries, says how many
// bytes they are in a log, and passes on what it says to other controllers. Keeps no entries.
import type { Batch, Command } from "../../src/core/command.ts";
import type { EdgeEffect } from "../../src/core/effect.ts";
import { resolveLimits, unusualLimits } from "../../src/core/limits.ts";
import { Service } from "../../src/core/service.ts";
import { coreVersionMax } from "../../src/core/version.ts";

/** More than any size that is played; a deployment raises them with --limit. */
const limits = resolveLimits({
  waitersPerBarrierMax: 20_000_000,
  waitersPerScopeMax: 20_000_000,
  membersPerRosterMax: 20_000_000,
});

export const entryCommandsMax: number = limits.entryCommandsMax;
export const scope = "p/e";

/** Members, or parts of barriers, in one message between controllers. */
export const treeReportMax: number = limits.treeReportMax;
/** What the log of a server is raised to when it starts. */
const raise: Command = {
  ...{ kind: "version", version: coreVersionMax },
  limits: unusualLimits(limits),
};

export class Controller {
  readonly service: Service = new Service(limits);
  readonly name: string;
  entries = 0;
  bytes = 0;
  released = 0;
  /** Clock of the log. */
  stampUs = 1_000_000;
  readonly #onEffect: (edge: string, effect: EdgeEffect) => void;
  readonly #numbers = new Map<string, number>();

  constructor(
    name: string,
    onEffect: (edge: string, effect: EdgeEffect) => void = () => undefined,
  ) {
    this.name = name;
    this.#onEffect = onEffect;
  }

  /** One entry. @throws Error when the core refuses something: it would count as work. */
  send(edge: string, commands: readonly Command[]): void {
    const number = (this.#numbers.get(edge) ?? 0) + 1;
    this.#numbers.set(edge, number);
    const first: readonly Command[] = number === 1 ? [{ kind: "attach" }, raise] : [];
    const batch: Batch = { edge, incarnation: 1, number, commands: [...first, ...commands] };
    const entry = { format: 1, batches: [batch] } as const;
    this.entries += 1;
    this.bytes += Buffer.byteLength(JSON.stringify(entry));
    const place = { sequence: this.entries, stampUs: this.stampUs };
    for (const { edge: to, effect } of this.service.apply({ ...place, entry }).addressed) {
      if (effect.kind === "refused") throw new Error(`${this.name}: ${JSON.stringify(effect)}`);
      if (effect.kind === "released") this.released += effect.connections.length;
      this.#onEffect(to, effect);
    }
  }

  /** `count` commands, in full entries. */
  sendMany(edge: string, count: number, make: (index: number) => Command): void {
    for (let start = 0; start < count; start += entryCommandsMax) {
      const length = Math.min(entryCommandsMax, count - start);
      this.send(
        edge,
        Array.from({ length }, (_, index) => make(start + index)),
      );
    }
  }
}
