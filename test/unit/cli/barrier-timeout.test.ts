// SPDX-License-Identifier: MIT
// Goal: who waits for half a second does not wait ten for a server that is not there. Method: the
// commands against a port that nobody listens at; what they say names how long they have looked.
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { barrierInitCommand, barrierWaitCommand } from "../../../src/cli/commands/barrier.ts";
import { topicSubscribeCommand } from "../../../src/cli/commands/topic.ts";

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const io = { stdout: () => undefined, stderr: () => undefined };

it.each([
  [0.6, "0.6 s"],
  [0, "0.5 s"],
])("--timeout %s looks for a server for %s", async (timeout, looked) => {
  const server = `http://127.0.0.1:${await freePort()}`;
  const common = { ...{ server, json: false, timeout }, ...{ barrier: "b", topic: "t", error: 0 } };
  const rest = { ...common, kind: "count", signal: false } as const;
  const roster = { member: [], phases: 1, whenDead: "fail", whenLate: "pass" } as const;
  const said = new RegExp(`no server answers .* within ${looked}`);
  const init = { ...rest, ...roster, count: "1", wait: true };
  const commands = [
    barrierWaitCommand(rest, io),
    barrierInitCommand(init, io),
    topicSubscribeCommand({ ...rest, after: 0 }, io),
  ];
  for (const one of await Promise.allSettled(commands)) {
    expect(one).toMatchObject({ reason: { message: expect.stringMatching(said) } });
  }
});
