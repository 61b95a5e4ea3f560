// SPDX-License-Identifier: MIT
// One request to one reply: parse, admit, run, within a bounded time. Failures of any kind are an
// empty reply and a line in the log. [EMULAB-TMCD 4] [EMULAB-TMCD 14]
//
//   A1. What cannot be answered is silence; nothing that fails here ends the server.
//   A2. No log line holds a key, an argument or a reply.
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { parseRequest, protocolVersion, type TmcdRequest } from "../../wire/tmcd/index.ts";
import type { TmcdTime } from "../tmcd-time.ts";
import { admit } from "./admit.ts";
import type { Route } from "./caller.ts";
import { type Reply, runCommand } from "./commands/index.ts";
import type { TmcdSource } from "./source.ts";

export interface AnswerOptions {
  readonly source: TmcdSource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly time: TmcdTime;
  readonly isInsecure: boolean;
  readonly isDebugging: boolean;
}

const nothing = new Uint8Array(0);

/** @returns the bytes of the reply, none for silence. Never rejects. */
export async function answer(
  text: string,
  route: Route,
  options: AnswerOptions,
): Promise<Uint8Array> {
  const note = (why: string): void => {
    options.logger.log("info", `${route.peerAddress}/${route.transport}: ${why}`);
  };
  const request = parseRequest(text);
  if (request.kind === "refused") {
    const isUnknown = request.code === "unknown-command";
    note(`${isUnknown ? "INVALID REQUEST" : "bad request"}: ${request.message}`);
    return nothing;
  }
  if (request.version > protocolVersion) {
    note(`version skew: it speaks ${request.version}, this server ${protocolVersion}`);
  }
  // Virtual nodes are cut off from the ready bits to spare the database: not one query.
  const { name } = request.command;
  if (request.vnodeId !== undefined && (name === "ready" || name === "readycount")) return nothing;
  const { clock, time } = options;
  return new Promise((resolve) => {
    const cancel = clock.after(time.answerMs, () => {
      note(`${name}: the configuration did not come within ${time.answerMs} ms`);
      resolve(nothing);
    });
    const finish = (reply: Reply): void => {
      cancel();
      resolve(typeof reply === "string" ? Buffer.from(reply) : reply);
    };
    run(request, route, options, note).then(finish, (error: unknown) => {
      note(`${name}: ${errorText(error)}`);
      finish(nothing);
    });
  });
}

async function run(
  request: TmcdRequest,
  route: Route,
  options: AnswerOptions,
  note: (text: string) => void,
): Promise<Reply> {
  const admission = await admit(request, route, options);
  const { name } = request.command;
  if (admission.kind === "dropped") {
    note(`${name}: ${admission.why}`);
    return nothing;
  }
  const { source, clock, time, isDebugging } = options;
  const { node } = admission;
  return runCommand({
    ...{ request, route, node, source, clock, time, isDebugging },
    note: (text) => note(`${name} from ${node.id}: ${text}`),
  });
}
