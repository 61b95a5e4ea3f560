// SPDX-License-Identifier: MIT
// Prints an experiment as an NS file. NS cannot say everything: the text is read back and compared,
// and what would be lost is an error at the place where the file says it.

import { defaultCatalogue } from "./catalogue.ts";
import type {
  Diagnostic,
  Experiment,
  GivenRoute,
  Link,
  PlannedEvent,
  Program,
  Routing,
  SourcePosition,
} from "./model.ts";
import { parseNsFile } from "./parse.ts";
import { formatSeconds, nsEvent } from "./print-ns-events.ts";
import { nsLink } from "./print-ns-links.ts";
import { nsReference, nsWord } from "./print-ns-words.ts";
import type { PrintOptions } from "./yaml/print.ts";
import { areAddressesAutomatic } from "./yaml/print-links.ts";
import { defaultSyncServer } from "./yaml/read.ts";
import { defaultArgs } from "./yaml/read-programs.ts";

/** An NS file, or why there is none. */
export interface NsText {
  /** Undefined when there is any error. */
  readonly text: string | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Prints an experiment as an NS file.
 * @returns a text that reads back as the same experiment, or `NS_CANNOT_SAY` for each thing that
 *   stands in the way
 */
export function printNs(experiment: Experiment, options: PrintOptions = {}): NsText {
  const found = unsayable(experiment);
  if (found.length > 0) return { text: undefined, diagnostics: found };
  const text = new NsPrinter(experiment, options).print();
  const lost = differences(experiment, text);
  return lost.length > 0 ? { text: undefined, diagnostics: lost } : { text, diagnostics: [] };
}

/**
 * The text as far as NS has words, without a check of what it says: for what only needs the rest.
 * @returns also what is not in it
 */
export function printNsLossy(experiment: Experiment): {
  readonly text: string;
  readonly lost: readonly Diagnostic[];
} {
  const isSaid = (event: PlannedEvent): boolean =>
    event.on === undefined && nsEvent(event, experiment) !== undefined;
  const rest: Experiment = {
    ...experiment,
    // A start command that NS cannot say is a program with a start, which is what it does.
    programs: experiment.programs.map((program) => ({
      ...program,
      isStartCommand: program.isStartCommand && isNsStartCommand(program),
    })),
    events: experiment.events.filter(isSaid),
    sequences: experiment.sequences.map((sequence) => ({
      ...sequence,
      steps: sequence.steps.filter(isSaid),
    })),
    timelines: experiment.timelines.map((timeline) => ({
      ...timeline,
      events: timeline.events.filter(isSaid),
    })),
  };
  return { text: new NsPrinter(rest).print(), lost: unsayable(experiment) };
}

function refusal(at: SourcePosition, what: string): Diagnostic {
  const hint = "Keep the file in YAML, or write this part in a way that NS has.";
  const message = `an NS file cannot say ${what}`;
  return { severity: "error", code: "NS_CANNOT_SAY", message, at, hint };
}

/** What the language has no words for. */
function unsayable(experiment: Experiment): Diagnostic[] {
  const { programs, barriers = [], traffic = [], events, sequences, timelines } = experiment;
  const found = [
    ...barriers.map(({ name, at }) => refusal(at, `that ${name} is a barrier`)),
    ...traffic.map(({ name, at }) => refusal(at, `the generated traffic of ${name}`)),
  ];
  for (const program of programs) {
    const { name, startWhen, environment, shell, instance, at } = program;
    if (instance?.number === 0) {
      found.push(refusal(at, `that ${instance.group} are instances of a Testground plan`));
    }
    if (startWhen !== undefined) found.push(refusal(startWhen.at, `what ${name} waits for`));
    if (environment !== undefined) found.push(refusal(at, `the environment of ${name} alone`));
    if (shell === "csh") found.push(refusal(at, `which shell runs ${name}`));
    if (program.isStartCommand && !isNsStartCommand(program)) {
      found.push(refusal(at, `that the start command ${name} has a name, directory or limit`));
    }
  }
  const inner = [...sequences.map(({ steps }) => steps), ...timelines.map((line) => line.events)];
  for (const event of [...events, ...inner.flat()]) {
    if (event.on !== undefined) {
      found.push(refusal(event.on.at, `that an event for ${event.object} waits for a barrier`));
    } else if (nsEvent(event, experiment) === undefined) {
      found.push(refusal(event.at, `the event ${event.event} ${event.args} of ${event.object}`));
    }
  }
  return found;
}

function isNsStartCommand(program: Program): boolean {
  const { name, node, directory, timeoutSeconds, expectedExitCode } = program;
  const isPlain = directory === "" && timeoutSeconds === 0 && expectedExitCode === 0;
  return isPlain && name === `${node}_startcmd`;
}

class NsPrinter {
  readonly #experiment: Experiment;
  readonly #lines: string[] = [];
  readonly #ns: string;
  readonly #saysSyncServer: boolean;
  /** How many programs and groups have been made: an event needs its object before it. */
  #programs = 0;
  #groups = 0;

