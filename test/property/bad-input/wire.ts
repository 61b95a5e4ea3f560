// SPDX-License-Identifier: MIT
// Bytes for doors that speak WebSocket or HTTP, made by hand, and a client that only moves bytes.
import type { Duplex } from "node:stream";

const crlf = "\r\n";

export function httpRequest(head: string, body = "", more = ""): Buffer {
  const length = body === "" && more.includes("Content-Length") ? "" : body.length;
  const declared = length === "" ? "" : `Content-Length: ${length}${crlf}`;
  const headers = `Host: 127.0.0.1${crlf}Connection: close${crlf}${declared}${more}`;
  return Buffer.from(`${head} HTTP/1.1${crlf}${headers}${crlf}${body}`);
}

/** @param protocol that is offered, if any. @param more lines of the head */
export function handshake(path: string, protocol?: string, more = ""): Buffer {
  const offered = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}${crlf}`;
  return Buffer.from(
    `GET ${path} HTTP/1.1${crlf}Host: 127.0.0.1${crlf}Upgrade: websocket${crlf}` +
      `Connection: Upgrade${crlf}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==${crlf}` +
      `Sec-WebSocket-Version: 13${crlf}${offered}${more}${crlf}`,
  );
}

/** A frame with a mask of zeros, so that its payload is as it reads. */
export function frame(payload: string | Buffer, first = 0x81, saidLength?: number): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(saidLength ?? bytes.length), 2);
  return Buffer.concat([head, Buffer.alloc(4), bytes]);
}

/** The code of the close frame in what a server has sent; 0 when there is none. */
export function closeCodeIn(heard: Buffer): number {
  for (let at = heard.indexOf("\r\n\r\n") + 4; at + 3 < heard.length; ) {
    const short = (heard[at + 1] ?? 0) & 0x7f;
    const [skip, length] = short === 126 ? [4, heard.readUInt16BE(at + 2)] : [2, short];
    if (heard[at] === 0x88) return heard.readUInt16BE(at + 2);
    at += skip + length;
  }
  return 0;
}

/** Keeps what it hears. */
export class Bytes {
  readonly stream: Duplex;
  readonly closed: Promise<void>;
  heard: Buffer = Buffer.alloc(0);
  #onHeard: () => void = () => undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on("data", (chunk: Buffer) => {
      this.heard = Buffer.concat([this.heard, chunk]);
      this.#onHeard();
    });
    stream.on("error", () => undefined);
    this.closed = new Promise((resolve) => stream.once("close", () => resolve()));
  }

  get text(): string {
    return this.heard.toString("latin1");
  }

  write(bytes: Buffer): void {
    if (this.stream.writable) this.stream.write(bytes);
  }

  /**
   * Resolves when the text was heard, or the connection is closed. @returns whether it was heard
   */
  hears(text: string): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.text.includes(text)) resolve(true);
      };
      this.#onHeard = look;
      void this.closed.then(() => resolve(this.text.includes(text)));
      look();
    });
  }

  /** Answers the close of a WebSocket as clients do; resolves when the connection is closed. */
  endsAfterClose(): Promise<void> {
    this.#onHeard = () => {
      if (closeCodeIn(this.heard) !== 0) this.stream.end(frame("", 0x88));
    };
    this.#onHeard();
    return this.closed;
  }

  /** Ends our side; resolves when the other side has closed as well. */
  end(): Promise<void> {
    this.stream.end();
    return this.closed;
  }
}
