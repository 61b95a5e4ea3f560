// SPDX-License-Identifier: MIT
// Changes a run that is under way: nodes and programs come, go or are started anew, and everything
// else goes on. What is to be done was decided before; here it is done, in an order that can be
// undone for as long as nothing of the run has been touched.
//
//   M1. What the modification does not name is not stopped, started or moved: programs, waiters at
//       barriers, addresses.
//   M2. A failure before the first program is stopped leaves the run as it was.
//   M3. A failure after it costs the node it struck, and the run goes on without that node.
import { errorText } from "../core/text.ts";
import type { Experiment, PlannedEvent, Tables, TrafficFlow } from "../experiment/index.ts";
import type { Level } from "../linktest/index.ts";
import type { LinksReport, ShaperHealth } from "../network/link-report.ts";
import { type LinkChange, shapeLink } from "../network/model.ts";
import { type AgendaChange, newIndex } from "./agenda-change.ts";
import type { ProgramAgent } from "./agents/program-agent.ts";
import type { AgendaChanged, AgendaModifier, EventsChanged } from "./modify-agenda.ts";
import type { NodeBoot, Told } from "./node-boot.ts";
import type { NodeBackend, NodePlan, Relinking, RunningNode } from "./nodes/index.ts";
import type { NumberedEvent } from "./run-agenda.ts";
import type { RunEventBody, RunModified } from "./run-event.ts";

/** What to do; names of the experiment as it is to be, of `removed` as it was. */
export interface Modification {
  readonly experiment: Experiment;
  readonly tables: Tables | undefined;
  readonly nodes: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly restarted: readonly string[];
  };
  readonly programs: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    /** Stopped, and started by their events. */
    readonly restarted: readonly string[];
  };
  /** Flows of traffic whose ends are closed, and those that are opened then, by name. */
  readonly traffic: { readonly ended: readonly string[]; readonly begun: readonly string[] };
  readonly agenda: AgendaChange;
  /** Links whose ends stay and that are to do something else. */
  readonly links: readonly string[];
  /** Links that come, go, or get other ends: those are both. */
  readonly relinked: { readonly made: readonly string[]; readonly gone: readonly string[] };
}

/** What becomes of links, for people: one that is made anew is changed. */
export function linksOf({ links, relinked }: Pick<Modification, "links" | "relinked">): {
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
} {
  const { made, gone } = relinked;
  return {
    changed: [...links, ...made.filter((name) => gone.includes(name))],
    added: made.filter((name) => !gone.includes(name)),
    removed: gone.filter((name) => !made.includes(name)),
  };
}

/** Some link does what it did not before. */
export function hasNewLinks({
  links,
  relinked,
}: Pick<Modification, "links" | "relinked">): boolean {
  return links.length + relinked.made.length > 0;
}

export interface ModifyOutcome {
  /** What the run is now: as it was to be, without what was lost. */
  readonly experiment: Experiment;
  /** Nodes that did not come back, with the reason (M3). */
  readonly lost: readonly { readonly node: string; readonly why: string }[];
  readonly events: EventsChanged;
  /**
   * Sentences on links: who shapes them cannot do all that is asked, or that is planned for them.
   */
  readonly warnings: readonly string[];
}

/** What can be asked of a run from its time 0 on. */
export interface RunControl {
  /** One at a time. @throws ModifyError when nothing was changed, or the run ended over it */
  modify(modification: Modification): Promise<ModifyOutcome>;
  /**
   * How its links are, or the one of this name. @throws NetworkError with a sentence when there is
   * nothing to tell
   */
  links(name: string | null): Promise<LinksReport>;
  /** How who shapes them is; undefined where nobody can tell. */
  linkHealth(): ShaperHealth | undefined;
  /** Up to this stage, by who tests them at swap-in. Never rejects. @returns what to tell of it */
  testLinks(level: Level): Promise<string | undefined>;
}

/** The run is as it was, or it has ended. */
export class ModifyError extends Error {
  override readonly name = "ModifyError";
}

