// SPDX-License-Identifier: MIT
// Goal: a configuration file of muster serve says what its options say, in the same words, and
// whatever is wrong in it is told with its line. Method: files in a directory of the test, the
// published schema, the options of the command as it has them.
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfigText } from "../../../src/cli/commands/config-text.ts";
import {
  inspectServeConfig,
  overlay,
  readServeConfig,
  type ServeSettings,
} from "../../../src/cli/commands/serve-config.ts";
import { serveSchema, serveType } from "../../../src/cli/commands/serve-fields.ts";
import { limitTables, parseServeLimits } from "../../../src/cli/commands/serve-limits.ts";
import { addServe } from "../../../src/cli/commands/serve-options.ts";
import { describePlan, findPlanFaults, planServe } from "../../../src/cli/commands/serve-plan.ts";

const docs = join(import.meta.dirname, "../../../docs/reference");
let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-config-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(text: string): string {
  const file = join(directory, "serve.yaml");
  writeFileSync(file, text);
  return file;
}

const read = (text: string): ServeSettings => readServeConfig(write(text));

function serveProgram(): Command {
  const program = new Command();
  addServe(program, () => undefined, ["--state <dir>", ""]);
  const [serve] = program.commands;
  if (serve === undefined) throw new Error("no command");
  return serve;
}

/** The options of the command, without their dashes. */
function options(): readonly string[] {
  return serveProgram().options.flatMap(({ long }) => long?.slice(2) ?? []);
}

/** Options that a file has no key for, each with the reason. */
const withoutKey: Readonly<Record<string, string>> = {
  config: "it names the file",
  "check-config": "it asks about the file, and nothing is started",
  stop: "it ends a server, and starts none",
};

/** A value of each option, as on a command line; null where it takes none. */
const samples: Readonly<Record<string, string | null>> = {
  ...{ state: "/st", name: "north", role: "boss", listen: "http=127.0.0.1:1" },
  ...{ allow: "http=10.0.0.0/8", "redirect-events": "192.0.2.1=ops", log: "sqlite:/core.log" },
  ...{ shards: "3", "nats-creds": "/creds", tls: "/tls", "tls-name": "east", "tls-cert": "/c" },
  ...{ "tls-key": "/k", "tls-ca": "/ca", "http-client-certs": null, origin: "https://example.org" },
  ...{ limit: "scopesMax=7", "gnunet-peers": "4", parent: "top@127.0.0.1:2105" },
  ...{ controller: "east", "controllers-key": "/ck" },
  ...{ "parent-key": "/pk", "parent-ca": "/pca", "parent-cert": "/pc", below: "u@h:1" },
  ...{ "below-shell": "ssh %h", "below-command": "muster serve", "below-at": "192.0.2.1:2105" },
  ...{ drain: "30", "keep-days": "7", "keep-bytes": "1000", scheduler: "inside" },
  ...{ rundir: "/rd", "ops-dir": "/od", ops: "localhost", "ops-shell": "ssh %h" },
  ...{ "ops-user": "root", "ops-port": "22", "ops-proxy": "/usr/bin/proxy" },
};

/** What the command is told by one option. */
function told(name: string, value: string | null): ServeSettings {
  const serve = serveProgram();
  let settings: Record<string, unknown> = {};
  serve.action((found: Record<string, unknown>) => {
    settings = found;
  });
  serve.parse([`--${name}`, ...(value === null ? [] : [value])], { from: "user" });
  const { checkConfig, stop, ...rest } = settings;
  expect([checkConfig, stop]).toEqual([false, false]);
  return rest;
}

/** The same in a file. */
function line(name: string, value: string | null): string {
  if (value === null) return `${name}: true`;
  return name === "limit" ? `limit: { ${value.replace("=", ": ")} }` : `${name}: ${value}`;
}

