// SPDX-License-Identifier: MIT
// Goal: nodes of a run boot from what the configuration server answers, programs on them get its
// replies in the formats of the specification, and a run outlives that server.
// Method: tmcc in start commands, its output read by parsers that share no code with ours; nodes
// booted in this process, where reports can be watched and the door closed.

import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { loadExperiment } from "../../src/cli/commands/parse.ts";
import { oldTools } from "../../src/cli/tools.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { Tmcd } from "../../src/edges/tmcd/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import { NodeConfig } from "../../src/testbed/node-config.ts";
import { runExperiment } from "../../src/testbed/run.ts";
import type { RunEvent } from "../../src/testbed/run-event.ts";
import { modes } from "./nodes-support/harness.ts";
import { repository, scratch, shell, until } from "./support/command.ts";
import {
  ended,
  nodesWith,
  readRecord,
  readText,
  runBody,
  sh,
  startRun,
  writeExperiment,
} from "./support/experiment.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What the independent parser makes of a reply in a file. @throws Error with its complaint. */
async function parsed(command: string, file: string): Promise<unknown> {
  const script = join(repository, "test/conformance/independent-tmcd/tmcd_parse.py");
  const { stdout, stderr } = await shell(`python3 "${script}" ${command} <"${file}"`);
  const answer = JSON.parse(stdout === "" ? `{"error":${JSON.stringify(stderr)}}` : stdout);
  if ("error" in answer) throw new Error(`${command}: ${JSON.stringify(answer.error)}`);
  return answer.reply;
}

const network = `set link [$ns duplex-link $n0 $n1 10Mb 5ms DropTail]
$ns rtproto Static
set udp [new Agent/UDP]
$ns attach-agent $n0 $udp
set null [new Agent/Null]
$ns attach-agent $n1 $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr attach-agent $udp`;
const asks = [
  ...["syncserver", "status", "hostnames", "trafgens", "routing", "programs", "fullconfig"],
  ...["ifconfig", "linkdelay", "delay", "topomap", "ltmap", "ready"],
].map((command) => `tmcc ${command} >$LOGDIR/${command}`);

