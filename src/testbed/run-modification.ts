// SPDX-License-Identifier: MIT
// That a run can be changed while it goes on: joins the parts of the run to what changes them,
// offers it from time 0 on, and knows whether a change is under way. What is changed in which order
// is decided elsewhere (modify-run.ts).
//
//   N1. One modification at a time; what is stopped for it ends nothing and decides nothing.
import { assert } from "../core/assert.ts";
import type { Experiment, TrafficFlow } from "../experiment/model.ts";
import type { Cancel } from "../host/clock.ts";
import type { AgendaRequests } from "./agenda-requests.ts";
import { testLinks } from "./linktest/test-before-time.ts";
import { AgendaModifier } from "./modify-agenda.ts";
import { type Modification, ModifyError, type ModifyOutcome, RunModifier } from "./modify-run.ts";
import type { NodeBoot, Told } from "./node-boot.ts";
import type { NodeChanges } from "./node-changes.ts";
import type { NodeBackend, RunningNode } from "./nodes/index.ts";
import type { RunAgenda } from "./run-agenda.ts";
import type { RunEventBody } from "./run-event.ts";
import type { EventsOfRun } from "./run-events.ts";
import type { RunGnunet } from "./run-gnunet.ts";
import type { RunLinkAgents } from "./run-link-agents.ts";
import { planNode } from "./run-nodes.ts";
import type { RunOptions } from "./run-options.ts";
import type { RunAgents, RunOrders } from "./run-orders.ts";
import type { SyncServers } from "./sync-servers.ts";

export interface RunModificationOptions {
  readonly run: RunOptions;
  readonly scope: string;
  readonly agenda: RunAgenda;
  readonly requests: AgendaRequests;
  readonly orders: RunOrders;
  readonly isEnding: () => boolean;
  readonly say: (body: RunEventBody, monotonicUs: number) => void;
  /** What may not outlive the run. */
  readonly onTimer: (cancel: Cancel) => void;
  /** It is over: what it held back may be looked at. */
  readonly onModified: () => void;
}

/** The parts of a run that has begun. */
export interface RunParts {
  readonly backend: NodeBackend;
  readonly boot: NodeBoot;
  readonly agents: RunAgents;
  readonly events: EventsOfRun;
  readonly gnunet: RunGnunet | undefined;
  /** Undefined while there are none. */
  readonly syncServers: () => SyncServers | undefined;
}

export class RunModification {
  readonly #options: RunModificationOptions;
  #modifier: RunModifier | undefined;
  /** Settles with the modification that is under way. */
  #underWay: Promise<unknown> | undefined;

  constructor(options: RunModificationOptions) {
    this.#options = options;
  }

  /** N1. */
  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** What the run is now. */
  get told(): Told {
    const { experiment, tables } = this.#options.run;
    return this.#modifier?.told ?? { experiment, tables };
  }

  /** Whether that a node is up is said by a modification. */
  keepsUp(node: string): boolean {
    return this.#modifier?.keepsUp(node) === true;
  }

  /** Resolves when none is under way. */
  async settle(): Promise<void> {
    await this.#underWay;
  }

  /** Gives out what can be asked of the run from now on, if somebody wants it. */
  offer(parts: RunParts): void {
    const { experiment, tables, onActive } = this.#options.run;
    if (onActive === undefined) return;
    const { links, local } = parts.agents;
    const modifier = new RunModifier(this.#partsOfModifier(parts), experiment, tables);
    this.#modifier = modifier;
    onActive({
      modify: (modification) =>
        this.#modify({ modifier, links, changes: local.changes }, modification),
      links: (name) => links.report(name),
      linkHealth: () => links.health,
      testLinks: (level) => {
        const { run } = this.#options;
        return testLinks({ ...{ run, level, linktest: local.linktest }, signal: run.interrupt });
      },
    });
  }

  #partsOfModifier(parts: RunParts): ConstructorParameters<typeof RunModifier>[0] {
    const { run, scope, orders, isEnding, say } = this.#options;
    const { backend, boot, agents, events, gnunet, syncServers } = parts;
    const { programs, traffic, links } = agents;
    return {
      ...{ backend, boot, programs, planNode, links, isEnding },
      serveBarriers: async (clients: readonly RunningNode[]) => {
        await events.listenForNodes();
        await gnunet?.serve(clients, backend.doors);
        return (await syncServers()?.serve(clients)) ?? (() => Promise.resolve());
      },
      adopt: (to: Experiment, from: Experiment) => {
        gnunet?.setPrograms(to.programs.length);
        orders.adopt(to, from);
        events.submit({ kind: "open-scope", scope, nodes: to.nodes.map(({ name }) => name) });
      },
      agenda: this.#agendaModifier(events),
      traffic: {
        end: async (names: readonly string[]) => traffic?.end(names),
        begin: async (flows: readonly TrafficFlow[]) => (await traffic?.begin(flows)) ?? [],
      },
      say: (body: RunEventBody) => say(body, run.clock.nowUs()),
    };
  }

  async #modify(
    {
      modifier,
      links,
      changes,
    }: {
      readonly modifier: RunModifier;
      readonly links: RunLinkAgents;
      readonly changes: NodeChanges;
    },
    modification: Modification,
  ): Promise<ModifyOutcome> {
    const { agenda, isEnding, onModified } = this.#options;
    assert(this.#underWay === undefined, "one modification at a time");
    if (isEnding()) throw new ModifyError("the experiment is ending");
    const known = new Set(links.warnings);
    const outcome = changes.whole(async () => {
      const modified = await modifier.modify(modification);
      await links.foresee(agenda.upcoming(modified.experiment));
      return { ...modified, warnings: links.warnings.filter((text) => !known.has(text)) };
    });
    this.#underWay = outcome.catch(() => undefined);
    try {
      return await outcome;
    } finally {
      this.#underWay = undefined;
      onModified();
    }
  }

  #agendaModifier(events: EventsOfRun): AgendaModifier {
    const { run, scope, agenda, requests, orders, onTimer } = this.#options;
    return new AgendaModifier({
      ...{ scope, agenda, requests },
      serve: (added) => events.serveMore(added),
      keep: (added) => events.keep(added),
      preload: async (added) => {
        const preloader = await orders.beginPreloading(added);
        onTimer(() => preloader.stop());
        return () => preloader.start(run.clock.nowUs());
      },
    });
  }
}
