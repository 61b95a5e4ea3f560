// SPDX-License-Identifier: MIT
// Goal: docs/guides/upgrade-events.md, walked to its end and back: at each step clients of the old
// address, clients of the name and clients on a node send and receive, nothing comes twice and
// nothing is lost; boss's own bus hears no user. Method: the commands of the guide as processes on
// loopback addresses with names of their own, by a hosts file that only they see; ears that live
// through the whole walk.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toJsonNotification } from "../../src/wire/event/json.ts";
import { type Address, createNotification } from "../../src/wire/event/notification.ts";
import { Command, repository, scratch } from "./support/command.ts";

const isRoot = process.getuid?.() === 0;
const unshare: readonly string[] = ["unshare", isRoot ? "-m" : "-rm"];
const canMount = succeeds([...unshare, "mount", "--bind", "/etc/hosts", "/etc/hosts"]);

function succeeds([file = "", ...argv]: readonly string[]): boolean {
  try {
    execFileSync(file, argv, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const experiment = "foo/bar";
const nodeHost = "192.0.2.7";

/** A testbed of two machines, which are addresses of this one. */
class Testbed {
  readonly boss: string;
  readonly ops: string;
  readonly node: string;
  port = 0;
  readonly #hosts = join(scratch(), "hosts");
  readonly #key = join(scratch(), "key");

  constructor() {
    const net = `127.${64 + (process.pid % 100)}.${process.ppid % 250}`;
    this.boss = `${net}.1`;
    this.ops = `${net}.2`;
    this.node = `${net}.7`;
    writeFileSync(this.#key, "a key of foo/bar");
  }

  /** Finds a port that is free on both, as the custom of one port wants it. */
  async choosePort(): Promise<void> {
    for (;;) {
      const port = await freePort(this.boss, 0);
      if (port !== undefined && (await freePort(this.ops, port)) !== undefined) {
        this.port = port;
        return;
      }
    }
  }

  /** Which of the two is the event server, for who looks it up from now on. */
  pointName(machine: "boss" | "ops"): void {
    const names = [
      `127.0.0.1 localhost`,
      `${this.boss} boss`,
      `${this.ops} ops`,
      `${this[machine]} event-server`,
    ];
    writeFileSync(this.#hosts, `${names.join("\n")}\n`);
  }

  start(name: string, argv: readonly string[], env: Record<string, string> = {}): Command {
    const mount = 'mount --bind "$0" /etc/hosts && exec "$@"';
    const prefix = [...unshare, "sh", "-c", mount, this.#hosts];
    return new Command(join(repository, "bin", name), argv, { prefix, env });
  }

  /** One that has said what `ready` looks for. */
  async serve(argv: readonly string[], ready: RegExp): Promise<Command> {
    const command = this.start("muster", ["serve", "--state", scratch(), ...argv]);
    await command.prints(ready);
    return command;
  }

  bus(machine: "boss" | "ops"): Promise<Command> {
    const at = `${this[machine]}:${this.port}`;
    return this.serve(["--role", "ops", "--listen", `events=${at}`], /events at/);
  }

  redirect(from: "boss" | "ops", to: "boss" | "ops"): Promise<Command> {
    const way = `${this[from]}:${this.port}=${to}:${this.port}`;
    return this.serve(["--role", "ops", "--redirect-events", way], /who connects to/);
  }

  tevc(objname: string, env: Record<string, string>, ...where: readonly string[]): Command {
    const argv = [...where, "-k", this.#key, "-e", experiment, "now", objname, "start"];
    return this.start("tevc", argv, { MUSTER_TEVC_STRICT: "", ...env });
  }

  byName(port: number = this.port): Record<string, string> {
    return { MUSTER_EVENTS: `event-server:${port}` };
  }
}

function freePort(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });
}

async function stop(command: Command): Promise<void> {
  command.child.kill("SIGTERM");
  expect(await command.ended).toMatchObject({ code: 0 });
}

/** Sends as a scheduler does. */
async function publish(at: string, address: Partial<Address>): Promise<number> {
  const notification = createNotification(
    { scheduler: 0, ...address },
    { sender: "192.0.2.1", layout: "2011", extra: [] },
  );
  const body = JSON.stringify(toJsonNotification(notification));
  return (await fetch(`http://${at}/v1/notifications`, { method: "POST", body })).status;
}

/** Who takes part in the walk, from its beginning to its end. */
class Party {
  readonly old: Command;
  readonly new: Command;
  readonly node: Command;
  readonly proxyAt: string;
  readonly sent: string[] = [];
  readonly #testbed: Testbed;

  private constructor(testbed: Testbed, proxyAt: string) {
    this.#testbed = testbed;
    this.proxyAt = proxyAt;
    const port = String(testbed.port);
    this.old = testbed.start("eventdebug", ["-s", "boss", "-p", port, "--scheduled", experiment]);
    this.new = testbed.start("eventdebug", ["--scheduled", experiment], testbed.byName());
    this.node = testbed.start("eventdebug", [], { MUSTER_EVENTS: proxyAt });
  }

  static async gather(testbed: Testbed): Promise<Party> {
    const proxy = testbed.start("evproxy", [
      ...["-d", "-s", "event-server", "-p", String(testbed.port), "-e", experiment],
      ...["--listen", `${testbed.node}:0`, "--host", nodeHost, "-i", join(scratch(), "pid")],
    ]);
    const [, port = ""] = await proxy.prints(/listening at \S+ port (\d+)/);
    const party = new Party(testbed, `${testbed.node}:${port}`);
    // Whoever has subscribed hears this sooner or later, and misses nothing from then on.
    for (const ear of [party.old, party.new, party.node]) {
      for (let tries = 0; !ear.stdout.includes("hello"); tries += 1) {
        if (tries > 1_000) throw new Error(`nothing is heard: ${ear.stderr}`);
        await publish(`${testbed.boss}:${testbed.port}`, { expt: experiment, objname: "hello" });
      }
    }
    return party;
  }

  /** Everybody sends, and everybody who takes part hears it. */
  async talk(step: string, server: "boss" | "ops", ears: readonly Command[]): Promise<void> {
    const testbed = this.#testbed;
    const port = String(testbed.port);
    const names = { byName: `${step}-name`, node: `${step}-node`, live: `${step}-live` };
    const senders = [
      testbed.tevc(names.byName, testbed.byName()),
      testbed.tevc(names.node, { MUSTER_EVENTS: this.proxyAt }),
    ];
    const sent = [names.byName, names.node, names.live];
    if (ears.includes(this.old)) {
      senders.push(testbed.tevc(`${step}-old`, {}, "-s", "boss", "-p", port));
      sent.push(`${step}-old`);
    }
    for (const { code, stderr } of await Promise.all(senders.map(({ ended }) => ended))) {
      expect([code, stderr]).toEqual([0, ""]);
    }
    const live = { expt: experiment, host: nodeHost, objname: names.live };
    expect(await publish(`${testbed[server]}:${port}`, live)).toBe(200);
    this.sent.push(...sent);
    await this.node.prints(mark(names.live));
    for (const ear of ears)
      if (ear !== this.node) for (const name of sent) await ear.prints(mark(name));
  }
}

const mark = (name: string): RegExp => new RegExp(` ${name} `);
const countOf = (ear: Command, name: string): number => ear.stdout.split(` ${name} `).length - 1;

describe.skipIf(!canMount)("the upgrade of the event server", () => {
  it("goes step by step to a bus on ops, and back, with old and new clients all the way", async () => {
    const testbed = new Testbed();
    await testbed.choosePort();
    testbed.pointName("boss");
    const bossPlace = ["--role", "boss", "--listen", `boss-events=${testbed.boss}:0`];
    const daemon = await testbed.serve(bossPlace, /boss-events at http:\S+,/);
    const [, bossBus = ""] = await daemon.prints(/boss-events at http:\/\/(\S+),/);
    const [bossHost = "", bossPort = ""] = bossBus.split(":");
    const bossEar = testbed.start("eventdebug", ["-b", "-s", bossHost, "-p", bossPort]);
    let said = 0;
    const bossSpeaks = async (): Promise<void> => {
      said += 1;
      const state = { objtype: "TBNODESTATE", objname: `pc${said}`, eventtype: "ISUP" };
      expect(await publish(bossBus, state)).toBe(200);
      expect(await publish(bossBus, { expt: experiment, objtype: "PROGRAM" })).toBe(403);
    };

    // Step 0: as it was.
    let onBoss = await testbed.bus("boss");
    const party = await Party.gather(testbed);
    const everybody = [party.old, party.new, party.node];
    for (let tries = 0; !bossEar.stdout.includes("hello"); tries += 1) {
      if (tries > 1_000) throw new Error(`nothing is heard: ${bossEar.stderr}`);
      await publish(bossBus, { objtype: "TBNODESTATE", objname: "hello", eventtype: "ISUP" });
    }
    await party.talk("as-it-was", "boss", everybody);

    // Step 1: a bus on ops, which nobody uses yet.
    let onOps = await testbed.bus("ops");
    await party.talk("ops-idle", "boss", everybody);
    await bossSpeaks();

    // Step 2: boss hands its port to the redirect. Who sends in between waits.
    await stop(onBoss);
    const early = testbed.tevc("between", {}, "-s", "boss", "-p", String(testbed.port));
    onBoss = await testbed.redirect("boss", "ops");
    expect(await early.ended).toMatchObject({ code: 0 });
    party.sent.push("between");
    await party.talk("redirected", "ops", everybody);
    await bossSpeaks();

    // Step 3: the name.
    testbed.pointName("ops");
    await party.talk("renamed", "ops", everybody);

    // Step 4: without the redirect the clients of the name go on; those of boss come back with it.
    await stop(onBoss);
    await party.talk("no-redirect", "ops", [party.new, party.node]);
    onBoss = await testbed.redirect("boss", "ops");
    await party.old.prints(mark("no-redirect-name"));
    await party.talk("redirected-again", "ops", everybody);

    // And back: the name first, then the buses, with a redirect the other way.
    testbed.pointName("boss");
    await party.talk("name-back", "ops", everybody);
    await stop(onOps);
    await stop(onBoss);
    onBoss = await testbed.bus("boss");
    onOps = await testbed.redirect("ops", "boss");
    await party.talk("back", "boss", everybody);
    await stop(onOps);
    await party.talk("as-it-was-again", "boss", everybody);
    await bossSpeaks();

    for (const name of party.sent) {
      expect([name, countOf(party.new, name)]).toEqual([name, 1]);
      expect([name, countOf(party.old, name)]).toEqual([name, 1]);
      expect([name, countOf(party.node, name)]).toEqual([name, name.endsWith("-live") ? 1 : 0]);
    }
    await bossEar.prints(mark(`pc${said}`));
    const types = new Set(
      bossEar.stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[6]),
    );
    expect([...types]).toEqual(["TBNODESTATE"]);
    await stop(onBoss);
    await stop(daemon);
  });
});