describe.each(modes)("a node in %s mode", (mode) => {
  const env = { MUSTER_NODES: mode };

  test("finds the commands that the old nodes had, by name alone", async () => {
    const names = ["ltevent", "run_linktest", "trafgen", "program-agent", "evproxy", "tevc"];
    // Each says how it is used, or that it was called wrongly.
    const asks = names.map((name) => `${name} -? >$LOGDIR/${name} 2>&1; echo ${name} $?`);
    const ran = await runBody(nodesWith(sh(`${asks.join("; ")}; true`)), [], { env });
    const said = ran.text("nodes/n0/local/logs/n0_startcmd.out");
    for (const name of names) {
      expect(said).toMatch(new RegExp(`^${name} \\d+$`, "m"));
      expect(ran.text(`nodes/n0/local/logs/${name}`)).toMatch(/usage: /i);
    }
  });

  test("gets the replies of the specification", async () => {
    const count = "tmcc readycount >$LOGDIR/readycount; tmcc state ISUP";
    const body = nodesWith(
      sh([...asks, "emulab-sync -i 1", count].join("; ")),
      sh([...asks, "emulab-sync", count].join("; ")),
    );
    const ran = await runBody(`${body}\n${network}`, ["--eid", "exp"], { env });
    expect(ran.stdout).toContain("passed");
    for (const node of ["n0", "n1"]) {
      const reply = (command: string) =>
        parsed(command, join(ran.out, "nodes", node, "local/logs", command));
      expect(await reply("status")).toMatchObject({ pid: "muster", eid: "exp", vname: node });
      expect(await reply("syncserver")).toMatchObject({
        ...{ vname: "n0", eid: "exp", pid: "muster", domain: "muster.local" },
        is_server: node === "n0",
      });
      expect(await reply("ready")).toBeNull();
      expect(await reply("readycount")).toEqual({ ready: 2, total: 2 });
      const hosts = (await reply("hostnames")) as { vname: string; ip: string; bare: boolean }[];
      const addresses = (name: string) =>
        ran.result.nodes.find((one) => one.name === name)?.addresses.map((one) => one.loopback);
      expect(hosts.map(({ vname }) => vname).sort()).toEqual(["n0", "n1"]);
      for (const { vname, ip } of hosts) expect(addresses(vname)).toContain(ip);
      // Rows of the file: what the model does not hold.
      const peer = node === "n0" ? "n1" : "n0";
      expect(await reply("trafgens")).toMatchObject([
        { PEERNAME: addresses(peer)?.[1], PROTO: "udp", ROLE: node === "n0" ? "source" : "sink" },
      ]);
      expect(await reply("routing")).toMatchObject({ router: "static" });
      const own = addresses(node)?.[1];
      expect(await reply("ifconfig")).toMatchObject([{ kind: "physical", INET: own, LAN: "link" }]);
      expect(await reply("linkdelay")).toMatchObject([
        { TYPE: "simplex", LINKNAME: "link", INET: own, DELAY: 5, BW: 10_000, PLR: 0 },
      ]);
      expect(await reply("delay")).toEqual([]);
      const maps = ["topomap", "ltmap"].map((name) =>
        gunzipSync(readFileSync(join(ran.out, "nodes", node, "local/logs", name))).toString(),
      );
      expect(maps[0]).toContain(`\n${node},link:${own}\n`);
      expect(maps[1]).toContain("l n0 n1 10000000 0.0050 0.000000 link droptail\n");
      expect(await reply("programs")).toMatchObject({ agents: [{ agent: `${node}_startcmd` }] });
      await reply("fullconfig");
    }
    // The programs have said ISUP once more.
    const ups = readRecord(ran.out).filter(({ type }) => type === "node-up");
    expect(ups.map(({ node }) => node).sort()).toEqual(["n0", "n1"]);
  });

  test("has the boot files that these replies make", async () => {
    const read =
      "cat $MUSTER_BOOT/nickname; IFS=: read -r host port <$MUSTER_BOOT/syncserver; echo $port; " +
      "getent ahostsv4 $host || echo $host; stat -c %a $MUSTER_BOOT/eventkey";
    const ran = await runBody(nodesWith(sh(read), sh(read)), ["--eid", "exp"], { env });
    for (const node of ["n0", "n1"]) {
      const said = ran.text(`nodes/${node}/local/logs/${node}_startcmd.out`).split("\n");
      expect(said.slice(0, 2)).toEqual([`${node}.exp.muster`, "16534"]);
      // The server knows a node by the address it calls.
      const boss = ran.text(`nodes/${node}/var/emulab/boot/bossnode`).trim();
      expect(said[2]?.split(/\s/)[0]).toBe(boss);
      expect(said.at(-2)).toBe("600");
    }
  });

  test("is not disturbed by garbage at the door", async () => {
    const wait = "while [ ! -e $EXPDIR/tmp/go ]; do sleep 0.05; done";
    const work = (how: string) =>
      sh(
        `${wait}; for i in 1 2 3; do emulab-sync ${how} && tmcc -b status || exit 1; done; ` +
          "startcmddone 0",
      );
    const started = startRun(nodesWith(work("-i 1"), work("")), [], { env });
    const boss = join(started.out, "nodes/n0/var/emulab/boot/bossnode");
    await until("both programs run", () => {
      return readText(join(started.out, "record.ndjson")).split("program-started").length > 2;
    });
    const stop = flood(readText(boss).trim());
    writeFileSync(join(started.out, "proj/tmp/go"), "");
    const ran = await ended(started);
    expect(stop()).toBeGreaterThan(100);
    expect(ran.result.outcome).toBe("passed");
    const status = "ALLOCATED=muster/test NICKNAME=n1\n";
    expect(ran.text("nodes/n1/local/logs/n1_startcmd.out")).toBe(status.repeat(3));
    expect(ran.stderr.length).toBeLessThan(2_000);
  });
});

/** A run in this process of one node with that start command; `onEvent` sees it happen. */
async function runHere(command: string, onEvent: (event: RunEvent) => void): Promise<string> {
  const file = writeExperiment(nodesWith(sh(command)));
  const { experiment, rows } = await loadExperiment(file);
  if (experiment === undefined) throw new Error(`${file} has errors`);
  const out = scratch();
  await runExperiment({
    ...{ experiment, tables: rows, file, out, projectFiles: dirname(file), runId: newRunId() },
    ...{ seed: process.pid, durationSeconds: 0, stuckSeconds: 0, tools: oldTools() },
    ...{ clock: systemClock, limits: defaultLimits, logger: { log: () => undefined } },
    ...{ watch: onEvent, interrupt: new AbortController().signal },
  });
  return out;
}