describe("a configuration file", () => {
  it("has the words of the options, and no others", () => {
    const words = options().filter((name) => !Object.hasOwn(withoutKey, name));
    expect(Object.keys(serveType.fields).sort()).toEqual([...words].sort());
    // None is left out that is not there any more.
    for (const name of Object.keys(withoutKey)) expect(options()).toContain(name);
    expect(Object.keys(samples).sort()).toEqual(Object.keys(serveType.fields).sort());
  });

  it.each(Object.entries(samples))("says by %s what its option says", (name, value) => {
    const settings = read(line(name, value));
    expect(Object.keys(settings)).toHaveLength(1);
    expect(settings).toEqual(told(name, value));
  });

  it("has the published schema", () => {
    const published = readFileSync(join(docs, "serve.schema.json"), "utf8");
    expect(JSON.parse(published)).toEqual(serveSchema());
  });

  it("says all that options say; its paths count from where it is", () => {
    const settings = read(`
# what a site has
name: north
role: ops
state: st
listen:
  - http=127.0.0.1:8470,allow=127.0.0.0/8
  - syncd=10.0.0.1:16534,scope=p/e
allow: [syncd=10.0.0.0/8]
redirect-events: 192.0.2.1=ops
log: sqlite:core.log
tls: /etc/muster/tls
http-client-certs: true
origin: https://example.org
limit: { waitersPerBarrierMax: 7, queueBytesMax: 1048576 }
drain: 30
ops-port: 2222
`);
    expect(settings).toEqual({
      ...{ name: "north", role: "ops", state: join(directory, "st"), drain: 30, opsPort: "2222" },
      listen: ["http=127.0.0.1:8470,allow=127.0.0.0/8", "syncd=10.0.0.1:16534,scope=p/e"],
      ...{ allow: ["syncd=10.0.0.0/8"], redirectEvents: ["192.0.2.1=ops"] },
      ...{ log: `sqlite:${join(directory, "core.log")}`, tls: "/etc/muster/tls" },
      ...{ httpClientCerts: true, origin: ["https://example.org"] },
      limit: ["waitersPerBarrierMax=7", "queueBytesMax=1048576"],
    });
  });

  it("may be empty, or all comments", () => {
    expect(read("")).toEqual({});
    expect(read("# nothing yet\n")).toEqual({});
  });

  it("gives way to the command line, whose lists come behind its own", () => {
    const below = { name: "north", listen: ["http"], limit: ["scopesMax=5"], drain: 3 };
    const above = { name: "south", listen: ["syncd"], limit: ["scopesMax=6"] };
    expect(overlay(below, above)).toEqual({
      ...{ name: "south", listen: ["http", "syncd"], drain: 3 },
      limit: ["scopesMax=5", "scopesMax=6"],
    });
    expect(parseServeLimits(["scopesMax=5", "scopesMax=6"]).limits.scopesMax).toBe(6);
  });

  it.each([
    ["liste: http", "1:1: error[YAML_KEY]", "listen"],
    ["name: north\nlisten: [http, ftp=1]", "2:16: error[SERVE_VALUE]", "http, syncd"],
    ["listen:\n  - http\n  - syncd=nowhere:1", "3:5: error[SERVE_VALUE]", "syncd=127.0.0.1:16534"],
    ["allow: syncd=10.0.0.0/40", "1:8: error[SERVE_VALUE]", "10.0.0.0/40"],
    ["redirect-events:\n- x", "2:3: error[SERVE_VALUE]", "ADDRESS:PORT=HOST:PORT"],
    ["limit:\n  waitersPerBarierMax: 5", "2:3: error[SERVE_VALUE]", "waitersPerBarrierMax"],
    ["limit:\n  scopesMax: many", "2:14: error[", "whole number"],
    ["limit: {scopesMax: 0}", "1:20: error[YAML_RANGE]", "1 to"],
    [
      "limit: {nodesMax: 5}",
      "1:9: error[SERVE_VALUE]: nodesMax=5: this limit is fixed",
      "limits.md",
    ],
    ["limit:\n  scopesMx: 1000", "scopesMx=1000: did you mean scopesMax?", "2:3"],
    ["name: a\nlog: paper", "2:6: error[SERVE_VALUE]: there is no log 'paper'", "sqlite:FILE"],
    ["log: sqlite://core.log", "1:6: error[SERVE_VALUE]: there is no log", "sqlite:core.log"],
    ["role: king", "1:7: error[", "boss"],
    ["http-client-certs: perhaps", "1:20: error[", "true or false"],
    ["drain: -1", "1:8: error[YAML_RANGE]", "0 to 86400"],
    [
      "name: north south",
      'name is a name of 1 to 63 letters, digits, ., _ and -, not "north south"',
      "Write a name of 1 to 63 letters",
    ],
    ["name: a\nname: b", "2:1: error[YAML_DUPLICATE_KEY]", "line 1"],
    ["listen: [http", "error[YAML_SYNTAX]", "serve.yaml"],
    ["listen: 8470", "1:9: error[YAML_KIND]", "Say which door: http=8470"],
    ["listen:\n  http: 8470", "2:3: error[YAML_KIND]", "Say which door: http=8470"],
    ["listen: ':8470'", "1:9: error[SERVE_VALUE]: :8470: it is not said", "such as http=8470;"],
    ["listen: ::1", "1:9: error[SERVE_VALUE]: ::1: it is not said", "such as http=[::1]:8470;"],
    ["listen: http\n---\nlisten: http", "2:1: error[YAML_SYNTAX]: a second", "a file of its own"],
    ["- http", "1:1: error[", "configuration"],
  ])("%j is refused at its place", (text, place, hint) => {
    expect(() => read(text)).toThrow(place);
    expect(() => read(text)).toThrow(hint);
  });

  it("tells all that is wrong at once, with the lines of the file", () => {
    const text = "listen: [ftp]\nallow: [x]\nlimit: {y: 1}\n";
    expect(() => read(text)).toThrow(/1:10: .*\n {4}1 \| listen: \[ftp\][\s\S]*2:9: [\s\S]*3:9: /);
  });
});