  constructor(experiment: Experiment, { saysSyncServer = false }: PrintOptions = {}) {
    this.#experiment = experiment;
    this.#saysSyncServer = saysSyncServer;
    this.#ns = nsReference(experiment.simulator);
  }

  print(): string {
    const { simulator, environment, links, routing, routes = [] } = this.#experiment;
    const { sequences, timelines } = this.#experiment;
    this.#add(`# ${this.#experiment.pid}/${this.#experiment.eid}`.replace(/[^ -~]/g, "?"));
    this.#add(`set ${nsWord(simulator)} [new Simulator]`, "source tb_compat.tcl", "");
    for (const [name, value] of environment) {
      this.#add(`set ${nsWord(`opt(${name})`)} ${nsWord(value)}`);
    }
    if (environment.length > 0) this.#add("");
    this.#printNodes();
    if (links.length > 0) this.#add("");
    const { nodes } = this.#experiment;
    const showAddresses = !areAddressesAutomatic(nodes, links, defaultCatalogue);
    for (const link of links) this.#add(...nsLink(link, this.#ns, showAddresses));
    if (routing !== undefined) this.#add(`${this.#ns} rtproto ${nsRouting[routing]}`);
    for (const route of routes) this.#add(nsRoute(route, this.#ns));
    if (sequences.length + timelines.length > 0) this.#add("");
    for (const { name } of sequences) this.#add(`set ${nsWord(name)} [${this.#ns} event-sequence]`);
    for (const { name } of timelines) this.#add(`set ${nsWord(name)} [${this.#ns} event-timeline]`);
    this.#add("");
    this.#printEvents();
    this.#add("", `${this.#ns} run`);
    return `${this.#lines.join("\n").replace(/\n{3,}/g, "\n\n")}\n`;
  }

  #add(...lines: readonly string[]): void {
    this.#lines.push(...lines);
  }

  #printNodes(): void {
    const { nodes, syncServer, linktestLevel } = this.#experiment;
    for (const { name, osName, hardwareType, failureAction, ...more } of nodes) {
      const { archives = [], packages = [] } = more;
      const node = nsReference(name);
      this.#add(`set ${nsWord(name)} [${this.#ns} node]`);
      if (osName !== "") this.#add(`tb-set-node-os ${node} ${nsWord(osName)}`);
      if (hardwareType !== defaultCatalogue.defaultType) {
        this.#add(`tb-set-hardware ${node} ${nsWord(hardwareType)}`);
      }
      if (failureAction !== "fatal") {
        this.#add(`tb-set-node-failure-action ${node} ${failureAction}`);
      }
      const pairs = archives.map(({ directory, file }) => `${nsWord(directory)} ${nsWord(file)}`);
      if (pairs.length > 0) this.#add(`tb-set-node-tarfiles ${node} ${pairs.join(" ")}`);
      if (packages.length > 0) this.#add(nsPackages(node, packages));
    }
    // It may be that of another node.
    for (const { name, machine } of nodes) {
      if (machine !== undefined) this.#add(`tb-fix-node ${nsReference(name)} ${nsWord(machine)}`);
    }
    const isOther = syncServer !== defaultSyncServer(nodes, defaultCatalogue);
    if (syncServer !== undefined && (this.#saysSyncServer || isOther)) {
      this.#add(`tb-set-sync-server ${nsReference(syncServer)}`);
    }
    if (linktestLevel !== undefined) this.#add(`tb-set-linktest-level ${linktestLevel}`);
  }

