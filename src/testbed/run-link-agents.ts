// SPDX-License-Identifier: MIT
// What a run does with its links while they are there: obeys their events, traces them, tells of
// them, and says at the end how they were. Orders the parts; links themselves are the back end's.
import { join } from "node:path";
import { errorText } from "../core/text.ts";
import type { Experiment, Link } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import { NetworkError } from "../network/link-backend.ts";
import type { LinksReport, ShaperHealth } from "../network/link-report.ts";
import type { LinkTrace } from "../network/link-tracer.ts";
import { wholePacketBytes } from "../network/pcap-writer.ts";
import type { ShapedLinks } from "../network/shaped-links.ts";
import { compileFilter } from "./agents/compile-filter.ts";
import { LinkAgent } from "./agents/link-agent.ts";
import { LinkTraceAgent } from "./agents/link-trace-agent.ts";
import { readTracedEnds } from "./agents/traced-ends.ts";
import { foreseeLinkEvents } from "./foresee-links.ts";
import { LinkDoor, type LinkRequest } from "./link-door.ts";
import type { NodeBackend, Relinking } from "./nodes/index.ts";
import { planRelink } from "./plan-relink.ts";
import { reportLinks } from "./run-links.ts";
import { planNode } from "./run-nodes.ts";

/** In the results. */
export const tracesDirectory = "traces";

export interface RunLinkAgentsOptions {
  readonly backend: NodeBackend;
  readonly clock: Clock;
  /** `pid/eid` */
  readonly scope: string;
  /** Whether the file has links, made or not. */
  readonly hasLinks: boolean;
  readonly links: readonly Link[];
  readonly out: string;
  readonly onFailed: (why: string) => void;
  readonly onWarning: (text: string) => void;
}

export class RunLinkAgents {
  /** Left out, links are not shaped. */
  readonly events: LinkAgent | undefined;
  /** Left out, nothing is traced. */
  readonly traces: LinkTraceAgent | undefined;
  readonly #options: RunLinkAgentsOptions;
  readonly #shaped: ShapedLinks | undefined;
  /** What was said of links that ask for too much, and of events to come: once each. */
  readonly #overloads = new Set<string>();
  readonly #foreseen = new Set<string>();
  /** What time 0 found of packets that were late or lost. */
  #before: Pick<ShaperHealth, "late" | "dropped"> = { late: 0, dropped: 0 };
  #door: LinkDoor | undefined;

  private constructor(options: RunLinkAgentsOptions) {
    const { backend, clock } = options;
    this.#options = options;
    this.#shaped = backend.nodeLinks?.shaped;
    void backend.nodeLinks?.failed.then(options.onFailed);
    const onFaster = (): void => this.tellOverload();
    this.events = this.#shaped && new LinkAgent({ links: this.#shaped, clock, onFaster });
    this.traces = this.#traceAgent();
  }

  static async open(options: RunLinkAgentsOptions): Promise<RunLinkAgents> {
    const agents = new RunLinkAgents(options);
    const { backend, onWarning } = options;
    if (backend.linkDoor === undefined) return agents;
    const door = await LinkDoor.open({
      path: backend.linkDoor,
      links: (link) => agents.report(link),
      capture: (request) => agents.#capture(request),
    });
    if (typeof door === "string") onWarning(door);
    else agents.#door = door;
    return agents;
  }

