// SPDX-License-Identifier: MIT
// A node of another machine, as a run sees it: programs are started by the agent there, what they
// print comes into the same files as on one machine, and servers of the run are called by way of
// the stand-in that the node has here.
//
//   R1. What a program has printed is in its files before its end is told.
//   R2. When the host is lost, every program there has ended by SIGKILL as far as the run knows.
import { closeSync, mkdirSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { TrafficReply } from "../agents/trafgen/traffic-messages.ts";
import type {
  ExitStatus,
  NodeElsewhere,
  NodeProcess,
  PreparedProcess,
  RemoteStart,
  RunningNode,
  SpawnSpec,
  StartError,
} from "../nodes/index.ts";
import { openRegularFile } from "../nodes/regular-file.ts";
import { outputError } from "../record/output-error.ts";
import type { NodeAddress } from "../run-event.ts";
import { type HostedNode, readStarted } from "./agent-plan.ts";
import { readTrafficReply, type TrafficAsk } from "./agent-traffic.ts";
import type { HostLink } from "./host-link.ts";
import { LinkError } from "./node-link.ts";

export class RemoteNode implements RunningNode {
  readonly name: string;
  readonly addresses: readonly NodeAddress[];
  readonly calledAt: string;
  readonly hostPath: RunningNode["hostPath"];
  readonly elsewhere: NodeElsewhere;
  readonly #host: HostLink;

  /** @param standIn has the files of the node here, and the address that servers know it by */
  constructor(host: HostLink, hosted: HostedNode, standIn: RunningNode) {
    this.name = standIn.name;
    this.addresses = hosted.addresses;
    this.calledAt = standIn.calledAt;
    this.hostPath = standIn.hostPath;
    this.#host = host;
    this.elsewhere = {
      host: host.name,
      serversAt: hosted.serversAt,
      toOwn: (us) => host.clock.toOwn(us),
      put: async (file) => {
        await host.link.ask({ kind: "put", node: this.name, ...file });
      },
      traffic: (role, flow, order) => askTraffic(host, this.name, { role, flow, order }),
    };
  }

  async spawn(spec: SpawnSpec): Promise<NodeProcess | StartError> {
    const prepared = await this.prepare(spec);
    return "startError" in prepared ? prepared : prepared.start();
  }

  async prepare(spec: SpawnSpec): Promise<PreparedProcess | StartError> {
    const { stdout, stderr, ...rest } = spec;
    const out = openStream(this.#host, spec, stdout);
    if (typeof out !== "number") return out;
    const error = stderr === stdout ? out : openStream(this.#host, spec, stderr);
    if (typeof error !== "number") {
      this.#host.link.closeStream(out);
      return error;
    }
    const program = this.#host.newProgram();
    try {
      const asked = { program, node: this.name, spec: rest, stdout: out, stderr: error } as const;
      await this.#host.link.ask({ kind: "prepare", ...asked });
    } catch (refusal) {
      for (const stream of new Set([out, error])) this.#host.link.closeStream(stream);
      return asStartError(spec, this.#host, refusal);
    }
    return new RemoteLoaded(spec, this.#host, program);
  }
}

/**
 * What comes on the stream goes into the file, whatever name it has by then.
 * @returns the stream
 */
function openStream(host: HostLink, { name }: SpawnSpec, path: string): number | StartError {
  const failed = (why: string): StartError => ({
    startError: `the output of ${name} cannot be written: ${why}`,
  });
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    return failed(String(error));
  }
  const descriptor = openRegularFile(path, "append");
  if (typeof descriptor === "string") return failed(descriptor);
  const stream = host.link.newStream();
  const isOpen = host.link.openStream(stream, {
    data: (bytes) => {
      try {
        writeSync(descriptor, bytes);
      } catch (error) {
        host.loses(`output of ${name} is lost: ${outputError(path, error).message}`);
      }
    },
    close: () => closeSync(descriptor),
  });
  if (isOpen) return stream;
  closeSync(descriptor);
  return failed(`${host.name} has too many streams open (streamsMax), or is lost`);
}

/** By the clock of the host there, and by ours here. Always answers. */
async function askTraffic(host: HostLink, node: string, ask: TrafficAsk): Promise<TrafficReply> {
  const { role, flow, order } = ask;
  const askedUs = host.nowUs();
  const told = order.kind === "start" ? { ...order, atUs: host.clock.toHost(order.atUs) } : order;
  const lost = (why: string): TrafficReply => ({ id: 0, atUs: host.nowUs(), error: why });
  try {
    const answer = await host.link.ask({
      ...{ kind: "traffic", node, ask: { role, flow, order: told } },
    });
    const reply = readTrafficReply(answer);
    if (reply === undefined) return lost(`${host.name} does not say what became of ${flow}`);
    return { ...reply, atUs: host.toOwnSince(askedUs, reply.atUs) };
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return lost(`${flow} on ${host.name}: ${error.message}`);
  }
}

/** The sentence of the host, which names the program where it speaks of it. */
function asStartError({ name }: SpawnSpec, host: HostLink, error: unknown): StartError {
  if (!(error instanceof LinkError)) throw error;
  const names = error.message.includes(name);
  return {
    startError: names ? error.message : `${name} cannot be started: ${host.name}: ${error.message}`,
  };
}

class RemoteLoaded implements PreparedProcess {
  readonly trigger = undefined;
  readonly remote: RemoteStart;
  readonly #spec: SpawnSpec;
  readonly #host: HostLink;
  readonly #program: number;
  #isOver = false;

  constructor(spec: SpawnSpec, host: HostLink, program: number) {
    this.#spec = spec;
    this.#host = host;
    this.#program = program;
    this.remote = {
      aheadUs: host.clock.aheadUs,
      startAt: (dueUs) => this.#start(host.clock.toHost(dueUs)),
    };
  }

  start(): Promise<NodeProcess | StartError> {
    return this.#start(0);
  }

  async released(): Promise<NodeProcess | StartError> {
    return await this.start();
  }

  discard(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.link.send({ kind: "discard", program: this.#program });
  }

  async #start(dueUs: number): Promise<NodeProcess | StartError> {
    if (this.#isOver) return { startError: `${this.#spec.name} was started or given up before` };
    this.#isOver = true;
    // Before it is asked for: a short program has ended when its start is told.
    const ended = this.#host.endOf(this.#program);
    const askedUs = this.#host.nowUs();
    try {
      const answer = await this.#host.link.ask({ kind: "start", program: this.#program, dueUs });
      const started = readStarted(answer);
      if (started === undefined) throw new LinkError("it does not say what was started");
      const startedUs = this.#host.toOwnSince(askedUs, started.startedUs);
      const own = { pid: started.pid, startedUs };
      return new RemoteProcess(this.#host, this.#program, own, ended);
    } catch (refusal) {
      this.#host.forgetProgram(this.#program);
      return asStartError(this.#spec, this.#host, refusal);
    }
  }
}

class RemoteProcess implements NodeProcess {
  readonly pid: number;
  readonly startedMonotonicUs: number;
  readonly done: Promise<ExitStatus>;
  readonly #host: HostLink;
  readonly #program: number;
  #hasEnded = false;

  constructor(
    host: HostLink,
    program: number,
    started: { readonly pid: number; readonly startedUs: number },
    ended: Promise<ExitStatus>,
  ) {
    this.pid = started.pid;
    this.startedMonotonicUs = started.startedUs;
    this.#host = host;
    this.#program = program;
    this.done = ended.then((status) => {
      this.#hasEnded = true;
      // Estimates of a clock differ; an end is not before its start.
      const endedMonotonicUs = Math.max(status.endedMonotonicUs, this.startedMonotonicUs);
      return { ...status, endedMonotonicUs };
    });
  }

  signal(name: string, whole: "group" | "process"): void {
    if (this.#hasEnded) return;
    this.#host.link.send({ kind: "signal", program: this.#program, name, whole });
  }
}
