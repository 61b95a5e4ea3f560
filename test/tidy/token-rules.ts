// SPDX-License-Identifier: MIT
// Rules about what may stand in a file. Each ban names its replacement, applies to some files, and
// brings an example that it must find. Words that would break their own rule are put together here.
import {
  codeOf,
  isPure,
  isScript,
  isShipped,
  isTest,
  isTypeScript,
  isWritten,
  matches,
  type Rule,
} from "./tree.ts";

interface Ban {
  readonly title: string;
  readonly instead: string;
  readonly pattern: RegExp;
  applies(path: string): boolean;
  /** Where the pattern looks: code without comments and strings, or the whole text. */
  readonly in: "code" | "text";
  readonly wrong: readonly [path: string, text: string];
}

const except = (applies: (path: string) => boolean, ...paths: readonly string[]) => {
  return (path: string): boolean => applies(path) && !paths.includes(path);
};

const outside = (applies: (path: string) => boolean, folder: string) => {
  return (path: string): boolean => applies(path) && !path.startsWith(folder);
};

const anyOf = (...patterns: readonly RegExp[]): RegExp =>
  new RegExp(patterns.map((pattern) => pattern.source).join("|"));

/** The same, without the commas that keep this file from breaking its own rules. */
const joined = (...patterns: readonly RegExp[]): RegExp =>
  new RegExp(anyOf(...patterns).source.replaceAll(",", ""));

const isCore = (path: string): boolean => isPure(path) && !path.startsWith("src/experiment/");

