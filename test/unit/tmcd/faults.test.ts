// SPDX-License-Identifier: MIT
// Goal: the faults that the specification records of the old server are absent. [EMULAB-TMCD 18]
// Method: one test per fault; each names the mutant that puts it back and turns the test red. What
// the old wire cannot mend (no status, no credentials, one version number) is listed in
// docs/reference/tmcd.md.
import { expect, test } from "vitest";
import { tmcdTime } from "../../../src/edges/tmcd-time.ts";
import { formatDelays, formatLinkDelays, sslTag } from "../../../src/wire/tmcd/index.ts";
import { addresses, ask, askUdp, Caller, eventKey, play, settle, World } from "./harness.ts";

const node1 = addresses["node1"] ?? "";
const allocated = "ALLOCATED=P/E NICKNAME=node1\n";
const queue = {
  ...{ limit: 50, maxThreshold: 15, minThreshold: 5, weight: 0.002, linearTerm: 10 },
  ...{ isLimitInBytes: false, bytes: 0, meanPacketBytes: 500, wait: 1, setBit: 0 },
  ...{ dropTail: 1, gentle: 0, isRed: true },
};
const pipe = { number: 1, delayMs: 5, bandwidthKbps: 1000, loss: 0.5 };

test("fault 1: a request that the network splits after 17 bytes is not executed truncated", async () => {
  // Mutant: tcp.ts #split() takes the text as whole whatever #isWhole says.
  const played = play(new World("pair"));
  const text = "portregister svc_16534 16534";
  const caller = new Caller(played.tcp, node1);
  caller.stream.write(text.slice(0, sslTag.length));
  await settle();
  caller.stream.end(text.slice(sslTag.length));
  await caller.reply;
  expect(await ask(played, "node1", "portregister svc_16534")).toMatch(/^PORT=16534 /);
});

test("fault 1: a plain request that begins as the TLS tag does, or is shorter, is a request", async () => {
  // Mutant: tcp.ts #sniff() calls startTls as soon as the tag starts with what has come.
  const played = play(new World("pair"));
  const caller = new Caller(played.tcp, node1);
  caller.stream.write("I");
  await settle();
  caller.stream.end("DKEY=x status");
  expect(await caller.reply).toBe("");
  expect(played.world.queries).toEqual(["findNode"]);
  expect(await ask(played, "node1", "IS")).toBe("");
  expect(played.log.count("has no certificate")).toBe(0);
  expect(await ask(played, "node1", "status")).toBe(allocated);
});

test("fault of section 2: empty words and beginnings of option words are not taken for keys", async () => {
  // Mutant: request.ts skips no second blank before a word: the empty word is the command.
  const played = play(new World("pair"));
  expect(await ask(played, "node1", "  VERSION=34  status ")).toBe(allocated);
  expect(await ask(played, "node1", "PRIV status ")).toBe("");
  expect(await ask(played, "node1", "PRIVKEY= status ")).toBe("");
  expect(played.world.queries).toEqual(["findNode"]);
});

test("fault 3: nobody acts for another because a site names no boss", async () => {
  // Mutant: admit.ts lets REDIRECT pass when bossAddress is undefined.
  const world = new World("pair");
  Object.assign(world.config, { site: { ...world.config.site, bossAddress: undefined } });
  const text = "REDIRECT=192.0.2.11 VERSION=34 nodeid ";
  for (const caller of ["boss", "node0", "stranger"]) {
    expect(await ask(play(world), caller, text)).toBe("");
  }
});

test("fault 5: a line of more than 2047 bytes is neither cut nor the end of the reply", async () => {
  // Mutant: reply-text.ts lines() cuts each line at 2047.
  const played = play(new World("pair"));
  const long = "x".repeat(5_000);
  Object.assign(played.world.config, {
    userEnvironment: async () => [
      ["A", long],
      ["B", "2"],
    ],
  });
  expect(await ask(played, "node1", "userenv")).toBe(`A=${long}\nB=2\n`);
});

test("fault 5: a reply that does not fit a datagram is not cut silently", async () => {
  // Mutant: udp.ts sends reply.subarray(0, replyBytesMaxUdp).
  const played = play(new World("pair"));
  Object.assign(played.world.config, { userEnvironment: async () => [["A", "x".repeat(9_000)]] });
  expect(await askUdp(played, "node1", "userenv")).toBeUndefined();
  expect(played.log.count("does not fit a datagram")).toBe(1);
});

test("fault 6: callers that are slow hold up nobody, however many they are", async () => {
  // Mutant: tcp.ts accept() serves one connection after the other.
  const played = play(new World("pair"));
  for (let index = 0; index < 100; index += 1) new Caller(played.tcp, node1);
  expect(await ask(played, "node1", "status")).toBe(allocated);
  played.tcp.close();
});

