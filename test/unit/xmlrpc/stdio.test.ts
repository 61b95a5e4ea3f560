// SPDX-License-Identifier: MIT
// Goal: how calls and responses are framed on the pipes of a remote command, in each of the three
// ways, and what is no message. Method: streams in memory, with every cut of the input.
import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { headBytesMax } from "../../../src/edges/xmlrpc/bounds.ts";
import { StdioError, serveStdio } from "../../../src/edges/xmlrpc/stdio.ts";
import { messageBytesMax } from "../../../src/wire/xmlrpc/index.ts";

/** What comes out, and what was called, for input in these pieces. */
async function serve(...pieces: readonly (string | Buffer)[]) {
  const calls: string[] = [];
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on("data", (chunk: Buffer) => void chunks.push(chunk));
  const served = serveStdio(
    Readable.from(pieces.map((one) => Buffer.from(one))),
    output,
    (call) => {
      calls.push(Buffer.from(call).toString());
      return Promise.resolve(Buffer.from(`<${calls.length}/>`));
    },
  );
  const error = await served.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (error !== undefined) expect(error).toBeInstanceOf(StdioError);
  const message = error instanceof Error ? error.message : undefined;
  return { calls, text: Buffer.concat(chunks).toString(), message };
}

const head = (n: number): string => `Content-Type: text/xml\r\nContent-Length: 4\r\n\r\n<${n}/>`;

describe("messages on standard input", () => {
  it("with head lines are answered with head lines, in their order", async () => {
    const input = "Content-length: 4\r\n\r\n<a/>\r\nHost: x\nContent-Length:  4 \n\n<b/>";
    for (let cut = 0; cut <= input.length; cut += 1) {
      const { calls, text, message } = await serve(input.slice(0, cut), input.slice(cut));
      expect([calls, text, message]).toEqual([["<a/>", "<b/>"], head(1) + head(2), undefined]);
    }
  });

  it("with a request line are answered with a status line", async () => {
    const request = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n<a/>";
    const { calls, text } = await serve(request, request);
    expect(calls).toEqual(["<a/>", "<a/>"]);
    expect(text).toBe(`HTTP/1.1 200 OK\r\n${head(1)}HTTP/1.1 200 OK\r\n${head(2)}`);
  });

  it("that are one bare document are answered with one, at the end of the input", async () => {
    const input = "\n <?xml version='1.0'?>\n\n<a/>\n";
    for (let cut = 0; cut <= input.length; cut += 1) {
      const { calls, text } = await serve(input.slice(0, cut), input.slice(cut));
      expect([calls, text]).toEqual([[input.trimStart()], "<1/>"]);
    }
    expect((await serve("\ufeff<a/>")).calls).toEqual(["\ufeff<a/>"]);
  });

  it("may be none", async () => {
    expect(await serve()).toEqual({ calls: [], text: "", message: undefined });
    expect(await serve("\n")).toEqual({ calls: [], text: "", message: undefined });
  });

  it.each([
    ["hello\r\n\r\n", "send one XML document"],
    ["Content-Length: -1\r\n\r\n", "send one XML document"],
    ["Content-Length: 4\r\n\r\n<a", "the input ends within a message"],
    ["Content-Length: 4\r\n", "the input ends within a message"],
    [`Content-Length: ${messageBytesMax + 1}\r\n\r\n`, "the message is longer than"],
  ])("are not %j", async (input, complaint) => {
    const { calls, message } = await serve(input);
    expect(calls).toEqual([]);
    expect(message).toContain(complaint);
  });

  it("have a head of a limited size, and no more bytes than a message may have", async () => {
    const filled = (bytes: number): string => {
      const rest = "\r\nContent-Length: 4\r\n\r\n";
      return `X: ${"a".repeat(bytes - 3 - rest.length)}${rest}`;
    };
    expect((await serve(`${filled(headBytesMax)}<a/>`)).calls).toEqual(["<a/>"]);
    expect((await serve(`${filled(headBytesMax + 1)}<a/>`)).message).toContain("longer than");
    const piece = Buffer.alloc(1024 * 1024, "<");
    const pieces = Array.from({ length: messageBytesMax / piece.length + 1 }, () => piece);
    expect((await serve(...pieces)).message).toContain("longer than");
  });
});