/** The run, as far as it can be changed. */
export interface ModifierOptions {
  readonly backend: NodeBackend;
  readonly boot: NodeBoot;
  readonly programs: ProgramAgent;
  readonly planNode: (experiment: Experiment, node: string) => NodePlan;
  /** Makes links and takes them away. */
  readonly links: {
    /** @throws Error with a sentence when they cannot be those of the experiment */
    readonly planRelink: (experiment: Experiment) => Relinking;
    /** @throws Error; the run ends over it */
    readonly relink: (to: Relinking, experiment: Experiment) => Promise<void>;
    /** They may ask for more bandwidth than before. */
    readonly tellOverload: () => void;
  };
  /** Serves barriers to these nodes too. @returns what ends that again */
  readonly serveBarriers: (clients: readonly RunningNode[]) => Promise<() => Promise<void>>;
  /** From now on events are performed for `to`, and not those planned for `retired`. */
  readonly adopt: (to: Experiment, from: Experiment, retired: ReadonlySet<string>) => void;
  readonly agenda: Pick<AgendaModifier, "change" | "addFromNow">;
  /** Closes and opens flows. @returns a sentence for each that could not be opened */
  readonly traffic: {
    readonly end: (names: readonly string[]) => Promise<void>;
    readonly begin: (flows: readonly TrafficFlow[]) => Promise<readonly string[]>;
  };
  readonly isEnding: () => boolean;
  readonly say: (body: RunEventBody) => void;
}

export class RunModifier {
  readonly #options: ModifierOptions;
  #experiment: Experiment;
  #tables: Tables | undefined;
  /** Nodes that have come up during the modification: told when it is complete. */
  #up: string[] | undefined;

  constructor(options: ModifierOptions, experiment: Experiment, tables: Tables | undefined) {
    this.#options = options;
    this.#experiment = experiment;
    this.#tables = tables;
  }

  /** What the run is now. */
  get told(): Told {
    return { experiment: this.#experiment, tables: this.#tables };
  }

  /** @returns whether the news is kept for later: of a node that may yet be undone. */
  keepsUp(node: string): boolean {
    this.#up?.push(node);
    return this.#up !== undefined;
  }

  async modify(modification: Modification): Promise<Omit<ModifyOutcome, "warnings">> {
    this.#up = [];
    const links = this.#linkChanges(modification);
    const relinking = this.#planRelink(modification);
    try {
      const undo = await this.#add(modification);
      const agenda = await this.#amend(modification, undo);
      // Nothing of it can be refused any more: a back end that fails ends the run by itself.
      if (links.length > 0) await this.#options.backend.nodeLinks?.shaped?.set(links);
      if (links.length > 0) this.#options.links.tellOverload();
      return await this.#change(modification, agenda, relinking);
    } finally {
      this.#up = undefined;
    }
  }

  /** As one change. @throws ModifyError when they cannot be made so here */
  #linkChanges({ experiment, links: names }: Modification): readonly LinkChange[] {
    if (names.length === 0) return [];
    const shaped = this.#options.backend.nodeLinks?.shaped;
    if (shaped === undefined) {
      const which = names.join(", ");
      throw new ModifyError(`links are not shaped in this run, so that ${which} cannot be changed`);
    }
    const changes = experiment.links
      .filter(({ name }) => names.includes(name))
      .map((link): LinkChange => {
        return { link: link.name, what: { kind: "ask", members: shapeLink(link).members } };
      });
    const why = shaped.refusal(changes);
    if (why !== undefined) throw new ModifyError(why);
    return changes;
  }