  /** All that has been said so. */
  get warnings(): readonly string[] {
    return [...this.#overloads, ...this.#foreseen];
  }

  /**
   * Before time 0, and when the run was modified: what is known then of links and of what is
   * planned for them.
   * @param experiment with events that are yet to come
   */
  async foresee(experiment: Experiment): Promise<void> {
    const shaped = this.#shaped;
    if (shaped === undefined) return;
    // Who shapes may be gone, which is said.
    await shaped.refresh?.().catch(() => undefined);
    this.tellOverload();
    const { onWarning } = this.#options;
    for (const text of foreseeLinkEvents(experiment, shaped, [...this.#overloads])) {
      if (!this.#foreseen.has(text)) onWarning(text);
      this.#foreseen.add(text);
    }
  }

  /** Which links ask for more than who shapes them carries, when that has not been said yet. */
  tellOverload(): void {
    for (const text of this.#shaped?.overload?.() ?? []) {
      if (!this.#overloads.has(text)) this.#options.onWarning(text);
      this.#overloads.add(text);
    }
  }

  /** Shortly before time 0. Never rejects. */
  async prepare(): Promise<void> {
    await this.traces?.prepare();
  }

  /** Time 0. */
  startTime(): void {
    this.#tellTrouble("before time 0 ");
    const { late = 0, dropped = 0 } = this.#shaped?.health ?? {};
    this.#before = { late, dropped };
    void this.traces?.begin();
  }

  /** How who shapes them is; undefined where nobody can tell. */
  get health(): ShaperHealth | undefined {
    return this.#shaped?.health;
  }

  /** @throws NetworkError with a sentence when there is nothing to tell */
  report(link: string | null): Promise<LinksReport> {
    const { backend, scope, hasLinks } = this.#options;
    return reportLinks(backend.nodeLinks, { experiment: scope, hasLinks }, link);
  }

  /** Whether links can become those of an experiment. @throws NetworkError with a sentence */
  planRelink(experiment: Experiment): Relinking {
    return planRelink(this.#options.backend, experiment);
  }

  /** @throws Error; the run has ended over it then */
  async relink(to: Relinking, experiment: Experiment): Promise<void> {
    const { backend, onFailed } = this.#options;
    try {
      await backend.relink?.(
        to,
        experiment.nodes.map(({ name }) => planNode(experiment, name)),
      );
      this.tellOverload();
    } catch (error) {
      const why = errorText(error);
      onFailed(`links could not be made others: ${why}`);
      throw error;
    }
  }

  /** Before the nodes go. Says how links were. */
  async close(): Promise<void> {
    this.#door?.close();
    await this.traces?.close();
    // Who shapes may be gone, which has been said.
    await this.#shaped?.refresh?.().catch(() => undefined);
    const { late, dropped } = this.#before;
    const health = this.#shaped?.health;
    // What there was before time 0 was told then, and is in the figures of all.
    if (late + dropped === 0) this.#tellTrouble("");
    else if (health?.late !== late || health.dropped !== dropped) this.#tellTrouble("in all ");
  }

  #tellTrouble(when: string): void {
    for (const text of this.#shaped?.trouble() ?? []) this.#options.onWarning(when + text);
  }

  #traceAgent(): LinkTraceAgent | undefined {
    const { clock, out, links, onWarning } = this.#options;
    const { ends, problems } = readTracedEnds(links);
    if (ends.length === 0) return undefined;
    const tracer = this.#shaped?.tracer;
    if (this.#shaped === undefined || tracer === undefined) {
      const names = [...new Set(ends.map(({ link }) => link))].join(", ");
      const why =
        this.#shaped === undefined
          ? "only who shapes links does, and nobody shapes these"
          : "that is not built for nodes of other machines";
      onWarning(`nothing traces ${names}: ${why}`);
      return undefined;
    }
    for (const problem of problems) onWarning(problem);
    const { table } = this.#shaped;
    return new LinkTraceAgent({
      ...{ ends, tracer, clock, onWarning, directory: join(out, tracesDirectory) },
      compile: (link, expression) => compileFilter({ links, clock }, link, expression),
      membersOf: (link) => table.link(link)?.members.map(({ node }) => node) ?? [],
    });
  }

  /** @throws NetworkError */
  #capture(request: Extract<LinkRequest, { kind: "capture" }>): Promise<LinkTrace> | undefined {
    const { link, node, path, count: countMax } = request;
    const tracer = this.#shaped?.tracer;
    if (tracer === undefined) return undefined;
    const members = this.#shaped?.table.link(link)?.members ?? [];
    const member = members.findIndex((one) => one.node === node);
    if (member < 0) throw new NetworkError(`${node} is not on ${link}`);
    return tracer.begin({
      ...{ link, member, ways: ["sent", "received"], kind: "packets" },
      ...{ snapBytes: wholePacketBytes, countMax, path },
    });
  }
}
