// SPDX-License-Identifier: MIT
// Goal: M1 and M2, and what reaches the mount table and the script. Method: small machines as
// listings; the script is run by sh where quoting is the question.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bindLine,
  directoriesToList,
  formatMountTable,
  type HostEntry,
  planRoot,
} from "../../../src/testbed/nodes/mount-plan.ts";
import { keptEntries, planNodeTable, planTemplate } from "../../../src/testbed/nodes/node-view.ts";
import { formatRootScript, quote } from "../../../src/testbed/nodes/scripts.ts";

const directory = (name: string): HostEntry => ({ name, kind: "directory", target: "" });
const file = (name: string): HostEntry => ({ name, kind: "other", target: "" });
const linkTo = (name: string, target: string): HostEntry => ({ name, kind: "link", target });

const machine = new Map([
  [
    "/",
    [directory("usr"), directory("var"), linkTo("bin", "usr/bin"), file("swap"), directory("tmp")],
  ],
  ["/var", [directory("lib"), linkTo("run", "/run"), directory("tmp")]],
]);

describe("planRoot()", () => {
  const privates = ["/tmp", "/var/run", "/proj/p/exp/e"];

  test("opens only what must hold something private", () => {
    expect(directoriesToList(privates)).toEqual(["/", "/proj", "/proj/p", "/proj/p/exp", "/var"]);
  });

  test("binds, copies or replaces every entry of this machine (M1), parents first (M2)", () => {
    const plan = planRoot(machine, privates);
    expect(plan.directories).toEqual([
      ...["/proj", "/proj/p", "/proj/p/exp", "/proj/p/exp/e", "/tmp", "/usr"],
      ...["/var", "/var/lib", "/var/run", "/var/tmp"],
    ]);
    expect(plan.files).toEqual(["/swap"]);
    expect(plan.links).toEqual([{ path: "/bin", target: "usr/bin" }]);
    expect(plan.binds.map(({ target }) => target)).toEqual([
      "/usr",
      "/swap",
      "/var/lib",
      "/var/tmp",
    ]);
  });

  test("loses no entry of any machine (M1)", () => {
    const entry = fc.record({
      name: fc.constantFrom("var", "run", "lib", "proj", "a", "b"),
      kind: fc.constantFrom("directory" as const, "link" as const, "other" as const),
      target: fc.constant("somewhere"),
    });
    const entries = fc.uniqueArray(entry, { selector: ({ name }) => name });
    fc.assert(
      fc.property(entries, entries, (top, inVar) => {
        const plan = planRoot(
          new Map([
            ["/", top],
            ["/var", inVar],
          ]),
          privates,
        );
        const made = new Set([
          ...plan.directories,
          ...plan.files,
          ...plan.links.map(({ path }) => path),
        ]);
        for (const { name } of top) expect(made).toContain(`/${name}`);
        for (const { name } of inVar) expect(made).toContain(`/var/${name}`);
        for (const { target } of plan.binds) expect(made).toContain(target);
        expect(made.size).toBe(plan.directories.length + plan.files.length + plan.links.length);
      }),
    );
  });
});

describe("formatMountTable()", () => {
  test("escapes what would end a field", () => {
    expect(formatMountTable([bindLine("/a b\t\\#", "/c")], "/root")).toBe(
      "/a\\040b\\011\\134\\043 /root/c none rbind 0 0\n",
    );
  });
});

describe("formatRootScript()", () => {
  test("makes the same names whatever is in them", () => {
    const names = ["it's", "$HOME", "`id`", 'a"b', "-n", "new\nline", " ", "\\"];
    const root = mkdtempSync(join(tmpdir(), "mount-plan-"));
    const plan = planRoot(
      new Map([["/", names.flatMap((n) => [directory(n), file(`f${n}`), linkTo(`l${n}`, n)])]]),
      ["/own"],
    );
    execFileSync("sh", ["-c", formatRootScript(plan)], { cwd: root });
    const expected = ["own", ...names.flatMap((n) => [n, `f${n}`, `l${n}`])];
    expect(readdirSync(root).sort()).toEqual(expected.sort());
    expect(readlinkSync(join(root, "l$HOME"))).toBe("$HOME");
    expect(readFileSync(join(root, "f`id`"), "utf8")).toBe("");
    rmSync(root, { recursive: true });
  });

  test("quote() is one word of sh for any text", () => {
    // NUL cannot be in an argument at all.
    const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0"));
    fc.assert(
      fc.property(text, (value) => {
        const out = execFileSync("sh", ["-c", `printf %s ${quote(value)}`], { encoding: "utf8" });
        expect(out).toBe(value);
      }),
      { numRuns: 50 },
    );
  });
});

describe("the view of a node", () => {
  const input = {
    ...{ pid: "p", eid: "e", user: "u", out: "/home/u/out", home: "/home/u" },
    run: {
      ...{ shared: "/tmp/muster-1/shared", tools: "/tmp/muster-1/shared/tools" },
      ...{ home: "/tmp/muster-1/shared/home", experiment: "/home/u/out/proj" },
    },
    projectFiles: "/tmp/place/files",
    needed: ["/tmp/place/files", "/tmp/place/muster/bin", "/opt/x", "/var/tmp/o", "/tmp"],
    hasResolver: true,
  };

  test("keeps visible what Muster needs of the temporary directories", () => {
    expect(keptEntries(input.needed)).toEqual(["/tmp/place", "/var/tmp/o"]);
  });

  test("puts the testbed's paths in front of the machine's", () => {
    const table = planTemplate(machine, input).table;
    const from = (target: string) => table.find((line) => line.target === target)?.source;
    expect(from("/proj/p/exp/e")).toBe("/home/u/out/proj");
    expect(from("/proj/p/data")).toBe("/tmp/place/files");
    expect(from("/users/u")).toBe("/home/u");
    expect(from("/usr/testbed/bin")).toBe(input.run.tools);
    expect(from("/usr/local/etc/emulab")).toBe(input.run.tools);
    expect(from("/.muster/keep/0")).toBe("/tmp/place");
  });

  test("hides where a node's own mounts come from, last of all", () => {
    const own = "/home/u/out/nodes/n";
    const temporary = "/tmp/muster-1/shared/nodes/n";
    const directories = {
      ...{ root: own, emulab: `${own}/var/emulab`, boot: `${own}/var/emulab/boot` },
      ...{ localLogs: `${own}/local/logs`, hostsFile: `${own}/etc/hosts` },
      resolverFile: `${own}/etc/resolv.conf`,
      temporary: `${temporary}/tmp`,
      varTemporary: `${temporary}/vartmp`,
      varRun: `${temporary}/run`,
    };
    const table = planNodeTable("n", directories, input);
    expect(table.map(({ source, target }) => `${source} ${target}`)).toEqual([
      "/.muster/run/nodes/n/tmp /tmp",
      "/.muster/run/nodes/n/vartmp /var/tmp",
      "/.muster/run/nodes/n/run /var/run",
      "/.muster/out/nodes/n/var/emulab /var/emulab",
      "/.muster/out/nodes/n/local/logs /local/logs",
      "/.muster/out/nodes/n/etc/hosts /etc/hosts",
      "/.muster/out/nodes/n/etc/resolv.conf /etc/resolv.conf",
      "/.muster/keep/0 /tmp/place",
      "/.muster/keep/1 /var/tmp/o",
      "n-proc /proc",
      "n-hidden /.muster",
    ]);
  });
});
