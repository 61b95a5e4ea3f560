// SPDX-License-Identifier: MIT
// Goal: evproxy as a command: the event server sees one connection of a node, clients live through
// a proxy that is killed and a server that is away, and its life as a daemon is that of the old
// one. Method: `muster serve` and evproxy in processes of their own; the kernel's table of
// connections.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toJsonNotification } from "../../src/wire/event/json.ts";
import { createNotification } from "../../src/wire/event/notification.ts";
import { type Command, run, scratch, start, until } from "./support/command.ts";

const experiment = "foo/bar";

interface Server {
  readonly command: Command;
  readonly host: string;
  readonly port: string;
}

async function serve(port = "0"): Promise<Server> {
  const at = `events=127.0.0.1:${port}`;
  const argv = ["serve", "--role", "ops", "--state", scratch(), "--listen", at];
  const command = start("muster", argv);
  const [, host = "", bound = ""] = await command.prints(/events at http:\/\/([^:]+):(\d+),/);
  return { command, host, port: bound };
}

interface Proxy {
  readonly command: Command;
  readonly port: string;
}

async function startProxy(server: Server, port = "0"): Promise<Proxy> {
  const command = start("evproxy", [
    ...["-d", "-s", server.host, "-p", server.port, "-e", experiment, "--host", "192.0.2.7"],
    ...["--listen", `127.0.0.1:${port}`, "-i", join(scratch(), "pid")],
  ]);
  const [, bound = ""] = await command.prints(/listening at \S+ port (\d+) for foo\/bar/);
  return { command, port: bound };
}

/** Connections that the kernel has to a port, seen from the side that accepted them. */
function connectionsTo(port: string): number {
  const local = `:${Number(port).toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
  const established = "01";
  return rows.filter((row) => {
    const [, from = "", , state] = row.trim().split(/\s+/);
    return from.endsWith(local) && state === established;
  }).length;
}

async function publish({ host, port }: Server, objname: string): Promise<number> {
  const address = { expt: experiment, objtype: "PROGRAM", objname, scheduler: 0 } as const;
  const options = { sender: "192.0.2.1", layout: "2011", extra: [] } as const;
  const body = JSON.stringify(toJsonNotification(createNotification(address, options)));
  const url = `http://${host}:${port}/v1/notifications`;
  // A connection that is kept would be counted.
  const answer = await fetch(url, { method: "POST", body, headers: { connection: "close" } });
  return ((await answer.json()) as { readonly matched: number }).matched;
}

const listen = ({ port }: Proxy): Command =>
  start("eventdebug", ["-s", "127.0.0.1", "-p", port, experiment]);

/** Resolves when all of them have heard of it, and so have a place to come back to. */
async function heardBy(
  server: Server,
  objname: string,
  ...ears: readonly Command[]
): Promise<void> {
  while (!ears.every((ear) => objects(ear).includes(objname))) await publish(server, objname);
}

const objects = (ear: Command): readonly string[] =>
  [...ear.stdout.matchAll(/ PROGRAM (\S+) /g)].map(([, name = ""]) => name);

