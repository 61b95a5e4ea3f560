// SPDX-License-Identifier: MIT
// One run of an experiment file: its objects by name, the counters behind internal names, and the
// way findings are reported. Subjects (node.ts, link.ts, ...) add methods; this file owns identity.
//   N1. A name stands for one object; renaming moves it and keeps the old hash order rules.
//   N2. An object is named by the first assignment of its internal name to a global variable.
//   N3. What failed is remembered, so that its absence is not reported again.

import type { Catalogue } from "../catalogue.ts";
import type { Diagnostics } from "../diagnostics.ts";
import { eventsMax, objectsMax } from "../limits.ts";
import { hintOf, TclError, type TclErrorDetails, TclLimitError } from "../tcl/error.ts";
import { HashOrder } from "../tcl/hash-order.ts";
import type { Interpreter } from "../tcl/interpreter.ts";
import { locateIn } from "../tcl/origin.ts";
import type { Command } from "../tcl/script.ts";
import type {
  EventRecord,
  LinkObject,
  NsObject,
  ObjectKind,
  SimulatorObject,
  TopographyObject,
} from "./objects.ts";
import type { RunOutcome } from "./outcome.ts";
import { ExperimentSettings } from "./settings.ts";

/** An error after which the command is given up but its surroundings go on. */
export class NsFault extends TclError {}

/** Values that decide how a file is read. */
export interface NsOptions {
  readonly compat: boolean;
  readonly catalogue: Catalogue;
  readonly addresses: "legacy" | "stable";
  readonly omitRows: boolean;
  readonly pid: string;
  readonly eid: string;
  readonly resolve: ((name: string) => string | undefined) | undefined;
}

type ObjectOf<K extends ObjectKind> = Extract<NsObject, { kind: K }>;

/** Words for messages. */
const kindNames: Readonly<Record<ObjectKind, string>> = {
  simulator: "the simulator",
  node: "a node",
  link: "a link or LAN",
  queue: "a queue",
  handle: "a link",
  agent: "an Agent",
  application: "an application",
  program: "a program",
  group: "an event group",
  sequence: "an event sequence",
  timeline: "an event timeline",
  console: "a console",
  topography: "a topography",
  path: "a path",
  firewall: "a firewall",
  null: "a thing that has no meaning here",
};

export class NsContext {
  readonly interp: Interpreter;
  readonly diagnostics: Diagnostics;
  readonly options: NsOptions;
  readonly settings: ExperimentSettings = new ExperimentSettings();
  readonly objects: Map<string, NsObject> = new Map();
  /** Objects by kind, in order of creation. */
  readonly #byKind = new Map<ObjectKind, NsObject[]>();
  /** Names by kind in the order of the old system's tables. */
  readonly #orders = new Map<ObjectKind, HashOrder>();
  /** Values of `set opt(NAME)`, and the names in order of assignment. */
  readonly environment: Map<string, string> = new Map();
  readonly environmentOrder: string[] = [];
  readonly events: EventRecord[] = [];
  /** LANs made with make-cloud. */
  readonly clouds: LinkObject[] = [];
  /** Set by node-config: where later nodes are. */
  topography: TopographyObject | undefined = undefined;
  linkMembers = 0;
  sourcedFiles = 0;
  /** The last object was not put into a variable yet: spoils the next capture under compat. */
  hasLoose = false;
  /** N3: the command that has failed last, and variables that would hold the result of such. */
  failedSite: Command | undefined;
  readonly failedVariables: Set<string> = new Set();
  /** `source tb_compat.tcl` was run: without it the old system knows no tb-* command. */
  hasTestbedFile = false;
  /** Inside make-simulated: events there are ignored. [EMULAB-NS 7] */
  isSimulated = false;
  eventCount = 0;
  hasRun = false;
  /** Set by `$ns run` when nothing was wrong up to there. */
  outcome: RunOutcome | undefined = undefined;
  simulator: SimulatorObject | undefined = undefined;
  #serial = 0;
  #classSerial = 0;
  #unnamed = 0;

  constructor(interp: Interpreter, diagnostics: Diagnostics, options: NsOptions) {
    this.interp = interp;
    this.diagnostics = diagnostics;
    this.options = options;
  }

  /** Internal name of a node, link, LAN, path, timeline, sequence or null object. */
  nextName(prefix: string): string {
    this.#serial += 1;
    return `${prefix}${this.#serial}`;
  }

  /** Internal name of an object made with `new`, and of queues. */
  nextClassName(className: string): string {
    this.#classSerial += 1;
    return `${className}${this.#classSerial}`;
  }

  /** Takes an object into the tables. @throws TclError when its name is taken */
  add<T extends NsObject>(object: T): T {
    if (this.objects.size >= objectsMax) {
      throw new TclLimitError("NS_OBJECTS", `more than ${objectsMax} objects in one experiment`);
    }
    this.objects.set(object.name, object);
    const list = this.#byKind.get(object.kind) ?? [];
    list.push(object);
    this.#byKind.set(object.kind, list);
    this.#order(object.kind).insert(object.name);
    if (!object.isNamed) {
      this.#unnamed += 1;
      // Queues and handles come with their link and are asked for, not made.
      if (object.kind !== "queue" && object.kind !== "handle") this.hasLoose = true;
    }
    return object;
  }

