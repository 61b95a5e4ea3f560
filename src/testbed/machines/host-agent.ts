// SPDX-License-Identifier: MIT
// The agent of a host: one process for each run that has nodes there, started by the run through a
// remote shell and told what to do over its standard input. It brings up process nodes in a
// directory of the run, by the same back end as a run on one machine.
//
//   G1. When its input ends, for whatever reason, all it has started ends and its directory goes;
//       when it is killed itself, the reaper of its nodes does that.
//   G2. It listens on loopback only.
import { mkdirSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import {
  type FileMessage,
  nodeLinkFormat,
  partsOfPath,
  preamble,
  type RunMessage,
} from "../../wire/node-link/index.ts";
import { ThreadFireClock } from "../agents/firing/thread-fire-clock.ts";
import { type BackendOptions, type NodeBackend, startProcessNodes } from "../nodes/index.ts";
import { doorVariable, portsOf } from "../nodes/node-mode.ts";
import { runDirectoryOf } from "../nodes/run-directory.ts";
import { AgentDoors } from "./agent-doors.ts";
import { sendFiles } from "./agent-files.ts";
import { AgentPaths, answerNetwork } from "./agent-network.ts";
import { AgentOutputs } from "./agent-outputs.ts";
import { type AgentPlan, type BroughtUp, readAgentPlan } from "./agent-plan.ts";
import { AgentPrograms } from "./agent-programs.ts";
import { AgentTraffic } from "./agent-traffic.ts";
import { describeFullDisk } from "./full-disk.ts";
import { planShare } from "./network-share.ts";
import { NodeLink } from "./node-link.ts";
import { openBelow, receiveFile } from "./received-files.ts";

export interface HostAgentOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  /** Command name on the nodes -> executable of this machine. */
  readonly tools: Readonly<Record<string, string>>;
  readonly version: string;
  /** Processors that programs may use. */
  readonly processors: number;
}

export class HostAgent {
  readonly #options: HostAgentOptions;
  readonly #link: NodeLink;
  readonly #fire: ThreadFireClock;
  readonly #outputs: AgentOutputs;
  readonly #doors: AgentDoors;
  readonly #paths = new AgentPaths();
  readonly #traffic: AgentTraffic;
  readonly #ended = Promise.withResolvers<void>();
  #isPlanned = false;
  #out = "";
  #files = "";
  /** Why programs may not be started. */
  #fileLost: string | undefined;
  #backend: NodeBackend | undefined;
  #programs: AgentPrograms | undefined;

