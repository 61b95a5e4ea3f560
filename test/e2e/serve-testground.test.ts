// SPDX-License-Identifier: MIT
// Goal: the Testground door of `muster serve` is one of its core's doors: what is in its log
// outlives a killed server, limits are set on the command line, and others may end a run. Method:
// the real command, killed and started again on its files.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { TestClient } from "../unit/testground/harness.ts";
import { Command, repository, run, scratch, start } from "./support/command.ts";

const key = (name: string): string => `run:r1:plan:p:case:c:${name}`;

async function serve(more: readonly string[], state = scratch()) {
  const argv = ["serve", "--state", state, "--listen", "testground=127.0.0.1:0", ...more];
  const command = new Command(join(repository, "bin/muster"), argv);
  const [, port] = await command.prints(/testground at 127\.0\.0\.1:(\d+), each run a scope/);
  return { command, port: Number(port) };
}

describe("muster serve --listen testground", () => {
  it("goes on where it was killed when its log is a file", async () => {
    const log = ["--log", `sqlite:${join(scratch(), "log")}`];
    const first = await serve(log);
    const before = await TestClient.open(first.port);
    before.ask("s", { kind: "signal", state: key("states:s") });
    before.ask("p", { kind: "publish", topic: key("topics:t"), payload: '{"kept":[1,"ü"]}' });
    expect(await before.answer("p")).toMatchObject({ kind: "published", sequence: 1 });
    first.command.child.kill("SIGKILL");
    await first.command.ended;
    const second = await serve(log);
    const after = await TestClient.open(second.port);
    after.ask("s", { kind: "signal", state: key("states:s") });
    expect(await after.answer("s")).toMatchObject({ kind: "signalled", sequence: 2 });
    after.ask("m", { kind: "subscribe", topic: key("topics:t") });
    expect(await after.answer("m")).toMatchObject({ payload: '{"kept":[1,"ü"]}' });
    after.ask("p", { kind: "publish", topic: key("topics:t"), payload: "2" });
    expect(await after.answer("p")).toMatchObject({ sequence: 2 });
    expect(await after.answer("m", 2)).toMatchObject({ payload: "2" });
    after.socket.terminate();
    second.command.child.kill("SIGTERM");
    expect((await second.command.ended).code).toBe(0);
  });

  it("keeps its limits, and tells clients why they are cut when it ends", async () => {
    const { command, port } = await serve(["--limit", "testgroundRunsMax=1"]);
    const client = await TestClient.open(port);
    client.ask("a", { kind: "signal", state: key("states:s") });
    client.ask("b", { kind: "signal", state: "run:r2:plan:p:case:c:states:s" });
    expect(await client.answer("b")).toMatchObject({
      error: expect.stringContaining("--limit testgroundRunsMax=VALUE"),
    });
    client.ask("w", { kind: "barrier", state: key("states:s"), target: 5 });
    command.child.kill("SIGTERM");
    expect(await client.ended).toEqual({ code: 1001, reason: "the server ends" });
    expect((await command.ended).code).toBe(0);
  });

  it("speaks TLS when told to, to clients that can", async () => {
    const dir = scratch();
    for (const argv of [["init"], ["issue", "server", "localhost"]]) {
      expect((await run("muster", ["cert", ...argv, "--dir", dir])).code).toBe(0);
    }
    const argv = ["serve", "--state", scratch(), "--tls", dir];
    const listen = ["--listen", "testground=127.0.0.1:0,tls"];
    const server = start("muster", [...argv, ...listen]);
    const [, port] = await server.prints(/testground at 127\.0\.0\.1:(\d+), .*, with TLS/);
    const ca = readFileSync(join(dir, "ca.pem"));
    const socket = new WebSocket(`wss://localhost:${port}`, { ca });
    await once(socket, "open");
    socket.send('{"id":"0","signal_entry":{"state":"s"}}');
    const [answer] = (await once(socket, "message")) as [Buffer];
    expect(answer.toString()).toContain('"signal_entry":{"seq":1}');
    socket.terminate();
    expect((await new TestClient(Number(port)).ended).code).toBe(1006);
  });

  it("lets in by network, and takes nobody new while it drains", async () => {
    const { command, port } = await serve(["--drain", "600"]);
    const client = await TestClient.open(port);
    client.ask("w", { kind: "barrier", state: "s", target: 1 });
    client.ask("0", { kind: "barrier", state: "s", target: 0 });
    await client.answer("0");
    command.child.kill("SIGTERM");
    await command.prints(/taking nobody new; waits have 600 s/);
    expect((await new TestClient(port).ended).code).toBe(1006);
    client.ask("s", { kind: "signal", state: "s" });
    expect(await client.answer("w")).toMatchObject({ kind: "done" });
    expect((await command.ended).code).toBe(0);
    const closed = await serve(["--allow", "testground=192.0.2.0/24"]);
    expect((await new TestClient(closed.port).ended).code).toBe(1006);
    await closed.command.prints(/the testground door has turned 127\.0\.0\.1 away/);
  });

  it("is refused by its name with what it does not know", async () => {
    const argv = ["serve", "--state", scratch(), "--listen", "testground=127.0.0.1:0,run=x"];
    const { code, stderr } = await run("muster", argv);
    expect(code).toBe(64);
    expect(stderr).toContain(
      "--listen testground=127.0.0.1:0,run=x: there is no setting 'run'; there are: scope, ",
    );
    expect(stderr).toContain("testground=127.0.0.1:5050");
  });
});
