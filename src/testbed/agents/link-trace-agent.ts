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
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Clock } from "../../host/clock.ts";
import type { LinkTrace, LinkTracer, TraceCounts, TraceWay } from "../../network/link-tracer.ts";
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
  /** E1. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: LinkTraceAgentOptions) {
    this.#options = options;
  }

  /** Time 0. Resolves when everything that passes is taken; never rejects. */
  begin(): Promise<void> {
    return this.#next(async () => {
      for (const end of this.#options.ends) await this.#begin(end);
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

  async #begin(end: TracedEnd): Promise<void> {
    const { tracer, directory, membersOf, onWarning } = this.#options;
    const { link, node, kind, snapBytes } = end;
    const member = membersOf(link).indexOf(node);
    if (member < 0) return;
    const files: readonly (readonly [string, readonly TraceWay[]])[] =
      kind === "counts"
        ? [["counts", ["sent", "received"]]]
        : [
            ["sent", ["sent"]],
            ["received", ["received"]],
          ];
    for (const [name, ways] of files) {
      const stem = join(directory, `${fileName(`${link}-${node}`)}.${name}`);
      const extension = kind === "counts" ? ".csv" : ".pcap";
      try {
        mkdirSync(directory, { recursive: true });
        const order = { link, member, ways, kind, snapBytes, countMax: 0, path: stem + extension };
        const trace = await tracer.begin(order);
        this.#traces.push({ end, stem, extension, trace, rolls: 0, hasEnded: false });
        void trace.ended.then((counts) => this.#tellEnd(stem + extension, counts));
      } catch (error) {
        onWarning(`${link} is not traced at ${node}: ${messageOf(error)}`);
      }
    }
  }

  #tellEnd(path: string, { dropped, isFull }: TraceCounts): void {
    const { onWarning } = this.#options;
    if (isFull) onWarning(`${path} ends early: it has as many bytes as it may (captureBytesMax)`);
    if (dropped > 0) {
      onWarning(`${path} lacks ${dropped} packets: the disk was too slow (tracePendingBytesMax)`);
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
    return messageOf(error);
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

/** Names come from files of users: none leads out of its directory, or is too long for one. */
function fileName(name: string): string {
  return name.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