describe("the text of a configuration", () => {
  const limitMs = 60;
  const readText = (file: string, waitMs: number): string => readConfigText(file, 100, waitMs);

  it("is not waited for without end where nobody writes to a pipe, or not all of it", () => {
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const why = `cannot read ${pipe}: nobody has written all of it within 0.06 s`;
    expect(() => readText(pipe, limitMs)).toThrow(why);
    // One who has opened it at both ends is a writer.
    const both = openSync(pipe, "r+");
    writeSync(both, "drain: 3");
    expect(() => readText(pipe, limitMs)).toThrow(why);
    closeSync(both);
  });

  it("may come on a pipe, later and in pieces", () => {
    const pipe = join(directory, "later");
    execFileSync("mkfifo", [pipe]);
    const script = 'sleep 0.1; { echo "name: a"; sleep 0.1; echo "drain: 3"; } >"$1"';
    spawn("sh", ["-c", script, "sh", pipe], { stdio: "ignore" });
    expect(readText(pipe, 60_000)).toBe("name: a\ndrain: 3\n");
  });

  it("is cut where it is too long, and may be nothing", () => {
    expect([readText("/dev/zero", limitMs).length, readText("/dev/null", limitMs)]).toEqual([
      100,
      "",
    ]);
    expect(() => readText(directory, limitMs)).toThrow("it is a directory");
  });
});

