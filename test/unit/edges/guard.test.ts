// SPDX-License-Identifier: MIT
// Goal: the guard lets in by network and says so once (U1, U2), and a door without authentication
// that is open to others is warned of by its own name. Method: calls.
import { describe, expect, it } from "vitest";
import { createGuard, warnOfOpenDoor } from "../../../src/edges/guard.ts";
import { type Network, parseNetwork } from "../../../src/wire/networks.ts";

const networks = ["10.0.0.0/8", "2001:db8::/32"].flatMap((text): Network[] => {
  const network = parseNetwork(text);
  return network === undefined ? [] : [network];
});

function listen() {
  const lines: string[] = [];
  const logger = { log: (level: string, text: string) => void lines.push(`${level} ${text}`) };
  return { lines, logger };
}

describe("createGuard", () => {
  it("U1 lets in whoever is in a network, also by a mapped address", () => {
    const { logger } = listen();
    let refused = 0;
    const onRefused = () => {
      refused += 1;
    };
    const guard = createGuard({ door: "syncd", networks, logger, onRefused });
    const come = ["10.1.1.1", "::ffff:10.1.1.1", "2001:db8::7", "11.0.0.1", "::1", undefined];
    expect(come.map((address) => guard.admits(address))).toEqual([
      ...[true, true, true, false, false, false],
    ]);
    expect([guard.refusedCount, refused]).toEqual([3, 3]);
  });

  it("U1 lets everybody in without networks", () => {
    const { lines, logger } = listen();
    const guard = createGuard({ door: "syncd", networks: [], logger });
    expect([guard.admits("192.0.2.1"), guard.admits(undefined)]).toEqual([true, true]);
    expect(lines).toEqual([]);
  });

  it("U2 warns once, by the name of the door", () => {
    const { lines, logger } = listen();
    const guard = createGuard({ door: "gnunet", networks, logger });
    for (let at = 1; at <= 100; at += 1) guard.admits(`192.0.2.${at}`);
    const warnings = lines.filter((line) => line.startsWith("warn"));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("gnunet door has turned 192.0.2.1 away");
    expect(warnings[0]).toContain("--allow gnunet=NETWORK");
  });
});

describe("warnOfOpenDoor", () => {
  const door = { door: "testground", networks: [] };

  it("names the door and what to do", () => {
    const { lines, logger } = listen();
    warnOfOpenDoor({ ...door, address: "0.0.0.0", logger });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("warn whoever reaches the testground door at 0.0.0.0 may use it");
    expect(lines[0]).toContain("--allow testground=NETWORK");
  });

  it("says nothing of loopback, of a door with networks, of one that asks for certificates", () => {
    const { lines, logger } = listen();
    warnOfOpenDoor({ ...door, address: "127.0.0.5", logger });
    warnOfOpenDoor({ ...door, address: "::1", logger });
    warnOfOpenDoor({ ...door, address: "::", networks, logger });
    warnOfOpenDoor({ ...door, address: "::", asksForCertificates: true, logger });
    expect(lines).toEqual([]);
  });
});
