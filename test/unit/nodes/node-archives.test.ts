// SPDX-License-Identifier: MIT
// Goal: archives go into directories that are the node's alone, or are refused with the reason.
// Method: a machine by hand.
import { describe, expect, it } from "vitest";
import { type Present, planArchives } from "../../../src/testbed/nodes/node-archives.ts";

const machine: Readonly<Record<string, Present>> = { "/opt": "empty", "/usr": "full" };
const look = (path: string): Present =>
  machine[path] ?? (path.startsWith("/bin/") ? "linked" : "missing");
const plan = (...archives: readonly (readonly [directory: string, file: string])[]) =>
  planArchives(
    archives.map(([directory, file]) => ({ directory, file })),
    look,
    "/proj/p/data",
  );

describe("archives of a node", () => {
  it("are unpacked in order, in directories of its own", () => {
    expect(
      plan(["/opt/", "/proj/p/a.tgz"], ["/usr/local/x/y", "b.tar"], ["/tmp", "c.tar"]),
    ).toEqual({
      mounts: ["/opt", "/usr/local/x/y"],
      unpack: [
        { directory: "/opt", file: "/proj/p/a.tgz" },
        { directory: "/usr/local/x/y", file: "/proj/p/data/b.tar" },
        { directory: "/tmp", file: "/proj/p/data/c.tar" },
      ],
      refused: [],
    });
  });

  it("share a directory that one of them is within", () => {
    expect(plan(["/a/b", "/x.tar"], ["/a", "/y.tar"], ["/a/b", "/z.tar"]).mounts).toEqual(["/a"]);
  });

  it.each([
    ["/usr", "/x.tar", /holds files of this machine/],
    ["/bin/x", "/x.tar", /part of that path is a link/],
    ["/proj/p/exp", "/x.tar", /all nodes share \/proj/],
    ["/", "/x.tar", /must be an absolute path/],
    ["opt", "/x.tar", /must be an absolute path/],
    ["/opt/../usr", "/x.tar", /must be an absolute path/],
    ["/opt", "http://host/x.tar", /nothing is fetched from elsewhere/],
  ])("are refused in %s from %s", (directory, file, why) => {
    const { mounts, unpack, refused } = plan([directory, file]);
    expect({ mounts, unpack }).toEqual({ mounts: [], unpack: [] });
    expect(refused[0]).toMatch(why);
  });
});
