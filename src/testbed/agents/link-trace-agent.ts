// SPDX-License-Identifier: MIT
// Traces the links that the file wants traced, and obeys LINKTRACE events. A trace begins at time
// 0; each end of a link that is traced has files of its own below `traces/` of the results.
// [EMULAB-EVENTS 2.8 LINKTRACE]
//
//   LINK-NODE.sent.pcap       what the node gives to the link, before anything is done to it
//   LINK-NODE.received.pcap   what it gets from the link, as shaped
//   LINK-NODE.counts.csv      `monitor` in place of both: how many of each, a line a second
//
//   E1. Events of one agent are performed in the order in which they came.
//   E2. A snapshot is complete when the files of all its ends are.
//   E3. Each end has files of its own, also where two have the same name: l at a-b, and l-a at b.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Clock } from "../../host/clock.ts";
import {
  type LinkTrace,
  type LinkTracer,
  problemOf,
  type TraceCounts,
  type TraceWay,
} from "../../network/link-tracer.ts";
import type { FilterInstruction } from "../../network/packet-filter.ts";
import {
  begun,
  failed,
  ignored,
  type ObjectAgent,
  type Performed,
  succeeded,
} from "./performed.ts";
import { completed, refused } from "./program-result.ts";
import type { TracedEnd } from "./traced-ends.ts";

/** [EMULAB-EVENTS 2.8 LINKTRACE] */
const tagCharactersMax = 256;
const suffix = "-tracemon";
const everybody = "__all_tracemon";

export interface LinkTraceAgentOptions {
  readonly ends: readonly TracedEnd[];
  readonly tracer: LinkTracer;
  readonly clock: Clock;
  /** Of the results; made when there is something to trace. */
  readonly directory: string;
  /** Members of a link, in its order. */
  readonly membersOf: (link: string) => readonly string[];
  /** An expression of a link, for who traces it. @returns a string: why that cannot be done */
  readonly compile: (
    link: string,
    expression: string,
  ) => Promise<readonly FilterInstruction[] | string>;
  readonly onWarning: (text: string) => void;
}

interface Trace {
  readonly end: TracedEnd;
  /** Of its files, without `.pcap` or `.csv`. */
  readonly stem: string;
  readonly extension: string;
  readonly trace: LinkTrace;
  rolls: number;
  hasEnded: boolean;
}

export class LinkTraceAgent implements ObjectAgent {
  readonly #options: LinkTraceAgentOptions;
  readonly #traces: Trace[] = [];
  /** By end; there before time 0, so that no packet of it is missed. */
  readonly #filters: ReadonlyMap<TracedEnd, Promise<readonly FilterInstruction[] | undefined>>;
  /** E3. */
  readonly #names: ReadonlyMap<TracedEnd, string>;
  /** E1. */
  #work: Promise<void> = Promise.resolve();
  #prepared: Promise<void> | undefined;

  constructor(options: LinkTraceAgentOptions) {
    this.#options = options;
    const filters = new Map<string, Promise<readonly FilterInstruction[] | undefined>>();
    for (const { link, expression } of options.ends) {
      const key = `${link} ${expression}`;
      if (expression !== "" && !filters.has(key)) filters.set(key, this.#compile(link, expression));
    }
    this.#names = nameFiles(options.ends);
    const none = Promise.resolve(undefined);
    this.#filters = new Map(
      options.ends.map((end) => [end, filters.get(`${end.link} ${end.expression}`) ?? none]),
    );
  }

