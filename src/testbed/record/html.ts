// SPDX-License-Identifier: MIT
// HTML and SVG by template: every value put into one is escaped unless it came from another
// template. So a hostile name needs a mistake here, not in each of the places that show it. Pure.
import { controlCharacters } from "../../core/text.ts";

/** Markup that is safe to put into a page. */
export interface Html {
  readonly markup: string;
}

/** What a template takes: text and numbers are escaped, nothing gives nothing. */
export type HtmlValue = string | number | null | undefined | false | Html | readonly HtmlValue[];

/**
 * A template whose values are escaped, for text and for quoted attributes.
 *
 * @example
 * html`<td title="${name}">${name}</td>`.markup
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = parts[0] ?? "";
  for (const [at, value] of values.entries()) markup += render(value) + (parts[at + 1] ?? "");
  return { markup };
}

/** Markup written here, such as a style sheet. Never pass anything that came from outside. */
export function trusted(markup: string): Html {
  return { markup };
}

/** Several values in a row. */
export function joined(values: readonly HtmlValue[], separator = ""): Html {
  return { markup: values.map(render).join(separator) };
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return escapeHtml(value);
  if ("markup" in value) return value.markup;
  return value.map(render).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/** Text for HTML. Controls, and the marks that turn the direction of writing, become U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    .toWellFormed()
    .replace(controlCharacters, (one) => (one === "\n" || one === "\t" ? one : "\u{fffd}"))
    .replace(/[&<>"'`]/g, (one) => entities[one] ?? "");
}