  /** @returns undefined when no link comes or goes. @throws ModifyError */
  #planRelink({ experiment, relinked }: Modification): Relinking | undefined {
    if (relinked.made.length + relinked.gone.length === 0) return undefined;
    try {
      return this.#options.links.planRelink(experiment);
    } catch (error) {
      throw new ModifyError(errorText(error), { cause: error });
    }
  }

  /** Who sends over links that go has ended. @throws ModifyError; the run ends over it */
  async #relink(relinking: Relinking | undefined, experiment: Experiment): Promise<void> {
    if (relinking === undefined) return;
    try {
      await this.#options.links.relink(relinking, experiment);
    } catch (error) {
      throw new ModifyError(errorText(error), { cause: error });
    }
  }

  /** M2. @returns what takes it back */
  async #add(modification: Modification): Promise<() => Promise<void>> {
    const { backend, boot, serveBarriers, planNode } = this.#options;
    const { experiment, tables, nodes } = modification;
    if (nodes.added.length === 0) return () => Promise.resolve();
    let stopServing: () => Promise<void> = () => Promise.resolve();
    const undo = async (): Promise<void> => {
      const tell = (): void => boot.tell({ experiment: this.#experiment, tables: this.#tables });
      for (const step of [() => stopServing(), () => backend.remove(nodes.added), tell]) {
        await this.#takeBack(step);
      }
    };
    try {
      await backend.add(nodes.added.map((name) => planNode(experiment, name)));
      const added = this.#nodes(nodes.added);
      stopServing = await serveBarriers(added);
      await boot.bootMore(added, { experiment, tables });
    } catch (error) {
      await undo();
      this.#throwIfEnding();
      throw new ModifyError(errorText(error), { cause: error });
    }
    this.#throwIfEnding();
    return undo;
  }

  /** What fails of it is said, and keeps nothing else from being taken back. */
  async #takeBack(step: () => Promise<void> | void): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#warn(`what the modification had begun is not all taken back: ${errorText(error)}`);
    }
  }

  /** M2: the last that can be refused. */
  async #amend(
    { experiment, programs, agenda }: Modification,
    undo: () => Promise<void>,
  ): Promise<AgendaChanged> {
    const retired = new Set([...programs.removed, ...programs.restarted]);
    const changed = await this.#options.agenda.change(
      this.#experiment,
      experiment,
      agenda,
      retired,
    );
    if (typeof changed !== "string") return changed;
    await undo();
    this.#throwIfEnding();
    throw new ModifyError(changed);
  }

  /** M1, M3. */
  async #change(
    modification: Modification,
    changed: AgendaChanged,
    relinking: Relinking | undefined,
  ): Promise<Omit<ModifyOutcome, "warnings">> {
    const { backend, boot, programs, adopt, agenda, traffic, say } = this.#options;
    const { nodes, tables } = modification;
    const retired = new Set([...modification.programs.removed, ...modification.programs.restarted]);
    const ran = await programs.supersede(retired, new Set(modification.programs.restarted));
    await traffic.end(modification.traffic.ended);
    await this.#relink(relinking, modification.experiment);
    await backend.remove([...nodes.removed, ...nodes.restarted]);
    const lost: { node: string; why: string }[] = [];
    for (const name of nodes.restarted) {
      const why = await this.#restart(name, modification);
      if (why !== undefined) lost.push({ node: name, why });
    }
    const experiment = without(
      changed.experiment,
      lost.map(({ node }) => node),
    );
    const before = this.#experiment;
    this.#experiment = experiment;
    this.#tables = tables;
    boot.tell({ experiment, tables });
    const others = nodes.added.length + nodes.removed.length + nodes.restarted.length;
    if (others > 0 || relinking !== undefined) {
      await this.#nameOthers();
    }
    programs.replace(experiment.programs);
    adopt(experiment, before, retired);
    await this.#beginTraffic(experiment, modification.traffic.begun);
    this.#throwIfEnding();
    const more = await agenda.addFromNow(experiment, eventsFor(experiment, modification, ran));
    this.#throwIfEnding();
    if (typeof more === "string") this.#warn(`events that were added are not planned: ${more}`);
    else this.#experiment = more.experiment;
    const added = typeof more === "string" ? [] : more.events.added;
    const events = { ...changed.events, added: [...changed.events.added, ...added] };
    say(this.#describe(modification, events, lost));
    for (const node of this.#up ?? []) say({ type: "node-up", node });
    this.#up = undefined;
    return { experiment: this.#experiment, lost, events };
  }

  async #beginTraffic({ traffic = [] }: Experiment, names: readonly string[]): Promise<void> {
    const flows = traffic.filter(({ name }) => names.includes(name));
    for (const fault of await this.#options.traffic.begin(flows)) this.#warn(fault);
  }

  #warn(text: string): void {
    this.#options.say({ type: "message", level: "warning", node: null, text });
  }

  /** @returns why it did not come back. */
  async #restart(name: string, modification: Modification): Promise<string | undefined> {
    const { backend, boot, planNode } = this.#options;
    const { experiment, tables } = modification;
    try {
      await backend.add([planNode(experiment, name)]);
      await boot.bootMore(this.#nodes([name]), { experiment, tables });
      return undefined;
    } catch (error) {
      await backend.remove([name]);
      return errorText(error);
    }
  }

  /** Nodes that cannot be told who is new keep the names they know. */
  async #nameOthers(): Promise<void> {
    for (const text of await this.#options.boot.nameOthers()) this.#warn(text);
  }

  #describe(
    modification: Modification,
    events: EventsChanged,
    lost: ModifyOutcome["lost"],
  ): RunModified {
    const { nodes, programs, experiment, traffic, agenda } = modification;
    const links = linksOf(modification);
    const { backend } = this.#options;
    const addressed = [...nodes.added, ...nodes.restarted].map((name) => ({
      name,
      addresses: backend.nodes.get(name)?.addresses ?? [],
    }));
    const named = (names: readonly string[]): RunModified["programsAdded"] =>
      experiment.programs
        .filter(({ name }) => names.includes(name))
        .map(({ name, node }) => ({ name, node }));
    return {
      type: "run-modified",
      nodesAdded: addressed.filter(({ name }) => nodes.added.includes(name)),
      nodesRemoved: nodes.removed,
      nodesRestarted: nodes.restarted,
      nodesLost: lost.map(({ node, why }) => ({ name: node, why })),
      programsAdded: named(programs.added),
      programsRemoved: programs.removed,
      programsRestarted: named(programs.restarted),
      linksChanged: links.changed,
      linksAdded: links.added,
      linksRemoved: links.removed,
      links: askedOf(experiment, [...links.changed, ...links.added]),
      trafficEnded: traffic.ended,
      trafficBegun: traffic.begun,
      sequencesChanged: [...agenda.defined, ...agenda.undefined],
      events: events.added.map(rowOf),
      eventsChanged: events.changed.map(rowOf),
      eventsRemoved: events.removed,
      eventsFired: events.fired.map(rowOf),
    };
  }

  #nodes(names: readonly string[]): readonly RunningNode[] {
    const { nodes } = this.#options.backend;
    return names.map((name) => nodes.get(name)).filter((node) => node !== undefined);
  }

  #throwIfEnding(): void {
    if (this.#options.isEnding()) {
      throw new ModifyError("the experiment ended while it was being modified");
    }
  }
}

