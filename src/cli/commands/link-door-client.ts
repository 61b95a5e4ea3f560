// SPDX-License-Identifier: MIT
// Asks the links of a run that is under way by the socket in its directory (testbed/link-door.ts).
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { LinkAnswer, LinkRequest } from "../../testbed/link-door.ts";

export interface LinkConversation {
  /** undefined: it has ended, or there is nobody. */
  next(): Promise<LinkAnswer | undefined>;
  /** Ends a capture; its answer is yet to come. */
  stop(): void;
  close(): void;
}

export function askLinkDoor(path: string, request: LinkRequest): LinkConversation {
  const socket: Socket = createConnection(path);
  socket.on("error", () => undefined); // Its end says it.
  socket.write(`${JSON.stringify(request)}\n`);
  const answers: AsyncIterator<string> = createInterface({ input: socket })[Symbol.asyncIterator]();
  return {
    async next() {
      // What goes wrong with the socket comes this way, too: of nodes that are here for a run on
      // another machine there is no door.
      const line = await answers.next().catch(() => undefined);
      if (line === undefined || line.done === true) return undefined;
      return JSON.parse(line.value) as LinkAnswer;
    },
    stop: () => void socket.write("stop\n"),
    close: () => void socket.destroy(),
  };
}
