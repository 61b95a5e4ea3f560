// SPDX-License-Identifier: MIT
// What a command speaks TLS with to a server: from `--ca`, `--cert` and `--key`, or from the files
// that MUSTER_CA and MUSTER_CERT name, which also serve programs whose options are the old ones.
import type { ClientTls } from "../client/tls-platform.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";
import { readNamedFile } from "./small-file.ts";

/** Files, as options name them. */
export interface ClientTlsFiles {
  /** Certificate of whoever has signed the server's. */
  readonly ca?: string | undefined;
  /** A certificate to show. */
  readonly cert?: string | undefined;
  /** Its key, when it is not in the same file. */
  readonly key?: string | undefined;
}

/** @throws CommandError for files that cannot be read, and for a key without its certificate */
export function readClientTls(
  { ca, cert, key }: ClientTlsFiles,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ClientTls {
  if (key !== undefined && cert === undefined) {
    throw new CommandError(exitCodes.usage, "the key belongs to a certificate; give --cert FILE");
  }
  const { MUSTER_CA: usualCa, MUSTER_CERT: usualCert } = environment;
  const shown = cert ?? usualCert;
  return { ca: read(ca ?? usualCa), certificate: read(shown), key: read(key ?? shown) };
}

function read(file: string | undefined): string | undefined {
  return file === undefined || file === "" ? undefined : readNamedFile(file);
}
