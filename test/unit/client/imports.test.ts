// SPDX-License-Identifier: MIT
// Goal: what a program gets that imports `musterd/client` is of no server and needs no Node: no
// `node:` module, no package, only client/, core/ and wire/. Method: follows the imports.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");

/** Imports that are there when the program runs; types are gone by then. */
function importsOf(path: string): readonly string[] {
  const text = readFileSync(join(root, path), "utf8").replace(/^\s*\/\/.*$/gm, "");
  const statements = text.matchAll(
    /^(?:import|export)(?!\s+type\b)[^"';]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|import\(\s*"([^"]+)"/gm,
  );
  return [...statements].map(([, a, b, c]) => a ?? b ?? c ?? "");
}

function reach(start: string): { readonly files: Set<string>; readonly others: Set<string> } {
  const files = new Set<string>();
  const others = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const imported of importsOf(path)) {
      if (imported.startsWith(".")) visit(posix.join(posix.dirname(path), imported));
      else others.add(imported);
    }
  };
  visit(start);
  return { files, others };
}

describe("musterd/client", () => {
  it("reaches nothing of Node, no package and no server", () => {
    const { files, others } = reach("src/client/index.ts");
    expect([...others]).toEqual([]);
    expect(files.size).toBeGreaterThan(5);
    const folders = new Set([...files].map((path) => path.split("/")[1]));
    expect([...folders].sort()).toEqual(["client", "core", "wire"]);
  });

  it("the walk finds what it looks for", () => {
    expect([...reach("src/client/tmcc.ts").others].join()).toContain("node:");
    expect([...reach("src/client/tls-platform.ts").others]).toEqual(["ws"]);
  });

  it("is what package.json exports", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(exports["./client"]).toEqual({
      types: "./dist/client/index.d.ts",
      default: "./dist/client/index.js",
    });
  });
});
