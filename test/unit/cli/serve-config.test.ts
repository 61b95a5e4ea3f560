// SPDX-License-Identifier: MIT
// Goal: a configuration file of muster serve says what its options say, in the same words, and
// whatever is wrong in it is told with its line. Method: files in a directory of the test, the
// published schema, the options of the command as it has them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  overlay,
  readServeConfig,
  type ServeSettings,
} from "../../../src/cli/commands/serve-config.ts";
import { serveSchema, serveType } from "../../../src/cli/commands/serve-fields.ts";
import { limitTables, parseServeLimits } from "../../../src/cli/commands/serve-limits.ts";
import { addServe } from "../../../src/cli/commands/serve-options.ts";
import { describePlan, planServe } from "../../../src/cli/commands/serve-plan.ts";

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

/** The options of the command, without their dashes. */
function options(): readonly string[] {
  const program = new Command();
  addServe(program, () => undefined, ["--state <dir>", ""]);
  const names = program.commands.flatMap((command) => command.options.map(({ long }) => long));
  return names.flatMap((long) => long?.slice(2) ?? []);
}

describe("a configuration file", () => {
  it("has the words of the options, and no others", () => {
    const others = new Set(["config", "check-config", "stop", "help"]);
    const words = options().filter((name) => !others.has(name));
    expect(Object.keys(serveType.fields).sort()).toEqual([...words].sort());
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
    ["role: king", "1:7: error[", "boss"],
    ["http-client-certs: perhaps", "1:20: error[", "true or false"],
    ["drain: -1", "1:8: error[YAML_RANGE]", "0 to 86400"],
    ["name: a b", "1:7: error[", "a name"],
    ["name: a\nname: b", "2:1: error[YAML_DUPLICATE_KEY]", "line 1"],
    ["listen: [http", "error[YAML_SYNTAX]", "serve.yaml"],
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
  });

  it.each([
    ["colour=1", "the names are"],
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
    [{ listen: ["xmlrpc,scope=s"] }, "what is scope=s?"],
    [{ listen: ["syncd,tls"] }, "needs --tls DIR"],
    [{ listen: ["gnunet=2101,tls"] }, "gnunet=127.0.0.1:2101,tls needs --tls DIR"],
    [{ listen: ["gnunet=/t.sock,tls"] }, "speaks no TLS"],
    [{ listen: ["controllers=9,client-certs"] }, "controllers=127.0.0.1:9,client-certs needs"],
    [{ listen: ["controllers=/t.sock,tls"] }, "speaks no TLS"],
    [{ listen: ["controllers,scope=s"] }, "what is scope=s?"],
    [{ listen: ["controllers=nats://h:1/a.b"] }, "--listen controllers: 'a.b' is no name"],
    [{ parent: "top@nats://h:1?x=1" }, "--parent: there is no 'x' in the name of a log"],
    [{ parent: "top@127.0.0.1", parentCert: "x" }, "needs --parent-ca"],
    [{ parent: "top@/t.sock", parentCa: "x" }, "--parent NAME@ADDRESS:PORT"],
    [{ parent: "top@127.0.0.1", parentCa: "/nowhere" }, "cannot read /nowhere"],
    [{ listen: ["http,client-certs"] }, "needs --tls DIR"],
    [{ tls: "/nowhere", tlsKey: "x" }, "leave out the files"],
    [{ tlsName: "x" }, "--tls DIR"],
    [{ tls: "/nowhere" }, "muster cert"],
    [{ name: "-x" }, "--name -x"],
    [{ log: "paper" }, "sqlite:FILE"],
    [{ origin: ["https://example.org/path"] }, "--origin"],
    [{ role: "ops" }, "--listen events"],
  ])("%j is refused", (settings, why) => {
    expect(() => planServe(settings)).toThrow(why);
  });

  it("is told in words", () => {
    const plan = planServe({ name: "north", listen: ["syncd=127.0.0.1:7,scope=p/e,allow=::1"] });
    expect(describePlan(plan, "/st")).toEqual([
      ...["north: the configuration is good", "keeps the experiments of /st"],
      ...["syncd at 127.0.0.1:7, scope p/e, for 1 networks", "log of the core: memory"],
      "waiters at one barrier: at most 100000",
    ]);
  });
});
