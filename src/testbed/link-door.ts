// SPDX-License-Identifier: MIT
// What commands of this user ask of the links of a run that is under way, whoever runs it: a socket
// in the run's directory, which only its owner may enter. One request a connection, a line of JSON
// each way; a capture goes on until its asker says `stop`, or goes.
import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { errorText } from "../core/text.ts";
import type { LinksReport } from "../network/link-report.ts";
import type { LinkTrace, TraceCounts } from "../network/link-tracer.ts";

export type LinkRequest =
  | { readonly kind: "links"; readonly link: string | null }
  | {
      readonly kind: "capture";
      readonly link: string;
      readonly node: string;
      /** Absolute. */
      readonly path: string;
      /** 0: no bound but that of the file. */
      readonly count: number;
    };

export type LinkAnswer =
  | { readonly kind: "links"; readonly report: LinksReport }
  /** Packets are taken from here on. */
  | { readonly kind: "capturing" }
  | { readonly kind: "captured"; readonly counts: TraceCounts }
  /** Nobody shapes these links, who would see their packets. */
  | { readonly kind: "no-tracer" }
  | { readonly kind: "refused"; readonly why: string };

/** A UNIX socket's name has so many bytes on Linux, with a 0 at its end. */
const pathBytesMax = 107;
const requestCharactersMax = 16_384;

export interface LinkDoorOptions {
  readonly path: string;
  readonly links: (link: string | null) => Promise<LinksReport>;
  /** @returns undefined when nobody sees the packets. @throws Error with a sentence */
  readonly capture: (
    request: Extract<LinkRequest, { kind: "capture" }>,
  ) => Promise<LinkTrace> | undefined;
}

export class LinkDoor {
  readonly #options: LinkDoorOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  private constructor(options: LinkDoorOptions) {
    this.#options = options;
  }

  /** @returns the door, or why there is none: a run goes on without it. */
  static async open(options: LinkDoorOptions): Promise<LinkDoor | string> {
    if (Buffer.byteLength(options.path) > pathBytesMax) {
      return (
        `muster link show and capture do not reach this run: ${options.path} has more than ` +
        `${pathBytesMax} bytes; set TMPDIR to a shorter one`
      );
    }
    const door = new LinkDoor(options);
    return (await door.#listen()) ?? door;
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen(): Promise<string | undefined> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    return new Promise((resolve) => {
      server.once("error", ({ message }) => {
        resolve(`muster link show and capture do not reach this run: ${message}`);
      });
      server.listen(this.#options.path, () => {
        chmodSync(this.#options.path, 0o600);
        server.on("error", () => undefined); // No descriptors: the next asker may be taken.
        resolve(undefined);
      });
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
    let characters = 0;
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      characters += chunk.length;
      if (characters > requestCharactersMax) socket.destroy();
    });
    const lines = createInterface({ input: socket });
    lines.once("line", (line) => void this.#obey(socket, line));
    // It says errors of the socket once more: nobody waits for an answer any more.
    lines.on("error", () => undefined);
  }

  /** Never rejects. */
  async #obey(socket: Socket, line: string): Promise<void> {
    const say = (answer: LinkAnswer): void => void socket.write(`${JSON.stringify(answer)}\n`);
    try {
      const request = JSON.parse(line) as LinkRequest;
      if (request.kind === "links") {
        say({ kind: "links", report: await this.#options.links(request.link) });
      } else await this.#capture(socket, request, say);
    } catch (error) {
      say({ kind: "refused", why: errorText(error) });
    }
    socket.end();
  }

  async #capture(
    socket: Socket,
    request: Extract<LinkRequest, { kind: "capture" }>,
    say: (answer: LinkAnswer) => void,
  ): Promise<void> {
    const trace = await this.#options.capture(request);
    if (trace === undefined) {
      say({ kind: "no-tracer" });
      return;
    }
    const end = (): void => void trace.end().catch(() => undefined);
    // Who asked may have gone while it was begun.
    if (socket.destroyed) end();
    socket.once("close", end);
    socket.on("data", end);
    say({ kind: "capturing" });
    say({ kind: "captured", counts: await trace.ended });
  }
}
