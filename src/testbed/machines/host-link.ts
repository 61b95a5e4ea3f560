// SPDX-License-Identifier: MIT
// One host of a run: its agent, the clock there, the programs that were started there, and the
// connections of its nodes to the servers of the run.
//
//   H1. A host may call the doors that it was given, of its own nodes, and nothing else here.
//   H2. It is lost once, with a reason; nobody waits for anything of it then.
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { Cancel, Clock } from "../../host/clock.ts";
import {
  type AgentMessage,
  type LinkMessage,
  nodeLinkFormat,
  nodeLinkLimits,
  type StreamMessage,
} from "../../wire/node-link/index.ts";
import type { ExitStatus } from "../nodes/index.ts";
import { within } from "../nodes/within.ts";
import type { AgentPlan } from "./agent-plan.ts";
import { carryDatagrams, carrySocket } from "./carried.ts";
import { HostClock } from "./host-clock.ts";
import type { ConnectHost, HostConnection } from "./host-connection.ts";
import { NodeLink } from "./node-link.ts";
import type { ResultFiles } from "./result-files.ts";

export interface HostLinkOptions {
  readonly name: string;
  readonly connect: ConnectHost;
  readonly clock: Clock;
  readonly interrupt: AbortSignal;
  readonly version: string;
  readonly files: ResultFiles;
  readonly onLinksFailed: (why: string) => void;
  readonly onNodesLost: (why: string) => void;
  readonly say: (level: "info" | "warning", node: string | null, text: string) => void;
  /** H2. `why` is a clause. */
  readonly onLost: (why: string) => void;
  readonly onOutputLost: (text: string) => void;
}

/** What an agent says of its machine. */
export interface HostFacts {
  readonly processors: number;
  readonly memoryMib: number;
}

/** The end of a program, since it was to be started. */
interface Awaited {
  readonly resolve: (status: ExitStatus) => void;
  readonly sinceUs: number;
}

/** For an agent to end when its input has, since it was last heard. */
const endMs = 15_000;
/** Warnings of a host that are shown, and so many words of other kinds. */
const warningsMax = 100;
/** Characters of one of them. */
const wordsMax = 4_096;

export class HostLink {
  readonly name: string;
  readonly link: NodeLink;
  readonly clock: HostClock;
  readonly #options: HostLinkOptions;
  readonly #connection: HostConnection;
  readonly #hello = Promise.withResolvers<void>();
  #said: Extract<AgentMessage, { kind: "hello" }> | undefined;
  readonly #ends = new Map<number, Awaited>();
  /** H1: node -> where its servers are here. */
  #doors: ReadonlyMap<string, string> = new Map();
  #plan: AgentPlan | undefined;
  #programs = 0;
  #warnings = 0;
  #notes = 0;
  #isGiving = false;
  #isClosing = false;
  #cancel: Cancel = () => undefined;

  private constructor(options: HostLinkOptions, connection: HostConnection) {
    const { input, output } = connection;
    const { name, clock } = options;
    this.name = name;
    this.#options = options;
    this.#connection = connection;
    this.link = new NodeLink({
      ...{ side: "run", input, output, clock },
      onMessage: (message) => this.#hear(message),
      onOpen: (message) => this.#carry(message),
      onEnd: (why) => this.#lost(why, connection.lastWords()),
    });
    this.clock = new HostClock(this.link, clock);
  }

  /** @throws Error with a clause that says why there is no such host. */
  static async connect(
    options: HostLinkOptions,
  ): Promise<HostLink & { readonly facts: HostFacts }> {
    const say = (text: string): void => options.say("info", null, text);
    const host = new HostLink(options, await options.connect({ ...options, say }));
    const { interrupt } = options;
    const giveUp = (): void => host.giveUp();
    interrupt.addEventListener("abort", giveUp);
    try {
      if (interrupt.aborted) giveUp();
      const facts = await host.#greet();
      return Object.assign(host, { facts });
    } catch (error) {
      await host.close();
      throw error;
    } finally {
      interrupt.removeEventListener("abort", giveUp);
    }
  }

  async #greet(): Promise<HostFacts> {
    const { version, clock } = this.#options;
    await within(clock, this.#hello.promise, nodeLinkLimits.helloMs);
    const hello = this.#said;
    if (hello === undefined) throw new Error("its agent does not say what it is");
    if (hello.format !== nodeLinkFormat || hello.version !== version) {
      throw new Error(
        `it has muster ${hello.version}, and this is ${version}; install the same there`,
      );
    }
    await this.clock.compareFirst();
    this.#compareLater();
    return { processors: hello.processors, memoryMib: hello.memoryMib };
  }

  /** From now on its nodes may call the servers of the run. @param doors node -> address here */
  allow(plan: AgentPlan, doors: ReadonlyMap<string, string>): void {
    this.#plan = plan;
    this.#doors = doors;
  }

  newProgram(): number {
    this.#programs += 1;
    return this.#programs;
  }

