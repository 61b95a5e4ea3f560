// SPDX-License-Identifier: MIT
// Goal: the vectors of the specification, and what every other command answers. [EMULAB-TMCD 17]
// Method: the table of sessions, row by row, against the doors over an experiment in memory.
import { describe, expect, test } from "vitest";
import { answer } from "../../../src/edges/tmcd/answer.ts";
import { tmcdTime } from "../../../src/edges/tmcd-time.ts";
import { NodeConfig } from "../../../src/testbed/node-config.ts";
import { parseFullConfig, tmcdCommands } from "../../../src/wire/tmcd/index.ts";
import { readVectors } from "../wire/vectors.ts";
import { addresses, ask, askUdp, experiments, type Played, play, World } from "./harness.ts";

const rows = readVectors("tmcd", "sessions.md");

/** TLS is a fact of the route here; real handshakes are in tls.test.ts. */
async function askTls({ world, clock, log }: Played, caller: string, text: string) {
  const peerAddress = addresses[caller] ?? caller;
  const route = { transport: "tcp", isTls: true, peerAddress, localAddress: "192.0.2.1" } as const;
  const reply = await answer(text, route, {
    ...{ source: world.source, clock, logger: log, time: tmcdTime },
    ...{ isInsecure: false, isDebugging: false },
  });
  return Buffer.from(reply).toString("utf8");
}

describe("the vectors of the specification", () => {
  const numbers = [...new Set(rows.map(([number]) => number!))];
  test.each(numbers)("vector %s", async (number) => {
    const worlds = new Map<string, Played>();
    for (const [own, name, caller, over, json, wanted] of rows) {
      if (own !== number) continue;
      const played = worlds.get(name!) ?? play(new World(name!));
      worlds.set(name!, played);
      const { config } = played.world;
      const text = JSON.parse(json!) as string;
      if (caller === "swap out") config.clear();
      else if (caller!.startsWith("reset ")) config.resetNode(caller!.slice("reset ".length));
      else if (over === "udp") {
        const reply = await askUdp(played, caller!, text);
        expect([caller, text, reply ?? "-"]).toEqual([caller, text, plain(wanted!)]);
      } else {
        const tls = over === "tls";
        const reply = await (tls ? askTls : ask)(played, caller!, text);
        expect([caller, text, reply]).toEqual([caller, text, plain(wanted!)]);
      }
    }
  });

  function plain(cell: string): string {
    return cell === "-" ? "-" : (JSON.parse(cell) as string);
  }

  test("vectors 10, 11 and 16: what is logged and stored", async () => {
    const played = play(new World("pair"));
    const { config } = played.world;
    await ask(played, "node0", "VERSION=99 status ");
    expect(played.log.count("version skew: it speaks 99")).toBe(1);
    await ask(played, "node0", "startstat 3");
    await ask(played, "node1", "startstatus 3");
    expect([config.reportsOf("node0").startStatus, config.reportsOf("node1").startStatus]).toEqual([
      3, 3,
    ]);
    await ask(played, "node0", "loghosts");
    expect(played.log.count('INVALID REQUEST: "loghosts"')).toBe(1);
    config.resetNode("node1");
    expect(config.reportsOf("node1").startStatus).toBeUndefined();
  });

  test("vector 4: the ready bits cost a virtual node not one query", async () => {
    const played = play(new World("pair"));
    await ask(played, "node1", "VNODEID=pcvm11-1 VERSION=34 ready ");
    await ask(played, "node1", "VNODEID=pcvm11-1 VERSION=34 readycount ");
    await ask(played, "stranger", "VNODEID=nobody VERSION=34 readycount ");
    expect(played.world.queries).toEqual([]);
    await ask(played, "node1", "readycount");
    expect(played.world.queries).toEqual(["findNode", "readyCount"]);
  });

  test("vector 14: the full configuration of a node and of a virtual node", async () => {
    const played = play(new World("alone"));
    const physical = await ask(played, "node1", "VERSION=34 fullconfig ");
    expect(physical).toMatch(/^\*\*\* nodeid\npc11\n\*\*\* nodeid\n\*\*\* manifest\n/);
    expect(physical).toContain("*** syncserver\n*** syncserver\n");
    const virtual = await ask(played, "node1", "VNODEID=pcvm11-1 VERSION=34 fullconfig ");
    expect(virtual).toMatch(/^\*\*\* nodeid\npcvm11-1\n\*\*\* nodeid\n/);
    const names = [...parseFullConfig(virtual).keys()];
    for (const name of ["vnodelist", "role", "ntpinfo"]) {
      expect(names).not.toContain(name);
      expect(parseFullConfig(physical).has(name)).toBe(true);
    }
    expect(names).toContain("jailconfig");
    expect(names).not.toContain("tpmdummy");
    const remote = parseFullConfig(await ask(played, "remote", "VERSION=34 fullconfig "));
    for (const name of ["accounts", "eventkey", "keyhash"]) expect(remote.has(name)).toBe(false);
    expect(remote.has("syncserver")).toBe(true);
  });
});

