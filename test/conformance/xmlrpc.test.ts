// SPDX-License-Identifier: MIT
// Goal: boss's XML-RPC for a client that shares no code with it, over HTTPS with certificates and
// over a remote command's pipes, and nobody else. Method: Python's xmlrpc.client against a daemon
// with the real database and doors, whose runs have no nodes; certificates made by openssl.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Daemon } from "../../src/boss/daemon.ts";
import { connectDaemon } from "../../src/boss/daemon-client.ts";
import { resolveBossLimits } from "../../src/boss/limits.ts";
import { resolveStateDirectory } from "../../src/boss/state-directory.ts";
import { openBossHttps } from "../../src/client/boss-https.ts";
import { RemoteStaticData } from "../../src/client/remote-static-data.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import { resolveBusLimits } from "../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../src/engine/memory-bus.ts";
import { systemClock } from "../../src/host/clock.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { FakeRuns } from "../unit/boss/fake-run.ts";
import { Caller } from "./xmlrpc/caller.ts";
import { Certificates, type Pair } from "./xmlrpc/certificates.ts";

const root = join(import.meta.dirname, "../..");
const text = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
set l0 [$ns duplex-link $a $b 10Mb 5ms DropTail]
set p [$b program-agent -command "true"]
$ns at 2 "$p start"
$ns at 1 "$l0 down"
set opt(SIZE) 5
$ns run
`;
const ee = { proj: "pp", exp: "ee" };
const { username } = userInfo();
let folder = "";
let daemon: Daemon;
let certificates: Certificates;
let user: Pair;
let caller: Caller;
const runs = new FakeRuns();

const url = (path = ""): string => `https://localhost:${daemon.xmlrpcPort}${path}`;
const python = (pair: Pair | undefined, path = ""): Caller => {
  const { certificate = "", key = "" } = pair ?? {};
  return new Caller("https", url(path), certificate, key, certificates.authority);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-xmlrpc-"));
  mkdirSync(join(folder, "certs"));
  certificates = new Certificates(join(folder, "certs"));
  const server = certificates.issue("server", "localhost");
  user = certificates.issue("user", username);
  daemon = await Daemon.start({
    ...{ state: resolveStateDirectory(join(folder, "s"), {}), clock: systemClock, tools: {} },
    ...{ coreLimits: resolveLimits(), limits: resolveBossLimits(), logger: silentLogger },
    ...{
      run: runs.run,
      faults: process,
      bus: new MemoryBus({ epoch: "e", limits: resolveBusLimits() }),
      onStopAsked: () => undefined,
    },
    xmlrpc: {
      identity: {
        key: readFileSync(server.key, "utf8"),
        certificate: readFileSync(server.certificate, "utf8"),
        authority: readFileSync(certificates.authority, "utf8"),
      },
      address: "127.0.0.1",
      port: 0,
    },
  });
  const link = await connectDaemon(resolveStateDirectory(join(folder, "s"), {}), systemClock);
  await link?.request({
    ...{ kind: "up", file: "/a.ns", text, pid: "pp", eid: "ee", presets: [], seed: 1 },
    ...{ insisted: [], durationSeconds: 0, stuckSeconds: 0 },
  });
  link?.close();
  caller = python(user);
});

