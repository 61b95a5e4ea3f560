// SPDX-License-Identifier: MIT
// Goal: the two buses of `muster serve` are apart, also in one process: each takes its own object
// types and refuses the other's; roles, addresses and redirects that make no sense are refused.
// Method: real processes, ports of the system's choice, eventdebug on each bus.
import { spawnSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toJsonNotification } from "../../src/wire/event/json.ts";
import { type Address, createNotification } from "../../src/wire/event/notification.ts";
import { Command, run, scratch, start } from "./support/command.ts";

async function serve(...argv: readonly string[]): Promise<Command> {
  return start("muster", ["serve", "--state", scratch(), ...argv]);
}

interface Answer {
  readonly status: number;
  readonly body: { readonly matched?: number; readonly message?: string };
}

function jsonOf(address: Partial<Address>): string {
  const options = { sender: "192.0.2.1", layout: "2011", extra: [] } as const;
  return JSON.stringify(
    toJsonNotification(createNotification({ scheduler: 0, ...address }, options)),
  );
}

function publish(at: string, address: Partial<Address>, headers = {}): Promise<Answer> {
  const body = jsonOf(address);
  return new Promise((resolve, reject) => {
    const url = `http://${at}/v1/notifications`;
    const sending = request(url, { method: "POST", headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sending.on("error", reject).end(body);
  });
}

const nodeState = { objtype: "TBNODESTATE", objname: "pc1", eventtype: "ISUP" };
const program = { expt: "foo/bar", objtype: "PROGRAM", objname: "prog0", eventtype: "START" };

const isRoot = process.getuid?.() === 0;
const canUnshare = isRoot && spawnSync("unshare", ["--net", "true"]).status === 0;

describe.skipIf(!canUnshare)("the usual ports, in a network of its own", () => {
  it("are those that eventdebug and evproxy look at when nothing is said", async () => {
    const up = "ip link set lo up && echo up && exec sleep infinity";
    const holder = new Command("unshare", ["--net", "sh", "-c", up]);
    await holder.prints(/^up/);
    const prefix = ["nsenter", "-t", String(holder.pid), "-n"];
    const env = { MUSTER_EVENTS: undefined };
    const listen = ["--listen", "events=127.0.0.2", "--listen", "boss-events"];
    const server = start("muster", ["serve", "--state", scratch(), ...listen], { prefix, env });
    await server.prints(/boss-events at http:\/\/127\.0\.0\.1:2927/);
    const node = ["-d", "-s", "127.0.0.2", "-e", "foo/bar", "--host", "192.0.2.7"];
    const pid = join(scratch(), "pid");
    const proxy = start("evproxy", [...node, "-i", pid], { prefix, env });
    await proxy.prints(/listening at 127\.0\.0\.1 port 2917/);
    const hears = async (argv: readonly string[], port: string, address: Partial<Address>) => {
      const ear = start("eventdebug", argv, { prefix, env });
      const url = `http://${port}/v1/notifications`;
      const curl = ["-sS", "-d", jsonOf(address), url];
      while (ear.stdout === "") await new Command("curl", curl, { prefix }).ended;
      return ear.stdout;
    };
    expect(await hears(["-b"], "127.0.0.1:2927", nodeState)).toContain(" TBNODESTATE pc1 ISUP");
    expect(await hears([], "127.0.0.2:2917", program)).toContain(" PROGRAM prog0 START");
  });
});

describe("muster serve, with both buses in one process", () => {
  it("takes users' events on the one, the testbed's on the other, and never crosses them", async () => {
    const server = await serve(
      ...["--listen", "events=127.0.0.1:0", "--listen", "boss-events=127.0.0.1:0"],
    );
    const [, ops = ""] = await server.prints(/ events at http:\/\/(\S+),/);
    const [, boss = ""] = await server.prints(/boss-events at http:\/\/(\S+),/);
    const port = (at: string): string => at.split(":")[1] ?? "";
    const opsEar = start("eventdebug", ["-p", port(ops)]);
    const bossEar = start("eventdebug", ["-b", "-p", port(boss)]);
    while (!opsEar.stdout.includes(" hello ")) {
      await publish(ops, { ...program, objname: "hello" });
    }
    while (!bossEar.stdout.includes(" pc1 ")) await publish(boss, nodeState);

    expect(await publish(ops, nodeState)).toMatchObject({
      ...{ status: 403, body: { message: expect.stringContaining("the testbed's own bus") } },
    });
    for (const scheduler of [0, 1] as const) {
      expect(await publish(boss, { ...program, scheduler })).toMatchObject({
        ...{ status: 403, body: { message: expect.stringContaining("the experiment's") } },
      });
    }
    await publish(ops, { ...program, objname: "last" });
    await publish(boss, { ...nodeState, objname: "last" });
    await Promise.all([opsEar, bossEar].map((ear) => ear.prints(/ last /)));
    expect(opsEar.stdout).not.toContain("TBNODESTATE");
    expect(bossEar.stdout).not.toContain("PROGRAM");
  });

  it("answers plain requests to the name event-server, and to no other without a token", async () => {
    const server = await serve("--role", "ops", "--listen", "events=127.0.0.1:0");
    const [, at = ""] = await server.prints(/ events at http:\/\/(\S+),/);
    expect((await publish(at, program, { host: "event-server:2917" })).status).toBe(200);
    expect((await publish(at, program, { host: "evil.example" })).status).toBe(403);
  });

  it("--role ops keeps no experiments, and says so", async () => {
    const state = scratch();
    const server = start("muster", [
      ...["serve", "--role", "ops", "--state", state, "--listen", "events=127.0.0.1:0"],
    ]);
    await server.prints(/ events at/);
    expect(await run("muster", ["status", "--state", state])).toMatchObject({ code: 69 });
    expect(server.stdout).not.toContain("keeping the experiments");
    server.child.kill("SIGTERM");
    expect(await server.ended).toMatchObject({ code: 0, stderr: "" });
  });

  it.each([
    [["--role", "ops"], "add --listen events"],
    [["--role", "ops", "--listen", "boss-events"], "belongs to --role boss"],
    [["--role", "boss", "--listen", "events"], "belongs to --role ops"],
    [["--listen", "boss-events=0.0.0.0:0"], "or add ,beyond-loopback"],
    [["--listen", "events=0.0.0.0:0,beyond-loopback"], "there is no setting 'beyond-loopback'"],
    [["--redirect-events", "192.0.2.1:2917"], "give ADDRESS:PORT=HOST:PORT"],
    [["--redirect-events", "boss:2917=ops:2917"], "an address of this machine"],
    [["--redirect-events", "192.0.2.1:70000=ops"], "give ADDRESS:PORT=HOST:PORT"],
    [["--redirect-events", "192.0.2.1=ops,allow=x"], "x is no network such as"],
  ])("refuses %j and says what to write", async (argv, hint) => {
    const server = await serve(...argv);
    const { code, stderr } = await server.ended;
    expect([code, stderr]).toEqual([64, expect.stringContaining(hint)]);
  });

  // Nobody has that address.
  it.each([
    ["--redirect-events", "192.0.2.1:0=ops:2917"],
    ["--listen", "boss-events=192.0.2.1:0,beyond-loopback"],
  ])("tries %s %s, and says that it cannot have the address", async (...argv) => {
    const server = await serve(...argv);
    const { code, stderr } = await server.ended;
    expect([code, stderr]).toEqual([73, expect.stringContaining("EADDRNOTAVAIL")]);
  });
});
