// SPDX-License-Identifier: MIT
// A way to a broker of NATS whose connections a test cuts, or that swallows what a stream says
// again.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A way to a broker whose connections can be cut. */
export class Cutter {
  readonly #server = createServer((inner) => this.#join(inner));
  readonly #sockets = new Set<Socket>();
  #port = 0;
  address = "";
  isOpen = true;
  /** Frames of the broker that do not get through, by their first line and all of them. */
  swallows: (line: string, frame: Buffer) => boolean = () => false;

  async start(port: number): Promise<this> {
    this.#port = port;
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const bound = this.#server.address();
    if (bound !== null && typeof bound === "object") this.address = `127.0.0.1:${bound.port}`;
    return this;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(inner: Socket): void {
    if (!this.isOpen) {
      inner.destroy();
      return;
    }
    const outer = connect(this.#port, "127.0.0.1");
    inner.setNoDelay();
    outer.setNoDelay();
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    inner.pipe(outer);
    const frames = new Frames();
    outer.on("data", (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        const line = frame.toString("latin1", 0, Math.max(0, frame.indexOf("\r\n")));
        if (!this.swallows(line, frame)) inner.write(frame);
      }
    });
  }
}

/** What a broker says, a frame each. */
class Frames {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): readonly Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    for (;;) {
      const end = this.#rest.indexOf("\r\n");
      const line = this.#rest.toString("latin1", 0, Math.max(0, end));
      const bytes = /^H?MSG .* (\d+)$/.exec(line)?.[1];
      const length = end + 2 + (bytes === undefined ? 0 : Number(bytes) + 2);
      if (end < 0 || this.#rest.length < length) return frames;
      frames.push(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
    }
  }
}
