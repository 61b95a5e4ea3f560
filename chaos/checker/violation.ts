// SPDX-License-Identifier: MIT
// What the checker finds, with what shows it.

export type ViolationKind =
  /** Asked, and never answered; or all have come, and nobody was let go. */
  | "lost"
  /** Answered twice, counted twice, or of one crossing in two. */
  | "doubled"
  /** Let go before all had come that are needed. */
  | "early"
  /** Let go before the log had what is needed. */
  | "before-log"
  /** Acknowledged, and it did not count. */
  | "not-counted"
  /** Parties of one crossing were told different things, or wrong ones. */
  | "disagreement"
  /** Numbers that leave some out. */
  | "gap"
  /** Readers of a topic have different orders, or another one than its publishers were told. */
  | "order"
  /** Two led at one time, or terms did not grow. */
  | "two-leaders"
  /** A session ended that nobody had ended, or did not come to an end. */
  | "session"
  /** An answer that came later than any fault lasts, to who waits for nobody. */
  | "late"
  /** An answer that no fault explains. */
  | "refused"
  /** A process ended by itself, or a server that is whole does not become ready. */
  | "process"
  /** The brokers themselves have lost or replaced what they had delivered. */
  | "broker"
  /** A history or the record is not whole: then nothing is proved. */
  | "history";

export interface Violation {
  readonly kind: ViolationKind;
  /** Of what: scope and name of a barrier or topic, a party, a server. */
  readonly where: string;
  readonly text: string;
  /** Lines of histories and of the record that show it. */
  readonly evidence: readonly string[];
}

const evidenceLinesMax = 12;

export function violation(
  kind: ViolationKind,
  where: string,
  text: string,
  evidence: readonly unknown[] = [],
): Violation {
  const lines = evidence.slice(0, evidenceLinesMax).map((item) => JSON.stringify(item));
  return { kind, where, text, evidence: lines };
}
