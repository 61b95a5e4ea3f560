// SPDX-License-Identifier: MIT
// Goal: the network `default` of an instance is the same one to whom it asks to change it and in
// what it is told of its addresses. Method: each kind of node asks for `default` and for a name; a
// list in place of links takes what is set.
import { describe, expect, test } from "vitest";
import type { Link } from "../../../src/experiment/model.ts";
import type { LinkChange } from "../../../src/network/model.ts";
import type { ShapedLinks } from "../../../src/network/shaped-links.ts";
import {
  dataSubnet,
  defaultLink,
  NetworkSidecar,
} from "../../../src/testbed/testground/network-sidecar.ts";

const open = { bandwidthBps: 0, delayUs: 0, loss: 0 };

function lan(name: string, subnet: number, ...nodes: readonly string[]): Link {
  const members = nodes.map((node, index) => ({
    ...{ node, port: subnet, address: `10.1.${subnet}.${index + 2}` },
    ...{ toLink: open, fromLink: open },
  }));
  return { name, kind: "lan", netmask: "255.255.255.0", members } as unknown as Link;
}

const links = [
  lan("first", 1, "one", "two", "named"),
  lan("second", 2, "two", "named"),
  lan("default", 3, "named"),
];
const nodes = ["one", "two", "named", "none"].map((name) => ({ name }));

async function ask(host: string, network: string): Promise<string> {
  const set: string[] = [];
  const shaped = {
    setAt: (changes: readonly LinkChange[]) => {
      set.push(...changes.map(({ link }) => link));
      return Promise.resolve(0);
    },
  } as unknown as ShapedLinks;
  const sidecar = new NetworkSidecar({
    experiment: { nodes, links } as never,
    shaped,
    onDone: () => undefined,
    onRefused: () => undefined,
  });
  const payload = JSON.stringify({
    ...{ network, enable: true, callback_state: "set", default: { latency: 5_000_000 } },
  });
  const done = await sidecar.configure({ host, payload, peer: { address: "127.0.0.1" } } as never);
  return "refusal" in done ? done.refusal : [...new Set(set)].join(" ");
}

describe("the network default of an instance", () => {
  test.each([
    ["one", "first", "10.1.1.0/24"],
    ["named", "default", "10.1.3.0/24"],
  ])("of %s is %s, to be changed and in what it is told", async (node, link, subnet) => {
    const own = defaultLink(links, node);
    expect([own?.name, own && dataSubnet(own)]).toEqual([link, subnet]);
    expect(await ask(node, "default")).toBe(link);
  });

  test("is none where a node is on several and none is called so, and then each by its name", async () => {
    expect(defaultLink(links, "two")).toBeUndefined();
    expect(await ask("two", "default")).toBe(
      "two is on first, second: say which in place of network default",
    );
    expect(await ask("two", "second")).toBe("second");
    expect(await ask("two", "third")).toBe("two is not on a network third; it is on first, second");
  });

  test("is none of a node on no link", async () => {
    expect(defaultLink(links, "none")).toBeUndefined();
    expect(await ask("none", "default")).toBe("none is on no link of its file");
  });
});