  /** Before time 0, so that nothing is missed then: all there is to trace is open, and paused. */
  prepare(): Promise<void> {
    this.#prepared ??= this.#next(async () => {
      const traces = await Promise.all(this.#options.ends.map((end) => this.#open(end)));
      this.#traces.push(...traces.flat());
    });
    return this.#prepared;
  }

  /** Time 0. Resolves when everything that passes is taken; never rejects. */
  async begin(): Promise<void> {
    void this.prepare();
    await this.#next(async () => {
      await Promise.all(this.#traces.map((trace) => this.#goOn(trace)));
    });
  }

  async perform(event: AgendaEvent): Promise<Performed> {
    const { clock, ends } = this.#options;
    const nowUs = clock.nowUs();
    const wanted = endsOf(ends, event.object);
    if (wanted.length === 0) return ignored(nowUs, `nothing is traced as ${event.object}`);
    const tag = /(?:^|\s)TAG=(\S*)/i.exec(event.args)?.[1] ?? "";
    if (tag.length > tagCharactersMax) {
      return refused(nowUs, `TAG has ${tag.length} characters, and may have ${tagCharactersMax}`);
    }
    const work = workOf(event.event, tag);
    if (work === undefined) {
      return refused(
        nowUs,
        `traces take START, STOP, KILL, SNAPSHOT and RELOAD, not ${event.event}`,
      );
    }
    const problems: string[] = [];
    const done = this.#next(async () => {
      for (const trace of this.#traces.filter(({ end }) => wanted.includes(end))) {
        const problem = await attempt(trace, work);
        if (problem !== undefined) problems.push(problem);
      }
    });
    if (event.event === "SNAPSHOT" || event.event === "RELOAD") {
      // E2.
      return begun(
        nowUs,
        done.then(() => (problems[0] === undefined ? succeeded : failed(problems[0]))),
      );
    }
    await done;
    return problems[0] === undefined ? completed(nowUs) : refused(nowUs, problems[0]);
  }

  /** Ends all traces; their files are whole then. Never rejects. */
  async close(): Promise<void> {
    await this.#next(async () => {
      await Promise.all(this.#traces.map((trace) => endTrace(trace)));
    });
  }

  async #goOn({ end, trace }: Trace): Promise<void> {
    try {
      await trace.pause(false);
    } catch (error) {
      this.#options.onWarning(`${end.link} is not traced at ${end.node}: ${problemOf(error)}`);
    }
  }

  async #open(end: TracedEnd): Promise<readonly Trace[]> {
    const { tracer, directory, membersOf, onWarning } = this.#options;
    const { link, node, kind, snapBytes } = end;
    const member = membersOf(link).indexOf(node);
    if (member < 0) return [];
    const filter = await this.#filters.get(end);
    const files: readonly (readonly [string, readonly TraceWay[]])[] =
      kind === "counts"
        ? [["counts", ["sent", "received"]]]
        : [
            ["sent", ["sent"]],
            ["received", ["received"]],
          ];
    const traces: Trace[] = [];
    const own = this.#names.get(end) ?? "";
    if (own !== fileNameOf(end)) {
      onWarning(`${link} is traced at ${node} into ${own}: another end has the name before it`);
    }
    for (const [name, ways] of files) {
      const stem = join(directory, `${own}.${name}`);
      const extension = kind === "counts" ? ".csv" : ".pcap";
      try {
        mkdirSync(directory, { recursive: true });
        const path = stem + extension;
        const order = { link, member, ways, kind, snapBytes, countMax: 0, path, isPaused: true };
        const trace = await tracer.begin(filter === undefined ? order : { ...order, filter });
        traces.push({ end, stem, extension, trace, rolls: 0, hasEnded: false });
        void trace.ended.then((counts) => this.#tellEnd(path, counts));
      } catch (error) {
        onWarning(`${link} is not traced at ${node}: ${problemOf(error)}`);
      }
    }
    return traces;
  }

  /** What cannot be read keeps nobody from tracing: more is traced than was asked for. */
  async #compile(
    link: string,
    expression: string,
  ): Promise<readonly FilterInstruction[] | undefined> {
    const { compile, onWarning } = this.#options;
    const filter = await compile(link, expression);
    if (typeof filter !== "string") return filter;
    onWarning(`all packets of ${link} are traced, and not only ${expression}: ${filter}`);
    return undefined;
  }

  #tellEnd(path: string, { dropped, isFull, problem }: TraceCounts): void {
    const { onWarning } = this.#options;
    if (problem !== undefined) onWarning(`${path} ends early: ${problem}`);
    if (isFull) onWarning(`${path} ends early: it has as many bytes as it may (captureBytesMax)`);
    if (dropped > 0 && problem === undefined) {
      const why = "the machine or its disk was too slow (tracePendingBytesMax)";
      onWarning(`${path} lacks ${dropped} packets: ${why}`);
    }
  }

  #next(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work);
    return this.#work;
  }
}

type Work = (trace: Trace) => Promise<void>;

function workOf(event: string, tag: string): Work | undefined {
  switch (event) {
    case "START":
      return (trace) => living(trace).pause(false);
    case "STOP":
      return (trace) => living(trace).pause(true);
    case "KILL":
      return endTrace;
    case "SNAPSHOT":
    case "RELOAD":
      return async (trace) => {
        const taken = living(trace);
        trace.rolls += 1;
        const name = tag === "" ? `${trace.rolls}` : `${trace.rolls}-${fileName(tag)}`;
        await taken.roll(`${trace.stem}.${name}${trace.extension}`);
      };
    default:
      return undefined;
  }
}

/** @throws Error */
function living({ trace, hasEnded, stem }: Trace): LinkTrace {
  if (hasEnded) throw new Error(`the trace ${stem} was ended by KILL; what is over does not go on`);
  return trace;
}

async function endTrace(trace: Trace): Promise<void> {
  trace.hasEnded = true;
  await trace.trace.end();
}

async function attempt(trace: Trace, work: Work): Promise<string | undefined> {
  try {
    await work(trace);
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}

/** `LINK-NODE-tracemon`, `LINK-tracemon`, or all there are. */
function endsOf(ends: readonly TracedEnd[], object: string): readonly TracedEnd[] {
  if (object === everybody) return ends;
  if (!object.endsWith(suffix)) return [];
  const name = object.slice(0, -suffix.length);
  const whole = ends.filter(({ link }) => link === name);
  return whole.length > 0 ? whole : ends.filter(({ link, node }) => `${link}-${node}` === name);
}

/** E3. */
function nameFiles(ends: readonly TracedEnd[]): ReadonlyMap<TracedEnd, string> {
  const counts = new Map<string, number>();
  const names = new Map<TracedEnd, string>();
  for (const end of ends) {
    const name = fileNameOf(end);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    names.set(end, count === 1 ? name : `${name}.${count}`);
  }
  return names;
}

const fileNameOf = ({ link, node }: TracedEnd): string => fileName(`${link}-${node}`);

/** Names come from files of users: none leads out of its directory, or is too long for one. */
function fileName(name: string): string {
  return name.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
}
