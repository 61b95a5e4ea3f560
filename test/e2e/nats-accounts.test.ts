// SPDX-License-Identifier: MIT
// Goal: the accounts, rights and leaf node of docs/guides/three-servers.md are enough and not too
// much: boss and ops see nothing of each other, a site has events and not the log, and an agent at
// the leaf obeys a scheduler at the hub, also after the line between them was cut. Method: the
// files of the guide, with other ports and directories; real nats-servers, servers and commands.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLog } from "../../src/engine/open-log.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { freePorts, NatsServer } from "../../src/testing/nats-server.ts";
import { Cutter } from "../unit/engine/cutter.ts";
import { AgentScene } from "./events-support/agent-scene.ts";
import { experiment } from "./events-support/scheduled.ts";
import { repository, scratch, start } from "./support/command.ts";

const guide = readFileSync(join(repository, "docs/guides/three-servers.md"), "utf8");

/** A configuration of the guide without what a test decides: addresses, and where files are. */
function configuration(name: string, leafAddress: string): string {
  const text = new RegExp(`\`\`\`\n# ${name}\n([^\`]*)\`\`\``).exec(guide)?.[1] ?? "";
  const kept = text.split("\n").filter((line) => !/^(listen|jetstream):/.test(line));
  return kept.join("\n").replace("127.0.0.1:7422", leafAddress);
}

let hub: NatsServer;
let leaf: NatsServer;
let line: Cutter;
beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  const config = configuration("hub.conf", `127.0.0.1:${port}`);
  hub = await NatsServer.start({ config, domain: "hub" });
  line = await new Cutter().start(port);
  leaf = await NatsServer.start({
    ...{ config: configuration("site.conf", line.address), hasJetStream: false },
  });
});
afterAll(async () => {
  await leaf.dispose();
  line.close();
  await hub.dispose();
});

/** @returns where its door of events is */
async function serve(role: "boss" | "ops", name: string, log: string): Promise<string> {
  const door = role === "boss" ? "boss-events" : "events";
  const command = start("muster", [
    ...["serve", "--state", scratch(), "--name", name, "--role", role, "--log", log],
    ...["--listen", `${door}=127.0.0.1:0`],
  ]);
  const [, at = ""] = await command.prints(/events at http:\/\/(\S+),/);
  return at;
}

const asUser = (user: string, at: string): string => `nats://${user}:${user}-secret@${at}`;

describe("the guide's accounts and leaf node", () => {
  it("let an agent behind the leaf obey a scheduler at the hub, also after a cut", async () => {
    // The stream is made by who has the right to.
    const [ops, boss] = await Promise.all([
      serve("ops", "ops", asUser("ops", hub.address)),
      serve("boss", "boss", asUser("boss", hub.address)),
    ]);
    const site = await serve("ops", "site", `nats://${leaf.address}?domain=hub`);
    const watch = start("muster", ["event", "watch", experiment, "--scheduled", "--server", ops]);
    const bossWatch = start("eventdebug", ["-b", "-s", "127.0.0.1", "-p", portOf(boss)]);
    const scene = await AgentScene.open({ scheduler: ops, agent: site, watch });
    expect(await scene.send(ops)).toMatchObject({ code: 0 });
    // Sent behind the leaf, it goes up, is scheduled there, and comes down again.
    expect(await scene.send(site)).toMatchObject({ code: 0 });
    line.cut();
    while ((await scene.send(site)).code !== 0) await sleep(systemClock, 100);
    expect(watch.stdout).toMatch(/ p +START/);
    expect(bossWatch.stdout).toBe("");
  });

  it("keep the log from a site, and ops from boss", async () => {
    const site = openLog(`${asUser("site", hub.address)}?domain=hub`, systemClock);
    await expect(site).rejects.toThrow(/muster of NATS cannot be used|JetStream/);
    const log = await openLog(asUser("boss", hub.address), systemClock);
    await log.append({ format: 1, batches: [] });
    const other = await openLog(asUser("ops", hub.address), systemClock);
    expect([await log.head(), await other.head()]).toEqual([1, 0]);
    await Promise.all([log.close(), other.close()]);
  });
});

function portOf(at: string): string {
  return at.split(":")[1] ?? "";
}
