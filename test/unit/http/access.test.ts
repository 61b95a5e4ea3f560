// SPDX-License-Identifier: MIT
// Goal: each role may do what the table says and nothing else, by request and by session; tokens
// that are wrong, over, revoked or for another scope are of no use; pages of other origins and
// names that somebody points at loopback are refused; TLS. Method: a door on loopback, every route
// with every role, a WebSocket of another implementation spoken to by hand.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { request as tlsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { createEventDoor, mountBus } from "../../../src/edges/bus/index.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
import { actions, mayDo, roles } from "../../../src/wire/link/roles.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
afterEach(async () => {
  await bench?.close();
});

/** A connection whose client takes not one byte of what it is sent. */
class UnreadClient extends Duplex {
  readonly #written = Promise.withResolvers<void>();

  /** The first bytes of an answer are on their way to it. */
  get isWrittenTo(): Promise<void> {
    return this.#written.promise;
  }

  override _read(): void {
    // The test pushes.
  }

  override _write(): void {
    this.#written.resolve();
  }
}

interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

/** A request with headers that fetch would not send. */
function raw(path: string, headers: Record<string, string>, method = "GET"): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const options = { port: bench.port, host: "127.0.0.1", path, method, headers };
    request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (some: string) => {
        text += some;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const greeting = { kind: "hello", format: linkFormat, edge: "s", incarnation: 1 };
const hello = { ...greeting, acknowledged: 0, seen: 0 };

describe("the table of roles", () => {
  it("says who may do what; a change of it is a change of this table", () => {
    const table = roles.map((role) => [role, actions.filter((action) => mayDo(role, action))]);
    expect(table).toEqual([
      ["observer", ["look", "listen"]],
      ["participant", ["look", "listen", "wait", "notify"]],
      ["driver", ["look", "listen", "wait", "notify", "init", "cancel", "scope", "plan"]],
      ["admin", [...actions]],
    ]);
  });

  const requests = [
    ["GET", "/v1/barriers", "look"],
    ["GET", "/metrics", "look"],
    ["POST", "/v1/barriers/b/wait", "wait"],
    ["POST", "/v1/barriers/b/init", "init"],
    ["DELETE", "/v1/barriers/b", "cancel"],
    ["DELETE", "/v1/barriers", "cancel"],
  ] as const;

  it.each(roles)("%s: requests are let in or refused (403) as it says", async (role) => {
    bench = await HttpBench.startClosed();
    const token = bench.token(role);
    for (const [method, path, action] of requests) {
      const body = method === "POST" ? { body: JSON.stringify({ timeoutMs: 0, count: 0 }) } : {};
      const answer = await fetch(bench.url + path, { method, headers: bearer(token), ...body });
      await answer.text();
      expect(answer.status === 403, `${role} ${method} ${path}`).toBe(!mayDo(role, action));
      expect(answer.status).not.toBe(401);
    }
  });

  const place = { scope: "s", barrier: "b", connection: 1, who: { address: "" }, error: 0 };
  const lists = { agents: [], groups: [], main: [], timelines: [], sequences: [] };
  const agenda = { scope: "s", ...lists };
  const commands = [
    [{ kind: "count-wait", ...place }, "wait"],
    [{ kind: "leave", connection: 9 }, "look"],
    [{ kind: "count-init", ...place, count: 1, waits: false }, "init"],
    [{ kind: "cancel", scope: "s", barrier: "b", error: 0 }, "cancel"],
    [{ kind: "cancel-all", scope: "s", error: 0 }, "cancel"],
    [{ kind: "open-scope", scope: "s", nodes: [] }, "scope"],
    [{ kind: "close-scope", scope: "s", error: 0 }, "scope"],
    [{ kind: "agenda-load", ...agenda }, undefined],
    [{ kind: "agenda-start", scope: "s" }, undefined],
  ] as const;

  it.each(roles)("%s: commands of a session are let in or end it as it says", async (role) => {
    bench = await HttpBench.startClosed();
    const token = bench.token(role);
    for (const [command, action] of commands) {
      const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
      await socket.opened();
      socket.say({ ...hello, edge: `s-${command.kind}` });
      socket.say({ kind: "batch", number: 1, commands: [{ kind: "attach" }, command] });
      const isAllowed = action !== undefined && mayDo(role, action);
      const heard = await socket.hear(isAllowed ? '"applied"' : '"closed"');
      if (!isAllowed) expect(heard).toContain(`role ${role} may not`);
      socket.socket.terminate();
      await socket.closed;
    }
  });
});

describe("tokens", () => {
  it("wrong ones are refused, and the answer does not tell in what they are wrong", async () => {
    bench = await HttpBench.startClosed();
    const good = bench.token("driver");
    const wrong = [good.slice(0, -1), `${good}x`, good.replace("mst_t1", "mst_t2"), "nonsense"];
    const answers = await Promise.all(wrong.map((token) => raw("/v1/barriers", bearer(token))));
    for (const { status } of answers) expect(status).toBe(401);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect((await raw("/v1/barriers", bearer(good))).status).toBe(200);
    expect((await raw("/v1/barriers", {})).text).toContain("muster token create");
    expect(bench.lines.join()).not.toContain(good);
  });

  it("one that is over is refused from that millisecond on", async () => {
    bench = await HttpBench.startClosed();
    const past = bench.token("driver", { expiresMs: Date.now() });
    const future = bench.token("driver", { expiresMs: Date.now() + 1e9 });
    expect((await raw("/v1/barriers", bearer(past))).status).toBe(401);
    expect((await raw("/v1/barriers", bearer(future))).status).toBe(200);
  });

  it("one for a scope is good for that scope, and means it where none is named", async () => {
    bench = await HttpBench.startClosed();
    const token = bench.token("driver", { scope: "p/e" });
    const own = await raw("/v1/barriers", bearer(token));
    expect(JSON.parse(own.text)).toMatchObject({ scope: "p/e" });
    expect((await raw("/v1/barriers?scope=p%2Fe", bearer(token))).status).toBe(200);
    const other = await raw("/v1/barriers?scope=q", bearer(token));
    expect([other.status, other.text]).toEqual([403, expect.stringContaining("scope p/e")]);
    const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
    await socket.opened();
    socket.say(hello);
    socket.say({ kind: "describe", id: 1, scope: "q" });
    expect(await socket.hear('"closed"')).toContain("scope");
    socket.socket.terminate();
  });

  it("X1 no token is good when the last one is revoked", async () => {
    bench = await HttpBench.startClosed();
    expect((await raw("/v1/barriers", {})).status).toBe(401);
  });

  it("who uses one that is revoked is shown out: waits, streams, sessions", async () => {
    bench = await HttpBench.startClosed({ time: { ...httpTime, tokenSweepMs: 5 } });
    const token = bench.token("driver");
    const headers = bearer(token);
    const wait = fetch(`${bench.url}/v1/barriers/b/wait`, { method: "POST", headers });
    const stream = await fetch(`${bench.url}/v1/watch`, { headers });
    const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
    await socket.opened();
    socket.say(hello);
    await socket.hear("welcome");
    bench.rows.clear();
    expect((await wait).status).toBe(503);
    expect(await stream.text()).toContain(": watching");
    expect((await socket.closed).code).toBe(4401);
    expect(bench.host.describe("default").barriers).toEqual([]);
  });

  it.each(["/v1/watch", "/v1/notifications"])(
    "who reads nothing of %s is cut when his token is revoked, and hears no more",
    async (path) => {
      const time = { ...httpTime, tokenSweepMs: 5, lingerMs: 5 };
      bench = await HttpBench.startClosed({ time });
      const bus = new MemoryBus({ epoch: "e1", limits: resolveBusLimits() });
      mountBus(bench.door, { bus, clock: systemClock });
      const client = new UnreadClient();
      const closed = once(client, "close");
      bench.door.accept(client);
      const token = bench.token("driver");
      const head = [`GET ${path} HTTP/1.1`, "Host: localhost", `Authorization: Bearer ${token}`];
      client.push(`${head.join("\r\n")}\r\n\r\n`);
      await client.isWrittenTo;
      bench.rows.clear();
      await closed;
      bus.close();
    },
  );

  it("a session is not resumed with another token", async () => {
    bench = await HttpBench.startClosed();
    const [mine, theirs] = [bench.token("driver"), bench.token("driver")];
    const place = { scope: "s", barrier: "b", connection: 1, who: { address: "" }, error: 0 };
    const say = async (token: string, frames: readonly object[]) => {
      const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
      await socket.opened();
      socket.say(hello);
      for (const frame of frames) socket.say(frame);
      return socket;
    };
    const commands = [{ kind: "attach" }, { kind: "count-wait", ...place }];
    const first = await say(mine, [{ kind: "batch", number: 1, commands }]);
    await first.hear('"applied"');
    const second = await say(theirs, []);
    expect(await second.hear("welcome")).toContain('"lastBatch":0');
    first.socket.terminate();
    second.socket.terminate();
  });
});

describe("pages", () => {
  it("X2 of another origin are refused, by request and by WebSocket, whatever they show", async () => {
    bench = await HttpBench.startClosed();
    const token = bench.token("admin");
    const headers = { ...bearer(token), origin: "https://evil.example" };
    const answer = await raw("/v1/barriers", headers, "DELETE");
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("--origin")]);
    for (const origin of ["https://evil.example", "null"]) {
      const protocols = [sessionProtocol, `muster.token.${token}`];
      const socket = bench.socket("/v1/session", protocols, { origin });
      expect((await socket.closed).reason).toContain("403");
    }
  });

  it("of the door's own origin and of those that were named may use it", async () => {
    bench = await HttpBench.start({ access: { origins: ["https://lab.example"] } });
    const own = await raw("/v1/barriers", { origin: bench.url });
    expect(own.status).toBe(200);
    const named = await fetch(`${bench.url}/v1/barriers`, {
      headers: { origin: "https://lab.example" },
    });
    await named.text();
    expect(named.headers.get("access-control-allow-origin")).toBe("https://lab.example");
    const asked = await raw("/v1/barriers", { origin: "https://lab.example" }, "OPTIONS");
    expect(asked.status).toBe(204);
  });

  it("X3 cannot make a name of theirs a name of a door without tokens", async () => {
    bench = await HttpBench.start();
    const rebound = await raw("/v1/barriers", { host: `evil.example:${bench.port}` });
    expect([rebound.status, rebound.text]).toEqual([403, expect.stringContaining("evil.example")]);
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:8470"]) {
      expect((await raw("/v1/barriers", { host })).status, host).toBe(200);
    }
  });

  it("X3 a program may open a WebSocket by any name; a page of that name may not", async () => {
    bench = await HttpBench.start();
    const host = `boss.example:${bench.port}`;
    const program = bench.socket("/v1/session", [sessionProtocol], { host });
    await program.opened();
    program.socket.terminate();
    const shown = { host, origin: `http://${host}` };
    const page = bench.socket("/v1/session", [sessionProtocol], shown);
    expect((await page.closed).reason).toContain("403");
  });
});

