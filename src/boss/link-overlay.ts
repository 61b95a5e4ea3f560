// SPDX-License-Identifier: MIT
// What a user has set of links for good, laid over what the file says.

/** One key of a link, or of one node at it. */
export interface LinkSetting {
  readonly link: string;
  /** `""`: the whole of it. */
  readonly node: string;
  readonly key: string;
  readonly value: string;
}
