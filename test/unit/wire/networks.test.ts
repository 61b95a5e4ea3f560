// SPDX-License-Identifier: MIT
// Goal: what is an address and a network, and what lies in what, for both families and for IPv4
// within IPv6 (N1, N2). Method: tables, and Node's own BlockList and isIP as an independent judge
// of random addresses.
import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isInNetworks,
  isLoopbackAddress,
  parseAddress,
  parseNetwork,
} from "../../../src/wire/networks.ts";

function inside(address: string, ...networks: readonly string[]): boolean {
  const parsed = networks.map((text) => {
    const network = parseNetwork(text);
    if (network === undefined) throw new Error(`no network: ${text}`);
    return network;
  });
  return isInNetworks(address, parsed);
}

describe("isInNetworks", () => {
  it.each([
    ["10.1.2.3", "10.0.0.0/8", true],
    ["11.0.0.0", "10.0.0.0/8", false],
    ["10.255.255.255", "10.1.2.3/8", true],
    ["192.0.2.127", "192.0.2.0/25", true],
    ["192.0.2.128", "192.0.2.0/25", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.2", "192.0.2.1", false],
    ["203.0.113.9", "0.0.0.0/0", true],
    ["2001:db8::1", "0.0.0.0/0", false],
    ["2001:db8:0:1::5", "2001:db8::/48", true],
    ["2001:db8:1::", "2001:db8::/48", false],
    ["2001:db8::ffff", "2001:DB8::FFFF", true],
    ["fe80::1%eth0", "fe80::/10", true],
    ["::ffff:10.1.2.3", "10.0.0.0/8", true],
    ["10.1.2.3", "::ffff:10.0.0.0/104", true],
    ["::ffff:0a01:0203", "10.1.2.3", true],
    ["::ffff:11.0.0.1", "::ffff:10.0.0.0/104", false],
    ["10.1.2.3", "::/0", false],
    ["2001:db8::1", "::/0", true],
    ["no address", "0.0.0.0/0", false],
    ["", "::/0", false],
  ])("N1 %s in %s: %s", (address, network, expected) => {
    expect(inside(address, network)).toBe(expected);
  });

  it("asks all networks, and none admits nobody", () => {
    expect(inside("::1", "10.0.0.0/8", "::1")).toBe(true);
    expect(inside("::1")).toBe(false);
  });

  it("agrees with Node about random addresses and networks of either family", () => {
    const v4 = fc.ipV4();
    const v6 = fc.ipV6();
    const pair = fc.oneof(fc.tuple(v4, v4, fc.nat(32)), fc.tuple(v6, v6, fc.nat(128)));
    // Addresses that share their beginning with the network are as frequent as others.
    fc.assert(
      fc.property(pair, fc.boolean(), ([base, other, bits], isSame) => {
        const address = isSame ? base : other;
        const family = base.includes(":") ? "ipv6" : "ipv4";
        const judge = new BlockList();
        judge.addSubnet(base, bits, family);
        expect(inside(address, `${base}/${bits}`)).toBe(judge.check(address, family));
      }),
    );
  });
});

describe("parseNetwork, parseAddress", () => {
  it.each([
    ...["", "10.0.0", "10.0.0.0.0", "010.0.0.1", "256.0.0.1", "10.0.0.1/33", "10.0.0.1/"],
    ...["10.0.0.1/-1", "10.0.0.1/08", "10.0.0.1/8/8", "::1/129", ":::", "1::2::3", "::g"],
    ...["1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "12345::", "example.org"],
    ...["10.0.0.1::", "::10.0.0.1:1", "fe80::1%eth0"],
  ])("N2 %j is no network", (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });

  it("takes what Node takes as an address, and no other", () => {
    const texts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/));
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("isLoopbackAddress", () => {
  it.each([
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["128.0.0.1", false],
    ["0.0.0.0", false],
    ["::", false],
  ])("%s: %s", (address, expected) => {
    expect(isLoopbackAddress(address)).toBe(expected);
  });
});