const bans: readonly Ban[] = [
  {
    title: "time is read, and timers are armed, in one place",
    instead: "take a Clock (src/host/clock.ts); in the core, time is an argument",
    // A Date made from a number given to it reads no clock.
    pattern: anyOf(
      /\b(?:setTimeout|setInterval|setImmediate|Date\.now)\b/,
      /\bnew Date(?!\s*\(\s*[^\s)])|(?<!new )\bDate\(/,
      /\bprocess\.(?:hrtime|uptime)|\bperformance\.|\bAbortSignal\.timeout/,
    ),
    // The client library runs where there is no host, in browsers too.
    applies: except(
      isShipped,
      "src/host/clock.ts",
      "src/client/platform.ts",
      "src/testing/virtual-clock.ts",
    ),
    in: "code",
    wrong: ["src/host/wrong.ts", "const late = `${Date.now() > 5}`;\n"],
  },
  {
    title: "timers are not imported either",
    instead: "take a Clock (src/host/clock.ts)",
    pattern: /"(?:node:)?(?:timers(?:\/promises)?|perf_hooks)"/,
    applies: except(isShipped, "src/host/clock.ts"),
    in: "text",
    wrong: ["src/host/wrong.ts", 'import { setTimeout as sleep } from "node:timers/promises";\n'],
  },
  {
    title: "times that an edge keeps itself are in one list",
    instead: "add the duration to src/edges/edge-time.ts, with its reason",
    pattern: /\.after\(\s*[\d_]+/,
    applies: (path) => isShipped(path) && path.startsWith("src/edges/"),
    in: "code",
    wrong: ["src/edges/wrong.ts", "clock.after(5_000, close);\n"],
  },
  {
    title: "randomness without a seed is drawn in one place",
    instead: "src/host/ids.ts for identities, src/core/random.ts with a seed for the rest",
    pattern: anyOf(
      /\bMath\.random\b|\bcrypto\.(?:random|getRandom)\w+/,
      /\bimport[^;]*\b(?:random\w+|webcrypto|getRandomValues)\b[^;]*"node:crypto"/,
    ),
    applies: except(isShipped, "src/host/ids.ts", "src/client/platform.ts"),
    in: "text",
    wrong: ["src/edges/wrong.ts", 'import {\n  randomUUID,\n} from "node:crypto";\n'],
  },
  {
    title: "secrets are compared in one place, in constant time",
    instead:
      "isSameSecret or isSameBytes of src/host/same-secret.ts; the wires take it as an argument",
    // Whether there is one at all is no comparison.
    pattern: anyOf(
      /\btimingSafeEqual\b/,
      /(?:[sS]ecret|[hH]mac|[pP]roof|[pP]assword|[cC]ookie|\bmac)\s*[!=]==?(?!=)\s*(?!\s|undefined|null|"|\d)/,
      /[!=]==?\s*(?!undefined\b|null\b)[\w.#]*(?:[sS]ecret|[hH]mac|[pP]roof|[pP]assword|[cC]ookie|\bmac)\b/,
    ),
    applies: except(isShipped, "src/host/same-secret.ts"),
    in: "code",
    wrong: ["src/edges/wrong.ts", "const isHis = given === known.secret;\n"],
  },
  {
    title: "pure layers compute the same on every machine (D16)",
    instead: "compare with < and >; format numbers with String() or digits of your own",
    pattern: /\b(?:localeCompare|Intl|toLocale\w*|normalize\(|WeakRef|FinalizationRegistry)/,
    applies: isPure,
    in: "code",
    wrong: ["src/core/wrong.ts", "names.sort((a, b) => a.localeCompare(b));\n"],
  },
  {
    title: "pure layers use integer arithmetic (D16)",
    instead: "integers: Math.min, max, abs, sign, trunc, floor, ceil, round, imul, clz32",
    pattern: anyOf(
      /\bMath\.(?!(?:min|max|abs|sign|trunc|floor|ceil|round|imul|clz32)\b)\w+/,
      /\bMath(?!\.)\b/,
    ),
    // Tcl's own functions, and the reference's formula for the loss of one direction: what comes
    // out is part of the model that a file is read into, once.
    applies: except(isPure, "src/experiment/tcl/functions.ts", "src/experiment/ns/tb-shaping.ts"),
    in: "code",
    wrong: ["src/core/wrong.ts", "const digits = Math.log10(count);\n"],
  },
  {
    title: "the core and the wires use no powers (D16)",
    instead: "multiply, or shift",
    pattern: /\*\*/,
    applies: isCore,
    in: "code",
    wrong: ["src/wire/wrong.ts", "const size = 2 ** bits;\n"],
  },
  {
    title: "pure layers do not walk over objects with for-in (D16)",
    instead: "a Map, which keeps the order of keys, also of keys that look like numbers",
    pattern: /\bfor\s*\(\s*(?:const|let|var)\s+\w+\s+in\b/,
    applies: isPure,
    in: "code",
    wrong: ["src/core/wrong.ts", "for (const name in barriers) release(name);\n"],
  },
  {
    title: "the core and the wires do not walk over the keys of an object (D16)",
    instead: "a Map, which keeps the order of keys, also of keys that look like numbers",
    pattern: /\bObject\.(?:keys|values|entries|getOwnPropertyNames)\b|\bReflect\.ownKeys\b/,
    // There the keys are the names of the limits, ours; or all that is asked is which there are.
    applies: except(isCore, "src/core/limits.ts", "src/wire/json-fields.ts"),
    in: "code",
    wrong: ["src/core/wrong.ts", "const names = Object.keys(barriers);\n"],
  },
  {
    title: "pure layers promise nothing",
    instead: "return effects; the host does the waiting",
    pattern: /\b(?:async|await|Promise|queueMicrotask)\b/,
    // What the bus of the client library and that of the server both promise: words, no code.
    applies: except(isPure, "src/wire/event/bus.ts"),
    in: "code",
    wrong: ["src/core/wrong.ts", "export async function apply() {}\n"],
  },
  {
    title: "everything is exported by its name",
    instead: "export function name() or export const name",
    pattern: /\bexport\s+default\b|\bas default\b/,
    // Their tools load them that way.
    applies: except(isTypeScript, "vitest.config.ts", "tools/plain-reporter.ts"),
    in: "code",
    wrong: ["src/core/wrong.ts", "export default 1;\n"],
  },
  {
    title: "no source is loaded for what loading it does: tools/bundle.ts leaves it out",
    instead: "import a function and call it",
    pattern: /^import "\.{1,2}\//m,
    applies: isShipped,
    in: "text",
    wrong: ["src/core/wrong.ts", 'import "./effect.ts";\n'],
  },
  {
    title: "only commands print",
    instead: "the logger (src/host/logger.ts), or an effect or event that the command shows",
    pattern: /(?<![.\w])console\s*\./,
    applies: outside(isShipped, "src/cli/"),
    in: "code",
    wrong: ["src/host/wrong.ts", "console.log(1);\n"],
  },
  {
    title: "nothing is left for later in a file",
    instead: "an issue, or a sentence that says what does not work and why",
    pattern: joined(/\bTO,DO\b/, /\bFIX,ME\b/, /\bXX,X\b/, /\bHA,CK\b/),
    applies: isWritten,
    in: "text",
    wrong: ["src/core/wrong.ts", `// ${"TO"}${"DO"}: later\n`],
  },
  {
    title: "no test is left out or alone",
    instead: "repair the test or delete it; test.skipIf(condition) for what a machine cannot do",
    pattern:
      /\b(?:describe|suite|it|test|bench)(?:\.\w+)*\.(?:skip|only|todo)\b|\b(?:xit|xdescribe|fit|fdescribe)\(/,
    applies: isTest,
    in: "code",
    wrong: ["test/wrong.test.ts", `test.concurrent.${"only"}("one", () => {});\n`],
  },
  {
    title: "no file names a machine or a registry",
    instead: "a path from the repository's root, or an argument",
    pattern: joined(/\/wo,rk\//, /registry\.n,pm/, /npm,mirror/, /\/ro,ot\/\./),
    applies: () => true,
    in: "text",
    wrong: ["docs/wrong.md", `See /wo${"rk"}/notes.\n`],
  },
  {
    title: "the first line names the licence",
    instead: "// SPDX-License-Identifier: MIT",
    pattern: /^(?!\/\/ SPDX-License-Identifier: MIT\n).*/,
    applies: isTypeScript,
    in: "text",
    wrong: ["src/core/wrong.ts", "// A file.\n"],
  },
  {
    title: "scripts run under any POSIX shell",
    instead: "#!/bin/sh on the first line (a comment, where others source the file)",
    pattern: /^(?!#!\/bin\/sh\n|# ).*/,
    applies: isScript,
    in: "text",
    wrong: ["tools/wrong.sh", "#!/bin/bash\n"],
  },
];

const codeCache = new Map<string, string>();
function cachedCode(text: string): string {
  const code = codeCache.get(text) ?? codeOf(text);
  codeCache.set(text, code);
  return code;
}

export const tokenRules: readonly Rule[] = bans.map((ban) => ({
  title: ban.title,
  wrong: { [ban.wrong[0]]: ban.wrong[1] },
  check: (tree) =>
    tree.paths
      .filter((path) => ban.applies(path) && !isBinary(path))
      .flatMap((path) => {
        const text = tree.read(path);
        return matches(path, ban.in === "code" ? cachedCode(text) : text, ban.pattern);
      })
      .map((breach) => `${breach} (instead: ${ban.instead})`),
}));

function isBinary(path: string): boolean {
  return /\.(?:png|jpe?g|gif|ico|woff2?|gz|pcap|bin|db)$/.test(path);
}
