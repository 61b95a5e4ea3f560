// SPDX-License-Identifier: MIT
// XML-RPC as a remote command of ssh: calls on standard input, responses on standard output, with
// the login as the identification. [EMULAB-EVENTS 2.2 SEED] The first byte tells how messages are
// framed, and responses come back in the same way:
//
//   `<`      one bare document up to the end of the input; the response is a bare document
//   a word   head lines and an empty line before each document. `Content-Length` is needed; a
//            request line (`POST / HTTP/1.1`) may stand first, and then a status line comes back
//
//   P1. Calls are answered one after the other, in their order.
import type { Readable, Writable } from "node:stream";
import { messageBytesMax } from "../../wire/xmlrpc/index.ts";
import { headBytesMax } from "./bounds.ts";

/** Answers the bytes of a call; never rejects. */
export type AnswerBytes = (message: Uint8Array) => Promise<Uint8Array>;

/** The input is no sequence of messages; the message says what is. */
export class StdioError extends Error {
  override readonly name = "StdioError";
}

/** Serves until the end of the input. @throws StdioError, after the calls before it */
export async function serveStdio(
  input: Readable,
  output: Writable,
  answerBytes: AnswerBytes,
): Promise<void> {
  const reader = new MessageReader();
  for await (const chunk of input as AsyncIterable<Buffer>) {
    reader.push(chunk);
    for (let one = reader.next(); one !== undefined; one = reader.next()) {
      await write(output, frame(await answerBytes(one.body), one.framing)); // P1.
    }
  }
  const last = reader.end();
  if (last !== undefined) await write(output, frame(await answerBytes(last), "bare"));
}

type Framing = "bare" | "headers" | "http";

interface Message {
  readonly framing: Framing;
  readonly body: Uint8Array;
}

interface Head {
  readonly framing: "headers" | "http";
  readonly length: number;
}

/** Cuts the input into messages. Dead after it has thrown. */
class MessageReader {
  #held: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #bytes = 0;
  #head: Head | undefined;
  /** The input is one bare document: nothing is looked at before its end. */
  #isBare = false;

  /** @throws StdioError for more than a message may have */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#held.length + this.#bytes > messageBytesMax + headBytesMax) {
      throw new StdioError(`the message is longer than ${messageBytesMax} bytes`);
    }
  }

  /** The next whole message. @throws StdioError */
  next(): Message | undefined {
    // Bytes are put together when a head or a whole body can be there, not for every chunk.
    const wanted = this.#head?.length ?? 0;
    if (this.#isBare || this.#held.length + this.#bytes < wanted) return undefined;
    this.#gather();
    this.#head ??= this.#takeHead();
    const head = this.#head;
    if (head === undefined || this.#held.length < head.length) return undefined;
    const body = this.#held.subarray(0, head.length);
    this.#held = this.#held.subarray(head.length);
    this.#head = undefined;
    return { framing: head.framing, body };
  }

  /** A bare document. @throws StdioError for the beginning of anything else */
  end(): Uint8Array | undefined {
    this.#gather();
    if (this.#isBare) return this.#held;
    if (this.#held.length === 0 && this.#head === undefined) return undefined;
    throw new StdioError("the input ends within a message");
  }

  #gather(): void {
    if (this.#chunks.length > 0) this.#held = Buffer.concat([this.#held, ...this.#chunks]);
    this.#chunks = [];
    this.#bytes = 0;
  }

  #takeHead(): Head | undefined {
    const all = this.#held.toString("latin1", 0, headBytesMax);
    // Some clients end a document with a line end that its length does not count.
    const text = all.trimStart();
    this.#held = this.#held.subarray(all.length - text.length);
    this.#isBare = /^(?:\u00ef\u00bb\u00bf)?</.test(text);
    if (this.#isBare) return undefined;
    const end = /\r?\n\r?\n/.exec(text);
    if (end === null) {
      if (text.length < headBytesMax) return undefined;
      throw new StdioError(`the head of a message is longer than ${headBytesMax} bytes`);
    }
    this.#held = this.#held.subarray(end.index + end[0].length);
    return parseHead(text.slice(0, end.index));
  }
}

/** @throws StdioError */
function parseHead(text: string): Head {
  const isHttp = /^POST \S+ HTTP\/1\.[01]\r?(?:\n|$)/.test(text);
  const [, digits] = /^content-length:[ \t]*(\d{1,10})[ \t]*\r?$/im.exec(text) ?? [];
  if (digits === undefined) {
    throw new StdioError(
      "send one XML document, or documents with a Content-Length line and an empty line before each",
    );
  }
  const length = Number(digits);
  if (length > messageBytesMax) {
    throw new StdioError(`the message is longer than ${messageBytesMax} bytes`);
  }
  return { framing: isHttp ? "http" : "headers", length };
}

function frame(body: Uint8Array, framing: Framing): Uint8Array {
  if (framing === "bare") return body;
  const status = framing === "http" ? "HTTP/1.1 200 OK\r\n" : "";
  const head = `${status}Content-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

function write(output: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
