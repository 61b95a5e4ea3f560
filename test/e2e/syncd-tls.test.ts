// SPDX-License-Identifier: MIT
// Goal: emulab-syncd --tls serves the old client behind a forwarder of TLS, and nobody in clear;
// with --client-certs only those who show a certificate. Method: the real commands.
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run, scratch, start } from "./support/command.ts";
import { tlsForwarder } from "./support/tls-forwarder.ts";

async function certificates() {
  const dir = scratch();
  for (const argv of [["init"], ["issue", "server", "localhost"], ["issue", "node", "pc1"]]) {
    expect((await run("muster", ["cert", ...argv, "--dir", dir])).code).toBe(0);
  }
  return { dir, ca: join(dir, "ca.pem"), pem: join(dir, "node/pc1.pem") };
}

/** Not the usual port: other tests are about who has that. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

async function serve(...argv: readonly string[]): Promise<number> {
  const server = start("emulab-syncd", ["--foreground", "-p", String(await freePort()), ...argv]);
  const [, port = ""] = await server.prints(/listening on port (\d+)/);
  return Number(port);
}

const init = (port: number) =>
  run("emulab-sync", ["-s", "127.0.0.1", "-p", String(port), "-a", "-i", "1"]);

describe("emulab-syncd --tls", () => {
  it("serves who speaks TLS; with --client-certs, who shows a certificate", async () => {
    const { dir, ca, pem } = await certificates();
    const open = await serve("--tls", dir);
    const closed = await serve("--tls", dir, "--client-certs");
    const forwarders = await Promise.all([
      tlsForwarder(open, { ca }),
      tlsForwarder(closed, { ca, pem }),
      tlsForwarder(closed, { ca }),
    ]);
    try {
      const codes = await Promise.all(forwarders.map(async ({ port }) => (await init(port)).code));
      expect(codes.map((code) => code === 0)).toEqual([true, true, false]);
      expect((await init(open)).code).not.toBe(0);
    } finally {
      for (const forwarder of forwarders) forwarder.close();
    }
  });

  it.each([
    [["--client-certs"], "--client-certs needs --tls DIR"],
    [["--tls", "/nowhere"], "muster cert"],
  ])("%j is refused", async (argv, why) => {
    const { code, stderr } = await run("emulab-syncd", ["--foreground", ...argv]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(why)]);
  });
});