describe("limits", () => {
  it("have one name each, and are all in the documentation", () => {
    const names = limitTables.flatMap((table) => Object.keys(table));
    expect(new Set(names).size).toBe(names.length);
    const pages = ["limits.md", "serve.md"].map((page) => readFileSync(join(docs, page), "utf8"));
    for (const name of names) expect(pages.join(""), name).toContain(`\`${name}\``);
  });

  it("are all settable, and reach the table that has them", () => {
    for (const [at, table] of limitTables.entries()) {
      for (const [name, value] of Object.entries(table)) {
        const resolved = Object.values(parseServeLimits([`${name}=${value}`]))[at];
        expect(resolved, name).toHaveProperty(name, value);
      }
    }
    const limits = parseServeLimits(["subscriptionsMax=3", "experimentsUpMax=2", "tcpBacklog=9"]);
    expect(limits.bus.subscriptionsMax).toBe(3);
    expect(limits.boss.experimentsUpMax).toBe(2);
    expect(limits.syncdBounds.tcpBacklog).toBe(9);
    expect(limits.told).toEqual({});
    // What decides in the core is said in the log, also when it is the default.
    const told = parseServeLimits(["scopesMax=1000", "messagesPerReadMax=2"]);
    expect([told.told, told.limits.messagesPerReadMax]).toEqual([{ scopesMax: 1_000 }, 2]);
  });

  it.each([
    ["colour=1", "that can be set is like it; docs/reference/limits.md"],
    ["scopeMax=1", "did you mean scopesMax"],
    ["scopesMax", "positive whole number"],
    ["scopesMax=1.5", "positive whole number"],
    ["scopesMax=0", "positive whole number"],
    ["scopesMax=1=2", "positive whole number"],
    ["edgeLeaseUsMax=1", "the usual lease"],
    ["tcpListenersPerAddress=257", "1 to 256"],
  ])("%s is refused", (setting, why) => {
    expect(() => parseServeLimits([setting])).toThrow(why);
  });
});