  #order(kind: ObjectKind): HashOrder {
    const order = this.#orders.get(kind) ?? new HashOrder();
    this.#orders.set(kind, order);
    return order;
  }

  /** Objects of a kind in order of creation. */
  all<K extends ObjectKind>(kind: K): readonly ObjectOf<K>[] {
    return (this.#byKind.get(kind) ?? []) as ObjectOf<K>[];
  }

  /** Objects of a kind in the order of the old system's tables. [EMULAB-NS 11.4] */
  inTableOrder<K extends ObjectKind>(kind: K): readonly ObjectOf<K>[] {
    return this.#order(kind)
      .keys()
      .flatMap((name) => {
        const object = this.objects.get(name);
        return object === undefined ? [] : [object as ObjectOf<K>];
      });
  }

  /** Takes an event of the main timeline. @throws TclLimitError beyond the limit */
  addEvent(event: Omit<EventRecord, "index">): EventRecord {
    const record = this.countEvent(event);
    this.events.push(record);
    return record;
  }

  /** Numbers an event of any timeline. @throws TclLimitError `NS_EVENTS` */
  countEvent(event: Omit<EventRecord, "index">): EventRecord {
    if (this.eventCount >= eventsMax) {
      throw new TclLimitError("NS_EVENTS", "Too many events in your NS file!", {
        hint: `One experiment has at most ${eventsMax} events.`,
      });
    }
    this.eventCount += 1;
    return { ...event, index: this.eventCount - 1 };
  }

  /** True while some object still waits for its name. */
  get hasUnnamed(): boolean {
    return this.#unnamed > 0;
  }

  /** N1. @throws TclError `NS_NAME_TAKEN` */
  rename(object: NsObject, name: string, word: number): void {
    const taken = this.objects.get(name);
    if (taken !== undefined || this.interp.commands.has(name)) {
      throw this.#nameTaken(name, taken, word);
    }
    this.objects.delete(object.name);
    this.#order(object.kind).remove(object.name);
    object.name = name;
    if (!object.isNamed) this.#unnamed -= 1;
    object.isNamed = true;
    this.hasLoose = false;
    this.objects.set(name, object);
    this.#order(object.kind).insert(name);
  }

  #nameTaken(name: string, taken: NsObject | undefined, word: number): TclError {
    if (taken === undefined) {
      return new TclError("NS_NAME_TAKEN", `"${name}" is the name of a command`, {
        word,
        hint: "Use another variable name for this object.",
      });
    }
    const { line, file } = this.interp.sources.position(taken.offset);
    const what = kindNames[taken.kind];
    return new TclError("NS_NAME_TAKEN", `there already is ${what} named "${name}"`, {
      word,
      hint: `It was made at ${file}:${line}. Each object needs a variable of its own.`,
    });
  }

  /** The object a word names, when it is of one of these kinds. */
  find<K extends ObjectKind>(name: string, kinds: readonly K[]): ObjectOf<K> | undefined {
    const object = this.objects.get(name.startsWith("::") ? name.slice(2) : name);
    if (object === undefined || !kinds.includes(object.kind as K)) return undefined;
    return object as ObjectOf<K>;
  }

  /**
   * The object argument `word` names.
   * @throws NsFault `NS_NOT_A` when it is none of these kinds; silent for a failed one (N3)
   */
  need<K extends ObjectKind>(
    argv: readonly string[],
    word: number,
    kind: K,
    what: string = kindNames[kind],
  ): ObjectOf<K> {
    const text = argv[word] ?? "";
    const found = this.find(text, [kind]);
    if (found !== undefined) return found;
    throw this.notA(argv[0] ?? "", text, word, what);
  }

  /** The fault for a word that names no object of the kind wanted. */
  notA(command: string, text: string, word: number, what: string): NsFault {
    const other = this.objects.get(text);
    const about = other === undefined ? "" : ` It is ${kindNames[other.kind]}.`;
    const sign = other === undefined && this.interp.exists(text) && text !== "" ? text : undefined;
    const hint = sign === undefined ? {} : { hint: `Did you mean $${sign}?` };
    return new NsFault("NS_NOT_A", `[${command}] ${text} is not ${what}.${about}`, {
      word,
      ...hint,
    });
  }

  /** Source offset of a command, for objects made by it. */
  offsetOf(site: Command): number {
    return locateIn(site.script.origin, site.start);
  }

  /** Reports an error at a word of a command; the command goes on. */
  report(site: Command, code: string, message: string, details: TclErrorDetails = {}): void {
    this.finding("error", site, code, message, details);
  }

  /** Notes that the documented meaning is taken where the old system had another. */
  differs(site: Command, message: string, details: TclErrorDetails = {}): void {
    if (this.options.compat) return;
    this.finding("note", site, "NS_DIFFERS", `the old system ${message}`, details);
  }

  /** Reports something that does not refuse the file. */
  warn(site: Command, code: string, message: string, details: TclErrorDetails = {}): void {
    this.finding("warning", site, code, message, details);
  }

  finding(
    severity: "error" | "warning" | "note",
    site: Command,
    code: string,
    message: string,
    details: TclErrorDetails,
  ): void {
    const offset =
      details.offset ?? this.interp.offsetOf(site, site.words[details.word ?? 0], details.within);
    this.diagnostics.add(offset, { severity, code, message, hint: hintOf(details) });
  }
}