describe("TLS", () => {
  it("serves requests and sessions with a certificate, and nothing in clear", async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-tls-"));
    try {
      const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
      const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
      execFileSync("openssl", ["req", ...kind, "-keyout", key, "-out", certificate, ...subject], {
        stdio: "ignore",
      });
      const tls = {
        key: readFileSync(key, "utf8"),
        certificate: readFileSync(certificate, "utf8"),
      };
      bench = await HttpBench.startClosed({ tls });
      const token = bench.token("observer");
      expect(bench.url).toMatch(/^https:/);
      const status = await new Promise((resolve, reject) => {
        const options = { port: bench.port, host: "127.0.0.1", path: "/v1/barriers" };
        const trust = { ca: tls.certificate, headers: bearer(token) };
        tlsRequest({ ...options, ...trust }, (answer) => resolve(answer.resume().statusCode))
          .on("error", reject)
          .end();
      });
      expect(status).toBe(200);
      const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
      await socket.opened();
      socket.say(hello);
      await socket.hear('"role":"observer"');
      socket.socket.terminate();
      await expect(raw("/healthz", {})).rejects.toThrow();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("warnings", () => {
  it.each([
    ["0.0.0.0", false, "asks nobody for a token"],
    ["0.0.0.0", true, "travel in clear"],
  ] as const)("W1 a door at %s, tokens %s: %s", async (host, closed, text) => {
    bench = closed ? await HttpBench.startClosed() : await HttpBench.start();
    expect(bench.lines).toEqual([]);
    const second = await HttpBench.start({ access: closed ? bench.access : {}, host });
    expect(second.lines.join()).toContain(text);
    await second.close();
  });

  it("W1 the door of events is called so", async () => {
    const lines: string[] = [];
    const bus = new MemoryBus({ epoch: "e", limits: resolveBusLimits() });
    const logger = { log: (_level: string, text: string) => lines.push(text) };
    const door = createEventDoor({ bus, clock: systemClock, logger, access: {} });
    await door.listen({ host: "0.0.0.0", port: 0 });
    await door.close();
    bus.close();
    expect(lines).toEqual([expect.stringMatching(/^the events door at 0\.0\.0\.0 asks nobody/)]);
  });
});
