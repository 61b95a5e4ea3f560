// SPDX-License-Identifier: MIT
// Asks the links of a run that is under way by the socket in its directory (testbed/link-door.ts).
// A run that is stopped (SIGSTOP) takes the question and says nothing: nobody waits for it for
// ever.
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { systemClock } from "../../host/clock.ts";
import type { LinkAnswer, LinkRequest } from "../../testbed/link-door.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface LinkConversation {
  /** undefined: it has ended, or there is nobody. @throws CommandError where nothing is said */
  next(): Promise<LinkAnswer | undefined>;
  /** Ends a capture; its answer is yet to come. */
  stop(): void;
  close(): void;
}

/** For the first answer, and for the last behind a stop, milliseconds. */
const patienceMsMax = 10_000;

export function askLinkDoor(
  path: string,
  request: LinkRequest,
  patienceMs: number = patienceMsMax,
): LinkConversation {
  const socket: Socket = createConnection(path);
  socket.on("error", () => undefined); // Its end says it.
  socket.write(`${JSON.stringify(request)}\n`);
  const lines = createInterface({ input: socket });
  const answers: AsyncIterator<string> = lines[Symbol.asyncIterator]();
  let isSilent = false;
  const expect = (): (() => void) =>
    systemClock.after(patienceMs, () => {
      isSilent = true;
      lines.close();
      socket.destroy();
    });
  let cancel = expect();
  return {
    async next() {
      // What goes wrong with the socket comes this way, too: of nodes that are here for a run on
      // another machine there is no door.
      const line = await answers.next().catch(() => undefined);
      cancel();
      if (isSilent) throw silence(patienceMs);
      if (line === undefined || line.done === true) return undefined;
      return JSON.parse(line.value) as LinkAnswer;
    },
    stop: () => {
      cancel();
      cancel = expect();
      socket.write("stop\n");
    },
    close: () => {
      cancel();
      socket.destroy();
    },
  };
}

function silence(ms: number): CommandError {
  const who = "it, or what shapes its links, may be stopped (SIGSTOP)";
  return new CommandError(
    exitCodes.unavailable,
    `the run has said nothing for ${ms / 1000} s: ${who}`,
  );
}