describe("a plan", () => {
  it("has the networks of a kind of door at each of its listeners, and those of its own", () => {
    const { listens } = planServe({
      listen: ["syncd=127.0.0.1:1", "syncd=127.0.0.1:2,allow=::1", "http"],
      allow: ["syncd=10.0.0.0/8,192.0.2.0/24"],
    });
    expect(listens.map(({ networks }) => networks.length)).toEqual([2, 3, 0]);
  });

  it("has the networks of GNUnet's doors, of controllers and of XML-RPC, too", () => {
    const { gnunet, tree } = planServe({
      listen: [
        "gnunet=1,allow=::1",
        "gnunet-barrier=2",
        "controllers=3",
        "controllers=4,allow=::1",
      ],
      allow: ["gnunet=10.0.0.0/8", "controllers=10.0.0.0/8"],
    });
    const counts = (listens: readonly { readonly networks: readonly unknown[] }[]) =>
      listens.map(({ networks }) => networks.length);
    expect([counts(gnunet.listens), counts(tree.listens)]).toEqual([
      [2, 0],
      [1, 2],
    ]);
  });

  it.each<readonly [ServeSettings, string]>([
    [{ allow: ["syncd=10.0.0.0/8"] }, "add --listen syncd"],
    [{ allow: ["xmlrpc=10.0.0.0/8"], listen: ["http"] }, "add --listen xmlrpc"],
    [{ allow: ["controllers=10.0.0.0/8"], listen: ["http"] }, "add --listen controllers"],
    [{ allow: ["printer=10.0.0.0/8"], listen: ["http"] }, "gnunet-barrier, controllers"],
    [{ allow: ["http="], listen: ["http"] }, "no network"],
    [{ listen: ["http,allow=ten"] }, "10.0.0.0/8"],
    [{ listen: ["htp=8470"] }, "there is no such door, did you mean http?; the doors are http, "],
    [{ listen: ["gnuet"] }, "did you mean gnunet?"],
    [
      { listen: ["syncd=127.0.0.1:1,scop=p/e"] },
      "there is no setting 'scop', did you mean scope?; there are: scope, allow, tls, client-certs;",
    ],
    [{ listen: ["xmlrpc,scope=s"] }, "there is no setting 'scope'; there are: allow;"],
    [{ listen: ["syncd,tls"] }, "needs --tls DIR"],
    [{ listen: ["gnunet=2101,tls"] }, "gnunet=127.0.0.1:2101,tls needs --tls DIR"],
    [{ listen: ["gnunet=/t.sock,tls"] }, "speaks no TLS"],
    [{ listen: ["controllers=9,client-certs"] }, "controllers=127.0.0.1:9,client-certs needs"],
    [{ listen: ["controllers=/t.sock,tls"] }, "speaks no TLS"],
    [{ listen: ["controllers,scope=s"] }, "there is no setting 'scope'; there are: "],
    [{ listen: ["controllers=nats://h:1/a.b"] }, "--listen controllers: 'a.b' is no name"],
    [{ parent: "top@nats://h:1?x=1" }, "--parent: there is no 'x' in the name of a log"],
    [{ parent: "top@127.0.0.1:1,nowhere:2" }, "nowhere is neither an address"],
    [{ controller: "east" }, "add --parent or --listen controllers=ADDR"],
    [{ controller: "a b", parent: "top@127.0.0.1" }, "--controller a b: give 1 to 63 letters"],
    [{ controller: "top", parent: "top@127.0.0.1" }, "give --controller NAME"],
    [{ controllersKey: "/k", parent: "top@127.0.0.1" }, "add --listen controllers=ADDR"],
    [{ parent: "top@127.0.0.1", parentCert: "x" }, "needs --parent-ca"],
    [{ parent: "top@/t.sock", parentCa: "x" }, "--parent NAME@ADDRESS:PORT"],
    [{ parent: "top@127.0.0.1", parentCa: "/nowhere" }, "cannot read /nowhere"],
    [{ listen: ["http,client-certs"] }, "needs --tls DIR"],
    [{ tls: "/nowhere", tlsKey: "x" }, "leave out the files"],
    [{ tlsName: "x" }, "--tls DIR"],
    [{ tls: "/nowhere" }, "muster cert"],
    [{ name: "-x" }, "--name -x"],
    [{ limit: ["nodesMx=3"] }, "--limit nodesMx=3: there is nodesMax, which is fixed"],
    [{ limit: ["eventsMax=3"] }, "this limit is fixed and cannot be set"],
    [{ log: "paper" }, "sqlite:FILE"],
    [{ log: "sqlite:/f" }, "--log sqlite:/f: nothing would be kept there"],
    [{ log: "sqlite:/f", listen: ["events", "xmlrpc"] }, "add --listen http"],
    [{ log: "nats://u:secret@h:1/t" }, "--log nats://***@h:1/t: nothing would be kept there"],
    [{ log: "nats://h:1/t", listen: ["boss-events"] }, "testground, gnunet, events"],
    [{ shards: 3, listen: ["http"] }, "--shards 3: a log in memory is one; leave it out"],
    [{ shards: 3 }, "--shards 3: a log in memory is one"],
    [{ origin: ["https://example.org/path"] }, "--origin"],
    [{ role: "ops" }, "--listen events"],
    [{ role: "ops", listen: ["events"], keepDays: 1 }, "of --role boss"],
  ])("%j is refused", (settings, why) => {
    expect(() => planServe(settings)).toThrow(why);
  });

  it.each<readonly [log: string, settings: ServeSettings]>([
    ["sqlite:/f", { listen: ["syncd"] }],
    ["sqlite:/f", { listen: ["gnunet-barrier=/t.sock"] }],
    ["sqlite:/f", { parent: "top@127.0.0.1:1" }],
    ["nats://h:1/t", { listen: ["http"], shards: 3 }],
    // The buses that several servers have in common.
    ["nats://h:1/t", { role: "ops", listen: ["events"] }],
    ["nats://h:1/t", { role: "boss", listen: ["boss-events"] }],
  ])("a log at %s is taken with what is kept in it, %j", (log, settings) => {
    expect(planServe({ log, ...settings }).log).toBe(log);
  });

  it("says what becomes of old runs, where something does", () => {
    const keep = (settings: ServeSettings) => describePlan(planServe(settings), "/st").slice(2, -1);
    expect(keep({})).toEqual([]);
    expect(keep({ keepDays: 30 })).toEqual([
      "results of old runs are removed: those of more than 30 days",
    ]);
    expect(keep({ keepDays: 0, keepBytes: 5 })).toEqual([
      "results of old runs are removed: those of more than 0 days, and the oldest beyond 5 bytes in all",
    ]);
  });

  it("says how long waits have left at its end, where they have", () => {
    const plan = planServe({ listen: ["http"], drain: 30 });
    expect(describePlan(plan, "/st").at(-1)).toBe("when it is told to end: waits have 30 s left");
  });

  it("is told in words", () => {
    const plan = planServe({ name: "north", listen: ["syncd=127.0.0.1:7,scope=p/e,allow=::1"] });
    expect(describePlan(plan, "/st")).toEqual([
      ...["north: the configuration is good", "keeps the experiments of /st"],
      ...["syncd at 127.0.0.1:7, scope p/e, for 1 network", "log of the core: memory"],
      "waiters at one barrier: at most 100000",
    ]);
  });
});

