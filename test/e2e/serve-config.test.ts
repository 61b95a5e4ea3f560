// SPDX-License-Identifier: MIT
// Goal: muster serve does what its configuration file says, says with --check-config what is wrong
// and starts nothing, lets in by network, speaks TLS at every TCP door, and takes leave of clients
// in order. Method: the real command, curl, emulab-sync, a forwarder of TLS that stands for
// stunnel; 127.0.0.2 is the client of another network.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { createNotification } from "../../src/wire/event/index.ts";
import { toJsonNotification } from "../../src/wire/event/json.ts";
import { Command, repository, run, scratch, start } from "./support/command.ts";
import { tlsForwarder } from "./support/tls-forwarder.ts";

const curl = (...argv: readonly string[]): Command =>
  new Command("curl", ["--silent", "--show-error", "--max-time", "60", ...argv]);

function config(text: string): string {
  const file = join(scratch(), "serve.yaml");
  writeFileSync(file, text);
  return file;
}

const quotedLoopback = '"http=127.0.0.1:0"';

describe("muster serve --config", () => {
  it("opens what the file says, with what the command line adds", async () => {
    const file = config(`
name: north
state: st
listen:
  - http=127.0.0.1:0
  - syncd=127.0.0.1:0,scope=p/e
limit: { httpBodyBytesMax: 100 }
`);
    const more = ["--listen", "syncd=127.0.0.1:0,scope=p/f", "--limit", "waitersPerBarrierMax=1"];
    const server = start("muster", ["serve", "--config", file, ...more]);
    const [, url = ""] = await server.prints(/http at (\S+),/);
    for (const scope of ["p/e", "p/f"]) await server.prints(new RegExp(`scope ${scope}`));
    expect(existsSync(join(file, "../st/muster.sock"))).toBe(true);
    const ready = await curl(`${url}/readyz`).ended;
    expect(JSON.parse(ready.stdout)).toMatchObject({ name: "north", ready: true, why: [] });
    const long = await curl(`${url}/v1/barriers/b/init`, "--data", `{"count":1}${" ".repeat(99)}`)
      .ended;
    expect(long.stdout).toContain("httpBodyBytesMax (100)");
    await using session = await connect(url);
    const first = session.countBarrier("b").wait({ name: "first" });
    first.catch(() => undefined);
    await expect(session.countBarrier("b").wait({ name: "second" })).rejects.toMatchObject({
      ...{ code: "limit", message: expect.stringContaining("waitersPerBarrierMax (1)") },
    });
    session.abandon();
  });

  it("--check-config says what would be done, and starts nothing", async () => {
    const file = config(`state: st\nlisten: [${quotedLoopback}]\n`);
    const good = await run("muster", ["serve", "--config", file, "--check-config"]);
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(good.stdout).toContain("the configuration is good");
    expect(good.stdout).toContain("http at 127.0.0.1:0");
    expect(existsSync(join(file, "../st"))).toBe(false);
  });

  it.each([
    ["listen: [http, ftp]\n", [], 65, "serve.yaml:1:16: error[SERVE_VALUE]"],
    ["tls: /nowhere\n", [], 65, "serve.yaml:1:6: error[SERVE_VALUE]"],
    ["{}\n", ["--listen", "http,client-certs"], 64, "needs --tls DIR"],
    ["{}\n", ["--limit", "colour=1"], 64, "colour=1"],
  ])("--check-config refuses %j with %j", async (text, more, code, hint) => {
    const file = config(text);
    const ended = await run("muster", ["serve", "--config", file, "--check-config", ...more]);
    expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(hint) });
  });

  it("--check-config says at once what is wrong with lines, with the rest and with options", async () => {
    const file = config("drain: soon\nlisten: [http, ftp]\nlog: paper\n");
    const argv = ["serve", "--config", file, "--check-config", "--limit", "colour=1"];
    const { code, stdout, stderr } = await run("muster", argv);
    expect([code, stdout]).toEqual([65, ""]);
    for (const text of ["serve.yaml:1:8:", "serve.yaml:2:16:", "no log 'paper'", "colour=1"]) {
      expect(stderr).toContain(text);
    }
  });

  it("cannot read what is not there", async () => {
    const ended = await run("muster", ["serve", "--config", "/none", "--check-config"]);
    expect(ended).toMatchObject({ code: 66, stderr: expect.stringContaining("/none") });
  });

  it("reads no more than a file may have of what never ends", async () => {
    const ended = await run("muster", ["serve", "--config", "/dev/zero", "--check-config"]);
    expect(ended).toMatchObject({ code: 65, stderr: expect.stringContaining("FILE_TOO_LARGE") });
  });
});

/** What a connection from an address gets; empty when it is cut, `refused` where none listens. */
function ask(port: number, from: string, request: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connectSocket({ port, host: "127.0.0.1", localAddress: from }, () => {
      socket.write(request);
    });
    socket.on("data", (some) => {
      text += some.toString();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") text = "refused";
    });
    socket.on("close", () => resolve(text));
  });
}

