// SPDX-License-Identifier: MIT
// Goal: who calls a bus that is not there is told the option that the own command has. Method: a
// port on which nothing listens any more.
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { eventWorld, oldEventWorld } from "../../../src/cli/event-bus.ts";

test("a bus that does not answer is told with the option that names another", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  const url = `ws://127.0.0.1:${port}`;
  for (const [world, option] of [
    [eventWorld, "--server"],
    [oldEventWorld, "-s"],
  ] as const) {
    await expect(world.connect(url)).rejects.toThrow(
      `(ECONNREFUSED); is it running there? ${option} and MUSTER_EVENTS name another`,
    );
  }
});
