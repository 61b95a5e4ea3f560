// SPDX-License-Identifier: MIT
// Goal: nobody gets all barriers of a full scope in one answer, and everybody who follows the pages
// gets each once: requests, sessions, the command line, the report of a sync server. Method: a door
// on loopback whose pages are small.
import { afterEach, describe, expect, it } from "vitest";
import { barrierListCommand } from "../../../src/cli/commands/barrier.ts";
import { connect } from "../../../src/client/index.ts";
import { Syncd } from "../../../src/edges/syncd/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
afterEach(async () => {
  await bench.close();
});

/** Thirteen, opened in another order than that of their names. */
const names = Array.from("mcdabfhegiljk");
const sorted = names.toSorted();

async function fill(): Promise<void> {
  bench = await HttpBench.start({ limits: { barriersPerPageMax: 5 } });
  for (const name of names) {
    const body = JSON.stringify({ count: 1 });
    await fetch(`${bench.url}/v1/barriers/${name}/init`, { method: "POST", body });
  }
}

interface Page {
  readonly barriers: readonly { readonly name: string }[];
  readonly next?: string;
}

async function get(query = ""): Promise<{ status: number; names: string[]; next?: string }> {
  const answer = await fetch(`${bench.url}/v1/barriers${query}`);
  const { barriers = [], next } = (await answer.json()) as Page;
  const found = barriers.map(({ name }) => name);
  return { status: answer.status, names: found, ...(next === undefined ? {} : { next }) };
}

describe("GET /v1/barriers", () => {
  it("gives a page, and where the next one begins", async () => {
    await fill();
    const first = await get();
    expect(first).toMatchObject({ names: sorted.slice(0, 5), next: expect.any(String) });
    const second = await get(`?limit=3&after=${first.next}`);
    expect(second.names).toEqual(sorted.slice(5, 8));
    const third = await get(`?after=${second.next}`);
    expect(third).toEqual({ status: 200, names: sorted.slice(8) });
  });

  it("refuses a limit or a place that is none", async () => {
    await fill();
    const statuses = ["?limit=0", "?limit=1001", "?after=x", "?after=e30"].map(get);
    expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect((await get("?limit=1000")).status).toBe(200);
  });
});

describe("everybody else", () => {
  it("a session follows the pages, each of which is bounded", async () => {
    await fill();
    await using session = await connect(bench.url);
    const { barriers } = await session.describe();
    expect(barriers.map(({ name }) => name)).toEqual(sorted);
    expect((await session.describe("m")).barriers).toHaveLength(1);
  });

  it("muster barrier ls prints all of them", async () => {
    await fill();
    let text = "";
    const io = { stdout: (part: string) => (text += part), stderr: () => undefined };
    const argv = { server: bench.url, json: true };
    expect(await barrierListCommand(argv, io)).toBe(0);
    expect((JSON.parse(text) as Page["barriers"]).map(({ name }) => name)).toEqual(sorted);
  });

  it("a sync server reports all of them", async () => {
    await fill();
    const lines: string[] = [];
    const syncd = new Syncd({
      ...{ scope: "default", edge: "sync", connect: bench.host.connectEdge, clock: systemClock },
      ...{ addresses: ["127.0.0.1"], port: 0, limits: bench.host.limits },
      logger: { log: (_level, line) => void lines.push(line) },
    });
    await syncd.listen();
    await syncd.report();
    const told = names.filter((name) =>
      lines.some((line) => line.startsWith(`barrier '${name}':`)),
    );
    expect(told).toEqual(names);
    await syncd.close();
  });
});