describe("--allow", () => {
  const request = "GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";

  it("lets in by network, door by door and listener by listener", async () => {
    const server = start("muster", [
      ...["serve", "--state", scratch(), "--allow", "syncd=127.0.0.2/31"],
      ...["--listen", "http=127.0.0.1:0,allow=127.0.0.2", "--listen", "events=127.0.0.1:0"],
      ...["--listen", "syncd=127.0.0.1:0", "--allow", "events=127.0.0.2,::1"],
    ]);
    const [, http = ""] = await server.prints(/http at http:\/\/127\.0\.0\.1:(\d+)/);
    const [, events = ""] = await server.prints(/events at http:\/\/127\.0\.0\.1:(\d+)/);
    const [, syncd = ""] = await server.prints(/syncd at 127\.0\.0\.1:(\d+)/);
    for (const port of [http, events]) {
      expect(await ask(Number(port), "127.0.0.2", request)).toContain("200 OK");
      expect(await ask(Number(port), "127.0.0.1", request)).toBe("");
    }
    await server.prints(/the http door has turned 127\.0\.0\.1 away.*--allow http=NETWORK/);
    await server.prints(/the events door has turned 127\.0\.0\.1 away.*--allow events=NETWORK/);
    const sync = await run("emulab-sync", ["-s", "127.0.0.1", "-p", syncd, "-a", "-i", "1"]);
    expect(sync.code).not.toBe(0);
    await server.prints(/the syncd door has turned 127\.0\.0\.1 away.*--allow syncd=NETWORK/);
  });

  it("is asked for, by name, when a door without authentication is open to a network", async () => {
    const server = start("muster", ["serve", "--state", scratch(), "--listen", "syncd=0.0.0.0:0"]);
    await server.prints(/whoever reaches the syncd door at 0\.0\.0\.0 may use it.*--allow syncd/);
    const events = ["serve", "--state", scratch(), "--listen", "events=0.0.0.0:0"];
    await start("muster", events).prints(/the events door at 0\.0\.0\.0 asks nobody for a token/);
    const allowed = start("muster", [
      ...["serve", "--state", scratch(), "--listen", "syncd=0.0.0.0:0,allow=127.0.0.0/8"],
    ]);
    await allowed.prints(/syncd at/);
    expect(allowed.stderr).toBe("");
  });
});

describe("TLS from one directory", () => {
  async function certificates(): Promise<string> {
    const dir = scratch();
    for (const argv of [["init"], ["issue", "server", "localhost"], ["issue", "user", "alice"]]) {
      expect((await run("muster", ["cert", ...argv, "--dir", dir])).code).toBe(0);
    }
    return dir;
  }

  const sync = (port: number | string, ...argv: readonly string[]): Command =>
    start("emulab-sync", ["-s", "127.0.0.1", "-p", String(port), ...argv]);

  it("is spoken at http, events, boss-events and syncd, which then serves no UDP", async () => {
    const dir = await certificates();
    const server = start("muster", [
      ...["serve", "--state", scratch(), "--tls", dir, "--listen", "http=127.0.0.1:0"],
      ...["--listen", "events=127.0.0.1:0,tls", "--listen", "boss-events=127.0.0.1:0,tls"],
      ...["--listen", "syncd=127.0.0.1:0,tls"],
    ]);
    const ca = join(dir, "ca.pem");
    for (const door of ["http", "events", "boss-events"]) {
      const [, port] = await server.prints(
        new RegExp(`muster: ${door} at https://127.0.0.1:(\\d+)`),
      );
      const answer = await curl("--cacert", ca, `https://localhost:${port}/healthz`).ended;
      expect([door, answer.stdout]).toEqual([door, "ok\n"]);
      expect((await curl(`http://127.0.0.1:${port}/healthz`).ended).code).not.toBe(0);
    }
    // A client of the bus that knows the authority hears what is sent over TLS.
    const [, events = ""] = await server.prints(/muster: events at https:\/\/127\.0\.0\.1:(\d+)/);
    const at = `https://localhost:${events}`;
    const ear = start("eventdebug", ["-s", at], { env: { NODE_EXTRA_CA_CERTS: ca } });
    const address = { expt: "foo/bar", objtype: "PROGRAM", objname: "prog0", eventtype: "START" };
    const layout = { sender: "192.0.2.1", layout: "2011", extra: [] } as const;
    const notification = toJsonNotification(
      createNotification({ scheduler: 0, ...address }, layout),
    );
    const body = JSON.stringify(notification);
    while (ear.stdout === "") {
      await curl("--cacert", ca, "-d", body, `${at}/v1/notifications`).ended;
    }
    const [, port = ""] = await server.prints(
      /syncd at 127\.0\.0\.1:(\d+), scope default, with TLS/,
    );
    const forwarder = await tlsForwarder(Number(port), { ca });
    try {
      const [init, wait] = [sync(forwarder.port, "-i", "1"), sync(forwarder.port)];
      expect([(await init.ended).code, (await wait.ended).code]).toEqual([0, 0]);
      // In clear it is no handshake.
      expect((await sync(port, "-a", "-i", "1").ended).code).not.toBe(0);
    } finally {
      forwarder.close();
    }
  });

  it("asks for certificates where it was said, also at syncd; muster barrier and curl show one", async () => {
    const dir = await certificates();
    const [ca, pem] = [join(dir, "ca.pem"), join(dir, "user/alice.pem")];
    const server = start("muster", [
      ...["serve", "--state", scratch(), "--tls", dir, "--tls-name", "localhost"],
      ...["--listen", "http=127.0.0.1:0,client-certs"],
      ...["--listen", "syncd=0.0.0.0:0,client-certs"],
    ]);
    const [, port = ""] = await server.prints(/http at https:\/\/127\.0\.0\.1:(\d+)/);
    const url = `https://localhost:${port}`;
    expect((await curl("--cacert", ca, `${url}/healthz`).ended).code).not.toBe(0);
    expect((await curl("--cacert", ca, "--cert", pem, `${url}/healthz`).ended).stdout).toBe("ok\n");
    const shown = ["barrier", "ls", "--server", url, "--ca", ca];
    expect(await run("muster", [...shown, "--cert", pem])).toMatchObject({ code: 0 });
    const bare = await run("muster", shown);
    expect(bare).toMatchObject({ code: 69, stderr: expect.stringContaining("--cert FILE") });
    const [, sync0 = ""] = await server.prints(/syncd at 0\.0\.0\.0:(\d+)/);
    const known = await tlsForwarder(Number(sync0), { ca, pem });
    const stranger = await tlsForwarder(Number(sync0), { ca });
    try {
      expect((await sync(known.port, "-a", "-i", "1").ended).code).toBe(0);
      expect((await sync(stranger.port, "-a", "-i", "1").ended).code).not.toBe(0);
    } finally {
      known.close();
      stranger.close();
    }
    // Who must show a certificate is no stranger: nothing to warn of.
    expect(server.stderr).not.toContain("whoever reaches");
  });
});

