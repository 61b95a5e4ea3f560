// SPDX-License-Identifier: MIT

/** A file that cannot be read, or an argument that makes no sense; the message says what to do. */
export class LoadError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
