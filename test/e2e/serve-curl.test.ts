// SPDX-License-Identifier: MIT
// Goal: everything of the HTTP door works with curl: waits as long polls with a deadline, watching
// with replay, the description, the figures, the example of the documentation. Method: the real
// command and curl; a reader of the figures' format that shares nothing with what writes it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Command, repository, scratch, shell, start } from "./support/command.ts";
import { parsePrometheus, sampleOf } from "./support/prometheus.ts";

const curl = (...argv: readonly string[]): Command =>
  new Command("curl", ["--silent", "--show-error", "--max-time", "60", ...argv]);

async function serve(...more: readonly string[]) {
  const argv = ["serve", "--state", scratch(), "--listen", "http=127.0.0.1:0", ...more];
  const server = start("muster", argv);
  const [, url = ""] = await server.prints(/http at (\S+),/);
  const figures = async () => parsePrometheus((await curl(`${url}/metrics`).ended).stdout);
  return { server, url, figures };
}

const json = async (command: Command): Promise<Record<string, unknown>> =>
  JSON.parse((await command.ended).stdout) as Record<string, unknown>;

const page = readFileSync(join(repository, "docs/reference/http.md"), "utf8");

describe("with curl", () => {
  it("a wait is a long poll with a deadline, and says who is missing", async () => {
    const { url } = await serve();
    const wait = `${url}/v1/barriers/b/wait`;
    await curl(`${url}/v1/barriers/b/init`, "--data", '{"count":2}').ended;
    const late = await json(curl(wait, "--data", '{"name":"a","timeoutMs":300}'));
    expect(late).toMatchObject({ code: "timeout", definite: true, missing: ["1 more, anonymous"] });
  });

  it("a watcher that comes back with Last-Event-ID is told what it has missed, once", async () => {
    const { url } = await serve();
    const cross = async (name: string) => {
      const waits = curl(`${url}/v1/barriers/${name}/wait`, "--data", "{}");
      await curl(`${url}/v1/barriers/${name}/init`, "--data", '{"count":1}').ended;
      await waits.ended;
    };
    const first = curl("--no-buffer", `${url}/v1/watch`);
    await first.prints(/: watching\nid: \S+\n/);
    await cross("one");
    const [, id = ""] = await first.prints(/id: (\S+)\nevent: closed\ndata: .*"barrier":"one"/);
    first.child.kill("SIGKILL");
    await cross("two");
    await cross("three");
    const second = curl("--no-buffer", "-H", `Last-Event-ID: ${id}`, `${url}/v1/watch`);
    await second.prints(/event: closed\ndata: .*"three"/);
    const told = [...second.stdout.matchAll(/event: closed\ndata: .*"barrier":"(\w+)"/g)];
    expect(told.map(([, name]) => name)).toEqual(["two", "three"]);
    const stranger = curl("--no-buffer", "-H", "Last-Event-ID: other.1", `${url}/v1/watch`);
    await stranger.prints(/event: gap\n/);
  });

  it("every documented figure is there, and says what has happened", async () => {
    const { url, figures } = await serve("--limit", "waitersPerBarrierMax=2");
    const before = await figures();
    const rows = [...page.matchAll(/^\| (`muster_[^|]+)\|/gm)].map(([, names]) => names ?? "");
    const documented = rows.flatMap((names) => names.match(/muster_\w+/g) ?? []);
    // Those of several logs are there where these are: serve-shards.test.ts.
    const ofOneLog = documented.filter((name) => !name.startsWith("muster_shard_"));
    expect([...before.keys()].sort()).toEqual(ofOneLog.toSorted());
    expect(sampleOf(before, "muster_waiters")).toBe(0);
    const wait = () => curl(`${url}/v1/barriers/b/wait`, "--data", "{}");
    const watcher = curl("--no-buffer", `${url}/v1/watch`);
    const waits = [wait(), wait()];
    await watcher.prints(/"arrived":2/);
    expect(await json(wait())).toMatchObject({ code: "limit" });
    const during = await figures();
    expect(sampleOf(during, "muster_waiters")).toBe(2);
    expect(sampleOf(during, "muster_oldest_wait_seconds")).toBeGreaterThanOrEqual(0);
    const limit = { limit: "waitersPerBarrierMax" };
    expect(sampleOf(during, "muster_refused_total", limit)).toBe(1);
    await curl(`${url}/v1/barriers/b/init`, "--data", '{"count":2}').ended;
    await Promise.all(waits.map(({ ended }) => ended));
    await curl(`${url}/v1/barriers/c/init`, "--data", '{"count":2}').ended;
    await curl("-X", "DELETE", `${url}/v1/barriers/c`).ended;
    await watcher.prints(/event: closed\ndata: .*"barrier":"c"/);
    const after = await figures();
    const ended = (outcome: string) => sampleOf(after, "muster_barriers_ended_total", { outcome });
    expect([ended("crossed"), ended("cancelled"), ended("timeout")]).toEqual([1, 1, 0]);
    expect(sampleOf(after, "muster_waiters")).toBe(0);
    const entries = sampleOf(after, "muster_append_seconds_count");
    expect(entries).toBeGreaterThanOrEqual(5);
    expect(sampleOf(after, "muster_append_seconds_sum")).toBeGreaterThan(0);
    expect(sampleOf(after, "muster_mailbox_commands")).toBe(0);
    expect(sampleOf(after, "muster_log_away")).toBe(0);
  });

  it("B10 a wait that is old is told once: in the log, to watchers and in the figures", async () => {
    const { server, url, figures } = await serve("--limit", "warnAfterUs=100000");
    const watcher = curl("--no-buffer", `${url}/v1/watch`);
    await watcher.prints(/watching/);
    await curl(`${url}/v1/barriers/b/init`, "--data", '{"count":2}').ended;
    const wait = curl(`${url}/v1/barriers/b/wait`, "--data", '{"name":"early"}');
    await watcher.prints(/event: warning\ndata: .*"missing":\["1 more, anonymous"\]/);
    const line =
      /barrier b of scope default: waiting for \d+\.\d s, there: early.*; missing for \d+\.\d s: 1 more/;
    await server.prints(line);
    expect(sampleOf(await figures(), "muster_wait_warnings_total")).toBe(1);
    await curl("-X", "DELETE", `${url}/v1/barriers/b`).ended;
    await wait.ended;
    await watcher.prints(/event: closed/);
    expect(watcher.stdout.match(/event: warning/g)).toHaveLength(1);
    expect(server.stderr.match(/waiting for/g)).toHaveLength(1);
  });

  it("the example of the documentation does what it shows", async () => {
    const { url } = await serve();
    const [, example = ""] = /## In a shell\n\n```sh\n([\s\S]*?)```/.exec(page) ?? [];
    expect(example).toContain("curl");
    const { code, stdout } = await shell(example, { env: { URL: url } });
    expect(code).toBe(0);
    expect(stdout.match(/"outcome":"crossed"/g)).toHaveLength(2);
    expect(stdout).toContain('muster_barriers_ended_total{outcome="crossed"} 1\n');
  });

  it("the description names what is there", async () => {
    const { url } = await serve();
    const { openapi, paths } = await json(curl(`${url}/openapi.json`));
    expect(openapi).toBe("3.1.0");
    for (const path of Object.keys(paths as object)) {
      if (!/^\/v1\/barriers(\/|$)|^\/(metrics|healthz|readyz)$/.test(path)) continue;
      const at = path.replace(/\{\w+\}/, "none");
      const { stdout } = await curl("-o", "/dev/null", "-w", "%{http_code}", "-I", `${url}${at}`)
        .ended;
      // HEAD is no method of any of them: 405 says that the path is there.
      expect([path, stdout]).toEqual([path, "405"]);
    }
  });
});

describe("the reader of the figures", () => {
  const head = "# HELP a_total x\n# TYPE a_total counter\n";
  it.each([
    ["a_total 1", "last line"],
    [`${head}a_total one\n`, "no sample"],
    [`${head}b 1\n`, "no family"],
    [`${head}a_total 1\na_total 2\n`, "twice"],
    [`${head}a_total{l="x" 1\n`, "no sample"],
    [`${head}${head}`, "before"],
    ["# HELP a x\n# TYPE a counter\na 1\n", "counter"],
    ["# TYPE a gauge\na 1\n", "help"],
    ['# HELP a x\n# TYPE a histogram\na_bucket{le="+Inf"} 2\na_sum 1\na_count 1\n', "histogram"],
  ])("finds what is wrong in %j", (text, why) => {
    expect(() => parsePrometheus(text)).toThrow(why);
  });
});
