// SPDX-License-Identifier: MIT
// A connection to etcd by its own gRPC, over HTTP/2 as Node has it.
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as dial,
  type IncomingHttpHeaders,
} from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fields, Frames, frame, parse } from "./protobuf.ts";

/** Statuses of gRPC: too many requests, timed out. All that is asked here may be asked again. */
const askAgainAt: ReadonlySet<unknown> = new Set(["8", "14"]);
const refused = Symbol("refused for now");
const askAgainMs = 20;

export class EtcdConnection {
  readonly #session: ClientHttp2Session;

  /** Of a session that is connected. */
  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  /**
   * A server that has more to do than it takes says so, and its clients ask again.
   * @throws Error for any other refusal
   */
  async call(path: string, message: Buffer): Promise<Fields> {
    for (;;) {
      const answer = await this.#callOnce(path, message);
      if (answer !== refused) return answer;
      await sleep(askAgainMs);
    }
  }

  #callOnce(path: string, message: Buffer): Promise<Fields | typeof refused> {
    return new Promise((resolve, reject) => {
      const stream = this.request(path);
      const frames = new Frames((answer) => resolve(parse(answer)));
      stream.on("data", (chunk: Buffer) => frames.push(chunk));
      // A refusal has a status and no message: in its head, or behind it.
      const judge = ({
        "grpc-status": status,
        "grpc-message": text,
      }: IncomingHttpHeaders): void => {
        if (status === undefined || status === "0") return;
        if (askAgainAt.has(status)) resolve(refused);
        else reject(new Error(`etcd refuses ${path}: ${text} (status ${status})`));
      };
      stream.on("response", judge);
      stream.on("trailers", judge);
      stream.on("error", reject);
      stream.end(frame(message));
    });
  }

  close(): void {
    this.#session.destroy();
  }

  /** A stream of its own for calls in both directions. */
  request(path: string): ClientHttp2Stream {
    const headers = { "content-type": "application/grpc", te: "trailers" };
    return this.#session.request({ ":method": "POST", ":path": path, ...headers });
  }
}

/** @throws Error when nobody listens */
export async function dialEtcd(port: number): Promise<ClientHttp2Session> {
  const session = dial(`http://127.0.0.1:${port}`);
  await once(session, "connect");
  session.on("error", () => undefined);
  return session;
}
