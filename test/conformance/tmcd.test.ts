// SPDX-License-Identifier: MIT
// Goal: the configuration server on real sockets: its ports, its lock, nodes told apart by the
// address they call, both transports, crowds. [EMULAB-TMCD 1] [EMULAB-TMCD 4]
// Method: a server on loopback addresses of this test alone, clients of node:net and node:dgram.
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Tmcd, TmcdListenError, type TmcdOptions } from "../../src/edges/tmcd/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { NodeConfig } from "../../src/testbed/node-config.ts";
import { experiments, nodesOf } from "../unit/tmcd/harness.ts";

const open: Tmcd[] = [];
afterEach(() => {
  for (const tmcd of open.splice(0)) tmcd.close();
});

function create(options: Partial<TmcdOptions> = {}): Tmcd {
  const experiment = experiments["router"];
  if (experiment === undefined) throw new Error("no experiment");
  const nodes = nodesOf(experiment);
  const source = new NodeConfig({
    ...{ experiment, nodes, domain: "example.net", creator: "a", swapper: "b" },
  });
  const addresses = nodes.filter(({ host }) => host === undefined).map((node) => node.calledAt);
  const tmcd = new Tmcd({
    source,
    clock: systemClock,
    logger: silentLogger,
    addresses,
    ...options,
  });
  open.push(tmcd);
  return tmcd;
}

function ask(address: string, port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    let reply = "";
    socket.on("data", (chunk) => {
      reply += chunk.toString("utf8");
    });
    socket.on("end", () => resolve(reply));
    socket.on("error", reject);
    socket.end(text);
  });
}

function askUdp(address: string, port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.on("message", (reply) => {
      socket.close();
      resolve(reply.toString("utf8"));
    });
    socket.send(text, port, address);
  });
}

describe("Tmcd", () => {
  test("listens at 7777 and 14447, both transports, and knows a node by the address called", async () => {
    const tmcd = create();
    expect(await tmcd.listen()).toEqual([7777, 14_447]);
    for (const port of tmcd.ports) {
      expect(await ask("127.9.0.1", port, "nodeid ")).toBe("pc10\n");
      expect(await ask("127.9.0.5", port, "nodeid ")).toBe("pc14\n");
      expect(await askUdp("127.9.0.2", port, "nodeid ")).toBe("pc11\n");
    }
  });

  test("listens at one port alone when that is not the main one", async () => {
    const tmcd = create({ port: 17_777 });
    expect(await tmcd.listen()).toEqual([17_777]);
    await expect(ask("127.9.0.1", 14_447, "nodeid ")).rejects.toThrow("ECONNREFUSED");
  });

  test("is on loopback unless told otherwise", async () => {
    const { addresses: _, ...options } = { addresses: [], port: 0 };
    const source = new NodeConfig({
      ...{ experiment: experiments["pair"]!, nodes: [], domain: "d", creator: "a", swapper: "b" },
    });
    const tmcd = new Tmcd({ source, clock: systemClock, logger: silentLogger, ...options });
    open.push(tmcd);
    const [port = 0] = await tmcd.listen();
    expect(await ask("127.0.0.1", port, "status ")).toBe("");
    await expect(ask("127.9.0.1", port, "status ")).rejects.toThrow("ECONNREFUSED");
  });

  test("does not share its ports with a second server, and says what to do", async () => {
    await create().listen();
    const error: unknown = await create()
      .listen()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TmcdListenError);
    expect(error).toMatchObject({ code: "port-in-use" });
    expect(String(error)).toContain("another address or port");
    const elsewhere = create({ addresses: ["192.0.2.77"], port: 0 });
    await expect(elsewhere.listen()).rejects.toMatchObject({ code: "bad-address" });
  });

  test("answers a crowd that boots at once", async () => {
    const tmcd = create({ port: 0 });
    const [port = 0] = await tmcd.listen();
    const replies = await Promise.all(
      Array.from({ length: 1_000 }, (_value, index) =>
        ask(`127.9.0.${(index % 5) + 1}`, port, "VERSION=34 fullconfig "),
      ),
    );
    const right = (reply: string, index: number): boolean =>
      reply.startsWith(`*** nodeid\npc1${index % 5}\n`) && reply.endsWith("*** dhcpdconf\n");
    expect(replies.every(right)).toBe(true);
    expect(tmcd.openCount).toBe(0);
  });
});