describe("a virtual node", () => {
  test("is known by its host's address or its own, and by no other", async () => {
    const played = play(new World("pair"));
    const text = "VNODEID=pcvm11-1 VERSION=34 nodeid ";
    expect(await ask(played, "node1", text)).toBe("pcvm11-1\n");
    expect(await ask(played, "172.16.0.1", text)).toBe("pcvm11-1\n");
    expect(await ask(played, "node0", text)).toBe("");
    expect(await ask(played, "node1", "VNODEID=pc11 nodeid ")).toBe("");
    expect(await ask(played, "node1", "vnodelist")).toBe("VNODEID=pcvm11-1 JAILED=1\n");
    expect(await ask(played, "node1", "role")).toBe("virthost\n");
  });

  test("is not told by an address without its name", async () => {
    const played = play(new World("pair"));
    expect(await ask(played, "172.16.0.1", "VERSION=34 nodeid ")).toBe("");
  });
});

test("a caller without an address is nobody, also where a node has none", async () => {
  const world = new World("pair");
  const node = { name: "node0", calledAt: "", addresses: [] };
  const experiment = experiments["pair"];
  if (experiment === undefined) throw new Error("no experiment");
  const given = { experiment, nodes: [node], domain: "d", creator: "a", swapper: "b" };
  const played = play(Object.assign(world, { source: new NodeConfig(given) }));
  expect(await ask(played, "", "status")).toBe("");
});

describe("on loopback", () => {
  test("a node is who is called, not who calls", async () => {
    const { askAt } = loopback();
    expect(await askAt("127.9.0.1", "nodeid")).toBe("pc10\n");
    expect(await askAt("127.9.0.2", "nodeid")).toBe("pc11\n");
    expect(await askAt("127.9.0.9", "nodeid")).toBe("");
    expect(await askAt("127.9.0.2", "REDIRECT=192.0.2.10 nodeid")).toBe("");
  });

  function loopback() {
    const { world, clock, log } = play(new World("pair"));
    const askAt = async (localAddress: string, text: string): Promise<string> => {
      const peerAddress = "::ffff:127.0.0.1";
      const route = { transport: "tcp", isTls: false, peerAddress, localAddress } as const;
      const reply = await answer(text, route, {
        ...{ source: world.source, clock, logger: log, time: tmcdTime },
        ...{ isInsecure: false, isDebugging: false },
      });
      return Buffer.from(reply).toString("utf8");
    };
    return { askAt };
  }
});

describe("commands without a configuration", () => {
  const said: Readonly<Record<string, string>> = {
    nodeid: "pc10\n",
    status: "ALLOCATED=P/E NICKNAME=node0\n",
    readycount: "READY=0 TOTAL=2\n",
    mounts: "FSTYPE=LOCAL\nLOCAL=/proj/P\nLOCAL=/users/bob\n",
    routing: "ROUTERTYPE=none\n",
    creator: "CREATOR=alice SWAPPER=bob\n",
    isalive: "UPDATE=0\n",
    ntpinfo: "SERVER=ntp1.example.net\n",
    sdparams: "reg=300 agg=5 load=1 expt=5 ctl=1000\n",
    syncserver: "SYNCSERVER SERVER='node0.E.P.example.net' ISSERVER=1\n",
    eventkey: "EVENTKEY KEY='00112233445566778899aabbccddeeff'\n",
    role: "node\n",
    rusage: "UPDATE=0\n",
    watchdoginfo:
      "INTERVAL=-1 ISALIVE=-1 NTPDRIFT=-1 CVSUP=-1 RUSAGE=-1 HOSTKEYS=-1 DHCPDCONF=-1 SETROOTPSWD=-1\n",
    tmcctest: "tmcctest disabled\n",
    battery: "OK\n",
    userenv: "SIZE=5\n",
  };
  const spoken = ["fullconfig", "ipodinfo"];
  test.each(tmcdCommands.map(({ name }) => name))("%s", async (name) => {
    const reply = await ask(play(new World("pair")), "node0", `VERSION=34 ${name} `);
    if (!spoken.includes(name)) expect(reply).toBe(said[name] ?? "");
  });

  test("a ping-of-death secret is new each time", async () => {
    const played = play(new World("pair"));
    const first = await ask(played, "node0", "ipodinfo");
    expect(first).toMatch(/^HOST=192\.0\.2\.1 MASK=255\.255\.255\.255 HASH=[0-9a-f]{32}\n$/);
    expect(await ask(played, "node0", "ipodinfo")).not.toBe(first);
  });

  test("test requests are answered by a server that is told to", async () => {
    const played = play(new World("pair"), { isDebugging: true });
    expect(await ask(played, "node0", "tmcctest splitreply")).toBe("one\ntwo\n");
    expect(await ask(played, "node0", "tmcctest noreply")).toBe("");
    const late = ask(played, "node0", "tmcctest delayreply 2");
    for (let tick = 0; tick < 30; tick += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      played.clock.advance(100);
    }
    expect(await late).toBe("delayed\n");
  });
});

describe("reports", () => {
  test("are kept, and refused ones change nothing", async () => {
    const played = play(new World("pair"));
    const { config } = played.world;
    await ask(played, "node1", "state ISUP ");
    await ask(played, "node1", "state A/B ");
    await ask(played, "node1", "startstatus x ");
    await ask(played, "node1", "ntpdrift -12.5 ");
    await ask(played, "node1", "ntpdrift x ");
    expect(config.reportsOf("node1")).toEqual({
      ...{ isReady: false, startStatus: undefined, state: "ISUP", ntpDrift: "-12.5" },
    });
    expect(await ask(played, "node1", "ntpinfo")).toBe("SERVER=ntp1.example.net\nDRIFT=-12.5\n");
  });
});
