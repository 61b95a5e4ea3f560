// SPDX-License-Identifier: MIT
// The figures at /metrics, in the text format of Prometheus. Few, with documented names
// (docs/reference/http.md). Counters and histograms are kept here; what is a state of something
// else is asked for when the page is.

export interface MetricRow {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  /** `muster_waiters` */
  readonly name: string;
  readonly help: string;
  readonly kind: "gauge" | "counter";
  readonly read: () => readonly MetricRow[];
}

/** Upper bounds of the buckets of times, seconds. */
const secondsBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export class Metrics {
  readonly #families: MetricFamily[] = [];
  readonly #histograms: Histogram[] = [];
  readonly #refusals = new Map<string, number>();

  constructor() {
    this.add({
      name: "muster_refused_total",
      help: "Requests refused by a limit.",
      kind: "counter",
      read: () => [...this.#refusals].map(([limit, value]) => ({ labels: { limit }, value })),
    });
  }

  add(family: MetricFamily): void {
    this.#families.push(family);
  }

  /** A histogram of seconds; the function returned takes a time. */
  addSeconds(name: string, help: string): (seconds: number) => void {
    const histogram = new Histogram(name, help);
    this.#histograms.push(histogram);
    return (seconds) => histogram.observe(seconds);
  }

  /** A limit has said no. */
  refused(limit: string): void {
    this.#refusals.set(limit, (this.#refusals.get(limit) ?? 0) + 1);
  }

  format(): string {
    const lines = [
      ...this.#families.flatMap(formatFamily),
      ...this.#histograms.flatMap((histogram) => histogram.format()),
    ];
    return `${lines.join("\n")}\n`;
  }
}

class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #counts: number[] = secondsBuckets.map(() => 0);
  #count = 0;
  #sum = 0;

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  observe(seconds: number): void {
    this.#count += 1;
    this.#sum += seconds;
    const at = secondsBuckets.findIndex((bound) => seconds <= bound);
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  format(): readonly string[] {
    let sum = 0;
    const buckets = secondsBuckets.map((bound, at) => {
      sum += this.#counts[at] ?? 0;
      return `${this.#name}_bucket{le="${bound}"} ${sum}`;
    });
    return [
      ...formatHead(this.#name, this.#help, "histogram"),
      ...buckets,
      `${this.#name}_bucket{le="+Inf"} ${this.#count}`,
      `${this.#name}_sum ${this.#sum}`,
      `${this.#name}_count ${this.#count}`,
    ];
  }
}

function formatFamily({ name, help, kind, read }: MetricFamily): readonly string[] {
  const rows = read().map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
  });
  return [...formatHead(name, help, kind), ...rows];
}

function formatHead(name: string, help: string, kind: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`];
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