  /** Resolves when the program has ended, or is lost with its host. */
  endOf(program: number): Promise<ExitStatus> {
    return new Promise((resolve) => {
      if (this.link.ended) resolve(this.#killed());
      else this.#ends.set(program, { resolve, sinceUs: this.nowUs() });
    });
  }

  forgetProgram(program: number): void {
    this.#ends.delete(program);
  }

  warn(text: string): void {
    this.#warnings += 1;
    if (this.#warnings > warningsMax) return;
    const last = this.#warnings === warningsMax ? "; further ones are not shown" : "";
    this.#options.say("warning", null, `${this.name}: ${shownOf(text)}${last}`);
  }

  /** Something that its nodes wrote did not come: the run fails of it. */
  loses(text: string): void {
    this.warn(text);
    this.#options.onOutputLost(`${this.name}: ${shownOf(text)}`);
  }

  /** All files of its nodes, which it may give from now on. @throws LinkError */
  async collect(limitMs: number): Promise<unknown> {
    this.#isGiving = true;
    return await this.link.ask({ kind: "collect" }, limitMs);
  }

  /** Its nodes, once their files are asked for. */
  get own(): ReadonlySet<string> | undefined {
    return this.#isGiving ? new Set(this.#plan?.own) : undefined;
  }

  /** Nobody waits any more for what it was asked: the run was interrupted while it is set up. */
  giveUp(): void {
    this.#isClosing = true;
    this.link.end("the run was interrupted while it was set up");
  }

  /**
   * Ends the agent, which ends all that is left of the run there. One that is lost for its silence
   * has been waited for. Never rejects.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.link.end("the run has ended");
    const leftMs = Math.max(0, endMs - this.link.silentMs);
    await within(this.#options.clock, this.#connection.ended, leftMs);
    this.#connection.kill();
  }

  #compareLater(): void {
    this.#cancel = this.#options.clock.after(nodeLinkLimits.clockMs, () => {
      this.clock.compare().then(
        () => {
          if (!this.link.ended) this.#compareLater();
        },
        () => undefined, // The link has ended, which `onEnd` has said.
      );
    });
  }

  #lost(why: string, lastWords: string): void {
    this.#cancel();
    this.#hello.reject(new Error(why));
    this.#hello.promise.catch(() => undefined);
    for (const { resolve } of this.#ends.values()) resolve(this.#killed());
    this.#ends.clear();
    const last = lastWords.trimEnd().split("\n").at(-1) ?? "";
    if (!this.#isClosing) this.#options.onLost(last === "" ? why : `${why}: ${last}`);
  }

  #killed(): ExitStatus {
    const endedMonotonicUs = this.#options.clock.nowUs();
    return { exitCode: null, signal: "SIGKILL", endedMonotonicUs };
  }

  #hear(message: Exclude<LinkMessage, StreamMessage>): void {
    switch (message.kind) {
      case "hello":
        this.#said ??= message;
        this.#hello.resolve();
        return;
      case "note":
        if (message.level === "warning") this.warn(message.text);
        else this.#note(message.node, message.text);
        return;
      case "ended":
        this.#programEnded(message);
        return;
      case "links-failed":
        this.#options.onLinksFailed(shownOf(message.why));
        return;
      case "nodes-lost":
        this.#options.onNodesLost(shownOf(message.why));
        return;
      case "file":
        this.#options.files.receive(this, message);
        return;
      default:
        this.link.end("the other side speaks as a run does");
    }
  }

  #note(node: string, text: string): void {
    this.#notes += 1;
    if (this.#notes > warningsMax) return;
    const isOwn = this.#plan?.own.includes(node) === true;
    this.#options.say("info", isOwn ? node : null, shownOf(text));
  }

  /** An instant of the host's as we count: not before what it answers, and not to come. */
  toOwnSince(askedUs: number, us: number): number {
    const latestUs = this.#options.clock.nowUs() + this.clock.errorUs;
    return Math.max(askedUs, Math.min(this.clock.toOwn(us), latestUs));
  }

  nowUs(): number {
    return this.#options.clock.nowUs();
  }

  #programEnded(message: Extract<AgentMessage, { kind: "ended" }>): void {
    const { program, exitCode, signal, endedUs, cpuUs, rssKibMax } = message;
    if (exitCode > 255 || exitCode < -1 || !/^(?:SIG[A-Z0-9+]{1,12})?$/.test(signal)) {
      this.link.end("the other side tells an end that no program has");
      return;
    }
    const awaited = this.#ends.get(program);
    this.#ends.delete(program);
    awaited?.resolve({
      exitCode: exitCode < 0 ? null : exitCode,
      signal: signal === "" ? null : signal,
      endedMonotonicUs: this.toOwnSince(awaited.sinceUs, endedUs),
      ...(cpuUs < 0 ? {} : { usage: { cpuUs, rssKibMax } }),
    });
  }

  /** H1. */
  #carry({ stream, carrier, node, port }: Extract<StreamMessage, { kind: "open" }>): void {
    const host = this.#doorFor({ carrier, node, port });
    if (host === undefined) {
      this.link.send({ kind: "close", stream });
      return;
    }
    if (carrier === "udp") {
      carryDatagrams(this.link, stream, createSocket("udp4"), { host, port });
      return;
    }
    carrySocket(this.link, stream, connect({ host, port, allowHalfOpen: true }));
  }

  #doorFor(asked: Omit<Extract<StreamMessage, { kind: "open" }>, "stream" | "kind">) {
    const plan = this.#plan;
    if (plan === undefined) return undefined;
    if (asked.node === "") {
      const isDoor = asked.carrier === "tcp" && asked.port === plan.doorPort && asked.port > 0;
      return isDoor ? "127.0.0.1" : undefined;
    }
    const isOpen = plan.doors.some(
      ({ carrier, port }) => carrier === asked.carrier && port === asked.port,
    );
    return isOpen ? this.#doors.get(asked.node) : undefined;
  }
}

/** What a host says, cut, and without what a terminal would obey. */
function shownOf(text: string): string {
  return text.slice(0, wordsMax).replaceAll(/[^\P{Cc}\n\t]/gu, "?");
}
