// SPDX-License-Identifier: MIT
// Goal: an instance of a Testground plan that configures its network with the SDK gets what it asks
// for, is told of what it cannot have, and is seen by everybody who looks. Method: the SDK from npm
// as it is, on nodes with a LAN; ping in the nodes and `muster link show` are the judges.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LinksReport } from "../../src/network/link-report.ts";
import { repository, run, scratch, start, until } from "./support/command.ts";
import { ended } from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
/** The machine of `npm run test:netem` says: netem. */
const shapedBy = process.env["MUSTER_TEST_LINKS"] ?? "delay-node";

const plan = `
const { execFileSync } = require("node:child_process");
const { existsSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { network, invokeMap } = require("@testground/sdk");

function ping(address) {
  const words = ["-c", "5", "-i", "0.1", "-W", "1"];
  try {
    const text = execFileSync("ping", [...words, address], { encoding: "utf8" });
    return Number(/= ([\\d.]+)\\//.exec(text)[1]);
  } catch {
    return null;
  }
}

async function shape(runenv, client) {
  const net = network.newClient(client, runenv);
  await net.waitNetworkInitialized();
  const address = net.getDataNetworkIP();
  const { sub } = await client.publishSubscribe("addresses", address);
  const all = [];
  for await (const one of sub.wait) if (all.push(one) === 2) break;
  const other = all.find((one) => one !== address);
  const before = ping(other);
  await client.signalAndWait("pinged", 2);
  const config = { network: "default", enable: true, default: { latency: 50e6 } };
  await net.configureNetwork({ ...config, callbackState: "shaped" });
  const after = ping(other);
  let refused = "no";
  const odd = { ...config, default: { latency: 1e6, corrupt: 5 }, callbackState: "odd" };
  await net.configureNetwork(odd).catch((error) => { refused = String(error); });
  const seen = { address, before, after, refused };
  writeFileSync(join(runenv.testOutputsPath, "seen.json"), JSON.stringify(seen));
  await client.signalAndWait("looked", 2);
  while (!existsSync(join(process.env.EXPDIR, "go"))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const own = { callbackState: "gone", callbackTarget: 1 };
  if (runenv.testGroupId === "ga") await net.configureNetwork({ ...config, ...own, enable: false });
  await client.signalAndWait("left", 2);
  writeFileSync(join(runenv.testOutputsPath, "left.json"), JSON.stringify(ping(other)));
  await client.signalAndWait("done", 2);
}
invokeMap({ shape });
`;

test.skipIf(!isRoot)("an instance shapes the network of its node by the SDK", async () => {
  const folder = scratch();
  writeFileSync(join(folder, "plan.cjs"), plan);
  const group = (node: string): string =>
    `{ instances: 1, node: ${node}, command: 'node "$EXPFILES/plan.cjs"' }`;
  const file = join(folder, "shaped.yaml");
  writeFileSync(
    file,
    `nodes: [a, b]
links: { lan0: { lan: [a, b] } }
testground: { plan: p, case: shape, groups: { ga: ${group("a")}, gb: ${group("b")} } }
`,
  );
  const out = join(scratch(), "out");
  const modules = `NODE_PATH=${join(repository, "node_modules")}`;
  const argv = ["run", file, "--out", out, "--links", shapedBy, "--set", modules];
  const command = start("muster", argv);
  const said = (): string => command.stdout + command.stderr;
  await until("both are refused", () => said().split("corrupt is not").length > 2);
  const shown = await run("muster", ["link", "show", "muster/shaped", "lan0", "--json"]);
  expect(shown.stderr).toBe("");
  const { links } = JSON.parse(shown.stdout) as LinksReport;
  const ways = links[0]?.ways.map(({ from, to, asked, now }) => [
    ...[from ?? "lan", to ?? "lan", asked.delayUs, now.delayUs],
  ]);
  // What leaves a node; what was refused has changed nothing.
  expect(ways).toEqual([
    ["a", "lan", 0, 50_000],
    ["lan", "a", 0, 0],
    ["b", "lan", 0, 50_000],
    ["lan", "b", 0, 0],
  ]);
  writeFileSync(join(out, "proj/go"), "");
  const ran = await ended({ command, out, file });
  expect(ran.stdout).toContain("passed");
  for (const node of ["a", "b"]) {
    const seen = JSON.parse(ran.text(`proj/outputs/g${node}/0/seen.json`)) as {
      readonly address: string;
      readonly before: number;
      readonly after: number;
      readonly refused: string;
    };
    expect(seen.address).toMatch(/^10\.1\.1\.\d+$/);
    // The shortest of five: both ways are 50 ms. Before that the machine alone is in between.
    expect(seen.after).toBeGreaterThanOrEqual(100);
    expect(seen.before).toBeLessThan(50);
    expect(seen.refused).toBe("corrupt is not built; leave it out");
    expect(ran.text(`proj/outputs/g${node}/0/left.json`)).toBe("null");
  }
  const texts = ran.result.warnings.map(({ node, text }) => `${node} ${text}`);
  for (const node of ["a", "b"]) {
    expect(texts).toContain(
      `${node} g${node}-0 asked for a network in vain: corrupt is not built; leave it out`,
    );
    expect(said()).toContain(`g${node}-0 has set lan0: delay 50 ms`);
  }
  expect(said()).toContain("ga-0 has set lan0: off");
});
