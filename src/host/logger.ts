// SPDX-License-Identifier: MIT
// Where diagnostics go. The layers below cli/ take a Logger and never choose one.

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Logger {
  log(level: LogLevel, message: string): void;
}

export const silentLogger: Logger = { log: () => undefined };
