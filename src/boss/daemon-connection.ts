// SPDX-License-Identifier: MIT
// One client of the daemon: hello, one request, its answers. A client that goes away ends what only
// it was waiting for, and nothing else.
import type { Socket } from "node:net";
import { basename, join } from "node:path";
import { errorText } from "../core/text.ts";
import { answer, type XmlRpcService } from "../edges/xmlrpc/index.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { LogState } from "../host/log-state.ts";
import type { Logger } from "../host/logger.ts";
import { isRunOutput } from "../testbed/agents/program-files.ts";
import { outputDirectory } from "../testbed/record/words.ts";
import { auditRequest } from "./audit.ts";
import { BossError } from "./boss-error.ts";
import type { Modified } from "./experiment-views.ts";
import type { Experiments } from "./experiments.ts";
import type { BossLimits } from "./limits.ts";
import { finishMsMax, helloMsMax, requestMsMax } from "./limits.ts";
import type { LinkControl } from "./link-control.ts";
import type { LinktestEnded, Linktests } from "./linktests.ts";
import type { Members } from "./members.ts";
import { followOutput } from "./output-follow.ts";
import { type ParsedDefinition, type ParseRequest, parseDefinition } from "./parse-definition.ts";
import { progressFile } from "./progress-log.ts";
import type {
  Answer,
  LinktestRequest,
  ModifyRequest,
  Request,
  StatusOfAll,
  UpRequest,
} from "./protocol.ts";
import { checkRequest, formatLine, LineReader, protocolFormat } from "./protocol.ts";

export interface DaemonConnectionOptions {
  readonly experiments: Experiments;
  readonly linkControl: LinkControl;
  readonly linktests: Linktests;
  readonly members: Members;
  readonly rpc: XmlRpcService;
  /** As whom the client acts. */
  readonly user: string;
  readonly clock: Clock;
  readonly limits: BossLimits;
  readonly logger: Logger;
  readonly logState: () => LogState | undefined;
  readonly onStopAsked: () => void;
  readonly onGone: () => void;
}

export class DaemonConnection {
  readonly #socket: Socket;
  readonly #options: DaemonConnectionOptions;
  readonly #reader: LineReader;
  /** Gives a client up that says nothing: it has one of the few places. */
  #cancelSilence: Cancel;
  readonly #gone = new AbortController();
  readonly #closed: Promise<void>;
  #stage: "hello" | "request" | "answering" = "hello";