describe("all that is wrong at once", () => {
  const faultsOf = (text: string): readonly string[] => {
    const { settings, unsound } = inspectServeConfig(write(text));
    return findPlanFaults(settings, unsound)?.message.split("\n") ?? [];
  };

  it("of options, which do not depend on each other", () => {
    const settings: ServeSettings = {
      ...{ name: "-", log: "paper", listen: ["ftp", "http,colour", "syncd=127.0.0.1:1,tls"] },
      ...{
        origin: ["x"],
        limit: ["colour=1"],
        shards: 2,
        parentKey: "k",
        keepDays: 1,
        role: "ops",
      },
    };
    let message = "";
    try {
      planServe(settings);
    } catch (error) {
      message = String(error);
    }
    for (const text of ["--name -", "--log: ", "--listen ftp", "--listen http,colour"]) {
      expect(message).toContain(text);
    }
    for (const text of ["--origin x", "--limit colour=1", "--parent-key", "--keep-days"]) {
      expect(message).toContain(text);
    }
    // What cannot be told while doors are unknown is not.
    expect(message).not.toContain("--role ops opens");
    expect(message.split("\n")).toHaveLength(8);
  });

  it("of a file, also the certificates that it names, at their line", () => {
    const file = write('drian: 3\ntls: nosuch\nname: "-x"\n');
    const { fault } = inspectServeConfig(file, {});
    expect(fault?.exitCode).toBe(65);
    expect(fault?.message).toMatch(/:1:1: .*no field "drian"/);
    expect(fault?.message).toMatch(/:2:6: .*there is no certificate of a server in .*nosuch/);
    expect(fault?.message).toMatch(/:3:7: .*not "-x"/);
    const pair = write("tls-cert: nocert\ntls-key: nokey\n");
    expect(inspectServeConfig(pair, {}).fault?.message).toMatch(/:1:11: .*nocert/);
    // Another one is used, or none.
    const good = write("tls: nosuch\n");
    expect(inspectServeConfig(good, { tls: "/another" }).fault).toBeUndefined();
    expect(inspectServeConfig(good).fault).toBeUndefined();
  });

  it("of a file, beside what is wrong with its lines, and nothing that follows from that", () => {
    expect(faultsOf("drain: soon\nlog: paper\nrole: ops\nkeep-days: 1\nlisten: events\n")).toEqual([
      expect.stringContaining("--keep-days"),
    ]);
    // The door that it is for may be the one that is misspelt.
    expect(faultsOf("listen: [htp]\nallow: http=::1\n")).toEqual([]);
    // A key may be what was meant by another one.
    expect(faultsOf("listn: [events]\nrole: ops\nlog: paper\n")).toEqual([]);
    expect(faultsOf("a: [\n")).toEqual([]);
  });
});
