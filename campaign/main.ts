// SPDX-License-Identifier: MIT
// `npm run campaign`: files of the old testbed and of ours from end to end, each link tested; with
// `--accuracy` ten kinds of link, with `--picture` a bandwidth that changes, with `--honest N` one
// file N times. The reports are written beside this file. Ends with 1 when a run failed or a link
// is bad.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { drawBandwidth, ratesOf, readTrace, type Told } from "./bandwidth-picture.ts";
import { bandwidthChanges, campaignFiles, honestFile } from "./files.ts";
import { formatHonest, type HonestRun, verdictOf } from "./honest.ts";
import { formatLinkType, linkTypes } from "./link-types.ts";
import { type Played, play } from "./play.ts";
import {
  type Circumstances,
  type FilePlayed,
  formatAccuracy,
  formatCampaign,
  type TypePlayed,
} from "./report.ts";

const here = import.meta.dirname;
const usage =
  "usage: npm run campaign -- [--accuracy | --picture | --honest RUNS] [--only PART-OF-A-NAME]\n";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function circumstances(loadBefore: number): Circumstances {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: here });
  const load = `load ${loadBefore.toFixed(0)} to ${(loadavg()[0] ?? 0).toFixed(0)}`;
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit.toString().trim(),
    machine: `${cpus().length} processors, Linux ${release()}, ${load}`,
  };
}

function isGood({ status, links }: Played): boolean {
  return status === 0 && links.every(({ verdict }) => verdict !== "bad");
}

function summary({ seconds, outcome, links, error }: Played): string {
  const bad = links.filter(({ verdict }) => verdict === "bad").length;
  const ok = links.filter(({ verdict }) => verdict === "ok").length;
  const of = `${ok} of ${links.length} directions ok, ${bad} bad`;
  const why = error === null ? "" : `: ${error.message}`;
  return `${outcome}, ${of}, ${seconds.toFixed(0)} s${why}`;
}

async function playFiles(only: string | undefined): Promise<boolean> {
  const load = loadavg()[0] ?? 0;
  const files = campaignFiles(only);
  const done: FilePlayed[] = [];
  for (const [index, { name, path }] of files.entries()) {
    say(`${index + 1} of ${files.length}: ${name} ...`);
    const played = await play(path, { linktest: 4, duration: 20 });
    say(`    ${summary(played)}`);
    done.push({ name, played });
  }
  // A part of it is no campaign.
  if (only === undefined) {
    writeFileSync(join(here, "REPORT.md"), formatCampaign(done, circumstances(load)));
  }
  return done.every(({ played }) => isGood(played));
}

async function playTypes(only: string | undefined): Promise<boolean> {
  const load = loadavg()[0] ?? 0;
  const folder = mkdtempSync(join(tmpdir(), "muster-campaign-"));
  const types: TypePlayed[] = [];
  let areGood = true;
  try {
    for (const type of linkTypes.filter(({ name }) => name.includes(only ?? ""))) {
      const path = join(folder, "link.yaml");
      writeFileSync(path, formatLinkType(type));
      say(`${type.name} ...`);
      const played = await play(path, { linktest: 4, duration: 1 });
      say(`    ${summary(played)}`);
      types.push({ name: type.name, links: played.links });
      areGood &&= isGood(played);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (only === undefined) {
    writeFileSync(join(here, "ACCURACY.md"), formatAccuracy(types, circumstances(load)));
  }
  return areGood;
}

/** Written after each run: one that is ended early has shown what it has. */
async function playHonest(count: number): Promise<boolean> {
  const load = loadavg()[0] ?? 0;
  const runs: HonestRun[] = [];
  for (let seed = 1; seed <= count; seed += 1) {
    const played = await play(honestFile, { linktest: 4, duration: 1, seed });
    say(`seed ${seed}: ${summary(played)}`);
    runs.push({ seed, played });
    writeFileSync(join(here, "HONEST.md"), formatHonest(runs, count, circumstances(load)));
  }
  const areGood = (verdict: string): boolean => verdict === "ok" || verdict === "untestable";
  return runs.every(({ played }) => areGood(verdictOf(played)));
}

const stepUs = 100_000;
const untilUs = 12_000_000;

async function drawChanges(): Promise<boolean> {
  let [record, trace] = ["", Buffer.alloc(0)];
  const played = await play(bandwidthChanges, {
    duration: 13,
    read: (out) => {
      record = readFileSync(join(out, "record.ndjson"), "utf8");
      trace = readFileSync(join(out, "traces/line-right.received.pcap"));
    },
  });
  const told: Told[] = [{ atUs: 0, bps: played.links[0]?.asked.bandwidthBps ?? 0 }];
  for (const line of record.split("\n").filter((text) => text !== "")) {
    const { type, object, args, plannedUs } = JSON.parse(line);
    if (type !== "event-fired" || object !== "line") continue;
    const [, kbps] = /^BANDWIDTH=(\d+)$/.exec(args) ?? [];
    told.push({ atUs: plannedUs, bps: Number(kbps) * 1_000 });
  }
  const svg = drawBandwidth(told, ratesOf(readTrace(trace), stepUs, untilUs), stepUs);
  writeFileSync(join(here, "bandwidth.svg"), svg);
  say(`${told.length - 1} changes, drawn in campaign/bandwidth.svg`);
  return played.status === 0 && told.length === 4;
}

const words = process.argv.slice(2);
const at = words.indexOf("--only");
const only = at < 0 ? undefined : words.splice(at, 2)[1];
const honestAt = words.indexOf("--honest");
const honestRuns = honestAt < 0 ? 0 : Number(words.splice(honestAt + 1, 1)[0]);
const [what] = words;
const tasks: Readonly<Record<string, () => Promise<boolean>>> = {
  "": () => playFiles(only),
  "--accuracy": () => playTypes(only),
  "--picture": drawChanges,
  "--honest": () => playHonest(honestRuns),
};
const task = tasks[what ?? ""];
const isCount = Number.isSafeInteger(honestRuns) && honestRuns >= (honestAt < 0 ? 0 : 1);
if (what === "--help") {
  process.stdout.write(usage);
  process.exit(0);
}
if (task === undefined || words.length > 1 || !isCount) {
  process.stderr.write(usage);
  process.exit(64);
}
process.exitCode = (await task()) ? 0 : 1;
