// SPDX-License-Identifier: MIT
// Goal: the pages have every option that --help has, and tables of options name none that is gone.
// Method: the commands themselves. An option of a command of `muster` is in the section of
// docs/reference/cli.md about it, or in a page that the section links to; one of an old tool is in
// the page of that tool.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository, shell } from "./support/command.ts";

const docs = join(repository, "docs");
const read = (page: string): string => readFileSync(join(docs, page), "utf8");
const cli = read("reference/cli.md");

async function helpOf(command: string): Promise<string> {
  const { code, stdout } = await shell(`${join(repository, "bin")}/${command} --help`);
  expect(code).toBe(0);
  return stdout;
}

/** Options that a text names, short and long. */
function optionsIn(text: string): readonly string[] {
  const found = text.matchAll(/(?<![\w<>/=-])(--[a-z][\w-]*|-[A-Za-z](?![\w-]))/g);
  return [...new Set([...found].map(([, option = ""]) => option))];
}

/** The first cells of the tables of options. */
function optionsOfTables(page: string): readonly string[] {
  const rows = page.match(/^\| `-.*?\|/gm) ?? [];
  return optionsIn(rows.join("\n"));
}

/** `muster` and all that is below it, such as `muster barrier wait`, with its help. */
async function commandsBelow(command: string): Promise<readonly [string, string][]> {
  const help = await helpOf(command);
  const [, list = ""] = /\nCommands:\n([\s\S]*)/.exec(help) ?? [];
  const names = [...list.matchAll(/^ {2}([a-z]\S*)/gm)].flatMap(([, name = ""]) => name);
  const below = names.filter((name) => name !== "help").map((name) => `${command} ${name}`);
  return [[command, help], ...(await Promise.all(below.map(commandsBelow))).flat()];
}

/** What links to a heading say. */
const slug = (heading: string): string =>
  heading
    .slice(3)
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

/** The section about a command, and the pages that it links to. */
function pagesAbout(command: string): string {
  const [, name = ""] = command.split(" ");
  const sections = cli.split(/^(?=## )/m);
  const section = sections.filter((text) =>
    text
      .split("\n", 1)[0]
      ?.match(/[\w-]+/g)
      ?.includes(name),
  );
  const links = section.join("").matchAll(/\]\(([\w./-]+\.md)/g);
  const others = [...section.join("").matchAll(/\]\(#([\w-]+)/g)].map(([, anchor]) => anchor);
  const pages = [...new Set([...links].map(([, link = ""]) => join("reference", link)))];
  const linked = sections.filter((text) => others.includes(slug(text.split("\n", 1)[0] ?? "")));
  return [...section, ...linked, ...pages.map(read)].join("\n");
}

describe("muster", () => {
  it("has each option of each command in its pages", async () => {
    const commands = await commandsBelow("muster");
    expect(commands.length).toBeGreaterThan(50);
    const missing = commands.slice(1).flatMap(([command, help]) => {
      const [, options = ""] = /\nOptions:\n([\s\S]*?)(?:\n\n|$)/.exec(help) ?? [];
      const lines = options.match(/^ {2}-.*/gm) ?? [];
      const named = lines.flatMap((line) => line.match(/--[a-z][\w-]*/)?.[0] ?? []);
      const pages = optionsIn(pagesAbout(command));
      return named
        .filter((option) => option !== "--help" && !pages.includes(option))
        .map((option) => `${command} ${option}`);
    });
    expect(missing).toEqual([]);
  });
});

/** Where an old tool is described, if not in a page of its own name. */
const pageOf: Readonly<Record<string, string>> = {
  "link-config": "man/delay-config.8.md",
  "linktest.proxy": "man/linktest-control.8.md",
  ltevent: "man/run-linktest.8.md",
  ...{ "eventsys-control": "reference/xmlrpc.md", "eventsys-start": "reference/xmlrpc.md" },
  ...{ "wait-for-state": "reference/xmlrpc.md", xmlrpc: "reference/xmlrpc.md" },
  startcmddone: "reference/cli.md",
};
const notTools = ["launch.sh", "node", "muster"];
const tools = readdirSync(join(repository, "bin")).filter((name) => !notTools.includes(name));
const manuals = readdirSync(join(docs, "man"));

describe("old tools", () => {
  it.each(tools)("%s", async (tool) => {
    const manual = manuals.find((name) => name.replace(/\.\d\.md$/, "") === tool);
    const page = read(manual === undefined ? (pageOf[tool] as string) : `man/${manual}`);
    const help = optionsIn(await helpOf(tool));
    expect(help.filter((option) => !page.includes(option))).toEqual([]);
    if (manual === undefined) return;
    const sharing = Object.keys(pageOf).filter((name) => pageOf[name] === `man/${manual}`);
    const helps = [help, ...(await Promise.all(sharing.map(helpOf))).map(optionsIn)].flat();
    const gone = optionsOfTables(page).filter((option) => !["-h", ...helps].includes(option));
    expect(gone).toEqual([]);
  });
});