describe("evproxy", () => {
  test("shows the event server one connection of a node with many clients", async () => {
    const server = await serve();
    const proxy = await startProxy(server);
    const ears = Array.from({ length: 4 }, () => listen(proxy));
    await heardBy(server, "hello", ...ears);
    await until("one connection", () => connectionsTo(server.port) === 1);
    expect(connectionsTo(proxy.port)).toBe(4);
    await publish(server, "last");
    for (const ear of ears) await ear.prints(/ last /);
  });

  test("killed and started again, costs its clients nothing", async () => {
    const server = await serve();
    const first = await startProxy(server);
    const ear = listen(first);
    await heardBy(server, "hello", ear);
    first.command.child.kill("SIGKILL");
    await first.command.ended;
    await publish(server, "while-away");
    await startProxy(server, first.port);
    await publish(server, "after");
    await ear.prints(/ after /);
    const heard = objects(ear).filter((name) => name !== "hello");
    expect(heard).toEqual(["while-away", "after"]);
    expect(ear.stderr).toBe("");
  });

  test("tells its clients of the gap that a server leaves which has lost its memory", async () => {
    const server = await serve();
    const proxy = await startProxy(server);
    const ear = listen(proxy);
    await heardBy(server, "hello", ear);
    server.command.child.kill("SIGKILL");
    await server.command.ended;
    const next = await serve(server.port);
    await heardBy(next, "back", ear);
    await publish(next, "after");
    await ear.prints(/ after /);
    await ear.prints(/events missed/);
    expect(ear.stderr).toBe(
      "eventdebug: an unknown number of events missed; give filters, or write to a file\n",
    );
    expect(proxy.command.stderr).not.toContain("error");
  });

  test("what a client sends gets the answer of the server, or of the rules of a node", async () => {
    const server = await serve();
    const { port } = await startProxy(server);
    const send = async (expt: string, scheduler: 0 | 1): Promise<readonly unknown[]> => {
      const address = { expt, objname: "o", scheduler };
      const options = { sender: "192.0.2.7", layout: "2011", extra: [] } as const;
      const body = JSON.stringify(toJsonNotification(createNotification(address, options)));
      const url = `http://127.0.0.1:${port}/v1/notifications`;
      const answer = await fetch(url, { method: "POST", body });
      const said = (await answer.json()) as Record<string, unknown>;
      return [answer.status, said["matched"] ?? said["message"]];
    };
    expect(await send(experiment, 1)).toEqual([200, 0]);
    expect(await send(experiment, 0)).toEqual([403, expect.stringContaining("SCHEDULER to 1")]);
    expect(await send("foo/other", 1)).toEqual([403, expect.stringContaining("in foo/bar")]);
  });

  test("goes to the background when it listens, and removes its pid file on TERM", async () => {
    const server = await serve();
    const pidFile = join(scratch(), "evproxy.pid");
    const where = ["-s", server.host, "-p", server.port, "-e", experiment, "-i", pidFile];
    expect(await run("evproxy", [...where, "--listen", "127.0.0.1:0"])).toMatchObject({ code: 0 });
    const pid = Number(readFileSync(pidFile, "utf8"));
    await until("its connection", () => connectionsTo(server.port) === 1);
    process.kill(pid, "SIGTERM");
    await until("the end", () => !existsSync(pidFile) && connectionsTo(server.port) === 0);
  });

  test("says what it cannot do, in the foreground and to whoever starts it", async () => {
    const server = await serve();
    const where = ["-s", server.host, "-p", server.port, "-e", experiment];
    const taken = ["--listen", `127.0.0.1:${server.port}`, "-i", join(scratch(), "pid")];
    for (const foreground of [["-d"], []]) {
      const { code, stderr } = await run("evproxy", [...foreground, ...where, ...taken]);
      expect([code, stderr]).toEqual([1, expect.stringContaining("EADDRINUSE")]);
    }
    const vnode = ["-d", "-v", "no-such-node.invalid", "--listen", "127.0.0.1:0"];
    const { stderr } = await run("evproxy", [...where, ...vnode]);
    expect(stderr).toContain("give it with --host ADDR");
  });

  test.each([
    [[], "usage: evproxy [-d]"],
    [["-e", "bar"], "-e must be pid/eid: bar"],
    [["-p", "70000", "-e", experiment], "-p must be a port"],
    [["--listen", "nowhere:1", "-e", experiment], "--listen must be"],
    [["-e", experiment, "more"], "usage:"],
    [["-x"], "usage:"],
  ])("refuses %j", async (argv, text) => {
    const { code, stderr } = await run("evproxy", argv);
    expect([code, stderr]).toEqual([255, expect.stringContaining(text)]);
  });
});
