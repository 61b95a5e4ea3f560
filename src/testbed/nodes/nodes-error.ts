// SPDX-License-Identifier: MIT
// Nodes cannot be had, and why: a sentence for the user.

export class NodesError extends Error {
  override readonly name = "NodesError";
}
