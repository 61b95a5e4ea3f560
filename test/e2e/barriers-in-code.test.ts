// SPDX-License-Identifier: MIT
// Goal: the examples of docs/guides/barriers-in-code.md do what the guide says. Method: each is a
// program that uses the package as it is built, against the real server.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Command, repository, scratch, start } from "./support/command.ts";

const guide = readFileSync(join(repository, "docs/guides/barriers-in-code.md"), "utf8");
const examples = [...guide.matchAll(/^## (.+)\n(?:(?!## )[\s\S])*?```ts\n([\s\S]*?)```/gm)];

const printed: Readonly<Record<string, readonly string[]>> = {
  "Count arrivals": ["I was number 1", "I was number 2", "I was number 3"],
  "Know who is missing": ["timeout: w2 of workers has not come"],
  "Do something between two barriers": [
    ...["entered generation 1", "entered generation 1", "2 have left"],
  ],
  "Start with enough of them": ["2 of 10 are there", "they go on"],
  "Tell the others something, and wait for them": ["10.0.0.1,10.0.0.2,10.0.0.3"],
  "Go at one instant": ["3 know how far off they were"],
  "Elect a leader, give out numbers": ["term 1, then term 2", "1,2"],
};

describe("the guide", () => {
  it("has an example under each heading, and no other", () => {
    expect(examples.map(([, heading]) => heading)).toEqual(Object.keys(printed));
    expect(guide.match(/```ts/g)).toHaveLength(examples.length);
  });

  it("shows programs that do what it says", async () => {
    const directory = scratch();
    mkdirSync(join(directory, "node_modules"));
    symlinkSync(repository, join(directory, "node_modules/musterd"));
    const server = start("muster", ["serve", "--state", scratch(), "--listen", "http=127.0.0.1:0"]);
    const [, url = ""] = await server.prints(/http at (\S+),/);
    for (const [at, [, heading = "", program = ""]] of examples.entries()) {
      const file = join(directory, `example-${at}.mts`);
      writeFileSync(file, program);
      const options = { env: { MUSTER_SERVER: url, NODE_NO_WARNINGS: "1" } };
      const ran = new Command(join(repository, "bin/node"), [file], options);
      const { code, stdout, stderr } = await ran.ended;
      expect([heading, stderr, code]).toEqual([heading, "", 0]);
      expect(stdout.trim().split("\n").toSorted()).toEqual(printed[heading]?.toSorted());
    }
  });
});
