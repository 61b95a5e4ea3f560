// SPDX-License-Identifier: MIT
// Certificates made by openssl: an authority, a server, users, and some that must not be let in.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Makes certificates in `folder` that the authority of that folder has signed. */
export class Certificates {
  readonly authority: string;
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name = "authority") {
    this.#folder = folder;
    this.#name = name;
    this.authority = join(folder, `${name}.crt`);
    const subject = `/O=Muster/OU=authority/CN=${name}`;
    const constraint = "basicConstraints=critical,CA:TRUE";
    this.#openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", subject, "-addext", constraint],
      ...["-keyout", join(folder, `${name}.key`), "-out", this.authority],
    );
  }

  issue(unit: string, name: string, days = 2): Pair {
    const file = join(this.#folder, `${this.#name}-${unit}-${name}`);
    const [key, request, certificate] = [`${file}.key`, `${file}.csr`, `${file}.crt`];
    this.#openssl(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", `/O=Muster/OU=${unit}/CN=${name}`, "-keyout", key, "-out", request],
    );
    writeFileSync(`${file}.ext`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    this.#openssl(
      ...["x509", "-req", "-in", request, "-CA", this.authority, "-CAcreateserial"],
      ...["-CAkey", join(this.#folder, `${this.#name}.key`), "-days", String(days)],
      ...["-extfile", `${file}.ext`, "-out", certificate],
    );
    return { certificate, key };
  }

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { stdio: "pipe" });
  }
}