afterAll(async () => {
  caller.close();
  for (const run of runs.runs) run.end("interrupt");
  await daemon.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("Python over HTTPS", () => {
  it("gets {code, value, output} for what an experiment is", async () => {
    expect(await caller.boss("experiment.state", ee)).toEqual({
      ...{ code: 0, value: "active", output: "active" },
    });
    const { code, value } = await caller.boss("experiment.metadata", ee);
    expect(code).toBe(0);
    expect(value).toMatchObject({
      ...{ pid: "pp", eid: "ee", state: "active", creator: username, swapper: username },
      path: join(folder, "s/experiments/pp/ee"),
      user_environment: [{ name: "SIZE", value: "5" }],
    });
  });

  it("gets the static data of a scheduler, with what comes by itself", async () => {
    const { value: agents } = await caller.boss("experiment.event_agentlist", ee);
    expect(agents).toEqual(
      expect.arrayContaining([
        ["a", "a", "a.ee.pp", "", "NODE"],
        ["p", "b", "b.ee.pp", "", "PROGRAM"],
        ["ns", "*", "*", "*", "SIMULATOR"],
        ["l0", "*", "*", "*", "LINK"],
        ["l0-a", "*", "*", "*", "LINK"],
        ["__b_program-agent", "b", "b.ee.pp", "", "PROGRAM"],
      ]),
    );
    const { value: groups } = await caller.boss("experiment.event_grouplist", ee);
    expect(groups).toEqual([
      ["__all_programs", "p"],
      ["__all_program-agents", "__b_program-agent"],
      ["__all_lans", "l0"],
    ]);
    const { value: events } = await caller.boss("experiment.event_eventlist", ee);
    expect(events).toEqual([
      ["2", "1", "l0", "LINK", "DOWN", "", "", "TIMER"],
      ["1", "2", "p", "PROGRAM", "START", "COMMAND=true", "", "TIMER"],
    ]);
    const { value: tables } = await caller.boss("experiment.virtual_topology", {
      ...{ ...ee, tables: "node_startlocs,virt_agents" },
    });
    expect(tables).toMatchObject({ node_startlocs: [], virt_agents: expect.any(Array) });
  });

  it("records when time began, tells it, and takes it back", async () => {
    const method = "experiment.event_time_start";
    const none = { code: 2, value: 2, output: "Event time has not started yet" };
    // The run itself has recorded when its time began.
    await expect
      .poll(() => caller.boss(method, ee), { timeout: 60_000 })
      .toMatchObject({
        ...{ code: 0, value: [{ parent: "", arguments: expect.stringMatching(/^\d{10}/) }] },
      });
    const set = { ...ee, timeline: "", time: 1093867200.25 };
    expect(await caller.boss(method, set)).toEqual({ code: 0, value: "ok", output: "" });
    expect(await caller.boss(method, { pid: "pp", eid: "ee" })).toMatchObject({
      value: [{ parent: "", arguments: "1093867200.25" }],
    });
    await caller.boss(method, { ...set, time: 0 });
    expect(await caller.boss(method, ee)).toEqual(none);
  });

  it("waits for states, and is told who is missing", async () => {
    expect(await caller.boss("experiment.waitforactive", ee)).toMatchObject({ value: "active" });
    const wait = { ...ee, node: "a", state: "ISUP,TBFAILED", timeout: 0.01 };
    expect(await caller.boss("node.statewait", wait)).toEqual({
      code: 8,
      value: { "a.ee.pp": "SHUTDOWN" },
      output: "ISUP or TBFAILED: not in time: a.ee.pp is SHUTDOWN",
    });
  });

  it("is told honestly what there is not", async () => {
    for (const [method, args] of [
      ["node.reboot", { ...ee, nodes: "a,b" }],
      ["node.reload", { nodes: ["a.ee.pp"], imagename: "i" }],
      ["node.create_image", { ...ee, node: "a", imagename: "i" }],
      ["experiment.modify", { ...ee, nsfilepath: "/a.ns" }],
      ["emulab.vision_config", { area: "a" }],
      ["emulab.obstacle_config", { area: "a", units: "meters" }],
    ] as const) {
      const reply = await caller.boss(method, args);
      expect([method, reply]).toMatchObject([
        method,
        { code: 2, value: 2, output: expect.stringMatching(/^NOT_YET: /) },
      ]);
    }
  });

  it("controls in silence where no event system is configured", async () => {
    const args = { ...ee, action: "start" };
    const reply = await caller.boss("experiment.eventsys_control", args);
    expect(reply).toMatchObject({ code: 0, value: "ok", output: "" });
  });

  it("is told what is wrong with its arguments, names and methods", async () => {
    const reply = (args: Readonly<Record<string, unknown>>) =>
      caller.boss("experiment.state", args);
    expect(await reply({ proj: "pp" })).toMatchObject({
      code: 1,
      output: expect.stringMatching(/`exp` is missing/),
    });
    expect(await reply({ proj: "pp", exp: "no" })).toMatchObject({ code: 2 });
    expect(await caller.call("experiment.state", 0.2, ee)).toMatchObject({ value: { code: 4 } });
    expect(await caller.call("experiment.state", "0.1", ee)).toMatchObject({ value: { code: 0 } });
    expect(await caller.call("experiment.nothing", 0.1, ee)).toMatchObject({
      fault: [-32_601, expect.stringContaining("system.listMethods")],
    });
    const { value } = await caller.call("system.listMethods");
    expect(value).toContain("node.statewait");
    expect(await caller.call("experiment.state", 0.1, [1])).toMatchObject({ value: { code: 1 } });
  });

  it("finds it at the old root too, and nowhere else", async () => {
    for (const [path, answer] of [
      ["/usr/testbed", { value: { code: 0 } }],
      ["/RPC2", { value: { code: 0 } }],
      ["/etc/passwd", { error: "HTTP 404" }],
    ] as const) {
      const other = python(user, path);
      expect(await other.call("experiment.state", 0.1, ee)).toMatchObject(answer);
      other.close();
    }
  });
});

describe("who is let in", () => {
  it("nobody without a certificate, or with one of another authority", async () => {
    const others = new Certificates(join(folder, "certs"), "others");
    for (const pair of [undefined, others.issue("user", username)]) {
      const stranger = python(pair);
      expect(await stranger.call("experiment.state", 0.1, ee)).toHaveProperty("error");
      stranger.close();
    }
  });

  it("no node and no server, though the same authority has signed them", async () => {
    for (const unit of ["node", "server"]) {
      const stranger = python(certificates.issue(unit, username));
      expect(await stranger.call("experiment.state", 0.1, ee)).toEqual({ error: "HTTP 403" });
      stranger.close();
    }
  });

  it("a user of another project sees nothing", async () => {
    const stranger = python(certificates.issue("user", "mallory"));
    for (const [method, args] of [
      ["experiment.state", ee],
      ["experiment.swapexp", { ...ee, direction: "out" }],
      ["experiment.event_time_start", { ...ee, time: 1 }],
      ["node.reboot", { nodes: "a.ee.pp" }],
    ] as const) {
      const { code, output } = await stranger.boss(method, args);
      expect([code, output]).toEqual([2, expect.stringContaining("there is no")]);
    }
    stranger.close();
  });

  it("no TLS older than 1.2", async () => {
    const failed = await new Promise<string>((resolve) => {
      const socket = connectTls({
        ...{ host: "127.0.0.1", port: daemon.xmlrpcPort ?? 0, maxVersion: "TLSv1.1" },
        ...{ minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0", rejectUnauthorized: false },
      });
      socket.on("error", ({ message }) => resolve(message));
      socket.on("secureConnect", () => resolve("connected"));
    });
    expect(failed).not.toBe("connected");
  });

  it("no plain HTTP", async () => {
    const got = await new Promise<string>((resolve) => {
      let bytes = "";
      const socket = connect(daemon.xmlrpcPort ?? 0, "127.0.0.1");
      socket.on("data", (chunk) => {
        bytes += String(chunk);
      });
      socket.on("close", () => resolve(bytes));
      socket.on("error", () => undefined);
      socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    });
    expect(got).not.toContain("200");
  });
});

describe("the other source of static data", () => {
  it("says over XML-RPC what the database says", async () => {
    const { transport, close } = openBossHttps({
      ...{ host: "localhost", port: daemon.xmlrpcPort ?? 0, path: "/", timeoutMs: 30_000 },
      key: readFileSync(user.key, "utf8"),
      certificate: readFileSync(user.certificate, "utf8"),
      authority: readFileSync(certificates.authority, "utf8"),
    });
    const data = new RemoteStaticData(transport, "pp", "ee");
    expect(await data.state()).toBe("active");
    expect(await data.metadata()).toMatchObject({ environment: [["SIZE", "5"]], syncServer: "a" });
    expect(await data.events()).toMatchObject([{ index: 2, timeSeconds: 1 }, { index: 1 }]);
    expect(await data.groups()).toContainEqual({ group: "__all_lans", agent: "l0" });
    expect(await data.agents()).toContainEqual({
      ...{ name: "p", vnode: "b", nodeId: "b.ee.pp", address: "", objectType: "PROGRAM" },
    });
    await data.setStart("", undefined);
    await expect(data.starts()).rejects.toThrow("Event time has not started yet");
    await data.setStart("tl", 7.5);
    expect(await data.starts()).toEqual([{ timeline: "tl", startSeconds: 7.5 }]);
    await data.setStart("tl", undefined);
    const other = new RemoteStaticData(transport, "pp", "no");
    await expect(other.state()).rejects.toThrow("there is no experiment pp/no");
    close();
  });
});

describe("Python over the pipes of a remote command", () => {
  it("calls as the owner of the state directory, one call after the other", async () => {
    const pipes = new Caller("command", join(root, "bin/xmlrpc"), "--state", join(folder, "s"));
    expect(await pipes.boss("experiment.state", ee)).toMatchObject({ value: "active" });
    expect(await pipes.boss("experiment.state", { proj: "pp" })).toMatchObject({ code: 1 });
    expect(await pipes.call("no.such")).toMatchObject({ fault: [-32_601, expect.anything()] });
    pipes.close();
  });

  it("is told when there is no daemon", async () => {
    const pipes = new Caller("command", join(root, "bin/xmlrpc"), "--state", join(folder, "none"));
    expect(await pipes.call("experiment.state", 0.1, ee)).toMatchObject({
      fault: [-32_300, expect.stringContaining("start one with: muster serve")],
    });
    pipes.close();
  });
});

describe("the command eventsys_control", () => {
  const control = (...argv: readonly string[]) => {
    const program = join(root, "bin/eventsys-control");
    const given = ["--port", String(daemon.xmlrpcPort), "--ca", certificates.authority];
    const options = { encoding: "utf8" } as const;
    return new Promise<readonly [code: unknown, text: string]>((resolve) => {
      execFile(program, [...given, ...argv], options, (error, stdout, stderr) => {
        resolve([error?.code ?? 0, stdout + stderr]);
      });
    });
  };

  it("asks boss with the user's certificate, and says what boss says", async () => {
    const bundle = join(folder, "emulab.pem");
    const texts = [user.certificate, user.key].map((file) => readFileSync(file, "utf8"));
    writeFileSync(bundle, texts.join(""), { mode: 0o600 });
    const [code, text] = await control("--cert", bundle, "-e", "pp,ee", "replay");
    expect([code, text]).toEqual([0, ""]);
    const [other, none] = await control("--cert", bundle, "-e", "pp,no", "stop");
    expect([other, none]).toEqual([255, "eventsys_control: there is no experiment pp/no\n"]);
  });

  it.each([
    [["start"], "Must provide pid,eid"],
    [["-e", "pp,ee"], "name one action"],
    [["-e", "pp,ee", "explode"], "name one action"],
    [["-e", "pp,ee", "--cert", "/no", "start"], "cannot read /no"],
  ])("refuses %j", async (argv, complaint) => {
    expect(await control(...argv)).toEqual([255, expect.stringContaining(complaint)]);
  });
});

describe("swapexp", () => {
  it("swaps out and in what the database holds", async () => {
    // The connection of the others may have been idle for too long by now, on a slow machine.
    const mine = python(user);
    const swap = (direction: string, wait: boolean) =>
      mine.boss("experiment.swapexp", { ...ee, direction, wait });
    expect(await swap("sideways", true)).toMatchObject({ code: 1 });
    expect(await swap("in", true)).toMatchObject({
      code: 2,
      output: expect.stringMatching(/it is up already/),
    });
    expect(await swap("out", true)).toMatchObject({ code: 0, output: "it is swapped out" });
    expect(await mine.boss("experiment.state", ee)).toMatchObject({ value: "swapped" });
    expect(await swap("out", false)).toMatchObject({
      code: 2,
      output: expect.stringMatching(/it has no nodes/),
    });
    const wait = { ...ee, timeout: 0.01 };
    expect(await mine.boss("experiment.waitforactive", wait)).toEqual({
      ...{ code: 8, value: { "pp/ee": "swapped" } },
      output: "active: not in time: pp/ee is swapped",
    });
    expect(await swap("in", true)).toMatchObject({ code: 0, output: "it is active" });
    mine.close();
  });
});
