// SPDX-License-Identifier: MIT
// One request to the HTTP door of one server, as a careful client makes it: over a connection of
// its own, so that a server that is gone is noticed by the kernel, and with a patience of its own,
// because one that is stopped or cut off says nothing.
import { request } from "node:http";

/** A server that takes no connection in this time is away. */
const connectMs = 1_500;
/** A wait that was not answered for so long is asked for again elsewhere. */
const patienceMs = 4_000;

export interface Reply {
  /** Undefined: nothing has come. */
  readonly status: number | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** Whether a server may have had the request. */
  readonly isReached: boolean;
}

/** Ends in every case. */
export function askDoor(
  url: string,
  { method, path, body }: { method: "GET" | "POST"; path: string; body?: object },
): Promise<Reply> {
  return new Promise((resolve) => {
    let isReached = false;
    const asking = request(`${url}${path}`, { method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.on("error", () => end(undefined));
      response.on("close", () => {
        if (!response.complete) end(undefined);
        else end(response.statusCode, Buffer.concat(chunks).toString());
      });
    });
    let timer = setTimeout(() => end(undefined), connectMs);
    const end = (status: number | undefined, text = "{}"): void => {
      clearTimeout(timer);
      asking.destroy();
      resolve({ status, body: JSON.parse(text) as Reply["body"], isReached });
    };
    asking.on("socket", (socket) => {
      socket.on("connect", () => {
        isReached = true;
        clearTimeout(timer);
        timer = setTimeout(() => end(undefined), patienceMs);
      });
    });
    asking.on("error", () => end(undefined));
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
