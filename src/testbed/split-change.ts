// SPDX-License-Identifier: MIT
// A change of the agenda, for a scheduler in another process: one notification carries it. Pure.
import type { AgendaAmend, AgendaCancel, AgendaEdit } from "../core/agenda/commands.ts";
import type { Answer } from "../core/agenda/effects.ts";
import { utf8Length } from "../core/text.ts";
import { eventsLimits } from "../events/events-limits.ts";

export type AgendaChangeCommand = AgendaAmend | AgendaCancel | AgendaEdit;

/** @returns the command as text, or the answer that it is too long */
export function formatChange(
  command: AgendaChangeCommand,
): { readonly kind: "text"; readonly text: string } | (Answer & { readonly kind: "refused" }) {
  const text = JSON.stringify(command);
  const [bytes, max] = [utf8Length(text), eventsLimits.changeBytesMax];
  if (bytes <= max) return { kind: "text", text };
  const limit = `${bytes} bytes (limit changeBytesMax: ${max})`;
  const message = `the change of the events is too large for a scheduler of its own: ${limit}; make several`;
  return { kind: "refused", code: "limit", message };
}
