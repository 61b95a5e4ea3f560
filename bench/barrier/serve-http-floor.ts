// SPDX-License-Identifier: MIT
// The barest HTTP server at which parties meet by long polls: keeps the answers of all who wait and
// ends them when as many have come as the first request has asked for.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "../syncd/rpc.ts";

const body = '{"outcome":"crossed","generation":1,"error":0}\n';
const headers = { "content-type": "application/json", "content-length": body.length };
let waiting: ServerResponse[] = [];
let expected = 0;

function answer(response: ServerResponse): void {
  response.writeHead(200, headers).end(body);
}

const server = createServer((request, response) => {
  let text = "";
  request.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  request.on("end", () => {
    const { count } = JSON.parse(text) as { readonly count?: number };
    if (count === undefined) waiting.push(response);
    else {
      expected = count;
      answer(response);
    }
    if (waiting.length < expected || expected === 0) return;
    const released = waiting;
    [waiting, expected] = [[], 0];
    for (const one of released) answer(one);
  });
});
server.keepAliveTimeout = 600_000;
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 65_535, resolve));

serve({ port: () => (server.address() as AddressInfo).port });
