// SPDX-License-Identifier: MIT
// Goal: a page in a real browser meets others at a barrier with the client library as it is
// published, and uses the HTTP door by requests, when its origin is allowed; a page of another
// origin can do neither. Method: Chromium without a window, a server of files for the page, the
// real command.
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join, normalize } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { Command, repository, scratch, start } from "./support/command.ts";

/** What a page does, and tells its own server of. */
const page = `<!doctype html><script type="module">
import { connect, MusterError } from "/dist/client/index.js";
const given = new URLSearchParams(location.search);
const server = given.get("server");
const told = { isMusterError: false };
try {
  const session = await connect(server, {
    ...{ name: "page", scope: "s" },
    connectTimeoutMs: Number(given.get("timeout")),
  });
  const barrier = session.countBarrier("b");
  await barrier.init(2);
  told.crossing = await barrier.wait({ error: 4 });
  await session.close();
} catch (error) {
  told.error = error.code;
  told.isMusterError = error instanceof MusterError;
}
try {
  const answer = await fetch(server + "/v1/barriers?scope=s");
  told.listed = await answer.json();
} catch (error) {
  told.fetchError = error.name;
}
await fetch("/told", { method: "POST", body: JSON.stringify(told) });
</script>`;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Serves the page and the library as it was built. @returns where, and what the page tells */
async function servePage() {
  let tell: (told: Record<string, unknown>) => void = () => undefined;
  const told = new Promise<Record<string, unknown>>((resolve) => {
    tell = resolve;
  });
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://x").pathname);
    if (request.method === "POST") {
      let text = "";
      request.setEncoding("utf8").on("data", (some: string) => {
        text += some;
      });
      request.on("end", () => {
        response.end();
        tell(JSON.parse(text) as Record<string, unknown>);
      });
    } else if (path === "/") {
      response.setHeader("content-type", "text/html").end(page);
    } else if (path.startsWith("/dist/") && path.endsWith(".js")) {
      response.setHeader("content-type", "text/javascript");
      response.end(readFileSync(join(repository, path)));
    } else response.writeHead(404).end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { origin: `http://127.0.0.1:${port}`, told };
}

/** The program itself: the one in /usr/bin is a shell that would die alone. */
const chromium = "/usr/lib/chromium/chromium-headless-shell";

function browse(url: string): Command {
  return new Command(chromium, [
    ...["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
    ...[`--user-data-dir=${scratch()}`, "--remote-debugging-port=0", url],
  ]);
}

async function serve(origin: string): Promise<string> {
  const listen = ["--listen", "http=127.0.0.1:0", "--origin", origin];
  const server = start("muster", ["serve", "--state", scratch(), ...listen]);
  const [, url = ""] = await server.prints(/http at (\S+),/);
  return url;
}

describe("musterd/client in a browser", () => {
  it("meets a client in Node at a barrier, and reads the door's answers", async () => {
    const { origin, told } = await servePage();
    const url = await serve(origin);
    await using session = await connect(url, { scope: "s", name: "node" });
    browse(`${origin}/?server=${url}&timeout=60000`);
    // The page asks for two waits: its own and this one.
    const [crossing, said] = await Promise.all([session.countBarrier("b").wait(), told]);
    expect(said).toEqual({
      ...{ isMusterError: false, crossing: { generation: 1, error: 4 } },
      listed: { scope: "s", barriers: [] },
    });
    expect(crossing).toEqual({ generation: 1, error: 4 });
  });

  it("is of no use to a page whose origin is not allowed", async () => {
    const { origin, told } = await servePage();
    const url = await serve("http://127.0.0.1:1");
    browse(`${origin}/?server=${url}&timeout=500`);
    expect(await told).toEqual({
      ...{ isMusterError: true, error: "unavailable", fetchError: "TypeError" },
    });
  });
});
