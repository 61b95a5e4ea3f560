// SPDX-License-Identifier: MIT
// Runs one benchmark: `npm run bench -- NAME [--option value]...`. Each is a folder beside this
// file whose main.ts exports `run`.
import { existsSync, readdirSync } from "node:fs";

interface Benchmark {
  run(args: ReadonlyMap<string, string>): Promise<void>;
}

function listBenchmarks(): readonly string[] {
  return readdirSync(import.meta.dirname, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => existsSync(`${import.meta.dirname}/${name}/main.ts`));
}

const usage = `usage: npm run bench -- NAME [--option value]...
benchmarks: ${listBenchmarks().join(", ")}
`;
const [name = "", ...rest] = process.argv.slice(2);
if (name === "--help") {
  process.stdout.write(usage);
  process.exit(0);
}
if (!/^[a-z0-9-]+$/.test(name) || !existsSync(`${import.meta.dirname}/${name}/main.ts`)) {
  process.stderr.write(usage);
  process.exit(64);
}
const options = new Map<string, string>();
for (let index = 0; index < rest.length; index += 2) {
  const option = rest[index] ?? "";
  const value = rest[index + 1];
  if (!option.startsWith("--") || value === undefined) {
    process.stderr.write(`bench: '${option}' is not '--option value'\n`);
    process.exit(64);
  }
  options.set(option.slice(2), value);
}
// In order, so that what it has begun is cleaned up.
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
] as const) {
  process.once(signal, () => process.exit(128 + number));
}
const benchmark = (await import(`./${name}/main.ts`)) as Benchmark;
await benchmark.run(options);
