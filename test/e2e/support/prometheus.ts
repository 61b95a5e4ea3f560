// SPDX-License-Identifier: MIT
// Reads the text format of Prometheus, version 0.0.4, as strictly as a scraper may: written from
// the description of the format, shares nothing with what writes it.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: readonly Sample[];
}

/** @throws Error with the number of the line that is wrong. */
export function parsePrometheus(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family & { readonly samples: Sample[] }>();
  let help: { readonly name: string; readonly text: string } | undefined;
  let current: (Family & { readonly samples: Sample[] }) | undefined;
  for (const [index, line] of text.slice(0, -1).split("\n").entries()) {
    const wrong = (why: string): Error => new Error(`line ${index + 1}: ${why}: ${line}`);
    const helpMatch = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    const typeMatch = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    if (helpMatch !== null) {
      help = { name: helpMatch[1] ?? "", text: helpMatch[2] ?? "" };
    } else if (typeMatch !== null) {
      const [, name = "", type] = typeMatch;
      if (help?.name !== name) throw wrong("a type without its help before it");
      if (families.has(name)) throw wrong("a family that was there before");
      current = { name, help: help.text, type: type as Family["type"], samples: [] };
      families.set(name, current);
    } else {
      const sample = parseSample(line);
      if (sample === undefined) throw wrong("no sample");
      if (current === undefined || !belongs(sample.name, current)) throw wrong("no family for it");
      const twin = current.samples.some(
        ({ name, labels }) =>
          name === sample.name && JSON.stringify(labels) === JSON.stringify(sample.labels),
      );
      if (twin) throw wrong("the same sample twice");
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function belongs(name: string, { name: family, type }: Family): boolean {
  if (type !== "histogram") return name === family;
  return [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name);
}

function parseSample(line: string): Sample | undefined {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) return undefined;
  const [, name = "", inner = "", number = ""] = match;
  const labels: Record<string, string> = {};
  let rest = inner;
  while (rest !== "") {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest);
    if (label === null || Object.hasOwn(labels, label[1] ?? "")) return undefined;
    labels[label[1] ?? ""] = (label[2] ?? "").replace(/\\(.)/g, (_, sign: string) =>
      sign === "n" ? "\n" : sign,
    );
    rest = rest.slice(label[0].length);
  }
  const value = number === "+Inf" ? Number.POSITIVE_INFINITY : Number(number);
  return Number.isNaN(value) ? undefined : { name, labels, value };
}

/** Names of counters, and what a histogram must keep. */
function checkFamily({ name, type, samples }: Family): void {
  if (type === "counter" && !name.endsWith("_total")) throw new Error(`${name} is a counter`);
  if (type === "counter" && samples.some(({ value }) => value < 0)) throw new Error(`${name} < 0`);
  if (type !== "histogram") return;
  const buckets = samples.filter((sample) => sample.name.endsWith("_bucket"));
  const bounds = buckets.map(({ labels }) =>
    labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels["le"]),
  );
  const count = samples.find((sample) => sample.name.endsWith("_count"))?.value;
  const sum = samples.find((sample) => sample.name.endsWith("_sum"))?.value;
  const isRising = (values: readonly number[], isStrict: boolean) =>
    values.every((value, at) => {
      const before = values[at - 1];
      return before === undefined || (isStrict ? value > before : value >= before);
    });
  const values = buckets.map(({ value }) => value);
  const isGood =
    isRising(bounds, true) &&
    isRising(values, false) &&
    bounds.at(-1) === Number.POSITIVE_INFINITY &&
    values.at(-1) === count &&
    sum !== undefined;
  if (!isGood) throw new Error(`${name} is no histogram`);
}

/** The value of one sample. @throws Error when there is none. */
export function sampleOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const samples = families.get(name.replace(/_(?:bucket|sum|count)$/, "")) ?? families.get(name);
  const found = samples?.samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  if (found === undefined) throw new Error(`no ${name} ${JSON.stringify(labels)}`);
  return found.value;
}