test("fault 9: a free node registers and looks up no port", async () => {
  // Mutant: coordination.ts portregister goes on without a reservation.
  const played = play(new World("pair"));
  await ask(played, "free", "portregister emulab_syncd 5 ");
  expect(await ask(played, "free", "portregister emulab_syncd ")).toBe("");
  expect(played.world.queries).toEqual(["findNode", "findNode"]);
});

test("fault 9: what is no name of a service is refused", async () => {
  // Mutant: arguments.ts parsePortArguments checks the length alone.
  const played = play(new World("pair"));
  for (const name of ["a'b", "a;b", "../x", "a\\b", `${"a".repeat(128)}`]) {
    await ask(played, "node1", `portregister ${name} 5 `);
  }
  expect(played.world.queries).not.toContain("registerPort");
});

test("fault 10: ready bits can be used again", async () => {
  // Mutant: node-config.ts resetNode() keeps isReady.
  const played = play(new World("pair"));
  for (let round = 0; round < 2; round += 1) {
    for (const node of ["node0", "node1"]) await ask(played, node, "ready");
    expect(await ask(played, "node0", "readycount")).toBe("READY=2 TOTAL=2\n");
    for (const node of ["node0", "node1"]) played.world.config.resetNode(node);
    expect(await ask(played, "node0", "readycount")).toBe("READY=0 TOTAL=2\n");
  }
});

test("fault 12: the log holds no secret, whoever asks and however it ends", async () => {
  // Mutant: answer.ts note() adds the text of the request, or of the reply.
  const played = play(new World("pair"));
  const key = "00112233445566778899aabb";
  const uploads = ["hostkeys SSH_HOST_KEY='topsecret'", "bootlog topsecret", "state topsecret/x"];
  for (const caller of ["node1", "stranger", "remote", "free"]) {
    for (const text of ["eventkey", "fullconfig", `PRIVKEY=${key} eventkey`, ...uploads]) {
      await ask(played, caller, text);
      await ask(played, caller, `PRIVKEY=${key}x eventkey`);
      await askUdp(played, caller, text);
    }
  }
  const log = played.log.lines.join("\n");
  expect(log).not.toBe("");
  for (const secret of [eventKey, key, "topsecret"]) expect(log).not.toContain(secret);
});

test("fault 13: RPLR is the reverse loss, not the RED flag", () => {
  // Mutant: network-replies.ts formatLinkDelays takes queue.isRed for it.
  const row = { mac: "a", kind: "duplex", link: "l", vnode: "v", address: "", mask: "" } as const;
  const reverse = { ...pipe, loss: 0.25 };
  expect(formatLinkDelays([{ ...row, pipe, reverse, queue }])).toContain(" RPLR=0.25 RED=1 ");
});

test("fault 13: the ends of a delay are named, no placeholder stands for them", () => {
  // Mutant: network-replies.ts formatDelays sends foo and bar.
  const end = (vnode: string) => ({ mac: "m", pipe, queue, vnode, backfillKbps: 0 });
  const text = formatDelays([{ link: "l", ends: [end("a"), end("b")], isUnshaped: false }]);
  expect(text).toContain(" VNODE0=a VNODE1=b ");
});

test("fault 13: every watch interval is sent with a value", async () => {
  // Mutant: replies.ts formatWatchIntervals leaves DHCPDCONF without its number.
  const played = play(new World("pair"));
  const reply = await ask(played, "node1", "VERSION=34 watchdoginfo ");
  expect(reply.trim().split(" ")).toHaveLength(8);
  for (const field of reply.trim().split(" ")) expect(field).toMatch(/^[A-Z]+=-?\d+$/);
});

test("fault 13: a blob that is not filled in ends nothing", async () => {
  // Mutant: node-config.ts blobs() repeats a row until it has a path.
  const played = play(new World("pair"));
  const blobs = async () => [
    { path: "", action: "" },
    { path: "/a", action: "unpack:/b" },
  ];
  Object.assign(played.world.config, { blobs });
  expect(await ask(played, "node1", "VERSION=34 blobs ")).toContain(
    "URL=frisbee:///a ACTION=unpack:/b\n",
  );
});

test("section 2: a connection that stays open is answered, not dropped", async () => {
  // Mutant: tcp.ts #wait() gives up instead of taking the text as whole.
  const played = play(new World("pair"));
  const caller = new Caller(played.tcp, node1);
  caller.stream.write("VERSION=34 status ");
  await settle();
  played.clock.advance(tmcdTime.holdMs);
  expect(await caller.reply).toBe(allocated);
});
