// SPDX-License-Identifier: MIT
// Goal: the control network overlaps nothing of the file, and a call on it is taken for a call of
// the node that made it and of nobody else. Method: addresses by hand.
import { describe, expect, it } from "vitest";
import { planControlNetwork, seenByNodes, targetOf } from "../../../src/network/control-network.ts";
import { type Subnet, subnetOf } from "../../../src/network/ipv4.ts";
import { controlMac, linkMac, withColons } from "../../../src/network/mac.ts";
import { explainBatch } from "../../../src/network/namespace-commands.ts";

function subnet(address: string, mask: string): Subnet {
  const found = subnetOf(address, mask);
  if (found === undefined) throw new Error(address);
  return found;
}

const network = planControlNetwork([]);
if (network === undefined) throw new Error("nothing is in use");

describe("the control network", () => {
  it("is the last free part of 172.16.0.0/12", () => {
    expect(network).toMatchObject({ subnet: "172.31.0.0/16", server: "172.31.255.1" });
    const used = [subnet("172.31.4.0", "255.255.255.0"), subnet("172.28.0.0", "255.254.0.0")];
    expect(planControlNetwork(used)?.prefix).toBe("172.30");
    const most = [subnet("172.24.0.0", "255.248.0.0"), subnet("172.17.9.1", "255.255.255.255")];
    expect(planControlNetwork(most)?.prefix).toBe("172.23");
    expect(planControlNetwork([subnet("172.0.0.0", "255.0.0.0")])).toBeUndefined();
  });

  it("mirrors the block of the run, with one address for all servers", () => {
    expect(seenByNodes(network, "127.77.0.3")).toBe("172.31.0.3");
    expect(seenByNodes(network, "127.77.60.9")).toBe("172.31.60.9");
    expect(seenByNodes(network, "127.77.200.3")).toBe("172.31.255.1");
    expect(seenByNodes(network, "127.0.0.1")).toBe("172.31.255.1");
    expect(seenByNodes(network, "10.1.1.2")).toBe("10.1.1.2");
  });

  it.each([
    ["the server", "172.31.0.3", "172.31.255.1", "127.77.200.3"],
    ["the server, from a late node", "172.31.1.250", "172.31.255.1", "127.77.201.250"],
    ["the service of an instance", "172.31.0.3", "172.31.60.9", "127.77.60.9"],
    ["another node", "172.31.0.3", "172.31.0.4", undefined],
    ["a server as if it were the server", "172.31.255.1", "172.31.255.1", undefined],
    ["the server from outside", "10.1.1.2", "172.31.255.1", undefined],
    ["something outside", "172.31.0.3", "10.1.1.2", undefined],
  ])("takes a call of %s for what it is", (_what, from, to, expected) => {
    expect(targetOf(network, 77, { from, to })).toBe(expected);
  });
});

describe("Ethernet addresses", () => {
  it("differ for links, ports, nodes and the run itself", () => {
    expect(withColons(linkMac(258, 3))).toBe("02:4d:00:01:02:03");
    expect(withColons(controlMac(258))).toBe("02:4e:00:00:01:02");
    expect(withColons(controlMac(-1))).toBe("02:4e:ff:ff:ff:01");
  });
});

describe("a batch that failed", () => {
  it("is explained with the line that it was", () => {
    const error = 'Cannot find device "eth9"\nCommand failed -:2\n';
    const lines = ["link set lo up", "link set eth9 up"];
    expect(explainBatch(error, lines)).toBe('Cannot find device "eth9" (ip link set eth9 up)');
    expect(explainBatch("spawn nsenter ENOENT", lines)).toBe(
      "ip is not installed; install iproute2",
    );
    expect(explainBatch("", [])).toBe("ip failed and did not say why");
  });
});
