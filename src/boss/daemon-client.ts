// SPDX-License-Identifier: MIT
// The client's end of the daemon's socket: one connection, one request.
import { connect, type Socket } from "node:net";
import { errorText } from "../core/text.ts";
import type { Clock } from "../host/clock.ts";
import { BossError } from "./boss-error.ts";
import { defaultBossLimits, welcomeMsMax } from "./limits.ts";
import type { Answer, Request } from "./protocol.ts";
import { formatLine, isAnswer, LineReader, protocolFormat } from "./protocol.ts";
import { checkStateDirectory, type StateDirectory } from "./state-directory.ts";

/** A daemon that has said welcome. */
export interface DaemonLink {
  readonly pid: number;
  /**
   * Sends the one request of this link.
   * @param onAnswer gets what comes before the last answer
   * @returns the value of `done`. @throws BossError
   */
  request(request: Request, onAnswer?: (answer: Answer) => void): Promise<unknown>;
  close(): void;
}

/**
 * @returns undefined when no daemon answers there.
 * @throws BossError (STATE_DIRECTORY) when what answers cannot be trusted; (LOST) when it is hung.
 */
export async function connectDaemon(
  state: StateDirectory,
  clock: Clock,
): Promise<DaemonLink | undefined> {
  if (!checkStateDirectory(state)) return undefined;
  const socket = await open(state.socket);
  if (socket === undefined) return undefined;
  const link = new Link(socket, state);
  const hung = `the daemon of ${state.path} does not answer; end it, and start it with: muster serve`;
  const cancel = clock.after(welcomeMsMax, () => link.fail(new BossError("LOST", hung)));
  try {
    await link.hello();
    return link;
  } catch (error) {
    link.close();
    // It ended between accepting and answering: nothing was asked yet.
    if (error instanceof BossError && error.code === "LOST" && error.message !== hung) {
      return undefined;
    }
    throw error;
  } finally {
    cancel();
  }
}

function open(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // Nothing there, a dead daemon's socket, or one that is closing.
      const isAway = ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(error.code ?? "");
      if (isAway) resolve(undefined);
      else
        reject(new BossError("STATE_DIRECTORY", `cannot connect to ${path}: ${errorText(error)}`));
    });
  });
}

class Link implements DaemonLink {
  pid = 0;
  readonly #socket: Socket;
  readonly #path: string;
  readonly #reader = new LineReader(defaultBossLimits.answerQueueBytesMax, "answerQueueBytesMax");
  #onAnswer: (answer: Answer) => void = () => undefined;
  #settle: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined;
  #error: Error | undefined;

  constructor(socket: Socket, state: StateDirectory) {
    this.#socket = socket;
    this.#path = state.path;
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of this.#reader.push(chunk)) this.#onFrame(frame);
      } catch (error) {
        this.fail(error instanceof Error ? error : new Error(errorText(error)));
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.fail(this.#lost()));
  }

  async hello(): Promise<void> {
    const welcome = this.#wait();
    this.#socket.write(formatLine({ kind: "hello", format: protocolFormat }));
    await welcome;
  }

  request(
    request: Request,
    onAnswer: (answer: Answer) => void = () => undefined,
  ): Promise<unknown> {
    this.#onAnswer = onAnswer;
    const value = this.#wait();
    this.#socket.write(formatLine(request));
    return value;
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#settle?.reject(this.#error);
    this.#settle = undefined;
    this.#socket.destroy();
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #wait(): Promise<unknown> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  #onFrame(frame: object): void {
    if (!isAnswer(frame)) return;
    if (frame.kind === "welcome") {
      this.pid = frame.pid;
      this.#finish(undefined);
    } else if (frame.kind === "done") this.#finish(frame.value);
    else if (frame.kind === "failed") this.fail(new BossError(frame.code, frame.message));
    else this.#onAnswer(frame);
  }

  #finish(value: unknown): void {
    this.#settle?.resolve(value);
    this.#settle = undefined;
  }

  #lost(): BossError {
    const message = `the daemon of ${this.#path} went away before it had answered; see its serve.log, and muster status`;
    return new BossError("LOST", message);
  }
}