  constructor(options: HostAgentOptions) {
    const { input, output, clock } = options;
    this.#options = options;
    this.#fire = new ThreadFireClock(clock);
    this.#traffic = new AgentTraffic(clock);
    output.write(preamble);
    this.#link = new NodeLink({
      ...{ side: "agent", input, output, clock },
      onMessage: (message) => this.#hear(message as RunMessage),
      // Nothing of a host is reached through its agent.
      onOpen: ({ stream }) => this.#link.send({ kind: "close", stream }),
      onEnd: () => this.#ended.resolve(),
    });
    this.#outputs = new AgentOutputs(this.#link, clock);
    this.#doors = new AgentDoors(this.#link);
  }

  /** Resolves when the link has ended and nothing of the run is left. G1 */
  async run(): Promise<void> {
    const { version, processors } = this.#options;
    const memoryMib = Math.trunc(freemem() / 2 ** 20);
    this.#link.send({ kind: "hello", format: nodeLinkFormat, version, processors, memoryMib });
    await this.#ended.promise;
    // Where the network to the run went away, nothing ever ends it.
    this.#options.input.destroy();
    this.#fire.close();
    this.#outputs.close();
    this.#doors.close();
    this.#paths.close();
    await this.#traffic.close();
    await this.#bringing;
    await this.#backend?.stop();
  }

  /** For signals. */
  end(why: string): void {
    this.#link.end(why);
  }

  #bringing: Promise<unknown> = Promise.resolve();

  #hear(message: RunMessage): void {
    const receivedUs = this.#options.clock.nowUs();
    switch (message.kind) {
      case "bring-up":
        this.#bringing = this.#answer(message.id, this.#bringUp(message.plan));
        return;
      case "put":
        this.#reply(message.id, this.#put(message) ?? {});
        return;
      case "prepare":
        void this.#answer(message.id, this.#prepare(message));
        return;
      case "start":
        void this.#answer(message.id, this.#start(message));
        return;
      case "discard":
        this.#programs?.discard(message.program);
        return;
      case "signal":
        this.#programs?.signal(message);
        return;
      case "network":
        void this.#answer(message.id, this.#answerNetwork(message.ask));
        return;
      case "traffic": {
        const { doors } = this.#backend ?? {};
        void this.#answer(message.id, this.#traffic.obey(message.node, message.ask, doors));
        return;
      }
      case "end":
        void this.#answer(message.id, this.#endPrograms());
        return;
      case "collect":
        void this.#answer(message.id, this.#collect());
        return;
      case "file":
        this.#receive(message);
        return;
      case "clock":
        this.#reply(message.id, { receivedUs, answeredUs: this.#options.clock.nowUs() });
        return;
      default:
        this.#link.end("the run speaks as an agent does");
    }
  }

  /** A text is why it was refused. */
  #reply(id: number, value: object | string): void {
    if (typeof value === "string") this.#link.send({ kind: "refusal", id, why: value });
    else this.#link.send({ kind: "answer", id, value });
  }

  async #answer(id: number, value: Promise<object | string>): Promise<void> {
    const settled = await value.catch((error: unknown) => errorText(error));
    this.#reply(id, settled);
  }

  async #prepare(message: Extract<RunMessage, { kind: "prepare" }>): Promise<object | string> {
    if (this.#programs === undefined) return notUp;
    // Programs are not to find a part of what is beside the experiment file.
    return this.#fileLost ?? (await this.#programs.prepare(message)) ?? {};
  }

  async #start(message: Extract<RunMessage, { kind: "start" }>): Promise<object | string> {
    return (await this.#programs?.start(message)) ?? notUp;
  }

  async #endPrograms(): Promise<object> {
    try {
      // Its directory stays until the files have been brought back.
      await this.#backend?.remove([...this.#backend.nodes.keys()], "keep-files");
    } finally {
      await this.#outputs.flushAll();
    }
    return {};
  }

  /** @returns what did not come, one sentence each. */
  async #collect(): Promise<readonly string[]> {
    const left = await sendFiles(this.#link, this.#out);
    const full = describeFullDisk(this.#out);
    return full === undefined ? left : [full, ...left];
  }

  /** @throws NodesError */
  async #bringUp(json: unknown): Promise<BroughtUp | string> {
    const plan = readAgentPlan(json);
    if (plan === undefined || this.#isPlanned) return "it is asked for wrongly";
    this.#isPlanned = true;
    const { clock, tools } = this.#options;
    const directory = runDirectoryOf(plan.runId);
    this.#out = join(directory, "out");
    this.#files = join(directory, "files");
    const environment = await this.#withDoor(plan);
    const options: BackendOptions = {
      ...{ runId: plan.runId, pid: plan.pid, eid: plan.eid, domain: plan.domain, seed: plan.seed },
      ...{ out: this.#out, links: plan.links, environment, tools, clock },
      syncServer: plan.syncServer ?? undefined,
      ...(plan.hasFiles ? { projectFiles: this.#files } : {}),
      nodes: plan.all.filter(({ name }) => plan.own.includes(name)),
      numbering: plan.all,
      ...this.#modeOf(plan),
      onMessage: (level, node, text) => {
        this.#link.send({ kind: "note", level, node: node ?? "", text });
      },
    };
    const backend = await startProcessNodes(options);
    this.#backend = backend;
    void backend.failed?.then((why) => this.#link.send({ kind: "nodes-lost", why }));
    this.#paths.close();
    await this.#openGate(backend, plan, options);
    mkdirSync(this.#files, { recursive: true });
    this.#programs = new AgentPrograms({
      ...{ link: this.#link, clock, fire: this.#fire, outputs: this.#outputs, backend },
      directory: join(directory, "output"),
    });
    const nodes = [...backend.nodes.values()];
    for (const { name, calledAt } of nodes) {
      for (const door of plan.doors) await this.#doors.open(name, calledAt, door);
    }
    return {
      nodes: nodes.map(({ name, addresses, calledAt }) => ({
        ...{ name, addresses, serversAt: backend.doors?.seen(calledAt) ?? calledAt },
      })),
      lost: backend.lost,
      shell: backend.shell,
    };
  }

  #modeOf({ network, seed }: AgentPlan): Partial<BackendOptions> {
    if (network === null)
      return { mode: "environment", notNamespaces: "as --nodes netns is not asked for" };
    const { clock } = this.#options;
    const { descriptor } = this.#paths;
    return { mode: "namespace", network: planShare(network, { clock, seed, descriptor }) };
  }

  #answerNetwork(ask: unknown): Promise<object | string> {
    return answerNetwork(ask, this.#paths, this.#backend?.doors?.shaped);
  }

  /** What is carried to the run beside what nodes of one machine reach. */
  async #openGate(backend: NodeBackend, { doors }: AgentPlan, options: BackendOptions) {
    const open = portsOf(options);
    const isOpen = ({ carrier, port }: (typeof doors)[number]): boolean =>
      open.some((one) => one.kind === carrier && one.port === port);
    const more = doors.filter((door) => !isOpen(door));
    await backend.doors?.open(
      more.map(({ carrier: kind, port }) => ({ kind, port, behind: "called" })),
    );
    void backend.doors?.failed.then((why) => this.#link.send({ kind: "links-failed", why }));
  }

  /** One of those beside the experiment file. */
  #receive(message: FileMessage): void {
    const parts = partsOfPath(message.path);
    const opened =
      parts === undefined || this.#backend === undefined
        ? "it is asked for wrongly"
        : openBelow(this.#files, parts, message.mode);
    receiveFile(this.#link, message, opened, (text) => {
      this.#fileLost ??= `not all of $EXPFILES is on its host: ${text}`;
      this.#link.send({ kind: "note", level: "warning", node: "", text });
    });
  }

  /** What programs are told of the run's door, as they reach it here. */
  async #withDoor({ environment, doorPort }: AgentPlan): Promise<AgentPlan["environment"]> {
    if (doorPort === 0) return environment;
    const port = await this.#doors.openAt("127.0.0.1", doorPort);
    return environment.map(([name, value]) =>
      name === doorVariable ? [name, value.replace(`:${doorPort}`, `:${port}`)] : [name, value],
    );
  }

  /** @returns why it could not be written. */
  #put({
    node: name,
    place,
    name: file,
    text,
    mode,
  }: Extract<RunMessage, { kind: "put" }>): string | undefined {
    const node = this.#backend?.nodes.get(name);
    if (node === undefined) return `there is no node ${name} on this host`;
    if (!/^[\w.-]+$/.test(file) || file.startsWith(".")) return `${file} is no name of a file`;
    const at = place === "boot" ? node.hostPath.boot : join(node.hostPath.root, "etc");
    try {
      mkdirSync(at, { recursive: true });
      writeFileSync(join(at, place === "boot" ? file : "hosts"), text, { mode: mode & 0o777 });
      return undefined;
    } catch (error) {
      return errorText(error);
    }
  }
}

const notUp = "there are no nodes on this host";