/**
 * What the file plans, and a start for who ran though nothing of it says when: a step of a
 * sequence.
 */
function eventsFor(
  experiment: Experiment,
  { agenda: { fromNow: events }, programs }: Modification,
  ran: ReadonlySet<string>,
): readonly PlannedEvent[] {
  const known = new Map(experiment.programs.map((program) => [program.name, program]));
  const starts = events.filter(({ event }) => event === "START" || event === "RUN");
  const started = new Set(starts.map(({ object }) => object));
  const again = programs.restarted.flatMap((object) => {
    const program = known.get(object);
    if (program === undefined || started.has(object) || !ran.has(object)) return [];
    const facts = { type: "PROGRAM", event: "START", args: "", at: program.at };
    return [{ index: newIndex, atUs: 0, object, ...facts }];
  });
  const isThere = ({ type, object }: PlannedEvent): boolean =>
    type !== "PROGRAM" || known.has(object) || isGroup(experiment, object);
  return [...events.filter(isThere), ...again];
}

function isGroup({ groups }: Experiment, name: string): boolean {
  return groups.some((group) => group.name === name);
}

function rowOf({ id, event: planned, plannedUs }: NumberedEvent): RunModified["events"][number] {
  const { object, type: objectType, event, args } = planned;
  return { id, object, objectType, event, args, plannedUs };
}

/** As the file asks for them. */
function askedOf({ links }: Experiment, names: readonly string[]): RunModified["links"] {
  return links
    .filter(({ name }) => names.includes(name))
    .map(({ name, kind, members }) => ({
      ...{ name, kind },
      members: members.map(({ port: _port, ...member }) => member),
    }));
}

/** M3. Its links stay, so that a later modification can bring it back as it was. */
function without(experiment: Experiment, nodes: readonly string[]): Experiment {
  if (nodes.length === 0) return experiment;
  return {
    ...experiment,
    nodes: experiment.nodes.filter(({ name }) => !nodes.includes(name)),
    programs: experiment.programs.filter(({ node }) => !nodes.includes(node)),
  };
}