describe("the boot", () => {
  test("says that a node is up when it has reported that, with its files in place", async () => {
    const report = vi.spyOn(NodeConfig.prototype, "report");
    const events: RunEvent[] = [];
    await runHere("true", (event) => events.push(event));
    const reports = report.mock.calls.map(([{ vname }, what]) => ({ vname, ...what }));
    expect(reports).toEqual([
      { vname: "n0", kind: "state", state: "TBSETUP" },
      { vname: "n0", kind: "state", state: "ISUP" },
    ]);
    expect(events.filter(({ type }) => type === "node-up")).toHaveLength(1);
  });

  test("finds the sync server where its own program registered it, and nowhere else", async () => {
    // Mutants: node-boot.ts registers the port itself; sync-server.ts starts without --register.
    const register = vi.spyOn(NodeConfig.prototype, "registerPort");
    const report = vi.spyOn(NodeConfig.prototype, "report");
    const listen = vi.spyOn(Tmcd.prototype, "listen");
    const out = await runHere("true", () => undefined);
    expect(register.mock.calls.map(([, service, row]) => [service, row])).toEqual([
      ["emulab_syncd", { port: 16534, nodeId: "n0" }],
    ]);
    const order = [listen, register, report].map(({ mock }) => mock.invocationCallOrder[0] ?? 0);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const said = readText(join(out, "nodes/n0/local/logs/emulab-syncd.log"));
    expect(said).not.toContain("--register");
    expect(readText(join(out, "nodes/n0/var/emulab/boot/syncserver"))).toMatch(/:16534\n$/);
  });

  test("does not say it of a node whose report is not taken", async () => {
    vi.spyOn(NodeConfig.prototype, "report").mockResolvedValue();
    const types: string[] = [];
    await runHere("true", ({ type }) => types.push(type));
    expect(types).not.toContain("node-up");
  });

  test("fails the run with a sentence when an answer does not fit", async () => {
    vi.spyOn(NodeConfig.prototype, "userEnvironment").mockRejectedValue(new Error("lost"));
    const events: RunEvent[] = [];
    await runHere("true", (event) => events.push(event));
    expect(events.at(-1)).toMatchObject({
      ...{ type: "run-ended", endedBy: "failure" },
      error: { code: "SWAP_IN" },
    });
  });

  test("is over, and the run goes on, when the door is closed by force", async () => {
    const listen = vi.spyOn(Tmcd.prototype, "listen");
    const events: RunEvent[] = [];
    const script =
      "while tmcc -b -t 1 status; do sleep 0.1; done; emulab-sync -i 0 -n own; startcmddone 3; cat $MUSTER_BOOT/startstatus";
    const out = await runHere(script, (event) => {
      events.push(event);
      if (event.type === "program-started") (listen.mock.contexts[0] as Tmcd).close();
    });
    expect(listen).toHaveBeenCalledTimes(1);
    expect(events.at(-1)).toMatchObject({ type: "run-ended", endedBy: "idle", error: null });
    const ends = events.flatMap((event) => (event.type === "program-ended" ? [event] : []));
    expect(ends).toMatchObject([{ exitCode: 0, signal: null }]);
    expect(readText(join(out, "nodes/n0/local/logs/n0_startcmd.out"))).toMatch(/^3$/m);
    const complaint = readText(join(out, "nodes/n0/local/logs/n0_startcmd.err"));
    expect(complaint).toMatch(/^startcmddone: not reported: the server said nothing: timeout$/m);
  });
});

describe("startcmddone in a run", () => {
  test("reports the status to the server as well", async () => {
    const report = vi.spyOn(NodeConfig.prototype, "report");
    const out = await runHere("startcmddone 7", () => undefined);
    expect(report.mock.calls.map(([, what]) => what)).toContainEqual({
      kind: "start-status",
      status: 7,
    });
    expect(readText(join(out, "nodes/n0/var/emulab/boot/startstatus"))).toBe("7\n");
  });
});

/**
 * Connections that send junk, that say nothing, that break off, and junk datagrams, all the time.
 */
function flood(address: string): () => number {
  const junk = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 256));
  const udp = createSocket("udp4");
  let count = 0;
  let isOver = false;
  const once = (): void => {
    if (isOver) return;
    for (const port of [7777, 14_447]) {
      udp.send(junk, count % 3000, 1 + (count % 2000), port, address, () => undefined);
      const socket = connect(port, address);
      socket.on("error", () => undefined);
      socket.on("data", () => undefined);
      if (count % 3 === 0) socket.end(junk.subarray(count % 1000));
      if (count % 3 === 1) socket.write(junk, () => socket.resetAndDestroy());
      systemClock.after(2_000, () => socket.destroy());
      count += 1;
    }
    systemClock.after(5, once);
  };
  once();
  return () => {
    isOver = true;
    udp.close();
    return count;
  };
}