  /** A start command makes its program and its event at once, so both are made in turn. */
  #printEvents(): void {
    const { programs, groups, events, sequences, timelines } = this.#experiment;
    const order = new Map(programs.map(({ name }, index) => [name, index]));
    const groupOrder = new Map(groups.map(({ name }, index) => [name, index]));
    for (const event of events) {
      const index = order.get(event.object);
      const program = programs[index ?? -1];
      const isOwn = program?.isStartCommand === true && this.#programs <= (index ?? -1);
      this.#makePrograms((index ?? -1) + 1);
      this.#makeGroups((groupOrder.get(event.object) ?? -1) + 1, order);
      const isStart = event.event === "START" && event.args === defaultArgs(program ?? noProgram);
      if (isOwn && isStart && event.atUs === 0) continue;
      const when = event.atUs === "swapout" ? "swapout" : formatSeconds(event.atUs);
      this.#add(`${this.#ns} at ${when} ${nsEvent(event, this.#experiment)}`);
    }
    this.#makePrograms(programs.length);
    this.#makeGroups(groups.length, order);
    for (const { name, steps } of sequences) {
      for (const step of steps) {
        this.#add(`${nsReference(name)} append ${nsEvent(step, this.#experiment)}`);
      }
    }
    for (const timeline of timelines) {
      for (const event of timeline.events) {
        const when = event.atUs === "swapout" ? "swapout" : formatSeconds(event.atUs);
        const text = nsEvent(event, this.#experiment);
        this.#add(`${nsReference(timeline.name)} at ${when} ${text}`);
      }
    }
  }

  #makePrograms(count: number): void {
    for (; this.#programs < count; this.#programs += 1) {
      const program = this.#experiment.programs[this.#programs];
      if (program !== undefined) this.#add(...nsProgram(program, this.#ns));
    }
  }

  #makeGroups(count: number, order: ReadonlyMap<string, number>): void {
    for (; this.#groups < count; this.#groups += 1) {
      const group = this.#experiment.groups[this.#groups];
      if (group === undefined) continue;
      for (const name of group.members) this.#makePrograms((order.get(name) ?? -1) + 1);
      const members = group.members.map(nsReference).join(" ");
      this.#add(`set ${nsWord(group.name)} [${this.#ns} event-group [list ${members}]]`);
    }
  }
}

/** One word alone would be read as a list. */
function nsPackages(node: string, packages: readonly string[]): string {
  const words = packages.map(nsWord).join(" ");
  return `tb-set-node-rpms ${node} ${packages.length === 1 ? nsWord(words) : words}`;
}

const nsRouting: Readonly<Record<Routing, string>> = {
  static: "Static",
  "static-ddijk": "Static-ddijk",
  "static-old": "Static-old",
  session: "Session",
  manual: "Manual",
};

function nsRoute({ node, to, by }: GivenRoute, ns: string): string {
  const there =
    to.link === undefined
      ? nsReference(to.node)
      : to.node === undefined
        ? nsReference(to.link)
        : `[${ns} lanlink ${nsReference(to.link)} ${nsReference(to.node)}]`;
  return `${nsReference(node)} add-route ${there} ${nsReference(by)}`;
}