  constructor(socket: Socket, options: DaemonConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new LineReader(options.limits.requestBytesMax, "requestBytesMax");
    this.#cancelSilence = options.clock.after(helloMsMax, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", () => socket.destroy());
    this.#closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#cancelSilence();
        this.#gone.abort();
        options.onGone();
        resolve();
      });
    });
  }

  /** The daemon ends: a client that waits for its answers gets them, within a bound. */
  async finish(): Promise<void> {
    if (this.#stage !== "answering") this.#socket.destroy();
    const cancel = this.#options.clock.after(finishMsMax, () => this.#socket.destroy());
    await this.#closed;
    cancel();
  }

  #onData(chunk: Buffer): void {
    if (this.#stage === "answering") return;
    try {
      for (const frame of this.#reader.push(chunk)) this.#onFrame(frame);
    } catch (error) {
      this.#fail(error);
    }
  }

  #onFrame(frame: object): void {
    if (this.#stage === "hello") {
      const { kind, format } = frame as { kind?: unknown; format?: unknown };
      if (kind !== "hello" || format !== protocolFormat) {
        const message =
          `this daemon speaks format ${protocolFormat}; ` +
          "end it with the muster that started it (muster serve --stop) and start it anew";
        throw new BossError("BAD_REQUEST", message);
      }
      this.#cancelSilence();
      this.#cancelSilence = this.#options.clock.after(requestMsMax, () => this.#socket.destroy());
      this.#stage = "request";
      void this.#send({ kind: "welcome", format: protocolFormat, pid: process.pid });
      return;
    }
    if (this.#stage === "answering") return;
    this.#cancelSilence();
    this.#stage = "answering";
    const request = checkRequest(frame);
    if (typeof request === "string") throw new BossError("BAD_REQUEST", request);
    void this.#answer(request).catch((error: unknown) => this.#fail(error));
  }

  async #answer(request: Request): Promise<void> {
    const { experiments, linkControl, linktests, members, user } = this.#options;
    const { logger, onStopAsked } = this.#options;
    const line = auditRequest(request, user);
    if (line !== undefined) logger.log("info", line);
    switch (request.kind) {
      case "up":
        return this.#done(await this.#up(request));
      case "modify":
        return this.#done(await this.#modify(request));
      case "down":
        return this.#done(await experiments.down(request.id, user));
      case "status": {
        const { id, withLog = false } = request;
        if (id !== null) return this.#done(experiments.details(id, user));
        const all = experiments.status(user);
        const log = this.#options.logState() ?? null;
        return this.#done(withLog ? ({ experiments: all, log } satisfies StatusOfAll) : all);
      }
      case "logs":
        return this.#done(await this.#logs(request));
      case "links":
        return this.#done(await experiments.links(request.id, request.link, user));
      case "set-link": {
        const { kind: _, ...asked } = request;
        return this.#done(await linkControl.set(asked, user, this.#gone.signal));
      }
      case "linktest":
        return this.#done(await this.#linktest(request));
      case "linktest-runner":
        return this.#done(linktests.runnerOf(request.id, user));
      case "members":
        return this.#done(members.list(request.pid, user));
      case "add-member":
      case "set-trust":
      case "remove-member":
        return this.#done(await members.change(request, user));
      case "xmlrpc":
        return this.#done(await this.#xmlrpc(request.call));
      case "stop":
        this.#done(null);
        onStopAsked();
        return;
    }
  }

  /** @returns whether it became active. */
  async #up(request: UpRequest): Promise<{ readonly state: "active" | "swapped" }> {
    const { experiments, user } = this.#options;
    const { kind: _, text: source, insisted, ...rest } = request;
    const parsed = await this.#parse({ ...rest, insisted, text: source });
    const { pid, eid } = parsed.experiment ?? rest;
    const started = experiments.up({ ...rest, pid, eid, source, parsed }, user);
    const { experiment, run, directory, seed, warnings, active, ended } = started;
    if (warnings.length > 0) await this.#send({ kind: "diagnostics", lines: warnings });
    await this.#send({ kind: "accepted", experiment, run, directory, seed });
    if (await active) return { state: "active" };
    const { error, endedBy } = await ended;
    if (error === null && endedBy === "terminate") {
      throw new BossError("WRONG_STATE", `${experiment} was stopped before it was active`);
    }
    const why = error?.message ?? `it ended by ${endedBy}`;
    throw new BossError("WRONG_STATE", `${experiment} did not become active: ${why}`);
  }

  async #modify({ id, file, text, presets: given }: ModifyRequest): Promise<Modified> {
    const { experiments, user } = this.#options;
    const { presets: before, ...names } = experiments.reading(id, user);
    const presets = [...new Map([...before, ...given])];
    const insisted = ["pid", "eid"] as const;
    const parsed = await this.#parse({ ...names, insisted, file, text, presets });
    const modified = await experiments.modify({ id, file, source: text, presets, parsed }, user);
    const { warnings } = modified;
    if (warnings.length > 0) await this.#send({ kind: "diagnostics", lines: warnings });
    return modified;
  }

  /** Tells what there is to say about the file. */
  async #parse(request: ParseRequest): Promise<ParsedDefinition> {
    const parsed = await parseDefinition(request, this.#gone.signal);
    const output = parsed.output === "" ? [] : [parsed.output.trimEnd()];
    const lines = [...parsed.diagnostics, ...output];
    if (lines.length > 0) await this.#send({ kind: "diagnostics", lines });
    return parsed;
  }

  async #logs({ id, node, follow }: Extract<Request, { kind: "logs" }>): Promise<null> {
    const { experiments, user, clock } = this.#options;
    const { directory, cutOff, isOver } = experiments.output(id, user);
    // A node's name goes into a path.
    const isName = node === null || (basename(node) === node && node !== "." && node !== "..");
    if (!isName) throw new BossError("NO_OUTPUT", "a node has no such name; see muster status ID");
    const found = await followOutput({
      directory: node === null ? directory : join(directory, outputDirectory(node)),
      isWanted: (file) => (node === null ? file === progressFile : isRunOutput(file)),
      ...{ follow, isOver, clock, signal: this.#gone.signal },
      send: (source, text) => this.#send({ kind: "output", source, text }),
    });
    if (node === null && cutOff !== undefined) {
      await this.#send({ kind: "output", source: progressFile, text: `cut off: ${cutOff}\n` });
    }
    if (found > 0 || node === null) return null;
    const message = `no program of ${node} has printed anything, or there is no such node; the files are in ${directory}`;
    throw new BossError("NO_OUTPUT", message);
  }

  /** A client that goes away ends it. */
  #linktest({ kind: _, ...asked }: LinktestRequest): Promise<LinktestEnded> {
    const { linktests, user } = this.#options;
    const onOutput = (source: string, text: string): void => {
      void this.#send({ kind: "output", source, text });
    };
    return linktests.run({ ...asked, signal: this.#gone.signal, onOutput }, user);
  }

  async #xmlrpc(call: string): Promise<string> {
    const { rpc: service, logger, user } = this.#options;
    const { signal } = this.#gone;
    const response = await answer(Buffer.from(call), { service, logger, user, signal });
    return Buffer.from(response).toString("utf8");
  }

  #done(value: unknown): void {
    void this.#send({ kind: "done", value });
    this.#socket.end();
  }

  #fail(error: unknown): void {
    const known = error instanceof BossError;
    if (!known) this.#options.logger.log("error", `a fault of Muster: ${errorText(error)}`);
    const code = known ? error.code : "INTERNAL";
    const message = known
      ? error.message
      : `a fault of Muster, please report it: ${errorText(error)}`;
    this.#stage = "answering";
    void this.#send({ kind: "failed", code, message });
    this.#socket.end();
  }

  /** Resolves when there is room for more, or nobody reads any more. */
  #send(answer: Answer): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded || !socket.writable) return Promise.resolve();
    if (socket.write(formatLine(answer))) return Promise.resolve();
    if (socket.writableLength > this.#options.limits.answerQueueBytesMax) {
      socket.destroy();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const go = (): void => {
        socket.off("drain", go);
        socket.off("close", go);
        resolve();
      };
      socket.on("drain", go);
      socket.on("close", go);
    });
  }
}