describe("SIGTERM with --drain", () => {
  it("takes nobody new, lets a wait end, tells watchers to go, and ends when nobody waits", async () => {
    const server = start("muster", [
      ...["serve", "--state", scratch(), "--drain", "600"],
      ...["--listen", "http=127.0.0.1:0", "--listen", "syncd=127.0.0.1:0"],
    ]);
    const [, url = ""] = await server.prints(/http at (\S+),/);
    const [, port = ""] = await server.prints(/syncd at 127\.0\.0\.1:(\d+)/);
    const watcher = curl("--no-buffer", `${url}/v1/watch`);
    await watcher.prints(/watching/);
    const wait = curl("-X", "POST", `${url}/v1/barriers/b/wait`);
    await watcher.prints(/"arrived":1/);
    server.child.kill("SIGTERM");
    await server.prints(/taking nobody new; waits have 600 s/);
    await watcher.ended;
    const late = await curl("-X", "POST", `${url}/v1/barriers/b/wait`).ended;
    expect(JSON.parse(late.stdout)).toMatchObject({ code: "unavailable", definite: false });
    const ready = await curl(`${url}/readyz`).ended;
    expect(JSON.parse(ready.stdout)).toMatchObject({
      ready: false,
      why: ["the server is closing"],
    });
    // emulab-sync would try again until somebody listens there.
    expect(await ask(Number(port), "127.0.0.1", "")).toBe("refused");
    await expect(connect(url, { connectTimeoutMs: 1_000 })).rejects.toMatchObject({
      ...{ code: "unavailable", definite: false },
    });
    // Who waits is cancelled by a driver, and then nobody is left.
    await curl("-X", "DELETE", `${url}/v1/barriers/b`).ended;
    expect(JSON.parse((await wait.ended).stdout)).toMatchObject({ code: "cancelled" });
    expect((await server.ended).code).toBe(0);
  });

  it("ends after its time though somebody waits, and tells him", async () => {
    const server = start("muster", [
      ...["serve", "--state", scratch(), "--drain", "1", "--listen", "http=127.0.0.1:0"],
    ]);
    const [, url = ""] = await server.prints(/http at (\S+),/);
    const watcher = curl("--no-buffer", `${url}/v1/watch`);
    await watcher.prints(/watching/);
    const wait = curl("-X", "POST", `${url}/v1/barriers/b/wait`);
    await watcher.prints(/"arrived":1/);
    server.child.kill("SIGTERM");
    expect(JSON.parse((await wait.ended).stdout)).toMatchObject({ code: "unavailable" });
    expect((await server.ended).code).toBe(0);
  });
});

it("the example in serve.md is a good configuration", async () => {
  const page = readFileSync(join(repository, "docs/reference/serve.md"), "utf8");
  const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  expect(example).toContain("listen:");
  const file = config(example.replace(/^tls: .*\n/m, ""));
  const ended = await run("muster", ["serve", "--config", file, "--check-config"]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
});