const noProgram = { command: "" };

function nsProgram(program: Program, ns: string): string[] {
  const { name, node, command, directory, timeoutSeconds, expectedExitCode } = program;
  if (program.isStartCommand) {
    return [`tb-set-node-startcmd ${nsReference(node)} ${nsWord(command)}`];
  }
  const fields: (readonly [field: string, value: string])[] = [["command", command]];
  if (directory !== "") fields.push(["dir", directory]);
  if (timeoutSeconds !== 0) {
    fields.push(["timeout", formatSeconds(Math.round(timeoutSeconds * 1_000_000))]);
  }
  if (expectedExitCode !== 0) fields.push(["expected-exit-code", `${expectedExitCode}`]);
  if (node === "ops") {
    const self = nsReference(name);
    const lines = fields.map(([field, value]) => `${self} set ${field} ${nsWord(value)}`);
    return [`set ${nsWord(name)} [new Program ${ns}]`, `${self} set node ops`, ...lines];
  }
  const options = fields.map(([field, value]) => `-${field} ${nsWord(value)}`).join(" ");
  return [`set ${nsWord(name)} [${nsReference(node)} program-agent ${options}]`];
}

/** What reading the text back gives otherwise. */
function differences(experiment: Experiment, text: string): Diagnostic[] {
  const { pid, eid } = experiment;
  const { experiment: back, diagnostics } = parseNsFile(text, { file: "", pid, eid });
  const start: SourcePosition = firstPlace(experiment);
  if (back === undefined) {
    const errors = diagnostics.filter(({ severity }) => severity === "error").slice(0, 20);
    // What fails because something before it failed has no place of its own.
    const placed = errors.flatMap(({ message, at }) => {
      const place = placeOf(experiment, text, at.line);
      return place === undefined ? [] : [refusal(place, `this: ${message}`)];
    });
    const [first] = errors;
    return placed.length > 0 ? placed : [refusal(start, `this: ${first?.message ?? ""}`)];
  }
  const found: Diagnostic[] = [];
  const compare = <T extends { readonly at: SourcePosition }>(
    mine: readonly T[],
    others: readonly T[],
    what: (value: T) => string,
  ): void => {
    mine.forEach((value, index) => {
      if (same(value, others[index])) return;
      if (found.length < 20) found.push(refusal(value.at, what(value)));
    });
  };
  compare(experiment.nodes, back.nodes, ({ name }) => `what the node ${name} is`);
  compare(experiment.links, back.links, ({ name }: Link) => `the shape of the link ${name}`);
  compare(experiment.programs, back.programs, ({ name }) => `what the program ${name} is`);
  compare(experiment.events, back.events, ({ object, event }) => `when ${object} gets ${event}`);
  compare(experiment.routes ?? [], back.routes ?? [], ({ node }) => `a route of ${node} so`);
  if (found.length === 0 && !same(experiment, back)) {
    found.push(refusal(start, "the sequences, timelines, groups or options as they are"));
  }
  return found;
}

/** Equal but for places and the numbers of events. */
function same(a: unknown, b: unknown): boolean {
  const text = (value: unknown): string =>
    JSON.stringify(value, (key, each) => (key === "at" || key === "index" ? undefined : each));
  return text(a) === text(b);
}

function firstPlace({ nodes, programs, events }: Experiment): SourcePosition {
  const first = nodes[0] ?? programs[0] ?? events[0];
  return first?.at ?? { file: "", line: 1, column: 1 };
}

/** The place of the object that a line of the printed text makes. */
function placeOf(experiment: Experiment, text: string, line: number): SourcePosition | undefined {
  const name = /^set \{?([^ }]+)/.exec(text.split("\n")[line - 1] ?? "")?.[1];
  const objects = [...experiment.nodes, ...experiment.links, ...experiment.programs];
  return objects.find((object) => object.name === name)?.at;
}
